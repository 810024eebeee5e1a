//! Credentials of an instance, and the account's first user.

use eksile_aws::{Origin, SystemMint, Vantage};
use eksile_iam::records::InstanceProfile;
use eksile_iam::{Bearer, Credentials, NoCredentials, instance_credentials};
use eksile_kit::Signer;
use eksile_store::{Scope, WriteError};
use jiff::SignedDuration;

use crate::world::{ACCOUNT, KEY, World};

const TRUST: &str = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"Service":"ec2.amazonaws.com"},"Action":"sts:AssumeRole"}}"#;
const INSTANCE: &str = "i-0123456789abcdef0";

async fn iam(world: &World, form: &str) -> u16 {
    let signer = Signer { access_key_id: KEY.0, secret: KEY.1, service: "iam", region: "us-east-1" };
    world.door.handle(signer.query("2010-05-08", form), Vantage::host()).await.status().as_u16()
}

fn profile_id(world: &World, name: &str) -> String {
    let scope = Scope::new(ACCOUNT, "global");
    let profile = world.store.view().record::<InstanceProfile>(&scope, name).unwrap();
    profile.map(|profile| profile.instance_profile_id).unwrap_or_default()
}

async fn told(world: &World, profile: &str) -> Result<Credentials, NoCredentials> {
    let (arn, wall) = (format!("arn:aws:iam::{ACCOUNT}:instance-profile/{profile}"), world.clock.now_wall());
    let profile_id = profile_id(world, profile);
    let bearer = Bearer {
        instance_id: INSTANCE,
        region: "us-west-2",
        profile_arn: &arn,
        profile_id: &profile_id,
        origin: Origin {
            instance_arn: format!("arn:aws:ec2:us-west-2:{ACCOUNT}:instance/{INSTANCE}"),
            vpc_id: "vpc-1".to_owned(),
            private_ip: "10.0.0.4".to_owned(),
        },
    };
    let written = world.store.write(|txn| instance_credentials(txn, &SystemMint, wall, &bearer));
    written.await.map(|committed| committed.value).map_err(|error| match error {
        WriteError::Refused(why) => why,
        WriteError::Failed(error) => panic!("{error}"),
    })
}

/// What the caller with these credentials is told of itself, at the world's time.
async fn identity(world: &World, credentials: &Credentials) -> (u16, String) {
    let (access_key_id, secret) = (&*credentials.access_key_id, &*credentials.secret_access_key);
    let signer = Signer { access_key_id, secret, service: "sts", region: "us-west-2" };
    let headers =
        [("content-type", "application/x-www-form-urlencoded"), ("x-amz-security-token", &*credentials.session_token)];
    let request = signer.post_at(world.clock.now_wall(), &headers, "Action=GetCallerIdentity&Version=2011-06-15");
    let response = world.door.handle(request, Vantage::host()).await;
    (response.status().as_u16(), String::from_utf8(response.body().to_vec()).unwrap())
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
