//! Every operation with the `aws` command line: make, read back, not another account's, delete, gone.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use eksile_kit::{AwsCli, skip};

use crate::world::{ACCOUNT, World};

const TRUST_EC2: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"ec2.amazonaws.com"},"Action":"sts:AssumeRole"}]}"#;
const READ_ROLES: &str =
    r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"iam:GetRole","Resource":"*"}]}"#;

macro_rules! with_cli {
    ($test:literal) => {{
        if !AwsCli::is_there() {
            return skip($test, "no aws command line on the path");
        }
        World::start().await
    }};
}

#[tokio::test(flavor = "multi_thread")]
async fn identity() {
    let world = with_cli!("identity");
    let who = world.admin().done("sts get-caller-identity");
    assert_eq!(who["Arn"], format!("arn:aws:iam::{ACCOUNT}:user/admin"));
    assert_eq!(who["Account"], ACCOUNT);
    assert!(who["UserId"].as_str().unwrap().starts_with("AIDA"));
    let thief = AwsCli::new(&world.url(), crate::world::KEY.0, "wrong");
    thief.refused("SignatureDoesNotMatch", "sts get-caller-identity");
    AwsCli::new(&world.url(), "AKIANOBODY", "x").refused("InvalidClientTokenId", "sts get-caller-identity");
}

