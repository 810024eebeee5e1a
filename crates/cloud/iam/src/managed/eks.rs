//! Policies of EKS: of clusters, nodes and what runs for them.

use super::{Managed, all, on, policy};

const VOLUMES: &[&str] = &["arn:aws:ec2:*:*:volume/*"];
const SNAPSHOTS: &[&str] = &["arn:aws:ec2:*:*:snapshot/*"];
const VOLUMES_AND_SNAPSHOTS: &[&str] = &["arn:aws:ec2:*:*:volume/*", "arn:aws:ec2:*:*:snapshot/*"];

pub(super) static TABLE: &[Managed] = &[
    policy(
        "AmazonEKSClusterPolicy",
        &[
            all(CLUSTER),
            all(&["iam:CreateServiceLinkedRole"]).when(&[(
                "StringEquals",
                "iam:AWSServiceName",
                &["elasticloadbalancing.amazonaws.com"],
            )]),
            all(&["ec2:DeleteNetworkInterface"]).when(&[(
                "StringEquals",
                "ec2:ResourceTag/eks:eni:owner",
                &["amazon-vpc-cni"],
            )]),
        ],
    ),
    policy(
        "AmazonEKSVPCResourceController",
        &[
            all(&["ec2:CreateNetworkInterfacePermission"]).when(&[(
                "ForAnyValue:StringEquals",
                "ec2:ResourceTag/eks:eni:owner",
                &["eks-vpc-resource-controller"],
            )]),
            all(&[
                "ec2:CreateNetworkInterface",
                "ec2:DetachNetworkInterface",
                "ec2:ModifyNetworkInterfaceAttribute",
                "ec2:DeleteNetworkInterface",
                "ec2:AttachNetworkInterface",
                "ec2:UnassignPrivateIpAddresses",
                "ec2:AssignPrivateIpAddresses",
            ]),
        ],
    ),
    policy(
        "AmazonEKSLocalOutpostClusterPolicy",
        &[
            all(LOCAL_CLUSTER),
            on(
                &[
                    "arn:aws:ecr:*:*:repository/eks/*",
                    "arn:aws:ecr:*:*:repository/bottlerocket-admin",
                    "arn:aws:ecr:*:*:repository/bottlerocket-control-eks",
                    "arn:aws:ecr:*:*:repository/diagnostics-collector-eks",
                    "arn:aws:ecr:*:*:repository/kubelet-config-updater",
                ],
                &["ecr:GetDownloadUrlForLayer", "ecr:BatchGetImage"],
            ),
            on(
                &["arn:*:secretsmanager:*:*:secret:eks-local.cluster.x-k8s.io/*"],
                &["secretsmanager:GetSecretValue", "secretsmanager:DeleteSecret"],
            ),
            on(&["arn:aws:logs:*:*:log-group:/aws/eks/*"], &["logs:CreateLogGroup"]),
            on(
                &["arn:aws:logs:*:*:log-group:/aws/eks/*:*"],
                &["logs:PutLogEvents", "logs:CreateLogStream", "logs:DescribeLogStreams"],
            ),
        ],
    ),
    policy(
        "AmazonEKSServicePolicy",
        &[
            all(&[
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
                "route53:AssociateVPCWithHostedZone",
                "logs:CreateLogGroup",
            ]),
            on(&["arn:aws:ec2:*:*:vpc/*", "arn:aws:ec2:*:*:subnet/*"], &["ec2:CreateTags", "ec2:DeleteTags"]),
            on(&["arn:aws:logs:*:*:log-group:/aws/eks/*:*"], &["logs:CreateLogStream", "logs:DescribeLogStreams"]),
            on(&["arn:aws:logs:*:*:log-group:/aws/eks/*:*:*"], &["logs:PutLogEvents"]),
            all(&["iam:CreateServiceLinkedRole"]).when(&[("StringLike", "iam:AWSServiceName", &["eks.amazonaws.com"])]),
        ],
    ),
    policy(
        "AmazonEKSWorkerNodePolicy",
        &[all(&[
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
        ])],
    ),
    policy("AmazonEKSWorkerNodeMinimalPolicy", &[all(&["eks-auth:AssumeRoleForPodIdentity"])]),
    policy(
        "AmazonEKS_CNI_Policy",
        &[
            all(&[
                "ec2:AssignPrivateIpAddresses",
                "ec2:AttachNetworkInterface",
                "ec2:CreateNetworkInterface",
                "ec2:DeleteNetworkInterface",
                "ec2:DescribeInstances",
                "ec2:DescribeTags",
                "ec2:DescribeNetworkInterfaces",
                "ec2:DescribeInstanceTypes",
                "ec2:DescribeSubnets",
                "ec2:DetachNetworkInterface",
                "ec2:ModifyNetworkInterfaceAttribute",
                "ec2:UnassignPrivateIpAddresses",
            ]),
            on(&["arn:aws:ec2:*:*:network-interface/*"], &["ec2:CreateTags"]),
        ],
    ),
    policy(
        "AmazonEKSFargatePodExecutionRolePolicy",
        &[all(&[
            "ecr:GetAuthorizationToken",
            "ecr:BatchCheckLayerAvailability",
            "ecr:GetDownloadUrlForLayer",
            "ecr:BatchGetImage",
        ])],
    ),
    Managed { path: "service-role/", ..EBS_DRIVER },
];

