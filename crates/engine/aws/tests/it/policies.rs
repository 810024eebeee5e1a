//! The policy language, decision by decision.

use std::sync::Arc;

use eksile_aws::policy::{Context, Decision, Denial, Document, Kind, Question, Trust, decide, trusts};
use eksile_aws::{Caller, Policies, Principal};
use proptest::prelude::*;

use crate::world::{World, element};

const READ: &str = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"ec2:Describe*","Resource":"*"}}"#;

fn context() -> Context {
    let mut context = Context::default();
    context.set("aws:username", "dev");
    context.set("aws:SourceIp", "10.1.2.3");
    context.set("aws:CurrentTime", "2026-01-02T03:04:05Z");
    context.set("aws:SecureTransport", "false");
    context.set("aws:PrincipalArn", "arn:aws:iam::111122223333:role/team/dev");
    context.set("aws:EpochTime", "7");
    context.set_all("aws:TagKeys", vec!["a".into(), "b".into()]);
    context
}

fn statement(rest: &str) -> Document {
    Document::identity(&format!(r#"{{"Version":"2012-10-17","Statement":[{{{rest}}}]}}"#)).unwrap()
}

fn decided(documents: &[Document], action: &str, resource: &str) -> Decision {
    let policies = Policies { identity: documents.iter().cloned().map(Arc::new).collect(), ..Policies::default() };
    decide(&policies, &Question { action, resource, context: &context() }, Trust::None)
}

#[test]
fn actions_and_resources() {
    let bucket = "arn:aws:s3:::bucket/dev/x";
    for (rest, action, resource, allowed) in [
        (r#""Effect":"Allow","Action":"ec2:Describe*","Resource":"*""#, "ec2:describeVpcs", "*", true),
        (r#""Effect":"Allow","Action":"ec2:Describe*","Resource":"*""#, "ec2:DeleteVpc", "*", false),
        (
            r#""Effect":"Allow","Action":["s3:Get?bject"],"Resource":"arn:aws:s3:::bucket/${aws:username}/*""#,
            "s3:GetObject",
            bucket,
            true,
        ),
        (
            r#""Effect":"Allow","Action":"s3:*","Resource":"arn:aws:s3:::bucket/${aws:userid}/*""#,
            "s3:GetObject",
            bucket,
            false,
        ),
        (
            r#""Effect":"Allow","Action":"s3:*","Resource":"arn:aws:s3:::bucket/${aws:userid, 'dev'}/*""#,
            "s3:GetObject",
            bucket,
            true,
        ),
        (r#""Effect":"Allow","NotAction":"iam:*","Resource":"*""#, "s3:GetObject", bucket, true),
        (r#""Effect":"Allow","NotAction":"s3:*","Resource":"*""#, "s3:GetObject", bucket, false),
        (r#""Effect":"Allow","Action":"*","NotResource":"arn:aws:s3:::bucket/*""#, "s3:GetObject", bucket, false),
        (r#""Effect":"Allow","Action":"*","Resource":"arn:aws:s3:::other/*""#, "s3:ListBuckets", "*", false),
    ] {
        let expected = if allowed { Decision::Allowed } else { Decision::Denied(Denial::NoIdentityPolicy) };
        assert_eq!(decided(&[statement(rest)], action, resource), expected, "{rest}");
    }
}

#[test]
fn a_deny_beats_every_allow_and_bounds_bound() {
    let all = statement(r#""Effect":"Allow","Action":"*","Resource":"*""#);
    let no_delete = statement(r#""Effect":"Deny","Action":"ec2:Delete*","Resource":"*""#);
    let read = Document::identity(READ).unwrap();
    let with = |boundary: Option<&Document>, session: &[&Document], action: &str, granted| {
        let shared = |document: &Document| Arc::new(document.clone());
        let policies = Policies {
            identity: vec![shared(&all), shared(&no_delete)],
            boundary: boundary.map(shared),
            session: session.iter().copied().map(shared).collect(),
            tags: Arc::default(),
        };
        decide(&policies, &Question { action, resource: "*", context: &context() }, granted)
    };
    let (none, denied) = (Trust::None, Decision::Denied);
    assert_eq!(with(None, &[], "ec2:CreateVpc", none), Decision::Allowed);
    assert_eq!(with(None, &[], "ec2:DeleteVpc", none), denied(Denial::Explicit(Kind::Identity)));
    assert_eq!(with(None, &[], "ec2:DeleteVpc", Trust::Direct), denied(Denial::Explicit(Kind::Identity)));
    assert_eq!(with(Some(&read), &[], "ec2:CreateVpc", none), denied(Denial::NoBoundary));
    assert_eq!(with(Some(&read), &[&read], "ec2:DescribeVpcs", none), Decision::Allowed);
    assert_eq!(with(None, &[&read], "ec2:CreateVpc", none), denied(Denial::NoSessionPolicy));
    assert_eq!(with(None, &[&no_delete], "ec2:CreateVpc", none), denied(Denial::NoSessionPolicy));
    assert_eq!(with(None, &[], "ec2:CreateVpc", Trust::Denied), denied(Denial::Explicit(Kind::Resource)));
    // A resource's policy that names the role leaves the boundary and the session's policies in force.
    assert_eq!(with(Some(&read), &[], "ec2:CreateVpc", Trust::Role), denied(Denial::NoBoundary));
    assert_eq!(with(None, &[&read], "ec2:CreateVpc", Trust::Role), denied(Denial::NoSessionPolicy));
    assert_eq!(with(Some(&read), &[&read], "ec2:CreateVpc", Trust::Direct), Decision::Allowed);
    let nothing = |granted| {
        let context = Context::default();
        let question = Question { action: "sts:AssumeRole", resource: "*", context: &context };
        decide(&Policies::default(), &question, granted)
    };
    assert_eq!(nothing(Trust::Direct), Decision::Allowed);
    assert_eq!(nothing(Trust::Role), Decision::Allowed);
    assert_eq!(nothing(Trust::Account), denied(Denial::NoIdentityPolicy));
}

#[test]
fn conditions() {
    for (condition, met) in [
        (r#"{"StringEquals":{"aws:username":"dev"}}"#, true),
        (r#"{"StringEquals":{"AWS:UserName":["x","dev"]}}"#, true),
        (r#"{"StringEquals":{"aws:username":"d*"}}"#, false),
        (r#"{"StringLike":{"aws:username":"d*"}}"#, true),
        (r#"{"StringNotLike":{"aws:username":["x*","d*"]}}"#, false),
        (r#"{"StringEqualsIgnoreCase":{"aws:username":"DEV"}}"#, true),
        (r#"{"StringEquals":{"aws:SourceVpc":"x"}}"#, false),
        (r#"{"StringNotEquals":{"aws:SourceVpc":"x"}}"#, true),
        (r#"{"StringEqualsIfExists":{"aws:SourceVpc":"x"}}"#, true),
        (r#"{"StringEqualsIfExists":{"aws:username":"x"}}"#, false),
        (r#"{"Null":{"aws:SourceVpc":"true"}}"#, true),
        (r#"{"Null":{"aws:username":true}}"#, false),
        (r#"{"Null":{"aws:username":"false"}}"#, true),
        (r#"{"Bool":{"aws:SecureTransport":false}}"#, true),
        (r#"{"Bool":{"aws:SecureTransport":"true"}}"#, false),
        (r#"{"IpAddress":{"aws:SourceIp":["192.0.2.0/24","10.0.0.0/8"]}}"#, true),
        (r#"{"NotIpAddress":{"aws:SourceIp":"10.1.2.3"}}"#, false),
        (r#"{"IpAddress":{"aws:SourceIp":"::/0"}}"#, false),
        (r#"{"NumericLessThan":{"aws:EpochTime":10}}"#, true),
        (r#"{"NumericGreaterThanEquals":{"aws:EpochTime":"7"}}"#, true),
        (r#"{"NumericNotEquals":{"aws:EpochTime":"7"}}"#, false),
        (r#"{"DateGreaterThan":{"aws:CurrentTime":"2026-01-01T00:00:00Z"}}"#, true),
        (r#"{"DateLessThan":{"aws:CurrentTime":"1767225600"}}"#, false),
        (r#"{"ArnLike":{"aws:PrincipalArn":"arn:aws:iam::*:role/*"}}"#, true),
        (r#"{"ArnEquals":{"aws:PrincipalArn":"arn:aws:iam::*:role/dev"}}"#, false),
        (r#"{"ArnNotLike":{"aws:PrincipalArn":"arn:aws:iam::1111*:role/team/*"}}"#, false),
        (r#"{"ForAllValues:StringEquals":{"aws:TagKeys":["a","b","c"]}}"#, true),
        (r#"{"ForAllValues:StringEquals":{"aws:TagKeys":["a"]}}"#, false),
        (r#"{"ForAllValues:StringEquals":{"aws:SourceVpc":["a"]}}"#, true),
        (r#"{"ForAnyValue:StringEquals":{"aws:TagKeys":["b"]}}"#, true),
        (r#"{"ForAnyValue:StringEquals":{"aws:SourceVpc":["b"]}}"#, false),
        (r#"{"StringEquals":{"aws:username":"dev"},"Bool":{"aws:SecureTransport":"true"}}"#, false),
        (r#"{"StringLike":{"aws:PrincipalArn":"*/${aws:username}"}}"#, true),
    ] {
        let rest = format!(r#""Effect":"Allow","Action":"*","Resource":"*","Condition":{condition}"#);
        let allowed = decided(&[statement(&rest)], "a:B", "*") == Decision::Allowed;
        assert_eq!(allowed, met, "{condition}");
    }
}

#[test]
fn a_variable_brings_no_wildcard() {
    let mut context = Context::default();
    context.set("aws:username", "*");
    let policies = Policies {
        identity: vec![Arc::new(statement(
            r#""Effect":"Allow","Action":"*","Resource":"arn:aws:s3:::b/${aws:username}""#,
        ))],
        ..Policies::default()
    };
    let decided = |resource: &str| {
        decide(&policies, &Question { action: "s3:GetObject", resource, context: &context }, Trust::None)
    };
    assert_eq!(decided("arn:aws:s3:::b/*"), Decision::Allowed);
    assert_ne!(decided("arn:aws:s3:::b/secret"), Decision::Allowed);
}

#[test]
fn what_is_no_policy_is_refused() {
    let allow = r#""Effect":"Allow""#;
    for text in [
        "",
        "[]",
        "{}",
        r#"{"Statement":[]}"#,
        r#"{"Version":"2012","Statement":{}}"#,
        &format!(r#"{{"Statement":{{{allow},"Action":"*"}}}}"#),
        &format!(r#"{{"Statement":{{{allow},"Resource":"*"}}}}"#),
        r#"{"Statement":{"Effect":"allow","Action":"*","Resource":"*"}}"#,
        &format!(r#"{{"Statement":{{{allow},"Action":"nothing","Resource":"*"}}}}"#),
        &format!(r#"{{"Statement":{{{allow},"Action":"*","Resource":"bucket"}}}}"#),
        &format!(r#"{{"Statement":{{{allow},"Action":"*","NotAction":"*","Resource":"*"}}}}"#),
        &format!(r#"{{"Statement":{{{allow},"Action":"*","Resource":"*","Principal":"*"}}}}"#),
        &format!(r#"{{"Statement":{{{allow},"Action":"*","Resource":"*","Condition":{{"StringIs":{{"a":"b"}}}}}}}}"#),
        &format!(r#"{{"Statement":{{{allow},"Action":"*","Resource":"*","Extra":1}}}}"#),
    ] {
        assert!(Document::identity(text).is_err(), "{text}");
    }
}

#[test]
fn trust_reaches_accounts_and_principals() {
    let trust = |principal: &str, rest: &str| {
        let text = format!(
            r#"{{"Version":"2012-10-17","Statement":[{{"Effect":"Allow","Principal":{principal},"Action":"sts:AssumeRole"{rest}}}]}}"#
        );
        Document::trust(&text).unwrap()
    };
    let caller = Caller {
        account: "111122223333".into(),
        arn: "arn:aws:sts::111122223333:assumed-role/dev/s".into(),
        user_id: "AROADEV:s".into(),
        access_key_id: String::new(),
        principal: Principal::Role {
            name: "dev".into(),
            role_arn: "arn:aws:iam::111122223333:role/team/dev".into(),
            session: "s".into(),
            policies: Vec::new(),
            facts: Box::default(),
        },
    };
    let mut context = context();
    context.set("sts:ExternalId", "e");
    for (principal, rest, expected) in [
        (r#"{"AWS":"111122223333"}"#, "", Trust::Account),
        (r#"{"AWS":"arn:aws:iam::111122223333:root"}"#, "", Trust::Account),
        (r#"{"AWS":["arn:aws:iam::111122223333:role/team/dev"]}"#, "", Trust::Role),
        (r#"{"AWS":"arn:aws:sts::111122223333:assumed-role/dev/s"}"#, "", Trust::Direct),
        (r#"{"AWS":"arn:aws:iam::111122223333:role/dev"}"#, "", Trust::None),
        (r#"{"AWS":"444455556666"}"#, "", Trust::None),
        (r#"{"Service":"ec2.amazonaws.com"}"#, "", Trust::None),
        (r#""*""#, "", Trust::Account),
        (r#"{"AWS":"111122223333"}"#, r#","Condition":{"StringEquals":{"sts:ExternalId":"e"}}"#, Trust::Account),
        (r#"{"AWS":"111122223333"}"#, r#","Condition":{"StringEquals":{"sts:ExternalId":"f"}}"#, Trust::None),
    ] {
        assert_eq!(
            trusts(
                &trust(principal, rest),
                &caller,
                &Question { action: "sts:AssumeRole", resource: "*", context: &context }
            ),
            expected,
            "{principal} {rest}"
        );
    }
    let open = trust(r#"{"AWS":"111122223333"}"#, "");
    let tag = Question { action: "sts:TagSession", resource: "*", context: &context };
    assert_eq!(trusts(&open, &caller, &tag), Trust::None);
    for bad in [r#"{"AWS":"arn:aws:iam::*:root"}"#, r#"{"AWS":"nobody"}"#, r#"{"Service":"evil.example"}"#, "{}", "1"] {
        let text = format!(r#"{{"Statement":[{{"Effect":"Allow","Principal":{bad},"Action":"sts:AssumeRole"}}]}}"#);
        assert!(Document::trust(&text).is_err(), "{bad}");
    }
}

#[tokio::test]
async fn the_door_asks_policies() {
    let world = World::new();
    world.allow(READ);
    assert_eq!(world.ec2("Action=DescribeVpcs").await.0, 200);
    let (status, body) = world.ec2("Action=RunInstances&MinCount=1").await;
    assert_eq!((status, element(&body, "Code")), (403, Some("UnauthorizedOperation")));
    assert_eq!(
        element(&body, "Message").unwrap(),
        "You are not authorized to perform this operation. User: arn:aws:iam::111122223333:user/dev is not authorized to \
         perform: ec2:RunInstances on resource: arn:aws:ec2:us-west-2:111122223333:vpc/* because no identity-based policy \
         allows the ec2:RunInstances action"
    );
    let (status, kind, _) = world.eks("/clusters/dev").await;
    assert_eq!((status, &*kind), (403, "AccessDeniedException"));
    let (status, body) = world.ecr("DescribeRepositories", "{}").await;
    assert!(status == 400 && body.contains("AccessDeniedException"), "{body}");
}

proptest! {
    #[test]
    fn any_text_is_a_policy_or_not(text in "[\\[\\]{}\":,a-zA-Z*$ ]{0,80}") {
        let _ = Document::identity(&text);
        let _ = Document::trust(&text);
    }

    #[test]
    fn any_pattern_is_decided(pattern in "[a-z:*?${}, ']{0,30}", resource in "[a-z:*?${}]{0,30}") {
        let rest = serde_json::json!({ "Effect": "Allow", "Action": "*", "Resource": format!("arn:aws:a:::{pattern}") });
        let document = serde_json::json!({ "Version": "2012-10-17", "Statement": rest }).to_string();
        let _ = Document::identity(&document).map(|document| decided(&[document], "a:B", &resource));
    }
}