#[tokio::test(flavor = "multi_thread")]
async fn users_and_their_keys() {
    let world = with_cli!("users_and_their_keys");
    let (admin, stranger) = (world.admin(), world.stranger());
    let made = admin.done("iam create-user --user-name dev --path /team/ --tags Key=a,Value=1");
    assert_eq!(made["User"]["Arn"], format!("arn:aws:iam::{ACCOUNT}:user/team/dev"));
    assert_eq!(admin.done("iam get-user --user-name dev")["User"], made["User"]);
    admin.refused("EntityAlreadyExists", "iam create-user --user-name DEV");
    admin.refused("ValidationError", "iam create-user --user-name a/b");
    stranger.refused("NoSuchEntity", "iam get-user --user-name dev");
    assert_eq!(admin.done("iam list-users")["Users"].as_array().unwrap().len(), 2);
    let page = admin.done("iam list-users --max-items 1 --page-size 1");
    assert_eq!(page["Users"].as_array().unwrap().len(), 1);
    assert!(page["NextToken"].is_string(), "{page}");
    admin.done("iam tag-user --user-name dev --tags Key=b,Value=2");
    admin.done("iam untag-user --user-name dev --tag-keys a");
    assert_eq!(admin.done("iam list-user-tags --user-name dev")["Tags"][0]["Key"], "b");

    let key = &admin.done("iam create-access-key --user-name dev")["AccessKey"];
    let (id, secret) = (key["AccessKeyId"].as_str().unwrap(), key["SecretAccessKey"].as_str().unwrap());
    assert_eq!((id.len(), secret.len()), (20, 40));
    let dev = AwsCli::new(&world.url(), id, secret);
    assert_eq!(dev.done("sts get-caller-identity")["Arn"], format!("arn:aws:iam::{ACCOUNT}:user/team/dev"));
    let denied = dev.refused("AccessDenied", "iam get-user --user-name dev");
    let expected = format!(
        "User: arn:aws:iam::{ACCOUNT}:user/team/dev is not authorized to perform: iam:GetUser on resource: \
         arn:aws:iam::{ACCOUNT}:user/team/dev because no identity-based policy allows the iam:GetUser action"
    );
    assert!(denied.contains(&expected), "{denied}");
    admin.done("iam create-access-key --user-name dev");
    admin.refused("LimitExceeded", "iam create-access-key --user-name dev");
    assert_eq!(admin.done("iam list-access-keys --user-name dev")["AccessKeyMetadata"].as_array().unwrap().len(), 2);

    admin.done(&format!("iam update-access-key --user-name dev --access-key-id {id} --status Inactive"));
    dev.refused("InvalidClientTokenId", "sts get-caller-identity");
    admin.refused("DeleteConflict", "iam delete-user --user-name dev");
    for key in admin.done("iam list-access-keys --user-name dev")["AccessKeyMetadata"].as_array().unwrap() {
        let id = key["AccessKeyId"].as_str().unwrap();
        admin.done(&format!("iam delete-access-key --user-name dev --access-key-id {id}"));
    }
    admin.refused("NoSuchEntity", &format!("iam delete-access-key --user-name dev --access-key-id {id}"));
    admin.done("iam delete-user --user-name dev");
    admin.refused("NoSuchEntity", "iam get-user --user-name dev");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_policies_allow() {
    let world = with_cli!("what_policies_allow");
    let admin = world.admin();
    admin.done("iam create-user --user-name dev");
    let key = &admin.done("iam create-access-key --user-name dev")["AccessKey"];
    let dev = AwsCli::new(&world.url(), key["AccessKeyId"].as_str().unwrap(), key["SecretAccessKey"].as_str().unwrap());
    let own = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"iam:Get*","Resource":"arn:aws:iam::*:user/${aws:username}"}}"#;
    admin.done(&format!("iam put-user-policy --user-name dev --policy-name own --policy-document {own}"));
    assert_eq!(admin.done("iam list-user-policies --user-name dev")["PolicyNames"][0], "own");
    let read = admin.done("iam get-user-policy --user-name dev --policy-name own");
    assert_eq!(read["PolicyDocument"]["Statement"]["Action"], "iam:Get*");
    dev.done("iam get-user");
    dev.refused("AccessDenied", "iam get-user --user-name admin");
    admin
        .refused("NoSuchEntity", "iam attach-user-policy --user-name dev --policy-arn arn:aws:iam::aws:policy/Nothing");
    admin.done("iam attach-user-policy --user-name dev --policy-arn arn:aws:iam::aws:policy/IAMReadOnlyAccess");
    dev.done("iam get-user --user-name admin");
    dev.refused("AccessDenied", "iam create-user --user-name x");
    let deny = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Action":"iam:ListUsers","Resource":"*","Condition":{"StringEquals":{"aws:RequestedRegion":"eu-west-1"}}}]}"#;
    admin.done(&format!("iam put-user-policy --user-name dev --policy-name deny --policy-document {deny}"));
    dev.done("iam list-users");
    let deny = deny.replace("eu-west-1", "us-east-1");
    admin.done(&format!("iam put-user-policy --user-name dev --policy-name deny --policy-document {deny}"));
    assert!(
        dev.refused("AccessDenied", "iam list-users").contains("with an explicit deny in an identity-based policy")
    );
    assert_eq!(
        admin.done("iam list-attached-user-policies --user-name dev")["AttachedPolicies"].as_array().unwrap().len(),
        1
    );
    admin.refused("DeleteConflict", "iam delete-user --user-name dev");
    admin.done("iam detach-user-policy --user-name dev --policy-arn arn:aws:iam::aws:policy/IAMReadOnlyAccess");
    admin.refused(
        "NoSuchEntity",
        "iam detach-user-policy --user-name dev --policy-arn arn:aws:iam::aws:policy/IAMReadOnlyAccess",
    );
    admin.done("iam delete-user-policy --user-name dev --policy-name deny");
    admin.refused("NoSuchEntity", "iam delete-user-policy --user-name dev --policy-name deny");
    admin
        .refused("MalformedPolicyDocument", "iam put-user-policy --user-name dev --policy-name x --policy-document {}");
}

