//! A key that a request gives several values at once: what is denied for one of them is denied, and what is allowed must be
//! allowed for each.

use std::collections::BTreeMap;
use std::sync::Arc;

use eksile_aws::Policies;
use eksile_aws::policy::{Context, Decision, Document, Question, Trust, decide};

const ARN: &str = "arn:aws:ec2:us-west-2:111122223333:vpc/vpc-1";

/// Tags whose keys differ in their case alone are one key.
fn context(tags: &[(&str, &str)]) -> Context {
    let tags: BTreeMap<String, String> = tags.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
    let mut context = Context::default();
    context.tags("aws:ResourceTag", &tags);
    context.set_all("aws:TagKeys", vec!["a".to_owned(), "b".to_owned()]);
    context
}

fn allowed(statements: &str, context: &Context) -> bool {
    let document = Document::identity(&format!(r#"{{"Version":"2012-10-17","Statement":[{statements}]}}"#)).unwrap();
    let policies = Policies { identity: vec![Arc::new(document)], ..Policies::default() };
    decide(&policies, &Question { action: "ec2:DeleteVpc", resource: ARN, context }, Trust::None) == Decision::Allowed
}

fn statement(effect: &str, condition: &str) -> String {
    format!(r#"{{"Effect":"{effect}","Action":"*","Resource":"*","Condition":{condition}}}"#)
}

const ALL: &str = r#"{"Effect":"Allow","Action":"*","Resource":"*"}"#;

#[test]
fn attack_a_key_given_again_in_other_capitals_takes_no_denial_away_and_gives_no_leave() {
    let one = context(&[("env", "prod")]);
    let both = context(&[("env", "prod"), ("Env", "test"), ("ENV", "x")]);
    for (condition, sure) in [
        (r#"{"StringEquals":{"aws:ResourceTag/env":"prod"}}"#, true),
        (r#"{"StringNotEquals":{"aws:ResourceTag/env":"test"}}"#, true),
        (r#"{"StringLike":{"aws:ResourceTag/Env":"pr*"}}"#, true),
        (r#"{"StringNotLike":{"aws:ResourceTag/Env":"te*"}}"#, true),
        (r#"{"StringEqualsIgnoreCase":{"aws:ResourceTag/env":"PROD"}}"#, true),
        (r#"{"StringEqualsIfExists":{"aws:ResourceTag/env":"prod"}}"#, true),
        (r#"{"ForAnyValue:StringEquals":{"aws:ResourceTag/env":"prod"}}"#, true),
        (r#"{"ForAllValues:StringEquals":{"aws:ResourceTag/env":"prod"}}"#, true),
        (r#"{"ForAllValues:StringNotEquals":{"aws:ResourceTag/env":"test"}}"#, true),
    ] {
        let denied = format!("{ALL},{}", statement("Deny", condition));
        assert_eq!(allowed(&denied, &one), !sure, "{condition}");
        assert!(!allowed(&denied, &both), "Deny {condition}");
        assert_eq!(allowed(&statement("Allow", condition), &one), sure, "{condition}");
        assert!(!allowed(&statement("Allow", condition), &both), "Allow {condition}");
    }
    // What is so for every value is so.
    for condition in [
        r#"{"StringEquals":{"aws:ResourceTag/env":["prod","test","x"]}}"#,
        r#"{"StringNotEquals":{"aws:ResourceTag/env":"other"}}"#,
        r#"{"Null":{"aws:ResourceTag/env":"false"}}"#,
    ] {
        assert!(allowed(&statement("Allow", condition), &both), "{condition}");
        assert!(!allowed(&format!("{ALL},{}", statement("Deny", condition)), &both), "{condition}");
    }
    // What is so for none is not.
    for condition in
        [r#"{"StringEquals":{"aws:ResourceTag/env":"other"}}"#, r#"{"StringNotLike":{"aws:ResourceTag/env":"*"}}"#]
    {
        assert!(!allowed(&statement("Allow", condition), &both), "{condition}");
        assert!(allowed(&format!("{ALL},{}", statement("Deny", condition)), &both), "{condition}");
    }
}

#[test]
fn attack_a_variable_with_several_values_is_each_of_them() {
    let mut both = context(&[("name", "vpc-1"), ("Name", "vpc-2")]);
    let resource = |effect: &str, element: &str, name: &str| {
        let arn = format!("arn:aws:ec2:us-west-2:111122223333:vpc/{name}");
        format!(r#"{{"Effect":"{effect}","Action":"*","{element}":"{arn}"}}"#)
    };
    for name in ["${aws:ResourceTag/name}", "${aws:ResourceTag/name, 'vpc-3'}"] {
        assert!(!allowed(&format!("{ALL},{}", resource("Deny", "Resource", name)), &both), "{name}");
        assert!(!allowed(&format!("{ALL},{}", resource("Deny", "NotResource", name)), &both), "{name}");
        assert!(!allowed(&resource("Allow", "Resource", name), &both), "{name}");
        assert!(!allowed(&resource("Allow", "NotResource", name), &both), "{name}");
    }
    both.set("aws:username", "vpc-1");
    for operator in ["StringEquals", "StringNotEquals", "StringEqualsIgnoreCase", "StringLike", "StringNotLike"] {
        let condition = format!(r#"{{"{operator}":{{"aws:username":"${{aws:ResourceTag/name}}"}}}}"#);
        assert!(!allowed(&format!("{ALL},{}", statement("Deny", &condition)), &both), "{condition}");
        assert!(!allowed(&statement("Allow", &condition), &both), "{condition}");
    }
    // So many that nobody tries them all: denied, and not allowed.
    let mut many = Context::default();
    for value in 0..50 {
        let (key, value) = (if value % 2 == 0 { "nAme" } else { "naMe" }.to_owned(), value.to_string());
        many.tags("aws:ResourceTag", [(&key, &value)]);
    }
    let name = "${aws:ResourceTag/name}".repeat(8);
    assert!(!allowed(&format!("{ALL},{}", resource("Deny", "Resource", &name)), &many));
    assert!(!allowed(&resource("Allow", "Resource", &format!("*{name}")), &many));
}

/// A list is several values and no contradiction; but who reads it as one value must be right of each.
#[test]
fn lists_are_read_by_their_operators() {
    let given = context(&[]);
    for (condition, met) in [
        (r#"{"ForAnyValue:StringEquals":{"aws:TagKeys":"a"}}"#, true),
        (r#"{"ForAllValues:StringEquals":{"aws:TagKeys":"a"}}"#, false),
        (r#"{"ForAllValues:StringEquals":{"aws:TagKeys":["a","b","c"]}}"#, true),
    ] {
        assert_eq!(allowed(&statement("Allow", condition), &given), met, "{condition}");
        assert_eq!(allowed(&format!("{ALL},{}", statement("Deny", condition)), &given), !met, "{condition}");
    }
    let condition = r#"{"StringEquals":{"aws:TagKeys":"a"}}"#;
    assert!(!allowed(&statement("Allow", condition), &given));
    assert!(!allowed(&format!("{ALL},{}", statement("Deny", condition)), &given));
}
