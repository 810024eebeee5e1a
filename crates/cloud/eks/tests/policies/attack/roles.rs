//! Who becomes whom: trust policies, what binds a session, and that who is made anew is somebody else.

use jiff::SignedDuration;

use crate::world::{ACCOUNT, Answer, Keys, OTHER, World, encoded, policy};

const ALL: &str = r#"{"Effect":"Allow","Action":"*","Resource":"*"}"#;
const NOTHING: &str = r#"{"Effect":"Allow","Action":"s3:GetObject","Resource":"*"}"#;

fn trusting(principal: &str, rest: &str) -> String {
    format!(
        r#"{{"Effect":"Allow","Principal":{{"AWS":{principal}}},"Action":["sts:AssumeRole","sts:TagSession","sts:SetSourceIdentity"]{rest}}}"#
    )
}

fn user_arn(name: &str) -> String {
    format!("\"arn:aws:iam::{ACCOUNT}:user/{name}\"")
}

async fn deleted_and_made_anew(world: &World, name: &str, keys: &Keys) -> Keys {
    world.iam(&format!("Action=DeleteAccessKey&UserName={name}&AccessKeyId={}", keys.0)).await.good();
    world.iam(&format!("Action=DeleteUserPolicy&UserName={name}&PolicyName=p")).await.good();
    world.iam(&format!("Action=DeleteUser&UserName={name}")).await.good();
    world.user(name, ALL).await
}

#[track_caller]
fn refused(outcome: Result<Keys, Answer>) {
    match outcome {
        Ok(keys) => panic!("credentials {}", keys.0),
        Err(answer) => answer.is_denied(),
    }
}

#[tokio::test]
async fn a_user_made_anew_is_trusted_no_more() {
    let world = World::start().await;
    let old = world.user("u1", ALL).await;
    let role = world.role("r", &trusting(&user_arn("u1"), ""), ALL).await;
    world.assumed(&old, &role, "").await.unwrap();
    let shown = world.iam("Action=GetRole&RoleName=r").await.good().text("AssumeRolePolicyDocument");
    assert!(shown.contains("user%2Fu1"), "{shown}");
    let new = deleted_and_made_anew(&world, "u1", &old).await;
    refused(world.assumed(&new, &role, "").await);
    let shown = world.iam("Action=GetRole&RoleName=r").await.good().text("AssumeRolePolicyDocument");
    assert!(shown.contains("%22AIDA") && !shown.contains("user%2Fu1"), "{shown}");
    let listed = world.iam("Action=ListRoles").await.good();
    assert!(listed.body.contains("%22AIDA"), "{}", listed.body);
    // Saved anew, the name means who bears it now; the id of who is gone means nobody.
    let update = |document: &str| format!("Action=UpdateAssumeRolePolicy&RoleName=r&PolicyDocument={document}");
    let answer = world.iam(&update(&shown)).await;
    assert_eq!(answer.text("Code"), "MalformedPolicyDocument", "{}", answer.body);
    world.iam(&update(&encoded(&policy(&trusting(&user_arn("u1"), ""))))).await.good();
    world.assumed(&new, &role, "").await.unwrap();
}

#[tokio::test]
async fn a_role_made_anew_is_trusted_no_more_nor_its_session() {
    let world = World::start().await;
    let dev = world.user("dev", ALL).await;
    let by_dev = trusting(&user_arn("dev"), "");
    let first = world.role("first", &by_dev, ALL).await;
    let session = format!("\"arn:aws:sts::{ACCOUNT}:assumed-role/first/sn\"");
    let of_role = world.role("of-role", &trusting(&format!("\"{first}\""), ""), ALL).await;
    let of_session = world.role("of-session", &trusting(&session, ""), ALL).await;
    let old = world.assumed(&dev, &first, "").await.unwrap();
    for role in [&of_role, &of_session] {
        world.assumed(&old, role, "").await.unwrap();
    }
    world.iam("Action=DeleteRolePolicy&RoleName=first&PolicyName=p").await.good();
    world.iam("Action=DeleteRole&RoleName=first").await.good();
    let answer = world.query(&old, "sts", "Action=GetCallerIdentity").await;
    assert_eq!(answer.text("Code"), "InvalidClientTokenId", "a session ends with its role");
    assert_eq!(world.role("first", &by_dev, ALL).await, first);
    assert_eq!(world.query(&old, "sts", "Action=GetCallerIdentity").await.status, 403, "and is not revived");
    let new = world.assumed(&dev, &first, "").await.unwrap();
    for role in [&of_role, &of_session] {
        refused(world.assumed(&new, role, "").await);
    }
    let shown = world.iam("Action=GetRole&RoleName=of-role").await.good().text("AssumeRolePolicyDocument");
    assert!(shown.contains("%22AROA"), "{shown}");
}

