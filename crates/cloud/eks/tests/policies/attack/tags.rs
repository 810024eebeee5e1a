//! Tags: every key that a call changes is named, and no key is another for its capitals where AWS knows no case.

use crate::world::{ACCOUNT, World};

const ALL: &str = r#"{"Effect":"Allow","Action":"*","Resource":"*"}"#;

fn deny(action: &str, condition: &str) -> String {
    format!(r#"{ALL},{{"Effect":"Deny","Action":"{action}","Resource":"*","Condition":{condition}}}"#)
}

#[tokio::test]
async fn all_tags_at_once_are_each_of_them() {
    let world = World::start().await;
    let dev = world.user("dev", ALL).await;
    let made = world.ec2(&world.admin, "Action=CreateVpc&CidrBlock=10.0.0.0/16").await.good();
    let vpc = made.text("vpcId");
    let tag = format!("Action=CreateTags&ResourceId.1={vpc}&Tag.1.Key=env&Tag.1.Value=prod&Tag.2.Key=b&Tag.2.Value=c");
    world.ec2(&world.admin, &tag).await.good();
    let all = format!("Action=DeleteTags&ResourceId.1={vpc}");
    for condition in [
        r#"{"ForAnyValue:StringEquals":{"aws:TagKeys":"env"}}"#,
        r#"{"Null":{"aws:TagKeys":"false"}}"#,
        r#"{"ForAnyValue:StringNotEquals":{"aws:TagKeys":"b"}}"#,
    ] {
        world.policy("User", "dev", &deny("ec2:DeleteTags", condition)).await.good();
        world.ec2(&dev, &all).await.is_denied();
    }
    let only = r#"{"Effect":"Allow","Action":"ec2:DeleteTags","Resource":"*","Condition":{"ForAllValues:StringEquals":{"aws:TagKeys":"b"}}}"#;
    world.policy("User", "dev", only).await.good();
    world.ec2(&dev, &all).await.is_denied();
    world.ec2(&dev, &format!("{all}&Tag.1.Key=b")).await.good();
}

#[tokio::test]
async fn a_denial_by_a_tag_outlives_its_key_in_other_capitals() {
    let world = World::start().await;
    let dev = world.user("dev", ALL).await;
    let tag =
        "&TagSpecification.1.ResourceType=vpc&TagSpecification.1.Tag.1.Key=env&TagSpecification.1.Tag.1.Value=prod";
    let made = world.ec2(&world.admin, &format!("Action=CreateVpc&CidrBlock=10.0.0.0/16{tag}")).await.good();
    let vpc = made.text("vpcId");
    let denied = deny("ec2:DeleteVpc", r#"{"StringNotEquals":{"aws:ResourceTag/env":"test"}}"#);
    world.policy("User", "dev", &denied).await.good();
    world.ec2(&dev, &format!("Action=CreateTags&ResourceId.1={vpc}&Tag.1.Key=ENV&Tag.1.Value=test")).await.good();
    world.ec2(&dev, &format!("Action=DeleteVpc&VpcId={vpc}")).await.is_denied();
    let only = r#"{"Effect":"Allow","Action":"ec2:DeleteVpc","Resource":"*","Condition":{"StringEquals":{"aws:ResourceTag/env":"test"}}}"#;
    world.policy("User", "dev", only).await.good();
    world.ec2(&dev, &format!("Action=DeleteVpc&VpcId={vpc}")).await.is_denied();
    world.ec2(&world.admin, &format!("Action=DeleteTags&ResourceId.1={vpc}&Tag.1.Key=env")).await.good();
    world.ec2(&dev, &format!("Action=DeleteVpc&VpcId={vpc}")).await.good();
}

/// A user, a role or a session has a tag once, whatever its capitals.
#[tokio::test]
async fn tag_keys_of_iam_know_no_case() {
    let world = World::start().await;
    let dev = world.user("dev", ALL).await;
    let trust = format!(r#"{{"Effect":"Allow","Principal":{{"AWS":"{ACCOUNT}"}},"Action":"sts:AssumeRole"}}"#);
    world.role("worker", &trust, ALL).await;
    for (kind, name) in [("User", "dev"), ("Role", "worker")] {
        let tag = |key: &str, value: &str| {
            format!("Action=Tag{kind}&{kind}Name={name}&Tags.member.1.Key={key}&Tags.member.1.Value={value}")
        };
        world.iam(&tag("dept", "one")).await.good();
        world.iam(&tag("DEPT", "two")).await.good();
        let told = world.iam(&format!("Action=List{kind}Tags&{kind}Name={name}")).await.good();
        assert_eq!(told.body.matches("<Key>").count(), 1, "{}", told.body);
        assert_eq!(told.text("Value"), "two");
        let twice = format!("{}&Tags.member.2.Key=Dept&Tags.member.2.Value=x", tag("dept", "y"));
        let refused = world.iam(&twice).await;
        assert_eq!((refused.status, refused.text("Code")), (400, "InvalidInput".to_owned()));
        // Who may not change the tag may not in other capitals.
        let change = deny(&format!("iam:*ag{kind}"), r#"{"ForAnyValue:StringEquals":{"aws:TagKeys":"DEPT"}}"#);
        world.policy("User", "dev", &change).await.good();
        world.query(&dev, "iam", &tag("dept", "three")).await.is_denied();
        let untag = format!("Action=Untag{kind}&{kind}Name={name}&TagKeys.member.1=dept");
        world.query(&dev, "iam", &untag).await.is_denied();
        world.iam(&untag).await.good();
        let told = world.iam(&format!("Action=List{kind}Tags&{kind}Name={name}")).await.good();
        assert_eq!(told.body.matches("<Key>").count(), 0, "{}", told.body);
    }
    let twice = "Action=CreateUser&UserName=twice&Tags.member.1.Key=a&Tags.member.1.Value=1&Tags.member.2.Key=A&Tags.member.2.Value=2";
    assert_eq!(world.iam(twice).await.text("Code"), "InvalidInput");
}
