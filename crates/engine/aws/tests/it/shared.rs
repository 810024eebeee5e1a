//! What operations share and never mention.

use eksile_aws::Fault;
use eksile_store::{Record, Scope};
use jiff::SignedDuration;
use serde::{Deserialize, Serialize};

use crate::world::{World, element};

const MAKE: &str = "Action=RunInstances&MinCount=1";

#[tokio::test]
async fn ec2_in_and_out() {
    let world = World::new();
    let tags =
        "TagSpecification.1.ResourceType=vpc&TagSpecification.1.Tag.1.Key=Name&TagSpecification.1.Tag.1.Value=a%26b";
    let (status, body) = world.ec2(&format!("{MAKE}&{tags}")).await;
    assert_eq!(status, 200);
    assert_eq!(
        body,
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<RunInstancesResponse xmlns=\"http://ec2.amazonaws.com/doc/2016-11-15/\">\
         <requestId>00000000-0000-4000-8000-000000000001</requestId><vpc><vpcId>vpc-00000000000000002</vpcId>\
         <tagSet><item><key>Name</key><value>a&amp;b</value></item></tagSet></vpc></RunInstancesResponse>"
    );
    let (_, body) = world.ec2("Action=DescribeVpcs&Filter.1.Name=tag:Name&Filter.1.Value.1=a*").await;
    assert!(body.contains("vpc-00000000000000002"), "{body}");
    let (_, body) = world.ec2("Action=DescribeVpcs&Filter.1.Name=tag:Name&Filter.1.Value.1=b*").await;
    assert!(body.contains("<vpcSet/>"), "{body}");
}