/// Volumes and snapshots may be made with one of the driver's tags, and removed by them.
const EBS_DRIVER: Managed = policy(
    "AmazonEBSCSIDriverPolicy",
    &[
        all(&[
            "ec2:DescribeAvailabilityZones",
            "ec2:DescribeInstances",
            "ec2:DescribeInstanceTypes",
            "ec2:DescribeSnapshots",
            "ec2:DescribeTags",
            "ec2:DescribeVolumes",
            "ec2:DescribeVolumesModifications",
            "ec2:DescribeVolumeStatus",
        ]),
        on(VOLUMES, &["ec2:CreateSnapshot", "ec2:ModifyVolume"]),
        on(&["arn:aws:ec2:*:*:volume/vol-*"], &["ec2:CopyVolumes"]),
        on(&["arn:aws:ec2:*:*:volume/*", "arn:aws:ec2:*:*:instance/*"], &["ec2:AttachVolume", "ec2:DetachVolume"]),
        on(SNAPSHOTS, &["ec2:CreateVolume", "ec2:EnableFastSnapshotRestores"]),
        on(VOLUMES_AND_SNAPSHOTS, &["ec2:CreateTags"]).when(&[(
            "StringEquals",
            "ec2:CreateAction",
            &["CreateVolume", "CreateSnapshot", "CopyVolumes"],
        )]),
        on(VOLUMES_AND_SNAPSHOTS, &["ec2:DeleteTags"]),
        on(VOLUMES, MAKE_VOLUMES).when(&[("StringLike", "aws:RequestTag/ebs.csi.aws.com/cluster", &["true"])]),
        on(VOLUMES, MAKE_VOLUMES).when(&[("StringLike", "aws:RequestTag/CSIVolumeName", &["*"])]),
        on(VOLUMES, &["ec2:DeleteVolume"]).when(&[(
            "StringLike",
            "ec2:ResourceTag/ebs.csi.aws.com/cluster",
            &["true"],
        )]),
        on(VOLUMES, &["ec2:DeleteVolume"]).when(&[("StringLike", "ec2:ResourceTag/CSIVolumeName", &["*"])]),
        on(VOLUMES, &["ec2:DeleteVolume"]).when(&[(
            "StringLike",
            "ec2:ResourceTag/kubernetes.io/created-for/pvc/name",
            &["*"],
        )]),
        on(SNAPSHOTS, &["ec2:CreateSnapshot"]).when(&[("StringLike", "aws:RequestTag/CSIVolumeSnapshotName", &["*"])]),
        on(SNAPSHOTS, &["ec2:CreateSnapshot"]).when(&[(
            "StringLike",
            "aws:RequestTag/ebs.csi.aws.com/cluster",
            &["true"],
        )]),
        on(SNAPSHOTS, END_SNAPSHOTS).when(&[("StringLike", "ec2:ResourceTag/CSIVolumeSnapshotName", &["*"])]),
        on(SNAPSHOTS, END_SNAPSHOTS).when(&[("StringLike", "ec2:ResourceTag/ebs.csi.aws.com/cluster", &["true"])]),
    ],
);

const MAKE_VOLUMES: &[&str] = &["ec2:CreateVolume", "ec2:CopyVolumes"];
const END_SNAPSHOTS: &[&str] = &["ec2:DeleteSnapshot", "ec2:LockSnapshot"];