#[tokio::test]
async fn principals_that_are_not_there_cannot_be_trusted() {
    let world = World::start().await;
    world.user("dev", ALL).await;
    for principal in [
        user_arn("ghost"),
        format!("\"arn:aws:iam::{ACCOUNT}:role/ghost\""),
        format!("\"arn:aws:iam::{ACCOUNT}:user/path/dev\""),
        format!("\"arn:aws:iam::{ACCOUNT}:group/dev\""),
        format!("\"arn:aws:iam::{ACCOUNT}:user/\""),
        format!("\"arn:aws:sts::{ACCOUNT}:assumed-role/ghost/s\""),
        format!("\"arn:aws:iam::{OTHER}:user/ghost\""),
        "\"AIDA00000000000000000\"".to_owned(),
        "\"AROA00000000000000000\"".to_owned(),
        "\"arn:aws:iam::1:root\"".to_owned(),
        "\"nobody\"".to_owned(),
        format!("[{},{}]", user_arn("dev"), user_arn("ghost")),
    ] {
        let trust = encoded(&policy(&trusting(&principal, "")));
        let form = format!("Action=CreateRole&RoleName=r&AssumeRolePolicyDocument={trust}");
        let answer = world.iam(&form).await;
        assert_eq!(answer.text("Code"), "MalformedPolicyDocument", "{principal}");
        assert!(answer.text("Message").contains("Invalid principal in policy"), "{principal}: {}", answer.body);
    }
    // An account is shown as its root, and an id that is known as its ARN.
    let id = world.iam("Action=GetUser&UserName=dev").await.good().text("UserId");
    world.role("r", &trusting(&format!("[\"{OTHER}\",\"{id}\"]"), ""), ALL).await;
    let shown = world.iam("Action=GetRole&RoleName=r").await.good().text("AssumeRolePolicyDocument");
    assert!(shown.contains(&format!("arn%3Aaws%3Aiam%3A%3A{OTHER}%3Aroot")), "{shown}");
    assert!(shown.contains("user%2Fdev") && !shown.contains(&id), "{shown}");
}

#[tokio::test]
async fn a_session_policy_and_a_boundary_bind_who_is_trusted_as_a_role() {
    let world = World::start().await;
    let dev = world.user("dev", ALL).await;
    let source = world.role("source", &trusting(&user_arn("dev"), ""), ALL).await;
    let by_role = world.role("by-role", &trusting(&format!("\"{source}\""), ""), ALL).await;
    let by_account = world.role("by-account", &trusting(&format!("\"{ACCOUNT}\""), ""), ALL).await;
    let by_session = format!("\"arn:aws:sts::{ACCOUNT}:assumed-role/source/sn\"");
    let by_session = world.role("by-session", &trusting(&by_session, ""), ALL).await;
    let narrow = format!("&Policy={}", encoded(&policy(NOTHING)));

    let wide = world.assumed(&dev, &source, "").await.unwrap();
    let narrowed = world.assumed(&dev, &source, &narrow).await.unwrap();
    for role in [&by_role, &by_account, &by_session] {
        world.assumed(&wide, role, "").await.unwrap();
    }
    refused(world.assumed(&narrowed, &by_role, "").await);
    refused(world.assumed(&narrowed, &by_account, "").await);
    // Named itself, the session is granted it whatever narrows it; an explicit deny still denies.
    world.assumed(&narrowed, &by_session, "").await.unwrap();
    let denial = r#"{"Effect":"Deny","Action":"sts:AssumeRole","Resource":"*"}"#;
    let denied = world.assumed(&dev, &source, &format!("&Policy={}", encoded(&policy(denial)))).await.unwrap();
    refused(world.assumed(&denied, &by_session, "").await);

    // A role without policies of its own may become whom its name is trusted by, but not whom its account is.
    world.policy("Role", "source", NOTHING).await.good();
    let poor = world.assumed(&dev, &source, "").await.unwrap();
    world.assumed(&poor, &by_role, "").await.unwrap();
    refused(world.assumed(&poor, &by_account, "").await);

    let boundary = "arn:aws:iam::aws:policy/AmazonEC2ReadOnlyAccess";
    let trust = encoded(&policy(&trusting(&user_arn("dev"), "")));
    let form =
        format!("Action=CreateRole&RoleName=bound&AssumeRolePolicyDocument={trust}&PermissionsBoundary={boundary}");
    let bound = world.iam(&form).await.good().text("Arn");
    world.policy("Role", "bound", ALL).await.good();
    let of_bound = world.role("of-bound", &trusting(&format!("\"{bound}\""), ""), ALL).await;
    let session = world.assumed(&dev, &bound, "").await.unwrap();
    refused(world.assumed(&session, &of_bound, "").await);
}