#[tokio::test]
async fn what_an_operation_does_not_read_is_refused() {
    let world = World::new();
    let refusal = async |form: &str| {
        let (status, body) = world.ec2(form).await;
        let part = |name| element(&body, name).unwrap_or_default().to_owned();
        (status, part("Code"), part("Message"))
    };
    let unbuilt = |what: &str| (501, "NotImplemented".to_owned(), format!("ec2:{what} is not implemented"));
    let unknown = |what: &str| (400, "UnknownParameter".to_owned(), format!("The parameter {what} is not recognized"));
    assert_eq!(refusal(&format!("{MAKE}&EbsOptimized=true")).await, unbuilt("RunInstances with EbsOptimized"));
    let deep = format!("{MAKE}&Placement.Tenancy=host&Placement.GroupName=");
    assert_eq!(refusal(&deep).await, unbuilt("RunInstances with Placement"));
    let within = format!("{MAKE}&IamInstanceProfile.Name=a&IamInstanceProfile.Arn=b");
    assert_eq!(refusal(&within).await, unbuilt("RunInstances with IamInstanceProfile.Arn"));
    assert_eq!(refusal(&format!("{MAKE}&Purpose=none")).await, unknown("Purpose"));
    let tag = "TagSpecification.1.ResourceType=vpc&TagSpecification.1.Tag.1.Key=a&TagSpecification.1.Tag.1.Colour=red";
    assert_eq!(refusal(&format!("{MAKE}&{tag}")).await, unknown("TagSpecification.Tag.Colour"));
    // Clients send members that ask for nothing, and what the door itself reads.
    let idle = "EbsOptimized=false&Monitoring.Enabled=False&Ipv6AddressCount=0&KernelId=&DryRun=false&ClientToken=t";
    assert_eq!(world.ec2(&format!("{MAKE}&{idle}")).await.0, 200);
    let (status, body) = world.ecr("DescribeRepositories", r#"{"registryId":"1"}"#).await;
    assert_eq!(status, 501);
    assert!(body.contains("ecr:DescribeRepositories with registryId"), "{body}");
    // AWS's JSON services pass over what they do not know.
    assert_eq!(world.ecr("DescribeRepositories", r#"{"colour":"red","maxResults":5,"registryId":null}"#).await.0, 200);
}

#[tokio::test]
async fn a_dry_run_changes_nothing() {
    let world = World::new();
    let before = world.store.revision();
    let (status, body) = world.ec2(&format!("{MAKE}&DryRun=true")).await;
    assert_eq!((status, element(&body, "Code")), (412, Some("DryRunOperation")));
    assert_eq!(
        element(&world.ec2("Action=RunInstances&MinCount=0&DryRun=true").await.1, "Code"),
        Some("InvalidParameterValue")
    );
    assert_eq!(world.store.revision(), before);
}

#[tokio::test]
async fn a_token_makes_a_call_idempotent_for_a_day() {
    let world = World::new();
    let made = |body: String| element(&body, "vpcId").unwrap().to_owned();
    let first = made(world.ec2(&format!("{MAKE}&ClientToken=t1")).await.1);
    let (_, again) = world.ec2(&format!("{MAKE}&ClientToken=t1")).await;
    assert_eq!(made(again.clone()), first);
    assert_ne!(element(&again, "requestId"), Some("00000000-0000-4000-8000-000000000001"));
    assert_ne!(made(world.ec2(&format!("{MAKE}&ClientToken=t2")).await.1), first);
    assert_ne!(made(world.ec2(MAKE).await.1), made(world.ec2(MAKE).await.1));
    let (status, body) = world.ec2("Action=RunInstances&MinCount=2&ClientToken=t1").await;
    assert_eq!((status, element(&body, "Code")), (400, Some("IdempotentParameterMismatch")));
    world.clock.advance(SignedDuration::from_hours(25));
    assert_ne!(made(world.ec2(&format!("{MAKE}&ClientToken=t1")).await.1), first);
    // A call that failed did not use its token up.
    assert_eq!(world.ec2("Action=RunInstances&MinCount=0&ClientToken=t3").await.0, 400);
    assert_eq!(world.ec2(&format!("{MAKE}&ClientToken=t3")).await.0, 200);
}

/// One kept answer that cannot be read fails the call with its token, and no other.
#[tokio::test]
async fn a_token_whose_answer_cannot_be_read_fails_its_own_call_alone() {
    let world = World::new();
    assert_eq!(world.ec2(&format!("{MAKE}&ClientToken=t5")).await.0, 200);
    let (view, prefix) = (world.store.view(), Scope::new("111122223333", "us-west-2").prefix::<Kept>());
    let kept = view.scan(&prefix, None, usize::MAX);
    assert_eq!(kept.len(), 1);
    let garbage = world.store.write(|txn| {
        txn.put(&kept[0].key, "garbage");
        Ok::<_, Fault>(())
    });
    garbage.await.unwrap();
    // Tokens before it and after it: each new one looks at the old ones that follow.
    for other in ["t4", "t6"] {
        let (status, body) = world.ec2(&format!("{MAKE}&ClientToken={other}")).await;
        assert_eq!(status, 200, "{other}: {body}");
    }
    assert_eq!(world.ec2(&format!("{MAKE}&ClientToken=t5")).await.0, 500);
}

/// Where the door keeps its answers.
#[derive(Serialize, Deserialize)]
struct Kept(String);

impl Record for Kept {
    const SERVICE: &'static str = "door";
    const KIND: &'static str = "token";

    fn id(&self) -> &str {
        &self.0
    }
}

#[tokio::test]
async fn lists_come_in_pages() {
    let world = World::new();
    for _ in 0..12 {
        world.ec2(MAKE).await;
    }
    let count = |body: &str| body.matches("<item>").count();
    let (_, all) = world.ec2("Action=DescribeVpcs").await;
    assert_eq!((count(&all), element(&all, "nextToken")), (12, None));
    let (mut token, mut seen) = (String::new(), Vec::new());
    loop {
        let (status, body) = world.ec2(&format!("Action=DescribeVpcs&MaxResults=5&NextToken={token}")).await;
        assert_eq!(status, 200, "{body}");
        seen.push(count(&body));
        let Some(next) = element(&body, "nextToken") else { break };
        token = next.to_owned();
    }
    assert_eq!(seen, [5, 5, 2]);
    let (status, body) = world.ec2("Action=DescribeVpcs&MaxResults=4").await;
    assert_eq!((status, element(&body, "Code")), (400, Some("InvalidParameterValue")));
    let (_, body) = world.ec2("Action=DescribeVpcs&MaxResults=5&NextToken=garbage").await;
    assert_eq!(element(&body, "Code"), Some("InvalidNextToken"));
}
