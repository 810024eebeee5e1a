//! What the registry asks: every action of what is done, of whoever holds the key now, where it is.

use aws_lc_rs::digest::{SHA256, digest};
use eksile_aws::Vantage;
use eksile_kit::Signer;

use crate::world::{ACCOUNT, World, send};

fn digest_of(bytes: &[u8]) -> String {
    format!("sha256:{}", hex::encode(digest(&SHA256, bytes)))
}

/// The admin may do all at the registry but these.
async fn but(world: &World, actions: &[&str]) {
    let actions = serde_json::to_string(actions).unwrap();
    let document = format!(
        r#"{{"Version":"2012-10-17","Statement":{{"Effect":"Deny","Action":{actions},"Resource":"arn:aws:ecr:*:*:repository/app"}}}}"#
    );
    world.iam(ACCOUNT, &format!("Action=PutUserPolicy&UserName=admin&PolicyName=p&PolicyDocument={document}")).await;
}

async fn begun(world: &World, login: &str) -> String {
    let begun = world.send(login, "POST", "/v2/app/blobs/uploads/", b"").await;
    assert_eq!(begun.status, 202, "{begun:?}");
    begun.header("location").to_owned()
}

#[tokio::test]
async fn attack_no_way_to_push_leaves_an_action_out() {
    let world = World::start().await;
    let login = world.repository(ACCOUNT, "app").await;
    let at_once = format!("/v2/app/blobs/uploads/?digest={}", digest_of(b"layer"));
    for action in ["ecr:InitiateLayerUpload", "ecr:UploadLayerPart", "ecr:CompleteLayerUpload"] {
        but(&world, &[action]).await;
        let answer = world.send(&login, "POST", &at_once, b"layer").await;
        assert_eq!((answer.status, &*answer.code()), (403, "DENIED"), "{action}: {answer:?}");
    }
    but(&world, &["ecr:UploadLayerPart"]).await;
    let location = begun(&world, &login).await;
    let put = format!("{location}?digest={}", digest_of(b"layer"));
    assert_eq!(world.send(&login, "PUT", &put, b"layer").await.status, 403);
    but(&world, &["ecr:CompleteLayerUpload"]).await;
    assert_eq!(world.send(&login, "PUT", &put, b"layer").await.status, 403);
    but(&world, &["ecr:Nothing"]).await;
    assert_eq!(world.send(&login, "PUT", &put, b"layer").await.status, 201, "a refusal does not end the upload");
    assert_eq!(world.send(&login, "POST", &at_once, b"layer").await.status, 201);
    // Who only completes brings no bytes.
    let location = begun(&world, &login).await;
    assert_eq!(world.send(&login, "PATCH", &location, b"other").await.status, 202);
    but(&world, &["ecr:UploadLayerPart"]).await;
    let put = format!("{location}?digest={}", digest_of(b"other"));
    assert_eq!(world.send(&login, "PUT", &put, b"").await.status, 201);
}

#[tokio::test]
async fn attack_a_mount_completes_a_layer() {
    let world = World::start().await;
    let login = world.repository(ACCOUNT, "app").await;
    world.repository(ACCOUNT, "from").await;
    let layer = format!("/v2/from/blobs/uploads/?digest={}", digest_of(b"layer"));
    assert_eq!(world.send(&login, "POST", &layer, b"layer").await.status, 201);
    let mount = format!("/v2/app/blobs/uploads/?mount={}&from=from", digest_of(b"layer"));
    for action in ["ecr:InitiateLayerUpload", "ecr:CompleteLayerUpload"] {
        but(&world, &[action]).await;
        assert_eq!(world.send(&login, "POST", &mount, b"").await.status, 403, "{action}");
    }
    but(&world, &["ecr:Nothing"]).await;
    assert_eq!(world.send(&login, "POST", &mount, b"").await.status, 201);
}