#[rustfmt::skip]
const CLUSTER: &[&str] = &[
    "autoscaling:DescribeAutoScalingGroups", "autoscaling:UpdateAutoScalingGroup", "ec2:AttachVolume",
    "ec2:AuthorizeSecurityGroupIngress", "ec2:CreateRoute", "ec2:CreateSecurityGroup", "ec2:CreateTags", "ec2:CreateVolume",
    "ec2:DeleteRoute", "ec2:DeleteSecurityGroup", "ec2:DeleteVolume", "ec2:DescribeInstances", "ec2:DescribeRouteTables",
    "ec2:DescribeSecurityGroups", "ec2:DescribeSubnets", "ec2:DescribeVolumes", "ec2:DescribeVolumesModifications",
    "ec2:DescribeVpcs", "ec2:DescribeDhcpOptions", "ec2:DescribeNetworkInterfaces", "ec2:DescribeAvailabilityZones",
    "ec2:DetachVolume", "ec2:ModifyInstanceAttribute", "ec2:ModifyVolume", "ec2:RevokeSecurityGroupIngress",
    "ec2:DescribeAccountAttributes", "ec2:DescribeAddresses", "ec2:DescribeInternetGateways", "ec2:DescribeInstanceTopology",
    "elasticloadbalancing:AddTags", "elasticloadbalancing:ApplySecurityGroupsToLoadBalancer",
    "elasticloadbalancing:AttachLoadBalancerToSubnets", "elasticloadbalancing:ConfigureHealthCheck",
    "elasticloadbalancing:CreateListener", "elasticloadbalancing:CreateLoadBalancer",
    "elasticloadbalancing:CreateLoadBalancerListeners", "elasticloadbalancing:CreateLoadBalancerPolicy",
    "elasticloadbalancing:CreateTargetGroup", "elasticloadbalancing:DeleteListener", "elasticloadbalancing:DeleteLoadBalancer",
    "elasticloadbalancing:DeleteLoadBalancerListeners", "elasticloadbalancing:DeleteTargetGroup",
    "elasticloadbalancing:DeregisterInstancesFromLoadBalancer", "elasticloadbalancing:DeregisterTargets",
    "elasticloadbalancing:DescribeListeners", "elasticloadbalancing:DescribeLoadBalancerAttributes",
    "elasticloadbalancing:DescribeLoadBalancerPolicies", "elasticloadbalancing:DescribeLoadBalancers",
    "elasticloadbalancing:DescribeTargetGroupAttributes", "elasticloadbalancing:DescribeTargetGroups",
    "elasticloadbalancing:DescribeTargetHealth", "elasticloadbalancing:DetachLoadBalancerFromSubnets",
    "elasticloadbalancing:ModifyListener", "elasticloadbalancing:ModifyLoadBalancerAttributes",
    "elasticloadbalancing:ModifyTargetGroup", "elasticloadbalancing:ModifyTargetGroupAttributes",
    "elasticloadbalancing:RegisterInstancesWithLoadBalancer", "elasticloadbalancing:RegisterTargets",
    "elasticloadbalancing:SetLoadBalancerPoliciesForBackendServer", "elasticloadbalancing:SetLoadBalancerPoliciesOfListener",
    "kms:DescribeKey",
];

#[rustfmt::skip]
const LOCAL_CLUSTER: &[&str] = &[
    "ec2:DescribeInstances", "ec2:DescribeRouteTables", "ec2:DescribeTags", "ec2:DescribeNetworkInterfaces",
    "ec2:DescribeInstanceTypes", "ec2:DescribeAvailabilityZones", "ec2messages:AcknowledgeMessage",
    "ec2messages:DeleteMessage", "ec2messages:FailMessage", "ec2messages:GetEndpoint", "ec2messages:GetMessages",
    "ec2messages:SendReply", "ssmmessages:CreateControlChannel", "ssmmessages:CreateDataChannel",
    "ssmmessages:OpenControlChannel", "ssmmessages:OpenDataChannel", "ssm:DescribeInstanceProperties",
    "ssm:DescribeDocumentParameters", "ssm:ListInstanceAssociations", "ssm:RegisterManagedInstance",
    "ssm:UpdateInstanceInformation", "ssm:UpdateInstanceAssociationStatus", "ssm:PutComplianceItems", "ssm:PutInventory",
    "ecr-public:GetAuthorizationToken", "ecr:GetAuthorizationToken",
];
