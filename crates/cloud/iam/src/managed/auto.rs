//! Policies of clusters whose nodes EKS itself runs (Auto Mode): what they make bears the tag of the cluster's role.

use super::{Condition, Managed, all, on, policy};

const OF_CLUSTER: &[&str] = &["${aws:PrincipalTag/eks:eks-cluster-name}"];
/// What is asked for gets the tag of the caller's cluster.
const FOR_CLUSTER: Condition = ("StringEquals", "aws:RequestTag/eks:eks-cluster-name", OF_CLUSTER);
/// What is asked about has it.
const CLUSTERS: Condition = ("StringEquals", "aws:ResourceTag/eks:eks-cluster-name", OF_CLUSTER);

const VOLUMES: &[&str] = &["arn:aws:ec2:*:*:volume/*"];
const SNAPSHOTS: &[&str] = &["arn:aws:ec2:*:*:snapshot/*"];
const GROUPS: &[&str] = &["arn:aws:ec2:*:*:security-group/*"];

pub(super) static TABLE: &[Managed] = &[
    policy(
        "AmazonEKSComputePolicy",
        &[
            on(
                &[
                    "arn:aws:ec2:*:*:capacity-reservation/*",
                    "arn:aws:ec2:*::image/*",
                    "arn:aws:ec2:*:*:security-group/*",
                    "arn:aws:ec2:*:*:subnet/*",
                ],
                &["ec2:CreateFleet", "ec2:RunInstances"],
            ),
            on(&["arn:aws:ec2:*:*:launch-template/*"], &["ec2:CreateFleet", "ec2:RunInstances"]).when(&[CLUSTERS]),
            all(&["ec2:CreateFleet", "ec2:RunInstances", "ec2:CreateLaunchTemplate"]).when(&[
                FOR_CLUSTER,
                ("StringLike", "aws:RequestTag/eks:kubernetes-node-class-name", &["*"]),
                ("StringLike", "aws:RequestTag/eks:kubernetes-node-pool-name", &["*"]),
                (
                    "ForAllValues:StringLike",
                    "aws:TagKeys",
                    &[
                        "eks:eks-cluster-name",
                        "eks:kubernetes-node-class-name",
                        "eks:kubernetes-node-pool-name",
                        "kubernetes.io/cluster/*",
                    ],
                ),
            ]),
            all(&["ec2:CreateTags"]).when(&[(
                "StringEquals",
                "ec2:CreateAction",
                &["CreateFleet", "RunInstances", "CreateLaunchTemplate"],
            )]),
            on(&["arn:aws:iam::*:instance-profile/eks*"], &["iam:AddRoleToInstanceProfile"]),
            all(&["iam:PassRole"]).when(&[(
                "StringEquals",
                "iam:PassedToService",
                &["ec2.amazonaws.com", "ec2.amazonaws.com.cn"],
            )]),
            on(
                &["arn:aws:iam::*:role/aws-service-role/spot.amazonaws.com/AWSServiceRoleForEC2Spot"],
                &["iam:CreateServiceLinkedRole"],
            )
            .when(&[("StringEquals", "iam:AWSServiceName", &["spot.amazonaws.com"])]),
        ],
    ),
    policy(
        "AmazonEKSBlockStoragePolicy",
        &[
            all(&["ec2:AttachVolume", "ec2:DetachVolume", "ec2:ModifyVolume", "ec2:EnableFastSnapshotRestores"])
                .when(&[CLUSTERS]),
            all(&["ec2:CreateTags"]).when(&[("StringEquals", "ec2:CreateAction", &["CreateVolume", "CreateSnapshot"])]),
            on(VOLUMES, &["ec2:CreateVolume"]).when(&[
                FOR_CLUSTER,
                (
                    "ForAllValues:StringLike",
                    "aws:TagKeys",
                    &[
                        "eks:eks-cluster-name",
                        "CSIVolumeName",
                        "ebs.csi.eks.amazonaws.com/cluster",
                        "kubernetes.io/cluster/*",
                        "kubernetes.io/created-for/*",
                        "Name",
                        "KubernetesCluster",
                    ],
                ),
            ]),
            on(SNAPSHOTS, &["ec2:CreateVolume"]),
            on(VOLUMES, &["ec2:CreateSnapshot"]),
            on(SNAPSHOTS, &["ec2:CreateSnapshot"]).when(&[
                FOR_CLUSTER,
                (
                    "ForAllValues:StringLike",
                    "aws:TagKeys",
                    &[
                        "eks:eks-cluster-name",
                        "CSIVolumeSnapshotName",
                        "ebs.csi.eks.amazonaws.com/cluster",
                        "kubernetes.io/cluster/*",
                        "Name",
                    ],
                ),
            ]),
        ],
    ),
    policy(
        "AmazonEKSLoadBalancingPolicy",
        &[
            all(&[
                "elasticloadbalancing:CreateLoadBalancer",
                "elasticloadbalancing:CreateTargetGroup",
                "elasticloadbalancing:CreateListener",
                "elasticloadbalancing:CreateRule",
                "ec2:CreateSecurityGroup",
            ])
            .when(&[FOR_CLUSTER, BALANCING_KEYS]),
            on(&["arn:aws:ec2:*:*:vpc/*"], &["ec2:CreateSecurityGroup"]),
            on(&["arn:aws:elasticloadbalancing:*:*:targetgroup/*/*"], &["elasticloadbalancing:RegisterTargets"])
                .when(&[CLUSTERS]),
            on(&["arn:aws:ec2:*:*:security-group-rule/*"], &["ec2:AuthorizeSecurityGroupIngress"]).when(&[FOR_CLUSTER]),
            on(GROUPS, &["ec2:AuthorizeSecurityGroupIngress", "ec2:RevokeSecurityGroupIngress"]).when(&[(
                "StringLike",
                "aws:ResourceTag/Name",
                &["eks-cluster-sg*"],
            )]),
            on(GROUPS, &["ec2:AuthorizeSecurityGroupIngress", "ec2:RevokeSecurityGroupIngress"]).when(&[CLUSTERS]),
            all(&["elasticloadbalancing:AddTags"]).when(&[(
                "StringEquals",
                "elasticloadbalancing:CreateAction",
                &["CreateLoadBalancer", "CreateTargetGroup", "CreateListener", "CreateRule"],
            )]),
            all(&["ec2:CreateTags"]).when(&[(
                "StringEquals",
                "ec2:CreateAction",
                &["CreateSecurityGroup", "AuthorizeSecurityGroupIngress"],
            )]),
            all(BALANCERS).when(&[CLUSTERS]),
            on(
                &["arn:aws:wafv2:*:*:*/webacl/*/*", "arn:aws:elasticloadbalancing:*:*:loadbalancer/app/*/*"],
                &["wafv2:AssociateWebACL", "wafv2:DisassociateWebACL"],
            ),
            all(&["shield:CreateProtection"]).when(&[FOR_CLUSTER, BALANCING_KEYS]),
            all(&["shield:DeleteProtection"]).when(&[CLUSTERS]),
            on(&["arn:aws:shield::*:protection/*"], &["shield:TagResource"]).when(&[FOR_CLUSTER, BALANCING_KEYS]),
            all(BALANCING_READS),
            on(
                &[
                    "arn:aws:iam::*:role/aws-service-role/elasticloadbalancing.amazonaws.com/AWSServiceRoleForElasticLoadBalancing",
                ],
                &["iam:CreateServiceLinkedRole"],
            )
            .when(&[("StringEquals", "iam:AWSServiceName", &["elasticloadbalancing.amazonaws.com"])]),
        ],
    ),
    policy(
        "AmazonEKSNetworkingPolicy",
        &[
            all(&["ec2:CreateNetworkInterface"]).when(&[
                FOR_CLUSTER,
                ("StringLike", "aws:RequestTag/eks:kubernetes-cni-node-name", &["*"]),
                (
                    "ForAllValues:StringEquals",
                    "aws:TagKeys",
                    &[
                        "eks:eks-cluster-name",
                        "eks:kubernetes-cni-node-name",
                        "sgp.eks.amazonaws.com/instance-id",
                        "sgp.eks.amazonaws.com/trunk-eni-id",
                        "sgp.eks.amazonaws.com/vlan-id",
                        "sgp.eks.amazonaws.com/managed",
                        "sgp.eks.amazonaws.com/policy-ref",
                    ],
                ),
            ]),
            on(
                &["arn:aws:ec2:*:*:security-group/*", "arn:aws:ec2:*:*:subnet/*"],
                &["ec2:CreateNetworkInterface"],
            ),
            all(&["ec2:CreateTags"]).when(&[("StringEquals", "ec2:CreateAction", &["CreateNetworkInterface"])]),
            all(&[
                "ec2:AttachNetworkInterface",
                "ec2:DetachNetworkInterface",
                "ec2:UnassignPrivateIpAddresses",
                "ec2:UnassignIpv6Addresses",
                "ec2:AssignPrivateIpAddresses",
                "ec2:AssignIpv6Addresses",
            ])
            .when(&[CLUSTERS]),
            on(
                &["arn:aws:ec2:*:*:network-interface/*", "arn:aws:ec2:*:*:instance/*"],
                &["ec2:ModifyNetworkInterfaceAttribute"],
            )
            .when(&[CLUSTERS]),
            all(&["ec2:AssociateTrunkInterface", "ec2:DisassociateTrunkInterface"]),
        ],
    ),
];

