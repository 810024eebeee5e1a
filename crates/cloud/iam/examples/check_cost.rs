//! What the check of a call costs: a user with twenty policies, from the record in the store to the decision.
//!
//! `cargo run --release -p eksile-iam --example check_cost`

#![expect(clippy::unwrap_used, reason = "a measurement that cannot go on should stop")]

use std::hint::black_box;
use std::sync::Arc;
use std::time::Instant;

use eksile_aws::policy::{Context, Question, Trust, decide};
use eksile_aws::{Caller, Directory, Principal, Reads, SystemMint, Vantage};
use eksile_iam::IamDirectory;
use eksile_iam::records::{Grants, Policy, PolicyVersion, Tags, User};
use eksile_store::{Scope, Store};
use jiff::Timestamp;

const ACCOUNT: &str = "111122223333";
const ROUNDS: u32 = 20_000;

/// Of the size that people write: seven statements, with conditions and variables.
fn document(number: usize) -> String {
    let statement = |at: usize| {
        format!(
            r#"{{"Sid":"S{at}","Effect":"{}","Action":["ec2:Describe*","ec2:Create{at}*","eks:List*","iam:Get{number}*"],
            "Resource":["arn:aws:ec2:*:{ACCOUNT}:vpc/vpc-{at}*","arn:aws:s3:::home-{number}/${{aws:username}}/*"],
            "Condition":{{"StringEquals":{{"aws:ResourceTag/team":"${{aws:PrincipalTag/team}}"}},
            "IpAddress":{{"aws:SourceIp":["10.0.0.0/8","192.0.2.0/24"]}}}}}}"#,
            if at == 6 { "Deny" } else { "Allow" }
        )
    };
    let statements: Vec<String> = (0..7).map(statement).collect();
    format!(r#"{{"Version":"2012-10-17","Statement":[{}]}}"#, statements.join(","))
}

fn user(scope: &Scope) -> (User, Vec<Policy>) {
    let policy = |number: usize| Policy {
        name: format!("p{number}"),
        path: "/".into(),
        policy_id: format!("ANPA{number:017}"),
        description: None,
        versions: vec![PolicyVersion { number: 1, document: document(number), created: 0 }],
        default_version: 1,
        last_version: 1,
        created: 0,
        updated: 0,
        tags: Tags::new(),
    };
    let policies: Vec<Policy> = (0..10).map(policy).collect();
    let grants = Grants {
        inline: (10..20).map(|number| (format!("p{number}"), document(number))).collect(),
        attached: policies.iter().map(|policy| policy.arn(&scope.account)).collect(),
        boundary: None,
    };
    let user = User {
        name: "dev".into(),
        path: "/".into(),
        user_id: "AIDADEVDEVDEVDEVDEV00".into(),
        created: 0,
        grants,
        tags: Tags::from([("team".to_owned(), "red".to_owned())]),
    };
    (user, policies)
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let (store, scope) = (Store::in_memory(), Scope::new(ACCOUNT, "global"));
    store.write(|txn| eksile_iam::seed(txn, &SystemMint, Timestamp::UNIX_EPOCH, ACCOUNT, None)).await.unwrap();
    let (user, policies) = user(&scope);
    let written = store.write(|txn| {
        policies.iter().try_for_each(|policy| txn.put_record(&scope, policy))?;
        txn.put_record(&scope, &user)
    });
    written.await.unwrap();
    let caller = Caller {
        account: ACCOUNT.into(),
        arn: user.arn(ACCOUNT),
        user_id: user.user_id.clone(),
        access_key_id: String::new(),
        principal: Principal::User { name: "dev".into() },
    };
    let directory = IamDirectory::default();
    let once = |round: u32| {
        let view = store.view();
        let policies = directory.policies(Reads::of(&view), &caller).unwrap();
        let mut context = caller.context(&policies.tags);
        Vantage::host().tell(&http::HeaderMap::new(), "us-west-2", Timestamp::UNIX_EPOCH, &mut context);
        let mut own = Context::over(Arc::new(context));
        own.set("aws:ResourceTag/team", "red");
        let resource = format!("arn:aws:ec2:us-west-2:{ACCOUNT}:vpc/vpc-{}", round % 9);
        decide(&policies, &Question { action: "ec2:DescribeVpcs", resource: &resource, context: &own }, Trust::None)
    };
    black_box(once(0));
    let begun = Instant::now();
    for round in 0..ROUNDS {
        black_box(once(round));
    }
    let each = begun.elapsed() / ROUNDS;
    println!("{:.1} µs a check with 20 policies of 7 statements", each.as_secs_f64() * 1e6);
    let begun = Instant::now();
    for number in 0..20 {
        black_box(eksile_aws::policy::Document::identity(&document(number)).unwrap());
    }
    println!("{:.1} µs to compile them, once", begun.elapsed().as_secs_f64() * 1e6);
}
