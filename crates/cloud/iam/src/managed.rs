//! AWS-managed policies: they exist, by ARN, in every account.
//!
//! Documents are made from the table below: what each policy allows, by action, after AWS's reference of managed
//! policies (<https://docs.aws.amazon.com/aws-managed-policy/latest/reference/>). Conditions and narrower resources
//! that some of the originals carry are not here; who needs them exactly writes a policy of their own.

use std::collections::BTreeMap;
use std::sync::LazyLock;

/// One managed policy.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Managed {
    /// Before the name: empty or `service-role/`.
    pub(crate) path: &'static str,
    pub(crate) name: &'static str,
    pub(crate) actions: &'static [&'static str],
    /// Instead of `actions`: allows all but these.
    pub(crate) except: &'static [&'static str],
}

const PREFIX: &str = "arn:aws:iam::aws:policy/";

impl Managed {
    /// The policy of an ARN.
    pub(crate) fn by_arn(arn: &str) -> Option<&'static Self> {
        let path_and_name = arn.strip_prefix(PREFIX)?;
        TABLE.iter().find(|policy| path_and_name.strip_prefix(policy.path).is_some_and(|name| name == policy.name))
    }

    pub(crate) fn all() -> &'static [Self] {
        TABLE
    }

    pub(crate) fn arn(&self) -> String {
        format!("{PREFIX}{}{}", self.path, self.name)
    }

    /// Made from the name, so that it is the same everywhere and always.
    pub(crate) fn id(&self) -> String {
        const ALPHABET: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
        // FNV-1a, spread over the seventeen letters.
        let mut state = self
            .name
            .bytes()
            .fold(0xcbf2_9ce4_8422_2325_u64, |state, byte| (state ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
        let letter = |_| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            char::from(ALPHABET[usize::try_from(state >> 59).unwrap_or(0)])
        };
        format!("ANPA{}", (0..17).map(letter).collect::<String>())
    }

    /// The document; made once of each policy.
    pub(crate) fn text(&'static self) -> &'static str {
        static TEXTS: LazyLock<BTreeMap<&'static str, String>> =
            LazyLock::new(|| TABLE.iter().map(|policy| (policy.name, policy.written())).collect());
        TEXTS.get(self.name).map_or("", String::as_str)
    }

    fn written(&self) -> String {
        let (element, actions) =
            if self.except.is_empty() { ("Action", self.actions) } else { ("NotAction", self.except) };
        let statement = serde_json::json!({ "Effect": "Allow", element: actions, "Resource": "*" });
        serde_json::json!({ "Version": "2012-10-17", "Statement": [statement] }).to_string()
    }
}

const fn allows(path: &'static str, name: &'static str, actions: &'static [&'static str]) -> Managed {
    Managed { path, name, actions, except: &[] }
}

