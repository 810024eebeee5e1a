//! A `Deny` denies: by every resource of a call, by tags, and by keys of the services.

use crate::world::{ACCOUNT, Keys, REGION, World, encoded, policy};

const ALL: &str = r#"{"Effect":"Allow","Action":"*","Resource":"*"}"#;
const TRUST_EC2: &str = r#"{"Effect":"Allow","Principal":{"Service":"ec2.amazonaws.com"},"Action":"sts:AssumeRole"}"#;

/// A statement that denies.
fn deny(action: &str, resource: &str, condition: &str) -> String {
    let condition = if condition.is_empty() { String::new() } else { format!(r#","Condition":{condition}"#) };
    format!(r#"{{"Effect":"Deny","Action":"{action}","Resource":"{resource}"{condition}}}"#)
}

fn arn(resource: &str) -> String {
    format!("arn:aws:ec2:{REGION}:{ACCOUNT}:{resource}")
}

/// A world with a user `dev` whose policy each test sets.
struct Stage {
    world: World,
    dev: Keys,
}

impl Stage {
    async fn new() -> Self {
        let world = World::start().await;
        let dev = world.user("dev", ALL).await;
        Self { world, dev }
    }

    /// The user may do everything but this.
    async fn but(&self, denied: &str) {
        self.world.policy("User", "dev", &format!("{ALL},{denied}")).await.good();
    }

    async fn vpc(&self, block: &str, tags: &str) -> String {
        let form = format!("Action=CreateVpc&CidrBlock={block}{tags}");
        self.world.ec2(&self.world.admin, &form).await.good().text("vpcId")
    }

    async fn subnet(&self, vpc: &str, block: &str) -> String {
        let form = format!("Action=CreateSubnet&VpcId={vpc}&CidrBlock={block}");
        self.world.ec2(&self.world.admin, &form).await.good().text("subnetId")
    }
}

fn tagged(kind: &str, key: &str, value: &str) -> String {
    format!(
        "&TagSpecification.1.ResourceType={kind}&TagSpecification.1.Tag.1.Key={key}&TagSpecification.1.Tag.1.Value={value}"
    )
}

#[tokio::test]
async fn by_tags_of_the_resource() {
    let stage = Stage::new().await;
    let prod = stage.vpc("10.0.0.0/16", &tagged("vpc", "env", "prod")).await;
    let test = stage.vpc("10.1.0.0/16", &tagged("vpc", "env", "test")).await;
    for condition in [
        r#"{"StringEquals":{"aws:ResourceTag/env":"prod"}}"#,
        r#"{"StringEquals":{"ec2:ResourceTag/env":"prod"}}"#,
        r#"{"StringEquals":{"EC2:RESOURCETAG/Env":"prod"}}"#,
        r#"{"StringNotEquals":{"aws:ResourceTag/env":"test"}}"#,
        r#"{"StringEqualsIfExists":{"aws:ResourceTag/env":"prod"}}"#,
    ] {
        stage.but(&deny("ec2:DeleteVpc", "*", condition)).await;
        stage.world.ec2(&stage.dev, &format!("Action=DeleteVpc&VpcId={prod}")).await.is_denied();
        stage.world.ec2(&stage.dev, &format!("Action=DeleteVpc&VpcId={prod}&DryRun=true")).await.is_denied();
        stage.world.ec2(&stage.dev, &format!("Action=DeleteVpc&VpcId={test}&DryRun=true")).await.is_let();
    }
    // What the VPC is not is denied, too, where a subnet is made in it.
    stage.but(&deny("ec2:CreateSubnet", &arn("vpc/*"), r#"{"StringEquals":{"aws:ResourceTag/env":"prod"}}"#)).await;
    stage.world.ec2(&stage.dev, &format!("Action=CreateSubnet&VpcId={prod}&CidrBlock=10.0.0.0/24")).await.is_denied();
    stage.world.ec2(&stage.dev, &format!("Action=CreateSubnet&VpcId={test}&CidrBlock=10.1.0.0/24")).await.good();
}

#[tokio::test]
async fn by_tags_of_the_caller() {
    let stage = Stage::new().await;
    stage.world.iam("Action=TagUser&UserName=dev&Tags.member.1.Key=Team&Tags.member.1.Value=red").await.good();
    for (condition, denied) in [
        (r#"{"StringEquals":{"aws:PrincipalTag/team":"red"}}"#, true),
        (r#"{"StringNotEquals":{"aws:PrincipalTag/team":"red"}}"#, false),
        (r#"{"StringEqualsIfExists":{"aws:PrincipalTag/team":"blue"}}"#, false),
        (r#"{"StringEqualsIfExists":{"aws:PrincipalTag/unit":"blue"}}"#, true),
        (r#"{"Null":{"aws:PrincipalTag/unit":"true"}}"#, true),
        (r#"{"StringEquals":{"aws:username":"dev"}}"#, true),
        (r#"{"ArnLike":{"aws:PrincipalArn":"arn:aws:iam::*:user/dev"}}"#, true),
        (r#"{"StringEquals":{"aws:PrincipalAccount":"111122223333"}}"#, true),
        (r#"{"StringEquals":{"aws:PrincipalType":"User"}}"#, true),
        (r#"{"StringEquals":{"aws:RequestedRegion":"us-west-2"}}"#, true),
        (r#"{"StringNotEquals":{"aws:RequestedRegion":["us-west-2"]}}"#, false),
        (r#"{"Bool":{"aws:SecureTransport":"false"}}"#, true),
        (r#"{"NotIpAddress":{"aws:SourceIp":"127.0.0.0/8"}}"#, false),
        (r#"{"BoolIfExists":{"aws:MultiFactorAuthPresent":"false"}}"#, true),
        (r#"{"Bool":{"aws:PrincipalIsAWSService":"false"}}"#, true),
        (r#"{"Bool":{"aws:ViaAWSService":"true"}}"#, false),
        (r#"{"StringEquals":{"aws:ResourceAccount":"111122223333"}}"#, true),
        (r#"{"StringNotEquals":{"aws:ResourceTag/team":"${aws:PrincipalTag/team}"}}"#, true),
    ] {
        stage.but(&deny("ec2:DescribeVpcs", "*", condition)).await;
        let answer = stage.world.ec2(&stage.dev, "Action=DescribeVpcs").await;
        assert_eq!(answer.status == 403, denied, "{condition}: {}", answer.body);
    }
}

#[tokio::test]
async fn by_tags_of_the_request() {
    let stage = Stage::new().await;
    let make = |tags: &str| format!("Action=CreateVpc&CidrBlock=10.0.0.0/16&DryRun=true{tags}");
    let red = tagged("vpc", "team", "red");
    for (action, condition, tags, denied) in [
        ("ec2:CreateVpc", r#"{"StringEquals":{"aws:RequestTag/team":"red"}}"#, &*red, true),
        ("ec2:CreateVpc", r#"{"StringEquals":{"aws:RequestTag/team":"blue"}}"#, &*red, false),
        ("ec2:CreateVpc", r#"{"Null":{"aws:RequestTag/team":"true"}}"#, "", true),
        ("ec2:CreateVpc", r#"{"ForAnyValue:StringEquals":{"aws:TagKeys":["team"]}}"#, &*red, true),
        ("ec2:CreateVpc", r#"{"ForAnyValue:StringEquals":{"aws:TagKeys":["team"]}}"#, "", false),
        // Tags at creation are put by CreateTags.
        ("ec2:CreateTags", "", &*red, true),
        ("ec2:CreateTags", "", "", false),
        ("ec2:CreateTags", r#"{"StringEquals":{"ec2:CreateAction":"CreateVpc"}}"#, &*red, true),
        ("ec2:CreateTags", r#"{"StringEquals":{"ec2:CreateAction":"RunInstances"}}"#, &*red, false),
    ] {
        stage.but(&deny(action, "*", condition)).await;
        let answer = stage.world.ec2(&stage.dev, &make(tags)).await;
        assert_eq!(answer.status == 403, denied, "{action} {condition}: {}", answer.body);
    }
    let vpc = stage.vpc("10.2.0.0/16", "").await;
    let tag = format!("Action=CreateTags&ResourceId.1={vpc}&Tag.1.Key=team&Tag.1.Value=red");
    stage.but(&deny("ec2:CreateTags", "*", r#"{"StringEquals":{"aws:RequestTag/team":"red"}}"#)).await;
    stage.world.ec2(&stage.dev, &tag).await.is_denied();
    let untag = format!("Action=DeleteTags&ResourceId.1={vpc}&Tag.1.Key=team");
    stage.but(&deny("ec2:DeleteTags", "*", r#"{"ForAnyValue:StringEquals":{"aws:TagKeys":"team"}}"#)).await;
    stage.world.ec2(&stage.dev, &untag).await.is_denied();
    // Each of several resources.
    let other = stage.vpc("10.3.0.0/16", "").await;
    stage.but(&deny("ec2:CreateTags", &arn(&format!("vpc/{other}")), "")).await;
    let both = format!("Action=CreateTags&ResourceId.1={vpc}&ResourceId.2={other}&Tag.1.Key=a&Tag.1.Value=b");
    stage.world.ec2(&stage.dev, &both).await.is_denied();
    stage.world.ec2(&stage.dev, &tag).await.good();
}

#[tokio::test]
async fn by_every_resource_of_a_launch() {
    let stage = Stage::new().await;
    let vpc = stage.vpc("10.0.0.0/16", "").await;
    let subnet = stage.subnet(&vpc, "10.0.0.0/24").await;
    let group = format!("Action=CreateSecurityGroup&GroupName=g&GroupDescription=g&VpcId={vpc}");
    let group = stage.world.ec2(&stage.world.admin, &group).await.good().text("groupId");
    let image = eksile_ec2::images::images(REGION).remove(0).image_id;
    let launch = format!(
        "Action=RunInstances&ImageId={image}&InstanceType=m5.large&MinCount=1&MaxCount=1&DryRun=true&SubnetId={subnet}\
         &SecurityGroupId.1={group}"
    );
    let spelt = format!(
        "Action=RunInstances&ImageId={image}&InstanceType=m5.large&MinCount=1&MaxCount=1&DryRun=true\
         &NetworkInterface.1.DeviceIndex=0&NetworkInterface.1.SubnetId={subnet}&NetworkInterface.1.SecurityGroupId.1={group}"
    );
    stage.but(&deny("ec2:RunInstances", &arn("subnet/subnet-0123456789abcdef0"), "")).await;
    stage.world.ec2(&stage.dev, &launch).await.is_let();
    stage.world.ec2(&stage.dev, &spelt).await.is_let();
    for resource in [
        format!("arn:aws:ec2:{REGION}::image/{image}"),
        arn("instance/*"),
        arn(&format!("subnet/{subnet}")),
        arn(&format!("security-group/{group}")),
        arn("network-interface/*"),
        arn("volume/*"),
    ] {
        stage.but(&deny("ec2:RunInstances", &resource, "")).await;
        for form in [&launch, &spelt] {
            stage.world.ec2(&stage.dev, form).await.is_denied();
        }
    }
    let vpc_arn = arn(&format!("vpc/{vpc}"));
    for condition in [
        format!(r#"{{"ArnEquals":{{"ec2:Vpc":"{vpc_arn}"}}}}"#),
        format!(r#"{{"StringEquals":{{"ec2:Vpc":"{vpc_arn}"}}}}"#),
        r#"{"StringEquals":{"ec2:InstanceType":"m5.large"}}"#.to_owned(),
        r#"{"StringLike":{"ec2:InstanceType":"m5.*"}}"#.to_owned(),
        r#"{"StringNotEquals":{"ec2:InstanceType":"t3.micro"}}"#.to_owned(),
        format!(r#"{{"StringEquals":{{"ec2:SubnetID":"{subnet}"}}}}"#),
        format!(r#"{{"ArnEquals":{{"ec2:Subnet":"{}"}}}}"#, arn(&format!("subnet/{subnet}"))),
        r#"{"StringLike":{"ec2:AvailabilityZone":"us-west-2*"}}"#.to_owned(),
        r#"{"StringEquals":{"ec2:Region":"us-west-2"}}"#.to_owned(),
        r#"{"StringEquals":{"ec2:Owner":"amazon"}}"#.to_owned(),
        format!(r#"{{"StringEquals":{{"ec2:ImageID":"{image}"}}}}"#),
        r#"{"StringEquals":{"ec2:ImageType":"machine"}}"#.to_owned(),
        r#"{"Bool":{"ec2:IsLaunchTemplateResource":"false"}}"#.to_owned(),
        r#"{"StringNotEquals":{"ec2:MetadataHttpTokens":"required"}}"#.to_owned(),
        r#"{"StringEquals":{"ec2:Tenancy":"default"}}"#.to_owned(),
        format!(r#"{{"StringEquals":{{"ec2:SecurityGroupID":"{group}"}}}}"#),
        r#"{"Bool":{"ec2:Encrypted":"false"}}"#.to_owned(),
    ] {
        stage.but(&deny("ec2:RunInstances", "*", &condition)).await;
        let answer = stage.world.ec2(&stage.dev, &launch).await;
        assert!(answer.body.contains("UnauthorizedOperation"), "{condition}: {}", answer.body);
    }
    let with_key = format!("{launch}&KeyName=k&Placement.GroupName=p");
    for resource in ["key-pair/k", "placement-group/p"] {
        stage.but(&deny("ec2:RunInstances", &arn(resource), "")).await;
        stage.world.ec2(&stage.dev, &with_key).await.is_denied();
    }
}

#[tokio::test]
async fn by_the_default_that_a_launch_falls_back_to() {
    let stage = Stage::new().await;
    let subnets = stage.world.ec2(&stage.world.admin, "Action=DescribeSubnets").await.good();
    let ids: Vec<&str> = subnets.body.split("<subnetId>").skip(1).map(|rest| rest.split('<').next().unwrap()).collect();
    let image = eksile_ec2::images::images(REGION).remove(0).image_id;
    let launch = format!("Action=RunInstances&ImageId={image}&InstanceType=m5.large&MinCount=1&MaxCount=1");
    let all: Vec<String> = ids.iter().map(|id| format!("\"{}\"", arn(&format!("subnet/{id}")))).collect();
    let denied = format!(r#"{{"Effect":"Deny","Action":"ec2:RunInstances","Resource":[{}]}}"#, all.join(","));
    stage.but(&denied).await;
    stage.world.ec2(&stage.dev, &launch).await.is_denied();
    let groups = stage.world.ec2(&stage.world.admin, "Action=DescribeSecurityGroups").await.good();
    stage.but(&deny("ec2:RunInstances", &arn(&format!("security-group/{}", groups.text("groupId"))), "")).await;
    stage.world.ec2(&stage.dev, &launch).await.is_denied();
}

/// What is named by a name, or by what hangs on it, is asked about as what it is.
#[tokio::test]
async fn by_the_resource_behind_a_name() {
    let stage = Stage::new().await;
    let (world, dev, admin) = (&stage.world, &stage.dev, &stage.world.admin);
    let group = world.ec2(admin, "Action=CreateSecurityGroup&GroupName=web&GroupDescription=g").await.good();
    let group = group.text("groupId");
    let image = eksile_ec2::images::images(REGION).remove(0).image_id;
    for (action, form) in [
        ("DeleteSecurityGroup", "GroupName=web".to_owned()),
        (
            "AuthorizeSecurityGroupIngress",
            "GroupName=web&IpProtocol=tcp&FromPort=1&ToPort=1&CidrIp=10.0.0.0/8".to_owned(),
        ),
        ("RevokeSecurityGroupIngress", "GroupName=web&SecurityGroupRuleId.1=sgr-1".to_owned()),
        ("RunInstances", format!("SecurityGroup.1=web&ImageId={image}&InstanceType=m5.large&MinCount=1&MaxCount=1")),
    ] {
        stage.but(&deny("*", &arn(&format!("security-group/{group}")), "")).await;
        world.ec2(dev, &format!("Action={action}&{form}")).await.is_denied();
    }
    let vpc = stage.vpc("10.0.0.0/16", "").await;
    let subnet = stage.subnet(&vpc, "10.0.0.0/24").await;
    let table = world.ec2(admin, &format!("Action=CreateRouteTable&VpcId={vpc}")).await.good().text("routeTableId");
    let form = format!("Action=AssociateRouteTable&RouteTableId={table}&SubnetId={subnet}");
    let association = world.ec2(admin, &form).await.good().text("associationId");
    stage.but(&deny("ec2:DisassociateRouteTable", &arn(&format!("route-table/{table}")), "")).await;
    world.ec2(dev, &format!("Action=DisassociateRouteTable&AssociationId={association}")).await.is_denied();
    let address = world.ec2(admin, "Action=AllocateAddress&Domain=vpc").await.good();
    let (id, ip) = (address.text("allocationId"), address.text("publicIp"));
    stage.but(&deny("ec2:ReleaseAddress", &arn(&format!("elastic-ip/{id}")), "")).await;
    world.ec2(dev, &format!("Action=ReleaseAddress&PublicIp={ip}")).await.is_denied();
    stage
        .but(&deny("ec2:ReleaseAddress", "*", &format!(r#"{{"StringEquals":{{"ec2:PublicIpAddress":"{ip}"}}}}"#)))
        .await;
    world.ec2(dev, &format!("Action=ReleaseAddress&AllocationId={id}")).await.is_denied();
}

#[tokio::test]
async fn by_the_role_that_is_passed() {
    let stage = Stage::new().await;
    let (world, dev) = (&stage.world, &stage.dev);
    let role = world.role("node", TRUST_EC2, ALL).await;
    world.iam("Action=TagRole&RoleName=node&Tags.member.1.Key=env&Tags.member.1.Value=prod").await.good();
    world.iam("Action=CreateInstanceProfile&InstanceProfileName=node").await.good();
    world.iam("Action=AddRoleToInstanceProfile&InstanceProfileName=node&RoleName=node").await.good();
    let image = eksile_ec2::images::images(REGION).remove(0).image_id;
    let launch = format!(
        "Action=RunInstances&ImageId={image}&InstanceType=m5.large&MinCount=1&MaxCount=1&IamInstanceProfile.Name=node"
    );
    let instance = arn("instance/*");
    for (resource, condition) in [
        (&*role, String::new()),
        ("*", r#"{"StringEquals":{"iam:PassedToService":"ec2.amazonaws.com"}}"#.to_owned()),
        ("*", r#"{"StringEquals":{"aws:ResourceTag/env":"prod"}}"#.to_owned()),
        ("*", r#"{"StringEquals":{"iam:ResourceTag/env":"prod"}}"#.to_owned()),
        ("*", format!(r#"{{"ArnLike":{{"iam:AssociatedResourceArn":"{instance}"}}}}"#)),
    ] {
        stage.but(&deny("iam:PassRole", resource, &condition)).await;
        world.ec2(dev, &launch).await.is_denied();
    }
    stage.but(&deny("iam:PassRole", "*", r#"{"StringEquals":{"iam:PassedToService":"eks.amazonaws.com"}}"#)).await;
    world.ec2(dev, &launch).await.is_let();
    let profile =
        format!(r#"{{"ArnEquals":{{"ec2:InstanceProfile":"arn:aws:iam::{ACCOUNT}:instance-profile/node"}}}}"#);
    stage.but(&deny("ec2:RunInstances", "*", &profile)).await;
    world.ec2(dev, &launch).await.is_denied();
    let second = "Action=AddRoleToInstanceProfile&InstanceProfileName=other&RoleName=node";
    world.iam("Action=CreateInstanceProfile&InstanceProfileName=other").await.good();
    stage.but(&deny("iam:PassRole", &role, "")).await;
    world.query(dev, "iam", second).await.is_denied();
}

#[tokio::test]
async fn by_keys_of_eks() {
    let stage = Stage::new().await;
    let (world, dev) = (&stage.world, &stage.dev);
    let role = world.role("cluster", TRUST_EC2, ALL).await;
    let body = format!(
        r#"{{"name":"c","roleArn":"{role}","resourcesVpcConfig":{{"subnetIds":["subnet-1"]}},"version":"1.33",
            "tags":{{"team":"red"}},"accessConfig":{{"authenticationMode":"API"}}}}"#
    );
    let cluster = format!("arn:aws:eks:{REGION}:{ACCOUNT}:cluster/c");
    stage.but(&deny("eks:CreateCluster", &format!("{cluster}2"), "")).await;
    world.eks(dev, "/clusters", &body).await.is_let();
    for (action, resource, condition) in [
        ("eks:CreateCluster", &*cluster, ""),
        ("eks:CreateCluster", "*", r#"{"StringEquals":{"aws:RequestTag/team":"red"}}"#),
        ("eks:CreateCluster", "*", r#"{"StringEquals":{"eks:authenticationMode":"API"}}"#),
        ("eks:CreateCluster", "*", r#"{"StringEquals":{"eks:kubernetesVersion":"1.33"}}"#),
        ("eks:CreateCluster", "*", r#"{"Bool":{"eks:endpointPublicAccess":"true"}}"#),
        ("eks:CreateCluster", "*", r#"{"Bool":{"eks:bootstrapClusterCreatorAdminPermissions":"true"}}"#),
        ("eks:TagResource", "*", ""),
        ("iam:PassRole", &*role, ""),
        ("iam:PassRole", "*", r#"{"StringEquals":{"iam:PassedToService":"eks.amazonaws.com"}}"#),
        ("iam:PassRole", "*", r#"{"ArnLike":{"iam:AssociatedResourceArn":"arn:aws:eks:*:*:cluster/c"}}"#),
    ] {
        stage.but(&deny(action, resource, condition)).await;
        let answer = world.eks(dev, "/clusters", &body).await;
        assert!(answer.body.contains("AccessDenied") || answer.status == 403, "{action} {condition}: {}", answer.body);
    }
    let entry = r#"{"principalArn":"arn:aws:iam::111122223333:role/cluster","kubernetesGroups":["a"],"username":"me"}"#;
    for condition in [
        r#"{"ArnLike":{"eks:principalArn":"arn:aws:iam::*:role/cluster"}}"#,
        r#"{"ForAnyValue:StringEquals":{"eks:kubernetesGroups":"a"}}"#,
        r#"{"StringEquals":{"eks:username":"me"}}"#,
        r#"{"StringEquals":{"eks:accessEntryType":"STANDARD"}}"#,
        r#"{"StringEquals":{"eks:clusterName":"c"}}"#,
    ] {
        stage.but(&deny("eks:CreateAccessEntry", "*", condition)).await;
        assert_eq!(world.eks(dev, "/clusters/c/access-entries", entry).await.status, 403, "{condition}");
    }
}

/// Whoever may pass every role may pass none of another account.
#[tokio::test]
async fn a_role_of_another_account_cannot_be_passed() {
    let stage = Stage::new().await;
    let world = &stage.world;
    let trust = encoded(&policy(TRUST_EC2));
    let form = format!("Action=CreateRole&RoleName=theirs&AssumeRolePolicyDocument={trust}");
    let role = world.query(&world.stranger, "iam", &form).await.good().text("Arn");
    let body = format!(r#"{{"name":"c","roleArn":"{role}","resourcesVpcConfig":{{"subnetIds":["subnet-1"]}}}}"#);
    for keys in [&stage.dev, &world.admin] {
        let answer = world.eks(keys, "/clusters", &body).await;
        assert!(answer.status == 403 && answer.body.contains("Cross-account pass role"), "{}", answer.body);
    }
}

#[tokio::test]
async fn by_keys_of_iam() {
    let stage = Stage::new().await;
    let (world, dev) = (&stage.world, &stage.dev);
    let admin = "arn:aws:iam::aws:policy/AdministratorAccess";
    let read = "arn:aws:iam::aws:policy/ReadOnlyAccess";
    world.iam(&format!("Action=CreateUser&UserName=bound&PermissionsBoundary={read}&Path=/t/")).await.good();
    let bound = format!(r#"{{"StringEquals":{{"iam:PermissionsBoundary":"{read}"}}}}"#);
    let attach = format!("Action=AttachUserPolicy&UserName=bound&PolicyArn={admin}");
    let inline = encoded(&policy(ALL));
    let put = format!("Action=PutUserPolicy&UserName=bound&PolicyName=p&PolicyDocument={inline}");
    let user = format!("arn:aws:iam::{ACCOUNT}:user/t/bound");
    for (action, resource, condition, form) in [
        ("iam:AttachUserPolicy", &*user, "", &*attach),
        (
            "iam:AttachUserPolicy",
            "*",
            r#"{"ArnEquals":{"iam:PolicyARN":"arn:aws:iam::aws:policy/AdministratorAccess"}}"#,
            &*attach,
        ),
        ("iam:AttachUserPolicy", "*", &*bound, &*attach),
        ("iam:PutUserPolicy", "*", &*bound, &*put),
        ("iam:CreateUser", "*", r#"{"Null":{"iam:PermissionsBoundary":"true"}}"#, "Action=CreateUser&UserName=free"),
        ("iam:TagUser", "*", "", "Action=CreateUser&UserName=x&Tags.member.1.Key=a&Tags.member.1.Value=b"),
        ("iam:ListRoles", "*", "", "Action=ListRoles"),
        ("iam:GetPolicy", admin, "", "Action=GetPolicy&PolicyArn=arn:aws:iam::aws:policy/AdministratorAccess"),
        ("iam:CreateAccessKey", "*", r#"{"StringNotEquals":{"aws:username":"bound"}}"#, "Action=CreateAccessKey"),
    ] {
        stage.but(&deny(action, resource, condition)).await;
        let answer = world.query(dev, "iam", form).await;
        assert!(answer.body.contains("AccessDenied"), "{action} {condition}: {}", answer.body);
    }
}

/// A resource that is not there is no way around a denial, nor does it tell who owns what.
#[tokio::test]
async fn what_is_not_there_tells_nothing() {
    let stage = Stage::new().await;
    let (world, dev) = (&stage.world, &stage.dev);
    let theirs = world.ec2(&world.stranger, "Action=CreateVpc&CidrBlock=10.9.0.0/16").await.good().text("vpcId");
    let of_nobody = "vpc-0aaaaaaaaaaaaaaaa";
    let told = async |id: &str| {
        let answer = world.ec2(dev, &format!("Action=DeleteVpc&VpcId={id}")).await;
        (answer.status, answer.text("Code"), answer.text("Message").replace(id, "ID"))
    };
    stage.but(&deny("s3:*", "*", "")).await;
    assert_eq!(told(&theirs).await, told(of_nobody).await);
    stage.but(&deny("ec2:DeleteVpc", "*", "")).await;
    assert_eq!(told(&theirs).await.1, "UnauthorizedOperation");
    assert_eq!(told(&theirs).await.0, told(of_nobody).await.0);
    world.user("secret", ALL).await;
    let theirs = world.query(&world.stranger, "iam", "Action=GetUser&UserName=secret").await;
    let nobody = world.query(&world.stranger, "iam", "Action=GetUser&UserName=nobody").await;
    assert_eq!(theirs.text("Message").replace("secret", "X"), nobody.text("Message").replace("nobody", "X"));
}
