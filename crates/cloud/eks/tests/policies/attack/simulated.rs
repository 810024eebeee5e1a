//! A simulation decides as the door does.

use crate::world::{ACCOUNT, World, encoded, policy};

const STATEMENTS: &str = r#"{"Effect":"Allow","Action":["ec2:Describe*","ec2:CreateVpc"],"Resource":"*"},
    {"Effect":"Deny","Action":"ec2:CreateVpc","Resource":"*","Condition":{"StringEquals":{"aws:PrincipalTag/team":"red"}}}"#;

async fn simulated(world: &World, action: &str, rest: &str) -> String {
    let source = encoded(&format!("arn:aws:iam::{ACCOUNT}:user/dev"));
    let form = format!("Action=SimulatePrincipalPolicy&PolicySourceArn={source}&ActionNames.member.1={action}{rest}");
    world.iam(&form).await.good().text("EvalDecision")
}

#[tokio::test]
async fn a_simulation_decides_as_the_door() {
    let world = World::start().await;
    let dev = world.user("dev", STATEMENTS).await;
    let make = "Action=CreateVpc&CidrBlock=10.0.0.0/16&DryRun=true";
    for (tagged, decision, status) in [(false, "allowed", 412), (true, "explicitDeny", 403)] {
        if tagged {
            world.iam("Action=TagUser&UserName=dev&Tags.member.1.Key=team&Tags.member.1.Value=red").await.good();
        }
        assert_eq!(simulated(&world, "ec2:CreateVpc", "").await, decision);
        assert_eq!(world.ec2(&dev, make).await.status, status);
    }
    assert_eq!(simulated(&world, "ec2:DeleteVpc", "").await, "implicitDeny");
    let entry = "&ContextEntries.member.1.ContextKeyName=aws:PrincipalTag/team\
                 &ContextEntries.member.1.ContextKeyType=string&ContextEntries.member.1.ContextKeyValues.member.1=blue";
    assert_eq!(simulated(&world, "ec2:CreateVpc", entry).await, "allowed");
    let boundary = encoded(&policy(r#"{"Effect":"Allow","Action":"ec2:Describe*","Resource":"*"}"#));
    let bound = format!("{entry}&PermissionsBoundaryPolicyInputList.member.1={boundary}");
    assert_eq!(simulated(&world, "ec2:CreateVpc", &bound).await, "implicitDeny");
    assert_eq!(simulated(&world, "ec2:DescribeVpcs", &bound).await, "allowed");
    let other = format!(
        "{entry}&PolicyInputList.member.1={}",
        encoded(&policy(r#"{"Effect":"Allow","Action":"*","Resource":"*"}"#))
    );
    assert_eq!(simulated(&world, "ec2:DeleteVpc", &other).await, "allowed");
    // What cannot be simulated is refused, not left out.
    let resource = format!("&ResourcePolicy={boundary}");
    let source = encoded(&format!("arn:aws:iam::{ACCOUNT}:user/dev"));
    let form = format!("Action=SimulatePrincipalPolicy&PolicySourceArn={source}&ActionNames.member.1=a:B{resource}");
    assert_eq!(world.iam(&form).await.status, 501);
    let unbuilt = entry.replace("aws:PrincipalTag/team", "aws:Nothing");
    let form = format!("Action=SimulatePrincipalPolicy&PolicySourceArn={source}&ActionNames.member.1=a:B{unbuilt}");
    assert_eq!(world.iam(&form).await.text("Code"), "InvalidInput");
    // Nobody simulates whom they may not look at.
    let form = format!("Action=SimulatePrincipalPolicy&PolicySourceArn={source}&ActionNames.member.1=a:B");
    world.query(&dev, "iam", &form).await.is_denied();
}

#[tokio::test]
async fn a_simulation_knows_of_a_caller_what_the_door_knows() {
    let world = World::start().await;
    let statement = |condition: &str| {
        let condition = format!(r#""Condition":{{"Bool":{{{condition}:"false"}}}}"#);
        format!(r#"{{"Effect":"Allow","Action":"ec2:CreateVpc","Resource":"*",{condition}}}"#)
    };
    let dev = world.user("dev", &statement(r#""aws:ViaAWSService""#)).await;
    assert_eq!(simulated(&world, "ec2:CreateVpc", "").await, "allowed");
    assert_eq!(world.ec2(&dev, "Action=CreateVpc&CidrBlock=10.0.0.0/16&DryRun=true").await.status, 412);
}