static TABLE: &[Managed] = &[
    allows("", "AdministratorAccess", &["*"]),
    Managed { path: "", name: "PowerUserAccess", actions: &[], except: &["iam:*", "organizations:*", "account:*"] },
    allows("", "IAMFullAccess", &["iam:*", "organizations:DescribeAccount", "organizations:ListRoots"]),
    allows("", "IAMReadOnlyAccess", &["iam:Get*", "iam:List*", "iam:Simulate*", "iam:GenerateCredentialReport"]),
    allows("", "AmazonEC2FullAccess", &["ec2:*", "elasticloadbalancing:*", "cloudwatch:*", "autoscaling:*"]),
    allows("", "AmazonEC2ReadOnlyAccess", &["ec2:Describe*", "ec2:GetConsole*", "elasticloadbalancing:Describe*"]),
    allows(
        "",
        "AmazonVPCFullAccess",
        &["ec2:*Vpc*", "ec2:*Subnet*", "ec2:*Route*", "ec2:*Gateway*", "ec2:*SecurityGroup*"],
    ),
    allows(
        "",
        "ReadOnlyAccess",
        &[
            "ec2:Describe*",
            "ec2:Get*",
            "eks:Describe*",
            "eks:List*",
            "ecr:Describe*",
            "ecr:Get*",
            "ecr:List*",
            "ecr:BatchGet*",
            "ecr:BatchCheck*",
            "iam:Get*",
            "iam:List*",
            "outposts:Get*",
            "outposts:List*",
            "sts:GetCallerIdentity",
            "sts:GetAccessKeyInfo",
        ],
    ),
    allows("", "AmazonEKSClusterPolicy", CLUSTER),
    allows(
        "",
        "AmazonEKSVPCResourceController",
        &[
            "ec2:CreateNetworkInterfacePermission",
            "ec2:CreateNetworkInterface",
            "ec2:DetachNetworkInterface",
            "ec2:ModifyNetworkInterfaceAttribute",
            "ec2:DeleteNetworkInterface",
            "ec2:AttachNetworkInterface",
            "ec2:UnassignPrivateIpAddresses",
            "ec2:AssignPrivateIpAddresses",
        ],
    ),
    allows("", "AmazonEKSLocalOutpostClusterPolicy", LOCAL_CLUSTER),
    allows(
        "",
        "AmazonEKSServicePolicy",
        &[
            "ec2:CreateNetworkInterface",
            "ec2:CreateNetworkInterfacePermission",
            "ec2:DeleteNetworkInterface",
            "ec2:DescribeInstances",
            "ec2:DescribeNetworkInterfaces",
            "ec2:DetachNetworkInterface",
            "ec2:DescribeSecurityGroups",
            "ec2:DescribeSubnets",
            "ec2:DescribeVpcs",
            "ec2:ModifyNetworkInterfaceAttribute",
            "iam:ListAttachedRolePolicies",
            "eks:UpdateClusterVersion",
            "ec2:CreateTags",
            "ec2:DeleteTags",
            "route53:AssociateVPCWithHostedZone",
            "logs:CreateLogGroup",
            "logs:CreateLogStream",
            "logs:DescribeLogStreams",
            "logs:PutLogEvents",
        ],
    ),
    allows(
        "",
        "AmazonEKSWorkerNodePolicy",
        &[
            "ec2:DescribeInstances",
            "ec2:DescribeInstanceTypes",
            "ec2:DescribeRouteTables",
            "ec2:DescribeSecurityGroups",
            "ec2:DescribeSubnets",
            "ec2:DescribeVolumes",
            "ec2:DescribeVolumesModifications",
            "ec2:DescribeVpcs",
            "eks:DescribeCluster",
            "eks-auth:AssumeRoleForPodIdentity",
        ],
    ),
    allows("", "AmazonEKSWorkerNodeMinimalPolicy", &["eks-auth:AssumeRoleForPodIdentity"]),
    allows(
        "",
        "AmazonEKS_CNI_Policy",
        &[
            "ec2:AssignPrivateIpAddresses",
            "ec2:AttachNetworkInterface",
            "ec2:CreateNetworkInterface",
            "ec2:CreateTags",
            "ec2:DeleteNetworkInterface",
            "ec2:DescribeInstances",
            "ec2:DescribeInstanceTypes",
            "ec2:DescribeTags",
            "ec2:DescribeNetworkInterfaces",
            "ec2:DescribeSubnets",
            "ec2:DetachNetworkInterface",
            "ec2:ModifyNetworkInterfaceAttribute",
            "ec2:UnassignPrivateIpAddresses",
        ],
    ),
    allows(
        "",
        "AmazonEC2ContainerRegistryPullOnly",
        &[
            "ecr:GetAuthorizationToken",
            "ecr:BatchGetImage",
            "ecr:GetDownloadUrlForLayer",
            "ecr:BatchImportUpstreamImage",
        ],
    ),
    allows("", "AmazonEC2ContainerRegistryReadOnly", PULL),
    allows("", "AmazonEC2ContainerRegistryPowerUser", PUSH),
    allows("", "AmazonEC2ContainerRegistryFullAccess", &["ecr:*", "cloudtrail:LookupEvents"]),
    allows(
        "",
        "AmazonElasticContainerRegistryPublicReadOnly",
        &[
            "ecr-public:GetAuthorizationToken",
            "sts:GetServiceBearerToken",
            "ecr-public:BatchCheckLayerAvailability",
            "ecr-public:GetRepositoryPolicy",
            "ecr-public:DescribeRepositories",
            "ecr-public:DescribeRegistries",
            "ecr-public:DescribeImages",
            "ecr-public:DescribeImageTags",
            "ecr-public:GetRepositoryCatalogData",
            "ecr-public:GetRegistryCatalogData",
        ],
    ),
    allows(
        "",
        "AmazonSSMManagedInstanceCore",
        &[
            "ssm:DescribeAssociation",
            "ssm:GetDeployablePatchSnapshotForInstance",
            "ssm:GetDocument",
            "ssm:DescribeDocument",
            "ssm:GetManifest",
            "ssm:GetParameter",
            "ssm:GetParameters",
            "ssm:ListAssociations",
            "ssm:ListInstanceAssociations",
            "ssm:PutInventory",
            "ssm:PutComplianceItems",
            "ssm:PutConfigurePackageResult",
            "ssm:UpdateAssociationStatus",
            "ssm:UpdateInstanceAssociationStatus",
            "ssm:UpdateInstanceInformation",
            "ssmmessages:*",
            "ec2messages:*",
        ],
    ),
    allows("", "AmazonEKSFargatePodExecutionRolePolicy", PULL_LAYERS),
    allows(
        "",
        "CloudWatchAgentServerPolicy",
        &[
            "cloudwatch:PutMetricData",
            "ec2:DescribeVolumes",
            "ec2:DescribeTags",
            "logs:PutLogEvents",
            "logs:PutRetentionPolicy",
            "logs:DescribeLogStreams",
            "logs:DescribeLogGroups",
            "logs:CreateLogStream",
            "logs:CreateLogGroup",
            "ssm:GetParameter",
        ],
    ),
    allows(
        "",
        "AmazonEKSComputePolicy",
        &[
            "ec2:CreateFleet",
            "ec2:RunInstances",
            "ec2:CreateLaunchTemplate",
            "ec2:CreateTags",
            "ec2:TerminateInstances",
            "ec2:DeleteLaunchTemplate",
            "ec2:Describe*",
            "iam:CreateInstanceProfile",
            "iam:TagInstanceProfile",
            "iam:AddRoleToInstanceProfile",
            "iam:PassRole",
        ],
    ),
    allows("", "AmazonEKSBlockStoragePolicy", EBS),
    allows(
        "",
        "AmazonEKSLoadBalancingPolicy",
        &[
            "elasticloadbalancing:*",
            "ec2:Describe*",
            "ec2:CreateSecurityGroup",
            "ec2:DeleteSecurityGroup",
            "ec2:AuthorizeSecurityGroupIngress",
            "ec2:RevokeSecurityGroupIngress",
            "ec2:CreateTags",
        ],
    ),
    allows(
        "",
        "AmazonEKSNetworkingPolicy",
        &[
            "ec2:CreateNetworkInterface",
            "ec2:AttachNetworkInterface",
            "ec2:CreateTags",
            "ec2:DeleteNetworkInterface",
            "ec2:DetachNetworkInterface",
            "ec2:AssignPrivateIpAddresses",
            "ec2:UnassignPrivateIpAddresses",
            "ec2:AssignIpv6Addresses",
            "ec2:UnassignIpv6Addresses",
            "ec2:Describe*",
        ],
    ),
    allows("service-role/", "AmazonEBSCSIDriverPolicy", EBS),
];

