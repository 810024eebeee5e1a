//! Credentials of an instance, and the account's first user.

use eksile_aws::{Origin, SOURCE_INSTANCE, SystemMint, Vantage};
use eksile_iam::{Bearer, Credentials, NoCredentials, instance_credentials};
use eksile_kit::Signer;
use eksile_store::WriteError;
use jiff::SignedDuration;

use crate::world::{ACCOUNT, KEY, World};

const TRUST: &str = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"Service":"ec2.amazonaws.com"},"Action":"sts:AssumeRole"}}"#;
const INSTANCE: &str = "i-0123456789abcdef0";
const INSTANCE_ARN: &str = "arn:aws:ec2:us-west-2:111122223333:instance/i-0123456789abcdef0";

async fn iam(world: &World, form: &str) -> u16 {
    let signer = Signer { access_key_id: KEY.0, secret: KEY.1, service: "iam", region: "us-east-1" };
    world.door.handle(signer.query("2010-05-08", form), Vantage::host()).await.status().as_u16()
}

async fn told(world: &World, profile: &str) -> Result<Credentials, NoCredentials> {
    let scope = eksile_store::Scope::new(ACCOUNT, "global");
    let known = world.store.view().record::<eksile_iam::records::InstanceProfile>(&scope, profile).unwrap();
    told_for(world, profile, &known.map(|known| known.instance_profile_id).unwrap_or_default()).await
}

/// As an instance that was launched with the profile of this name and id.
async fn told_for(world: &World, profile: &str, id: &str) -> Result<Credentials, NoCredentials> {
    let (arn, wall) = (format!("arn:aws:iam::{ACCOUNT}:instance-profile/{profile}"), world.clock.now_wall());
    let origin = Origin {
        instance_arn: INSTANCE_ARN.to_owned(),
        delivery: "2.0".to_owned(),
        vpc_id: "vpc-1".to_owned(),
        private_ip: "10.0.0.5".to_owned(),
    };
    let bearer = Bearer { instance_id: INSTANCE, region: "us-west-2", profile_arn: &arn, profile_id: id, origin };
    let written = world.store.write(|txn| instance_credentials(txn, &SystemMint, wall, &bearer));
    written.await.map(|committed| committed.value).map_err(|error| match error {
        WriteError::Refused(why) => why,
        WriteError::Failed(error) => panic!("{error}"),
    })
}

/// What the caller with these credentials is told of itself, at the world's time.
async fn identity(world: &World, credentials: &Credentials) -> (u16, String) {
    let response = asked(world, credentials, "Action=GetCallerIdentity&Version=2011-06-15").await;
    (response.status().as_u16(), String::from_utf8(response.body().to_vec()).unwrap())
}

async fn asked(world: &World, credentials: &Credentials, form: &str) -> http::Response<bytes::Bytes> {
    let (access_key_id, secret) = (&*credentials.access_key_id, &*credentials.secret_access_key);
    let signer = Signer { access_key_id, secret, service: "sts", region: "us-west-2" };
    let headers =
        [("content-type", "application/x-www-form-urlencoded"), ("x-amz-security-token", &*credentials.session_token)];
    let request = signer.post_at(world.clock.now_wall(), &headers, form);
    world.door.handle(request, Vantage::host()).await
}

/// What the header says of the instance that a caller's credentials were given to.
async fn source(world: &World, credentials: &Credentials) -> Option<String> {
    let response = asked(world, credentials, "Action=GetCallerIdentity&Version=2011-06-15").await;
    response.headers().get(SOURCE_INSTANCE).map(|arn| arn.to_str().unwrap().to_owned())
}

