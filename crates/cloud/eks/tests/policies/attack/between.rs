//! What changes between a command's authorization and its write counts: what was authorized is what is done.

use std::sync::Arc;

use crate::world::{Answer, Keys, World, door};

const ALL: &str = r#"{"Effect":"Allow","Action":"*","Resource":"*"}"#;
/// Whoever is of the team.
const TEAM: &str =
    r#"{"Effect":"Allow","Action":"*","Resource":"*","Condition":{"StringEquals":{"aws:PrincipalTag/team":"red"}}}"#;
const VPC: &str = "Action=CreateVpc&CidrBlock=10.0.0.0/16";

/// The answer to a new VPC while these IAM calls of the admin come between; and whether the VPC is there.
async fn meanwhile(world: &Arc<World>, keys: &Keys, calls: &[String]) -> (Answer, bool) {
    let vpcs = async || world.ec2(&world.admin, "Action=DescribeVpcs").await.good().body.matches("<vpcId>").count();
    let (admins, calls, before) = (world.clone(), calls.to_vec(), vpcs().await);
    let between = move || -> std::pin::Pin<Box<dyn Future<Output = ()> + Send>> {
        let (admins, calls) = (admins.clone(), calls.clone());
        Box::pin(async move {
            for call in &calls {
                admins.iam(call).await.good();
            }
        })
    };
    let raced = door(&world.store, &world.clock).with_between(Arc::new(between));
    let answer = world.query_at(&raced, keys, "ec2", VPC).await;
    (answer, vpcs().await > before)
}

async fn world() -> (Arc<World>, Keys) {
    let world = World::start().await;
    let dev = world.user("dev", TEAM).await;
    world.iam("Action=TagUser&UserName=dev&Tags.member.1.Key=team&Tags.member.1.Value=red").await.good();
    (Arc::new(world), dev)
}

#[tokio::test]
async fn what_changes_and_is_no_matter() {
    let (world, dev) = world().await;
    let (answer, done) = meanwhile(&world, &dev, &["Action=CreateUser&UserName=other".to_owned()]).await;
    assert!(done, "{answer:?}");
    answer.good();
}

#[tokio::test]
async fn a_policy_goes() {
    let (world, dev) = world().await;
    let (answer, done) =
        meanwhile(&world, &dev, &["Action=DeleteUserPolicy&UserName=dev&PolicyName=p".to_owned()]).await;
    answer.is_denied();
    assert!(!done);
}

#[tokio::test]
async fn a_tag_of_the_caller_changes() {
    let (world, dev) = world().await;
    let tag = "Action=TagUser&UserName=dev&Tags.member.1.Key=team&Tags.member.1.Value=blue".to_owned();
    let (answer, done) = meanwhile(&world, &dev, &[tag]).await;
    answer.is_denied();
    assert!(!done);
}

#[tokio::test]
async fn a_key_is_no_longer_active() {
    for call in ["UpdateAccessKey&Status=Inactive", "DeleteAccessKey"] {
        let (world, dev) = world().await;
        let call = format!("Action={call}&UserName=dev&AccessKeyId={}", dev.0);
        let (answer, done) = meanwhile(&world, &dev, std::slice::from_ref(&call)).await;
        assert_eq!((answer.status, done), (401, false), "{call}: {}", answer.body);
        assert!(answer.body.contains("AuthFailure"), "{call}: {}", answer.body);
    }
}

#[tokio::test]
async fn a_sessions_role_goes_and_one_of_its_name_is_made() {
    let (world, dev) = world().await;
    let trust =
        format!(r#"{{"Effect":"Allow","Principal":{{"AWS":"{}"}},"Action":"sts:AssumeRole"}}"#, crate::world::ACCOUNT);
    let role = world.role("r", &trust, ALL).await;
    let session = world.assumed(&dev, &role, "").await.unwrap();
    let (anew, arn) =
        (crate::world::encoded(&crate::world::policy(&trust)), crate::world::encoded(&crate::world::policy(ALL)));
    let calls = [
        "Action=DeleteRolePolicy&RoleName=r&PolicyName=p".to_owned(),
        "Action=DeleteRole&RoleName=r".to_owned(),
        format!("Action=CreateRole&RoleName=r&AssumeRolePolicyDocument={anew}"),
        format!("Action=PutRolePolicy&RoleName=r&PolicyName=p&PolicyDocument={arn}"),
    ];
    let (answer, done) = meanwhile(&world, &session, &calls).await;
    assert_eq!((answer.status, done), (401, false), "{}", answer.body);
    assert!(answer.body.contains("AuthFailure"), "{}", answer.body);
}