const CLUSTER: &[&str] = &[
    "autoscaling:DescribeAutoScalingGroups",
    "autoscaling:UpdateAutoScalingGroup",
    "ec2:AttachVolume",
    "ec2:AuthorizeSecurityGroupIngress",
    "ec2:CreateRoute",
    "ec2:CreateSecurityGroup",
    "ec2:CreateTags",
    "ec2:CreateVolume",
    "ec2:DeleteRoute",
    "ec2:DeleteSecurityGroup",
    "ec2:DeleteVolume",
    "ec2:Describe*",
    "ec2:DetachVolume",
    "ec2:ModifyInstanceAttribute",
    "ec2:ModifyVolume",
    "ec2:RevokeSecurityGroupIngress",
    "elasticloadbalancing:*",
    "kms:DescribeKey",
    "iam:CreateServiceLinkedRole",
];

const LOCAL_CLUSTER: &[&str] = &[
    "ec2:DescribeInstances",
    "ec2:DescribeRouteTables",
    "ec2:DescribeTags",
    "ec2:DescribeNetworkInterfaces",
    "ec2:DescribeInstanceTypes",
    "ec2messages:*",
    "ssmmessages:*",
    "ssm:DescribeInstanceProperties",
    "ssm:UpdateInstanceInformation",
    "ssm:DescribeDocumentParameters",
    "ssm:ListInstanceAssociations",
    "ssm:GetDocument",
    "ssm:DescribeInstanceInformation",
    "ssm:RegisterManagedInstance",
    "secretsmanager:GetSecretValue",
    "secretsmanager:DescribeSecret",
    "secretsmanager:DeleteSecret",
    "ecr:GetAuthorizationToken",
    "ecr:GetDownloadUrlForLayer",
    "ecr:BatchGetImage",
    "logs:CreateLogStream",
    "logs:CreateLogGroup",
    "logs:DescribeLogStreams",
    "logs:PutLogEvents",
];