const BALANCING_KEYS: Condition = (
    "ForAllValues:StringEquals",
    "aws:TagKeys",
    &[
        "eks:eks-cluster-name",
        "ingress.eks.amazonaws.com/stack",
        "ingress.eks.amazonaws.com/resource",
        "service.eks.amazonaws.com/stack",
        "service.eks.amazonaws.com/resource",
    ],
);

#[rustfmt::skip]
const BALANCERS: &[&str] = &[
    "elasticloadbalancing:ModifyLoadBalancerAttributes", "elasticloadbalancing:SetIpAddressType",
    "elasticloadbalancing:SetSecurityGroups", "elasticloadbalancing:SetSubnets", "elasticloadbalancing:ModifyTargetGroup",
    "elasticloadbalancing:ModifyTargetGroupAttributes", "elasticloadbalancing:ModifyListener",
    "elasticloadbalancing:AddListenerCertificates", "elasticloadbalancing:ModifyListenerAttributes",
    "elasticloadbalancing:RemoveListenerCertificates", "elasticloadbalancing:ModifyRule",
];

#[rustfmt::skip]
const BALANCING_READS: &[&str] = &[
    "cognito-idp:DescribeUserPoolClient", "acm:ListCertificates", "acm:DescribeCertificate", "wafv2:GetWebACL",
    "wafv2:GetWebACLForResource", "elasticloadbalancing:SetWebAcl", "elasticloadbalancing:DescribeTargetGroups",
    "ec2:DescribeAccountAttributes", "ec2:DescribeAddresses", "ec2:DescribeInternetGateways", "ec2:DescribeSecurityGroups",
    "ec2:DescribeSubnets", "ec2:DescribeVpcs", "ec2:DescribeVpcClassicLink", "ec2:DescribeInstances",
    "ec2:DescribeNetworkInterfaces", "ec2:DescribeClassicLinkInstances", "ec2:DescribeRouteTables", "ec2:DescribeCoipPools",
    "ec2:GetCoipPoolUsage", "ec2:GetSecurityGroupsForVpc", "ec2:DescribeVpcPeeringConnections",
];