/// Whoever may assume a node's role may call the session as an instance is called; it is none for that.
#[tokio::test]
async fn a_session_named_like_an_instance_is_none() {
    let world = World::start().await;
    let trust = TRUST.replace(
        r#"{"Service":"ec2.amazonaws.com"}"#,
        &format!(r#"{{"AWS":"{ACCOUNT}","Service":"ec2.amazonaws.com"}}"#),
    );
    let role = format!("Action=CreateRole&RoleName=node&AssumeRolePolicyDocument={trust}");
    assert_eq!(iam(&world, &role).await, 200);
    assert_eq!(iam(&world, "Action=CreateInstanceProfile&InstanceProfileName=node").await, 200);
    assert_eq!(iam(&world, "Action=AddRoleToInstanceProfile&InstanceProfileName=node&RoleName=node").await, 200);
    let real = told(&world, "node").await.unwrap();
    assert_eq!(source(&world, &real).await.as_deref(), Some(INSTANCE_ARN));

    let signer = Signer { access_key_id: KEY.0, secret: KEY.1, service: "sts", region: "us-west-2" };
    let form = format!("Action=AssumeRole&RoleArn=arn:aws:iam::{ACCOUNT}:role/node&RoleSessionName={INSTANCE}");
    let response = world.door.handle(signer.query("2011-06-15", &form), Vantage::host()).await;
    assert_eq!(response.status(), 200);
    let body = String::from_utf8(response.body().to_vec()).unwrap();
    let between = |tag: &str| {
        let from = body.split_once(&format!("<{tag}>")).unwrap().1;
        from.split_once('<').unwrap().0.to_owned()
    };
    let false_one = Credentials {
        access_key_id: between("AccessKeyId"),
        secret_access_key: between("SecretAccessKey"),
        session_token: between("SessionToken"),
        expiration: real.expiration,
    };
    let (status, identity) = identity(&world, &false_one).await;
    assert!(status == 200 && identity.contains(&format!("assumed-role/node/{INSTANCE}</Arn>")), "{identity}");
    assert_eq!(source(&world, &false_one).await, None, "the name of a session makes no instance of it");
}

/// EC2 assumes a role for an instance only where the role's own policy lets it.
#[tokio::test]
async fn a_role_that_does_not_trust_ec2_is_no_instances() {
    let world = World::start().await;
    let statement = |effect: &str, principal: &str, condition: &str| {
        format!(r#"{{"Effect":"{effect}","Principal":{principal},"Action":"sts:AssumeRole"{condition}}}"#)
    };
    let ec2 = r#"{"Service":"ec2.amazonaws.com"}"#;
    let update = async |statements: &[String]| {
        let document = format!(r#"{{"Version":"2012-10-17","Statement":[{}]}}"#, statements.join(","));
        let form = format!("Action=UpdateAssumeRolePolicy&RoleName=node&PolicyDocument={document}");
        assert_eq!(iam(&world, &form).await, 200, "{document}");
    };
    assert_eq!(iam(&world, &format!("Action=CreateRole&RoleName=node&AssumeRolePolicyDocument={TRUST}")).await, 200);
    assert_eq!(iam(&world, "Action=CreateInstanceProfile&InstanceProfileName=node").await, 200);
    assert_eq!(iam(&world, "Action=AddRoleToInstanceProfile&InstanceProfileName=node&RoleName=node").await, 200);
    let elsewhere = r#","Condition":{"StringNotEquals":{"aws:RequestedRegion":"us-west-2"}}"#;
    let here = r#","Condition":{"StringEquals":{"aws:RequestedRegion":"us-west-2"}}"#;
    for (statements, given) in [
        (vec![statement("Allow", r#"{"Service":"eks.amazonaws.com"}"#, "")], false),
        (vec![statement("Allow", &format!(r#"{{"AWS":"{ACCOUNT}"}}"#), "")], false),
        (vec![statement("Allow", ec2, ""), statement("Deny", ec2, "")], false),
        (vec![statement("Allow", ec2, elsewhere)], false),
        (vec![statement("Allow", ec2, here)], true),
        (vec![statement("Allow", r#"{"Service":["eks.amazonaws.com","ec2.amazonaws.com"]}"#, "")], true),
    ] {
        update(&statements).await;
        match told(&world, "node").await {
            Ok(_) => assert!(given, "{statements:?}"),
            Err(error) => assert!(!given && matches!(error, NoCredentials::NotTrusted(_)), "{statements:?}: {error}"),
        }
    }
}

/// An instance keeps the profile that it was launched with, not whatever bears its name.
#[tokio::test]
async fn a_profile_made_anew_is_not_the_instances() {
    let world = World::start().await;
    assert_eq!(iam(&world, &format!("Action=CreateRole&RoleName=node&AssumeRolePolicyDocument={TRUST}")).await, 200);
    assert_eq!(iam(&world, "Action=CreateInstanceProfile&InstanceProfileName=node").await, 200);
    assert_eq!(iam(&world, "Action=AddRoleToInstanceProfile&InstanceProfileName=node&RoleName=node").await, 200);
    assert!(matches!(told_for(&world, "node", "AIPAOLD").await, Err(NoCredentials::OtherProfile(_))));
    told(&world, "node").await.unwrap();
}

#[tokio::test]
async fn an_instance_speaks_as_its_role() {
    let world = World::start().await;
    assert_eq!(
        iam(&world, &format!("Action=CreateRole&RoleName=node&Path=/eks/&AssumeRolePolicyDocument={TRUST}")).await,
        200
    );
    assert_eq!(iam(&world, "Action=CreateInstanceProfile&InstanceProfileName=node").await, 200);
    assert!(matches!(told(&world, "node").await, Err(NoCredentials::NoRole(_))));
    assert!(matches!(told(&world, "none").await, Err(NoCredentials::NoRole(_))));
    assert_eq!(iam(&world, "Action=AddRoleToInstanceProfile&InstanceProfileName=node&RoleName=node").await, 200);

    let credentials = told(&world, "node").await.unwrap();
    assert!(credentials.access_key_id.starts_with("ASIA") && credentials.access_key_id.len() == 20);
    assert!(!format!("{credentials:?}").contains(&credentials.secret_access_key));
    let (status, body) = identity(&world, &credentials).await;
    assert_eq!(status, 200, "{body}");
    assert!(body.contains(&format!("<Arn>arn:aws:sts::{ACCOUNT}:assumed-role/node/{INSTANCE}</Arn>")), "{body}");
    assert!(body.contains(&format!(":{INSTANCE}</UserId>")), "{body}");

    world.clock.pass(SignedDuration::from_mins(6 * 60 - 1));
    assert_eq!(identity(&world, &credentials).await.0, 200);
    world.clock.pass(SignedDuration::from_mins(2));
    let (status, body) = identity(&world, &credentials).await;
    assert!(status == 403 && body.contains("<Code>ExpiredToken</Code>"), "{body}");
}

#[tokio::test]
async fn the_first_user_is_made_once_and_keeps_its_key() {
    let world = World::start().await;
    let seed = |key| {
        world
            .store
            .write(move |txn| eksile_iam::seed(txn, &SystemMint, jiff::Timestamp::UNIX_EPOCH, "999999999999", key))
    };
    let made = seed(None).await.unwrap();
    let again = seed(None).await.unwrap();
    assert_eq!(made.value, again.value);
    assert_eq!(made.revision, again.revision);
    let given = ("AKIAGIVEN".to_owned(), "secret".to_owned());
    assert_eq!(seed(Some(given.clone())).await.unwrap().value, given);
}
