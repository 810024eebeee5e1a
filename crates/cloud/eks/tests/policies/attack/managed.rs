//! What the AWS-managed policies do not allow: they hold the resources and conditions of the originals.

use crate::world::{Keys, World};

const NOTHING: &str = r#"{"Effect":"Allow","Action":"s3:GetObject","Resource":"*"}"#;

/// A user with a managed policy and nothing else.
async fn with(world: &World, policy: &str) -> Keys {
    let name = policy.rsplit('/').next().unwrap();
    let keys = world.user(name, NOTHING).await;
    let arn = format!("arn:aws:iam::aws:policy/{policy}");
    world.iam(&format!("Action=AttachUserPolicy&UserName={name}&PolicyArn={arn}")).await.good();
    keys
}

fn tags(action: &str, id: &str) -> String {
    format!("Action={action}&ResourceId.1={id}&Tag.1.Key=owner&Tag.1.Value=me")
}

#[tokio::test]
async fn a_node_tags_its_interfaces_and_nothing_else() {
    let world = World::start().await;
    let vpc = world.ec2(&world.admin, "Action=CreateVpc&CidrBlock=10.0.0.0/16").await.good().text("vpcId");
    let node = with(&world, "AmazonEKS_CNI_Policy").await;
    for id in
        [&*vpc, "i-00000000000000001", "vol-00000000000000001", "sg-00000000000000001", "subnet-00000000000000001"]
    {
        world.ec2(&node, &tags("CreateTags", id)).await.is_denied();
        world.ec2(&node, &tags("DeleteTags", id)).await.is_denied();
    }
    world.ec2(&node, &tags("CreateTags", "eni-00000000000000001")).await.is_let();
    world.ec2(&node, "Action=DescribeInstances").await.good();
}

#[tokio::test]
async fn tags_are_for_what_each_policy_is_for() {
    let world = World::start().await;
    let vpc = world.ec2(&world.admin, "Action=CreateVpc&CidrBlock=10.0.0.0/16").await.good().text("vpcId");
    let group = format!("Action=CreateSecurityGroup&GroupName=g&GroupDescription=g&VpcId={vpc}");
    let group = world.ec2(&world.admin, &group).await.good().text("groupId");
    let service = with(&world, "AmazonEKSServicePolicy").await;
    world.ec2(&service, &tags("CreateTags", &vpc)).await.good();
    world.ec2(&service, &tags("CreateTags", &group)).await.is_denied();
    for policy in [
        "AmazonEKSComputePolicy",
        "AmazonEKSBlockStoragePolicy",
        "AmazonEKSLoadBalancingPolicy",
        "AmazonEKSNetworkingPolicy",
        "service-role/AmazonEBSCSIDriverPolicy",
    ] {
        let caller = with(&world, policy).await;
        for id in [&*vpc, &group, "vol-00000000000000001", "eni-00000000000000001"] {
            world.ec2(&caller, &tags("CreateTags", id)).await.is_denied();
        }
    }
}

#[tokio::test]
async fn what_is_not_the_clusters_is_not_theirs() {
    let world = World::start().await;
    let vpc = world.ec2(&world.admin, "Action=CreateVpc&CidrBlock=10.0.0.0/16").await.good().text("vpcId");
    let group = format!("Action=CreateSecurityGroup&GroupName=g&GroupDescription=g&VpcId={vpc}");
    let group = world.ec2(&world.admin, &group).await.good().text("groupId");
    let balancing = with(&world, "AmazonEKSLoadBalancingPolicy").await;
    let permission = "IpPermissions.1.IpProtocol=tcp&IpPermissions.1.FromPort=1&IpPermissions.1.ToPort=1&IpPermissions.1.IpRanges.1.CidrIp=0.0.0.0/0";
    let open = format!("Action=AuthorizeSecurityGroupIngress&GroupId={group}&{permission}");
    world.ec2(&balancing, &open).await.is_denied();
    world.ec2(&balancing, &format!("Action=DeleteSecurityGroup&GroupId={group}")).await.is_denied();
    let another = format!("Action=CreateSecurityGroup&GroupName=h&GroupDescription=h&VpcId={vpc}");
    world.ec2(&balancing, &another).await.is_denied();
    // It makes no roles usable, and reads no more than the original.
    let compute = with(&world, "AmazonEKSComputePolicy").await;
    world
        .query(&compute, "iam", "Action=AddRoleToInstanceProfile&InstanceProfileName=mine&RoleName=r")
        .await
        .is_denied();
    world.query(&compute, "iam", "Action=CreateInstanceProfile&InstanceProfileName=mine").await.is_denied();
    world.ec2(&compute, "Action=DescribeInstances").await.is_denied();
    let network = with(&world, "AmazonVPCFullAccess").await;
    world.ec2(&network, &format!("Action=DescribeVpcs&VpcId.1={vpc}")).await.good();
    world.ec2(&network, "Action=DescribeLocalGateways").await.is_denied();
    let cluster = with(&world, "AmazonEKSClusterPolicy").await;
    world.ec2(&cluster, "Action=DescribeImages").await.is_denied();
    world.ec2(&cluster, &format!("Action=DescribeVpcs&VpcId.1={vpc}")).await.good();
}
