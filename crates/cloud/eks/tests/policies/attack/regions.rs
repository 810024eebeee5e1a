//! The Region of a request is where it came, not what its signer wrote.

use eksile_aws::Vantage;
use eksile_kit::Signer;

use crate::world::{ACCOUNT, Keys, World};

const ALL: &str = r#"{"Effect":"Allow","Action":"*","Resource":"*"}"#;

/// Status and body of a query that is signed for a Region.
async fn signed(world: &World, keys: &Keys, service: &str, region: &str, form: &str) -> (u16, String) {
    let signer = Signer { access_key_id: &keys.0, secret: &keys.1, service, region };
    let version = if service == "iam" { "2010-05-08" } else { "2011-06-15" };
    let headers = [("content-type", "application/x-www-form-urlencoded")];
    let request = signer.post_at(world.clock.now_wall(), &headers, &format!("{form}&Version={version}"));
    let response = world.door.handle(request, Vantage::host()).await;
    (response.status().as_u16(), String::from_utf8(response.body().to_vec()).unwrap())
}

/// IAM is in us-east-1. Clients with an endpoint of their own sign it for the Region that they are set to.
#[tokio::test]
async fn iam_is_in_one_region_whatever_was_signed() {
    let world = World::start().await;
    let dev = world.user("dev", ALL).await;
    for (condition, denied) in [
        (r#"{"StringEquals":{"aws:RequestedRegion":"us-east-1"}}"#, true),
        (r#"{"StringNotEquals":{"aws:RequestedRegion":"us-west-2"}}"#, true),
        (r#"{"StringEquals":{"aws:RequestedRegion":"us-west-2"}}"#, false),
        (r#"{"StringNotEquals":{"aws:RequestedRegion":"us-east-1"}}"#, false),
    ] {
        let statement = format!(r#"{{"Effect":"Deny","Action":"iam:*","Resource":"*","Condition":{condition}}}"#);
        world.policy("User", "dev", &format!("{ALL},{statement}")).await.good();
        for region in ["us-east-1", "us-west-2"] {
            let (status, body) = signed(&world, &dev, "iam", region, "Action=GetUser").await;
            assert_eq!(status, if denied { 403 } else { 200 }, "{condition} {region}: {body}");
        }
    }
    for region in ["eu-west-1", "mars", "aws-global"] {
        let (status, body) = signed(&world, &dev, "iam", region, "Action=GetUser").await;
        assert_eq!(status, 403, "{region}: {body}");
        assert!(body.contains("SignatureDoesNotMatch"), "{region}: {body}");
        assert!(body.contains("Credential should be scoped to a valid region."), "{region}: {body}");
    }
}

/// STS has the Region's endpoint and the global one, which is in us-east-1; the address of the Region's is the Region's.
#[tokio::test]
async fn sts_is_at_its_endpoint() {
    let world = World::start().await;
    let trust = format!(r#"{{"Effect":"Allow","Principal":{{"AWS":"{ACCOUNT}"}},"Action":"sts:AssumeRole"}}"#);
    let role = world.role("worker", &trust, ALL).await;
    let here = r#"{"StringNotEquals":{"aws:RequestedRegion":"us-west-2"}}"#;
    let here = format!(r#"{ALL},{{"Effect":"Deny","Action":"sts:*","Resource":"*","Condition":{here}}}"#);
    let dev = world.user("dev", &here).await;
    let form = format!("Action=AssumeRole&RoleArn={role}&RoleSessionName=sn");
    let (status, body) = signed(&world, &dev, "sts", "us-west-2", &form).await;
    assert_eq!(status, 200, "{body}");
    let (status, body) = signed(&world, &dev, "sts", "us-east-1", &form).await;
    assert!(status == 403 && body.contains("explicit deny"), "{body}");
    for region in ["eu-west-1", "mars"] {
        let (status, body) = signed(&world, &dev, "sts", region, &form).await;
        assert!(status == 403 && body.contains("SignatureDoesNotMatch"), "{region}: {body}");
    }
}

/// An ARN's account is a word of foreign text: it is twelve digits, or nobody's.
#[tokio::test]
async fn an_account_in_an_arn_is_twelve_digits() {
    let world = World::start().await;
    let dev = world.user("dev", ALL).await;
    for account in ["", "keys/global/iam", "11112222333/", "*", "aws", "logins", "1111222233334"] {
        let form = format!("Action=AssumeRole&RoleArn=arn:aws:iam::{account}:role/x&RoleSessionName=sn");
        assert_eq!(world.query(&dev, "sts", &form).await.status, 403, "{account}");
    }
}