#[tokio::test(flavor = "multi_thread")]
async fn roles_and_profiles() {
    let world = with_cli!("roles_and_profiles");
    let (admin, stranger) = (world.admin(), world.stranger());
    let create = format!("iam create-role --role-name node --path /eks/ --assume-role-policy-document {TRUST_EC2}");
    let made = admin.done(&create);
    assert_eq!(made["Role"]["Arn"], format!("arn:aws:iam::{ACCOUNT}:role/eks/node"));
    assert_eq!(made["Role"]["AssumeRolePolicyDocument"]["Statement"][0]["Effect"], "Allow");
    admin.refused("EntityAlreadyExists", &create);
    stranger.refused("NoSuchEntity", "iam get-role --role-name node");
    let bad = TRUST_EC2.replace("sts:AssumeRole", "s3:GetObject");
    admin.refused(
        "MalformedPolicyDocument",
        &format!("iam create-role --role-name b --assume-role-policy-document {bad}"),
    );
    let ghost =
        TRUST_EC2.replace(r#""Service":"ec2.amazonaws.com""#, r#""AWS":"arn:aws:iam::111122223333:user/ghost""#);
    admin.refused(
        "MalformedPolicyDocument",
        &format!("iam create-role --role-name b --assume-role-policy-document {ghost}"),
    );
    admin.done("iam update-role --role-name node --max-session-duration 7200 --description nodes");
    assert_eq!(admin.done("iam get-role --role-name node")["Role"]["MaxSessionDuration"], 7200);
    let eks = TRUST_EC2.replace("ec2.", "eks.");
    admin.done(&format!("iam update-assume-role-policy --role-name node --policy-document {eks}"));
    admin.done("iam tag-role --role-name node --tags Key=a,Value=1");
    assert_eq!(admin.done("iam list-role-tags --role-name node")["Tags"][0]["Value"], "1");
    admin.done("iam untag-role --role-name node --tag-keys a");
    admin
        .done("iam attach-role-policy --role-name node --policy-arn arn:aws:iam::aws:policy/AmazonEKSWorkerNodePolicy");
    let attached = admin.done("iam list-attached-role-policies --role-name node");
    assert_eq!(attached["AttachedPolicies"][0]["PolicyName"], "AmazonEKSWorkerNodePolicy");
    admin.done(&format!("iam put-role-policy --role-name node --policy-name in --policy-document {READ_ROLES}"));
    assert_eq!(admin.done("iam list-role-policies --role-name node")["PolicyNames"][0], "in");
    admin.done("iam get-role-policy --role-name node --policy-name in");
    assert_eq!(admin.done("iam list-roles")["Roles"].as_array().unwrap().len(), 1);

    let profile = admin.done("iam create-instance-profile --instance-profile-name node");
    assert_eq!(profile["InstanceProfile"]["Arn"], format!("arn:aws:iam::{ACCOUNT}:instance-profile/node"));
    admin.done("iam add-role-to-instance-profile --instance-profile-name node --role-name node");
    admin.refused("LimitExceeded", "iam add-role-to-instance-profile --instance-profile-name node --role-name node");
    let read = admin.done("iam get-instance-profile --instance-profile-name node");
    assert_eq!(read["InstanceProfile"]["Roles"][0]["RoleName"], "node");
    stranger.refused("NoSuchEntity", "iam get-instance-profile --instance-profile-name node");
    assert_eq!(admin.done("iam list-instance-profiles")["InstanceProfiles"].as_array().unwrap().len(), 1);
    let of_role = admin.done("iam list-instance-profiles-for-role --role-name node");
    assert_eq!(of_role["InstanceProfiles"][0]["InstanceProfileName"], "node");
    admin.refused("DeleteConflict", "iam delete-role --role-name node");
    admin.refused("DeleteConflict", "iam delete-instance-profile --instance-profile-name node");
    admin.done("iam remove-role-from-instance-profile --instance-profile-name node --role-name node");
    admin.done("iam delete-instance-profile --instance-profile-name node");
    admin.refused("NoSuchEntity", "iam get-instance-profile --instance-profile-name node");
    admin.refused("DeleteConflict", "iam delete-role --role-name node");
    admin
        .done("iam detach-role-policy --role-name node --policy-arn arn:aws:iam::aws:policy/AmazonEKSWorkerNodePolicy");
    admin.done("iam delete-role-policy --role-name node --policy-name in");
    admin.done("iam delete-role --role-name node");
    admin.refused("NoSuchEntity", "iam get-role --role-name node");
}

#[tokio::test(flavor = "multi_thread")]
async fn managed_policies() {
    let world = with_cli!("managed_policies");
    let (admin, stranger) = (world.admin(), world.stranger());
    let made = admin.done(&format!("iam create-policy --policy-name reader --policy-document {READ_ROLES}"));
    let arn = made["Policy"]["Arn"].as_str().unwrap();
    assert_eq!(arn, format!("arn:aws:iam::{ACCOUNT}:policy/reader"));
    admin.refused(
        "EntityAlreadyExists",
        &format!("iam create-policy --policy-name reader --policy-document {READ_ROLES}"),
    );
    stranger.refused("NoSuchEntity", &format!("iam get-policy --policy-arn {arn}"));
    let second = READ_ROLES.replace("GetRole", "ListRoles");
    let version = admin
        .done(&format!("iam create-policy-version --policy-arn {arn} --policy-document {second} --set-as-default"));
    assert_eq!(version["PolicyVersion"]["VersionId"], "v2");
    let read = admin.done(&format!("iam get-policy-version --policy-arn {arn} --version-id v2"));
    assert_eq!(read["PolicyVersion"]["Document"]["Statement"][0]["Action"], "iam:ListRoles");
    assert_eq!(admin.done(&format!("iam list-policy-versions --policy-arn {arn}"))["Versions"][0]["VersionId"], "v2");
    admin.done(&format!("iam attach-user-policy --user-name admin --policy-arn {arn}"));
    assert_eq!(admin.done(&format!("iam get-policy --policy-arn {arn}"))["Policy"]["AttachmentCount"], 1);
    let holders = admin.done(&format!("iam list-entities-for-policy --policy-arn {arn}"));
    assert_eq!(holders["PolicyUsers"][0]["UserName"], "admin");
    assert_eq!(admin.done("iam list-policies --scope Local")["Policies"].as_array().unwrap().len(), 1);
    admin.refused("DeleteConflict", &format!("iam delete-policy --policy-arn {arn}"));
    admin.done(&format!("iam detach-user-policy --user-name admin --policy-arn {arn}"));
    admin.refused("DeleteConflict", &format!("iam delete-policy --policy-arn {arn}"));
    admin.refused("DeleteConflict", &format!("iam delete-policy-version --policy-arn {arn} --version-id v2"));
    admin.done(&format!("iam set-default-policy-version --policy-arn {arn} --version-id v1"));
    admin.done(&format!("iam delete-policy-version --policy-arn {arn} --version-id v2"));
    admin.done(&format!("iam delete-policy --policy-arn {arn}"));
    admin.refused("NoSuchEntity", &format!("iam get-policy --policy-arn {arn}"));

    let aws = "arn:aws:iam::aws:policy/AmazonEKSLocalOutpostClusterPolicy";
    assert_eq!(admin.done(&format!("iam get-policy --policy-arn {aws}"))["Policy"]["DefaultVersionId"], "v1");
    admin.done(&format!("iam get-policy-version --policy-arn {aws} --version-id v1"));
    admin.refused("AccessDenied", &format!("iam delete-policy --policy-arn {aws}"));
}

#[tokio::test(flavor = "multi_thread")]
async fn roles_are_assumed_by_whom_they_trust() {
    let world = with_cli!("roles_are_assumed_by_whom_they_trust");
    let (admin, stranger) = (world.admin(), world.stranger());
    let trust =
        TRUST_EC2.replace(r#""Service":"ec2.amazonaws.com""#, &format!(r#""AWS":"arn:aws:iam::{ACCOUNT}:user/admin""#));
    admin.done(&format!("iam create-role --role-name reader --assume-role-policy-document {trust}"));
    admin.done(&format!("iam put-role-policy --role-name reader --policy-name p --policy-document {READ_ROLES}"));
    let assume = format!("sts assume-role --role-arn arn:aws:iam::{ACCOUNT}:role/reader --role-session-name s1");
    stranger.refused("AccessDenied", &assume);
    admin.refused("ValidationError", &format!("{assume} --duration-seconds 7200"));
    let assumed = admin.done(&assume);
    assert_eq!(assumed["AssumedRoleUser"]["Arn"], format!("arn:aws:sts::{ACCOUNT}:assumed-role/reader/s1"));
    let text = |name: &str| assumed["Credentials"][name].as_str().unwrap().to_owned();
    let bare = AwsCli::new(&world.url(), &text("AccessKeyId"), &text("SecretAccessKey"));
    bare.refused("InvalidClientTokenId", "sts get-caller-identity");
    let session = bare.with_token(&text("SessionToken"));
    let who = session.done("sts get-caller-identity");
    assert_eq!(who["Arn"], format!("arn:aws:sts::{ACCOUNT}:assumed-role/reader/s1"));
    assert!(who["UserId"].as_str().unwrap().ends_with(":s1"));
    session.done("iam get-role --role-name reader");
    session.refused("AccessDenied", "iam list-roles");

    let other = trust.replace(ACCOUNT, crate::world::OTHER);
    admin.done(&format!("iam update-assume-role-policy --role-name reader --policy-document {other}"));
    stranger.done(&assume);
    admin.refused("AccessDenied", &assume);
    admin.done("iam delete-role-policy --role-name reader --policy-name p");
    admin.done("iam delete-role --role-name reader");
    session.refused("InvalidClientTokenId", "sts get-caller-identity");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_built_says_so() {
    let world = with_cli!("what_is_not_built_says_so");
    let admin = world.admin();
    for (line, name) in [
        ("iam create-group --group-name g", "iam:CreateGroup"),
        ("ec2 describe-network-acls", "ec2:DescribeNetworkAcls"),
        ("eks list-nodegroups --cluster-name c", "eks:ListNodegroups"),
        ("elbv2 describe-load-balancers", "elasticloadbalancing:DescribeLoadBalancers"),
        ("logs describe-log-groups", "logs:DescribeLogGroups"),
    ] {
        let error = admin.refused("NotImplemented", line);
        assert!(error.contains(name), "{error}");
    }
}

/// The token that `kubectl` sends: a presigned identity request, bound to one cluster by a signed header.
#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_token_is_good_for_its_cluster_only() {
    let world = with_cli!("a_cluster_token_is_good_for_its_cluster_only");
    let told = world.admin().done("eks get-token --cluster-id 0f9c2b7e-1111-4222-8333-444455556666");
    let token = told["status"]["token"].as_str().unwrap().strip_prefix("k8s-aws-v1.").unwrap();
    let url = String::from_utf8(URL_SAFE_NO_PAD.decode(token).unwrap()).unwrap();
    let (host, path) = url.strip_prefix("http://").unwrap().split_once('/').unwrap();
    for (cluster, status) in [("0f9c2b7e-1111-4222-8333-444455556666", 200), ("another", 403), ("", 403)] {
        let request = http::Request::get(format!("/{path}")).header("host", host).header("accept", "application/json");
        let request = if cluster.is_empty() { request } else { request.header("x-k8s-aws-id", cluster) };
        let request = request.body(bytes::Bytes::new()).unwrap();
        let response = world.door.handle(request, eksile_aws::Vantage::host()).await;
        let body = std::str::from_utf8(response.body()).unwrap();
        assert_eq!(response.status(), status, "{cluster}: {body}");
        assert_eq!(body.contains("user/admin"), status == 200, "{body}");
        assert_eq!(body.contains("SignatureDoesNotMatch"), status == 403, "{body}");
    }
}