#[tokio::test]
async fn across_accounts_both_must_allow() {
    let world = World::start().await;
    let dev = world.user("dev", ALL).await;
    let poor = world.user("poor", NOTHING).await;
    let trust = trusting(
        &format!("[{},{}]", user_arn("dev"), user_arn("poor")),
        r#","Condition":{"StringEquals":{"sts:ExternalId":"e"}}"#,
    );
    let form = format!("Action=CreateRole&RoleName=theirs&AssumeRolePolicyDocument={}", encoded(&policy(&trust)));
    let role = world.query(&world.stranger, "iam", &form).await.good().text("Arn");
    world.assumed(&dev, &role, "&ExternalId=e").await.unwrap();
    refused(world.assumed(&dev, &role, "").await);
    refused(world.assumed(&dev, &role, "&ExternalId=f").await);
    refused(world.assumed(&poor, &role, "&ExternalId=e").await);
    // The same role, trusting the poor user within the account, is enough.
    let within = world.role("within", &trusting(&user_arn("poor"), ""), ALL).await;
    world.assumed(&poor, &within, "").await.unwrap();
    // A role that is not there is refused as one that does not trust.
    refused(world.assumed(&dev, &format!("arn:aws:iam::{OTHER}:role/nothing"), "").await);
}

#[tokio::test]
async fn session_tags_need_a_right_and_stay_as_they_were_handed_on() {
    let world = World::start().await;
    let dev = world.user("dev", ALL).await;
    let plain = format!(r#"{{"Effect":"Allow","Principal":{{"AWS":{}}},"Action":"sts:AssumeRole"}}"#, user_arn("dev"));
    let untaggable = world.role("untaggable", &plain, ALL).await;
    let tags = "&Tags.member.1.Key=team&Tags.member.1.Value=red&TransitiveTagKeys.member.1=team&SourceIdentity=ann";
    refused(world.assumed(&dev, &untaggable, tags).await);
    refused(world.assumed(&dev, &untaggable, "&SourceIdentity=ann").await);
    world.assumed(&dev, &untaggable, "").await.unwrap();

    let first = world.role("first", &trusting(&user_arn("dev"), ""), ALL).await;
    let trust = trusting(&format!("\"{first}\""), "");
    let second = world.role("second", &trust, ALL).await;
    let strict = r#"{"Effect":"Allow","Principal":{"AWS":"FIRST"},"Action":"sts:AssumeRole"}"#.replace("FIRST", &first);
    let strict = world.role("strict", &strict, ALL).await;
    let tagged = world.assumed(&dev, &first, tags).await.unwrap();
    refused(world.assumed(&tagged, &strict, "").await);
    let chained = world.assumed(&tagged, &second, "").await.unwrap();
    let change = "&Tags.member.1.Key=Team&Tags.member.1.Value=blue";
    let Err(answer) = world.assumed(&tagged, &second, change).await else { panic!("a transitive tag was changed") };
    assert_eq!(answer.status, 400, "{}", answer.body);
    refused(world.assumed(&tagged, &second, "&SourceIdentity=bob").await);
    let Err(answer) = world.assumed(&tagged, &second, "&DurationSeconds=3601").await else { panic!("a long chain") };
    assert!(answer.body.contains("1 hour"), "{}", answer.body);

    for (condition, denied) in [
        (r#"{"StringEquals":{"aws:PrincipalTag/team":"red"}}"#, true),
        (r#"{"StringEquals":{"aws:PrincipalTag/team":"blue"}}"#, false),
        (r#"{"StringEquals":{"aws:SourceIdentity":"ann"}}"#, true),
        (r#"{"Null":{"aws:TokenIssueTime":"false"}}"#, true),
        (r#"{"Bool":{"aws:MultiFactorAuthPresent":"false"}}"#, true),
        (r#"{"StringLike":{"aws:userid":"AROA*:sn"}}"#, true),
        (r#"{"StringEquals":{"aws:PrincipalType":"AssumedRole"}}"#, true),
    ] {
        let deny = format!(r#"{ALL},{{"Effect":"Deny","Action":"*","Resource":"*","Condition":{condition}}}"#);
        world.policy("Role", "second", &deny).await.good();
        let answer = world.ec2(&chained, "Action=DescribeVpcs").await;
        assert_eq!(answer.status == 403, denied, "{condition}: {}", answer.body);
    }
    for bad in [
        "&Tags.member.1.Key=a&Tags.member.1.Value=1&Tags.member.2.Key=A&Tags.member.2.Value=2",
        "&Tags.member.1.Key=aws:x&Tags.member.1.Value=1",
        "&TransitiveTagKeys.member.1=none",
        "&SourceIdentity=x",
    ] {
        let Err(answer) = world.assumed(&dev, &first, bad).await else { panic!("{bad}") };
        assert_eq!(answer.status, 400, "{bad}: {}", answer.body);
    }
}

#[tokio::test]
async fn sessions_can_be_revoked_by_their_time() {
    let world = World::start().await;
    let dev = world.user("dev", ALL).await;
    let role = world.role("r", &trusting(&user_arn("dev"), ""), ALL).await;
    let old = world.assumed(&dev, &role, "").await.unwrap();
    world.clock.pass(SignedDuration::from_mins(2));
    let now = world.clock.now_wall();
    let revoked = format!(
        r#"{ALL},{{"Effect":"Deny","Action":"*","Resource":"*","Condition":{{"DateLessThan":{{"aws:TokenIssueTime":"{now}"}}}}}}"#
    );
    world.policy("Role", "r", &revoked).await.good();
    world.ec2(&old, "Action=DescribeVpcs").await.is_denied();
    world.clock.pass(SignedDuration::from_mins(1));
    let new = world.assumed(&dev, &role, "").await.unwrap();
    world.ec2(&new, "Action=DescribeVpcs").await.good();
}

#[tokio::test]
async fn keys_that_are_off_or_gone_are_nobodys() {
    let world = World::start().await;
    let dev = world.user("dev", ALL).await;
    let set = |status: &str| format!("Action=UpdateAccessKey&UserName=dev&AccessKeyId={}&Status={status}", dev.0);
    world.ec2(&dev, "Action=DescribeVpcs").await.good();
    world.iam(&set("Inactive")).await.good();
    assert_eq!(world.ec2(&dev, "Action=DescribeVpcs").await.text("Code"), "AuthFailure");
    world.iam(&set("Active")).await.good();
    world.ec2(&dev, "Action=DescribeVpcs").await.good();
    let new = deleted_and_made_anew(&world, "dev", &dev).await;
    assert_eq!(world.ec2(&dev, "Action=DescribeVpcs").await.text("Code"), "AuthFailure");
    world.ec2(&new, "Action=DescribeVpcs").await.good();
}

/// Nothing that cannot be evaluated is kept, wherever a policy is saved.
#[tokio::test]
async fn a_key_that_is_not_built_cannot_be_saved() {
    let world = World::start().await;
    let dev = world.user("dev", ALL).await;
    let role = world.role("r", &trusting(&user_arn("dev"), ""), ALL).await;
    let good = encoded(&policy(ALL));
    let own = world.iam(&format!("Action=CreatePolicy&PolicyName=own&PolicyDocument={good}")).await.good().text("Arn");
    let condition = r#","Condition":{"StringEqualsIfExists":{"aws:NotThere":"x"}}"#;
    let bad = encoded(&policy(&format!(r#"{{"Effect":"Deny","Action":"*","Resource":"*"{condition}}}"#)));
    let trust = encoded(&policy(&trusting(&user_arn("dev"), condition)));
    for (service, form) in [
        ("iam", format!("Action=CreatePolicy&PolicyName=bad&PolicyDocument={bad}")),
        ("iam", format!("Action=CreatePolicyVersion&PolicyArn={own}&PolicyDocument={bad}")),
        ("iam", format!("Action=PutUserPolicy&UserName=dev&PolicyName=q&PolicyDocument={bad}")),
        ("iam", format!("Action=PutRolePolicy&RoleName=r&PolicyName=q&PolicyDocument={bad}")),
        ("iam", format!("Action=CreateRole&RoleName=bad&AssumeRolePolicyDocument={trust}")),
        ("iam", format!("Action=UpdateAssumeRolePolicy&RoleName=r&PolicyDocument={trust}")),
        ("sts", format!("Action=AssumeRole&RoleArn={role}&RoleSessionName=sn&Policy={bad}")),
    ] {
        let keys = if service == "sts" { &dev } else { &world.admin };
        let answer = world.query(keys, service, &form).await;
        assert_eq!(answer.text("Code"), "MalformedPolicyDocument", "{form}");
        assert!(answer.text("Message").contains("aws:NotThere"), "{}", answer.body);
    }
}

/// One that was kept before, and cannot be evaluated now, denies.
#[tokio::test]
async fn a_stored_policy_that_cannot_be_read_denies_everything() {
    use eksile_iam::records::{Role, User};
    use eksile_store::Scope;

    let world = World::start().await;
    let dev = world.user("dev", ALL).await;
    let role_arn = world.role("r", &trusting(&user_arn("dev"), ""), ALL).await;
    let session = world.assumed(&dev, &role_arn, "").await.unwrap();
    let scope = Scope::new(ACCOUNT, "global");
    let old = policy(
        r#"{"Effect":"Deny","Action":"ec2:DeleteVpc","Resource":"*","Condition":{"StringEquals":{"aws:Old":"x"}}}"#,
    );
    let mut user: User = world.store.view().record(&scope, "dev").unwrap().unwrap();
    user.grants.inline.insert("old".to_owned(), old.clone());
    let mut role: Role = world.store.view().record(&scope, "r").unwrap().unwrap();
    role.trust = role.trust.replace("\"Action\"", r#""Condition":{"StringEquals":{"aws:Old":"x"}},"Action""#);
    let written = world.store.write(|txn| {
        txn.put_record(&scope, &user)?;
        txn.put_record(&scope, &role)
    });
    written.await.unwrap();
    world.ec2(&dev, "Action=DescribeVpcs").await.is_denied();
    refused(world.assumed(&dev, &role_arn, "").await);
    world.ec2(&session, "Action=DescribeVpcs").await.good();
    // A policy that is attached and gone, a boundary that is gone.
    user.grants.inline.remove("old");
    user.grants.attached.push(format!("arn:aws:iam::{ACCOUNT}:policy/gone"));
    world.store.write(|txn| txn.put_record(&scope, &user)).await.unwrap();
    world.ec2(&dev, "Action=DescribeVpcs").await.is_denied();
    user.grants.attached.clear();
    user.grants.boundary = Some(format!("arn:aws:iam::{ACCOUNT}:policy/gone"));
    world.store.write(|txn| txn.put_record(&scope, &user)).await.unwrap();
    world.ec2(&dev, "Action=DescribeVpcs").await.is_denied();
    // A trust policy of before ids were kept names nobody.
    role.trust = policy(&trusting(&user_arn("dev"), ""));
    role.trusted.clear();
    user.grants.boundary = None;
    let written = world.store.write(|txn| {
        txn.put_record(&scope, &user)?;
        txn.put_record(&scope, &role)
    });
    written.await.unwrap();
    world.ec2(&dev, "Action=DescribeVpcs").await.good();
    refused(world.assumed(&dev, &role_arn, "").await);
}
