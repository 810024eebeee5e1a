//! The EKS user guide's "Prepare for network disconnects": a client certificate, and life without the Region.

use std::{process::Command, time::Duration};

use eksile_tests::certificate::with;
use eksile_tests::installation::{Done, Installation, until};

const SOON: Duration = Duration::from_secs(20);

pub(crate) fn cut_by_command(at: &Installation, admin: &std::path::Path) {
    at.eksile(&["outpost", "disconnect"]).good();
    assert!(at.eksile(&["outpost", "status"]).good().contains("service link cut"));
    cut_off(at, admin);
    // What is asked of the Region meanwhile waits, and what happens on the Outpost is told later.
    let node = worker(at);
    at.aws(&format!("ec2 create-tags --resources {node} --tags Key=asked,Value=while-cut")).good();
    reboot_the_node(at, admin);
    let reason = transition_reason(at, &node);
    assert!(reason.is_empty(), "the Region cannot know yet: {reason}");
    at.eksile(&["outpost", "reconnect"]).good();
    mended(at);
    until("the Region hears what happened", SOON, || {
        let reason = transition_reason(at, &node);
        if reason.is_empty() { Err("nothing yet".to_owned()) } else { Ok(()) }
    });
}

pub(crate) fn cut_by_our_own_rule(at: &Installation, admin: &std::path::Path) {
    let status = at.eksile(&["--output", "json", "outpost", "status"]).json();
    let namespace = format!("--net={}", status["namespace"].as_str().unwrap());
    let nft = |rule: &str| {
        Done::from(Command::new("nsenter").args([&namespace, "nft", rule]).output().unwrap()).good();
    };
    nft("table inet mine { chain everything { type filter hook forward priority -400; policy drop; }; }");
    assert!(at.eksile(&["outpost", "status"]).good().contains("service link open"), "eksile has no part in this cut");
    cut_off(at, admin);
    nft("delete table inet mine");
    mended(at);
}

fn cut_off(at: &Installation, admin: &std::path::Path) {
    let before = with(at, admin, "logs hello --tail=1").good();
    // A token is believed for a while after it was checked; a new one cannot be checked at all.
    until("IAM tokens fail", Duration::from_secs(30), || {
        let refused = at.kubectl("get nodes --request-timeout=15s");
        let unauthorized = refused.err.contains("Unauthorized") || refused.err.contains("provide credentials");
        if !refused.ok && unauthorized { Ok(()) } else { Err(refused.out + &refused.err) }
    });
    assert!(with(at, admin, "get nodes").good().contains("Ready"));
    assert_eq!(with(at, admin, "exec hello -- hostname").good(), "hello");
    until("the pod goes on", SOON, || {
        let after = with(at, admin, "logs hello --tail=1").good();
        if after == before { Err(after) } else { Ok(()) }
    });
    // The Region answers, about what it last knew.
    assert_eq!(at.aws("eks describe-cluster --name my-cluster --query cluster.status --output text").good(), "ACTIVE");
}

fn mended(at: &Installation) {
    until("IAM tokens work again", SOON, || {
        let listed = at.kubectl("get nodes --request-timeout=5s");
        if listed.ok { Ok(()) } else { Err(listed.err) }
    });
}

fn worker(at: &Installation) -> String {
    let query = "Reservations[].Instances[].InstanceId";
    let filter = "--filters Name=tag:Name,Values=my-cluster-node";
    at.aws(&format!("ec2 describe-instances {filter} --query {query} --output text")).good()
}

fn transition_reason(at: &Installation, instance: &str) -> String {
    let query = "Reservations[0].Instances[0].StateTransitionReason";
    at.aws(&format!("ec2 describe-instances --instance-ids {instance} --query {query} --output text")).good()
}

/// Ends the node's first process, as a crash would; its site starts it again, without the Region.
fn reboot_the_node(at: &Installation, admin: &std::path::Path) {
    let node = worker(at);
    let first = at.pids(&["instance", &node]);
    eksile_tests::installation::kill(*first.first().expect("the node's first process"), "-KILL");
    until("the node comes back", Duration::from_secs(60), || {
        let line = with(at, admin, "logs hello --tail=1");
        let again = at.pids(&["instance", &node]);
        if line.ok && again.first().is_some_and(|pid| Some(pid) != first.first()) { Ok(()) } else { Err(line.err) }
    });
}