#[tokio::test]
async fn attack_a_password_ends_with_its_key() {
    let world = World::start().await;
    let login = world.repository(ACCOUNT, "app").await;
    let key = format!("AKIA{ACCOUNT}0000");
    let ask = async || world.send(&login, "GET", "/v2/app/tags/list", b"").await.status;
    let made = world.iam(ACCOUNT, "Action=CreateAccessKey&UserName=admin").await;
    let other = (text(&made, "AccessKeyId"), text(&made, "SecretAccessKey"));
    let by_other = async |form: &str| {
        let form = format!("{form}&UserName=admin&AccessKeyId={key}");
        world.iam_by((&other.0, &other.1), &form).await;
    };
    assert_eq!(ask().await, 200);
    by_other("Action=UpdateAccessKey&Status=Inactive").await;
    assert_eq!(ask().await, 401);
    by_other("Action=UpdateAccessKey&Status=Active").await;
    assert_eq!(ask().await, 200);
    by_other("Action=DeleteAccessKey").await;
    assert_eq!(ask().await, 401);
}

#[tokio::test]
async fn attack_a_password_ends_with_its_session() {
    let world = World::start().await;
    world.repository(ACCOUNT, "app").await;
    let trust = format!(
        r#"{{"Version":"2012-10-17","Statement":{{"Effect":"Allow","Principal":{{"AWS":"{ACCOUNT}"}},"Action":"sts:AssumeRole"}}}}"#
    );
    world.iam(ACCOUNT, &format!("Action=CreateRole&RoleName=puller&AssumeRolePolicyDocument={trust}")).await;
    let attach = "PolicyArn=arn:aws:iam::aws:policy/AmazonEC2ContainerRegistryReadOnly";
    world.iam(ACCOUNT, &format!("Action=AttachRolePolicy&RoleName=puller&{attach}")).await;
    let key = format!("AKIA{ACCOUNT}0000");
    let signer = Signer { access_key_id: &key, secret: "secret", service: "sts", region: "us-west-2" };
    let form = format!("Action=AssumeRole&RoleArn=arn:aws:iam::{ACCOUNT}:role/puller&RoleSessionName=sn");
    let made = told(world.door.handle(signer.query("2011-06-15", &form), Vantage::host()).await.body());
    let session = [text(&made, "AccessKeyId"), text(&made, "SecretAccessKey"), text(&made, "SessionToken")];
    let signer = Signer { access_key_id: &session[0], secret: &session[1], service: "ecr", region: "us-west-2" };
    let headers = [
        ("content-type", "application/x-amz-json-1.1"),
        ("x-amz-security-token", &*session[2]),
        ("x-amz-target", "AmazonEC2ContainerRegistry_V20150921.GetAuthorizationToken"),
    ];
    let answer = told(world.door.handle(signer.post(&headers, "{}"), Vantage::host()).await.body());
    let answer: serde_json::Value = serde_json::from_str(&answer).unwrap();
    let login = format!("Basic {}", answer["authorizationData"][0]["authorizationToken"].as_str().unwrap());
    assert_eq!(world.send(&login, "GET", "/v2/app/tags/list", b"").await.status, 200);
    world.clock.pass(jiff::SignedDuration::from_mins(61));
    assert_eq!(world.send(&login, "GET", "/v2/app/tags/list", b"").await.status, 401);
}

fn told(body: &[u8]) -> String {
    String::from_utf8(body.to_vec()).unwrap()
}

/// The text of an XML element.
fn text(xml: &str, name: &str) -> String {
    xml.split(&format!("<{name}>")).nth(1).unwrap().split('<').next().unwrap().to_owned()
}

#[tokio::test]
async fn attack_the_host_header_names_no_other_registry() {
    let world = World::start().await;
    let login = world.repository(ACCOUNT, "app").await;
    let ask = async |host: &str| {
        send(&world.registry, &login, "GET", "/v2/app/tags/list", &[("host", host)], b"").await.status
    };
    let own = format!("{ACCOUNT}.dkr.ecr.us-west-2.amazonaws.com");
    for host in ["127.0.0.1:4566", "localhost", &own, &format!("{own}:443")] {
        assert_eq!(ask(host).await, 200, "{host}");
    }
    for region in ["eu-west-1", "mars", "us-west-2/ecr/repository", "global", ""] {
        assert_eq!(ask(&format!("{ACCOUNT}.dkr.ecr.{region}.amazonaws.com")).await, 403, "{region}");
    }
    for account in ["444455556666", "logins", ""] {
        assert_eq!(ask(&format!("{account}.dkr.ecr.us-west-2.amazonaws.com")).await, 403, "{account}");
    }
}
