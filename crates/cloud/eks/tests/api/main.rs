//! EC2, Outposts and EKS through the door, driven by boto3 and the `aws` command line.
//!
//! The scenarios (`*.py`) assert what callers see. Beside that, every answer of a scenario is compared with a golden
//! file; `EKSILE_UPDATE_GOLDENS=1` writes them anew.

mod golden;
mod server;
mod site;

use std::process::Stdio;
use std::time::Duration;

use server::Server;
use tokio::process::Command;

/// Longest run of one scenario.
const PATIENCE: Duration = Duration::from_secs(240);

/// Whether boto3 can be had; says so when not.
async fn has_boto3() -> bool {
    let probe = Command::new("python3").args(["-c", "import boto3"]).stderr(Stdio::null()).status().await;
    let there = probe.is_ok_and(|status| status.success());
    if !there {
        eprintln!("SKIPPED: python3 with boto3 is not installed");
    }
    there
}

async fn has_aws() -> bool {
    let probe = Command::new("aws").arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status().await;
    let there = probe.is_ok_and(|status| status.success());
    if !there {
        eprintln!("SKIPPED: the aws command line is not installed");
    }
    there
}

/// Runs a scenario in the test's environment; it must succeed.
async fn run(server: &Server, program: &str, arguments: &[&str]) {
    let mut command = Command::new(program);
    command.args(arguments).current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/api")).envs(server.environment());
    command.kill_on_drop(true);
    let output = tokio::time::timeout(PATIENCE, command.output()).await.expect("in time").expect("started");
    assert!(
        output.status.success(),
        "{program} {arguments:?}\n{}\n{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
}

async fn scenario(name: &str) {
    if !has_boto3().await {
        return;
    }
    let server = Server::start().await;
    run(&server, "python3", &["-B", &format!("{name}.py")]).await;
    golden::compare(name, &server.exchanges());
}

#[tokio::test(flavor = "multi_thread")]
async fn network() {
    scenario("network").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn groups() {
    scenario("groups").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn instances() {
    scenario("instances").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn catalogue() {
    scenario("catalogue").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn requests() {
    scenario("requests").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn access() {
    scenario("access").await;
}

/// Reconcilers and a site run beside this one, so its answers depend on their timing: asserted, not golden.
#[tokio::test(flavor = "multi_thread")]
async fn lifecycle() {
    if !has_boto3().await {
        return;
    }
    let server = Server::start().await;
    let _region = server.reconcile();
    let _site = site::start(&server);
    run(&server, "python3", &["-B", "lifecycle.py"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn command_line() {
    if !has_aws().await {
        return;
    }
    let server = Server::start().await;
    let _region = server.reconcile();
    let _site = site::start(&server);
    run(&server, "sh", &["-eu", "command_line.sh"]).await;
}