const PULL_LAYERS: &[&str] = &[
    "ecr:GetAuthorizationToken",
    "ecr:BatchCheckLayerAvailability",
    "ecr:GetDownloadUrlForLayer",
    "ecr:BatchGetImage",
];

const PULL: &[&str] = &[
    "ecr:GetAuthorizationToken",
    "ecr:BatchCheckLayerAvailability",
    "ecr:GetDownloadUrlForLayer",
    "ecr:GetRepositoryPolicy",
    "ecr:DescribeRepositories",
    "ecr:ListImages",
    "ecr:DescribeImages",
    "ecr:BatchGetImage",
    "ecr:GetLifecyclePolicy",
    "ecr:GetLifecyclePolicyPreview",
    "ecr:ListTagsForResource",
    "ecr:DescribeImageScanFindings",
];

const PUSH: &[&str] = &[
    "ecr:GetAuthorizationToken",
    "ecr:BatchCheckLayerAvailability",
    "ecr:GetDownloadUrlForLayer",
    "ecr:GetRepositoryPolicy",
    "ecr:DescribeRepositories",
    "ecr:ListImages",
    "ecr:DescribeImages",
    "ecr:BatchGetImage",
    "ecr:GetLifecyclePolicy",
    "ecr:GetLifecyclePolicyPreview",
    "ecr:ListTagsForResource",
    "ecr:DescribeImageScanFindings",
    "ecr:InitiateLayerUpload",
    "ecr:UploadLayerPart",
    "ecr:CompleteLayerUpload",
    "ecr:PutImage",
];

const EBS: &[&str] = &[
    "ec2:CreateSnapshot",
    "ec2:AttachVolume",
    "ec2:DetachVolume",
    "ec2:ModifyVolume",
    "ec2:DescribeAvailabilityZones",
    "ec2:DescribeInstances",
    "ec2:DescribeSnapshots",
    "ec2:DescribeTags",
    "ec2:DescribeVolumes",
    "ec2:DescribeVolumesModifications",
    "ec2:CreateTags",
    "ec2:DeleteTags",
    "ec2:CreateVolume",
    "ec2:DeleteVolume",
    "ec2:DeleteSnapshot",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_is_a_policy_found_by_its_arn() {
        for policy in TABLE {
            eksile_aws::policy::Document::identity(policy.text()).unwrap();
            assert_eq!(Managed::by_arn(&policy.arn()).unwrap(), policy);
        }
        assert!(Managed::by_arn("arn:aws:iam::aws:policy/AmazonEBSCSIDriverPolicy").is_none());
    }
}
