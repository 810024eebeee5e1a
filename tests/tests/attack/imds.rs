//! The metadata service, asked by pods; and what of the installation's secrets others can see.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::Duration;

use eksile_tests::installation::{STRANGER, until};
use eksile_tests::pods::Pods;
use serde_json::Value;

use crate::{Chapter, Target};

pub(crate) const CHAPTERS: &[Chapter] = &[
    ("a pod hears what the instance's options keep from it", a_pod_hears_as_much_as_the_options_say),
    ("keys are in arguments, environments, logs or files of others", keys_are_seen_by_their_owner_alone),
];

const SOON: Duration = Duration::from_secs(30);
const METADATA: &str = "http://169.254.169.254/latest";
/// User 1000, no capability, no token.
const POWERLESS: &str = "automountServiceAccountToken: false, securityContext: {runAsUser: 1000},";

/// What a pod hears when it asks for a token; empty when that does not reach it.
fn token(pods: &Pods<'_>) -> String {
    let put = "printf 'PUT /latest/api/token HTTP/1.0\\r\\nHost: m\\r\\nX-aws-ec2-metadata-token-ttl-seconds: 60\\r\\n\\r\\n' \
               | nc -w 3 169.254.169.254 80 || true";
    pods.kubectl(&["exec", "curious", "--", "/bin/sh", "-c", put]).out
}

fn set(target: &Target, instance: &str, options: &str) {
    target.at.aws(&format!("ec2 modify-instance-metadata-options --instance-id {instance} {options}")).good();
}

fn a_pod_hears_as_much_as_the_options_say(target: &Target) {
    let pods = target.pods();
    let query = "Reservations[].Instances[?PrivateDnsName=='NODE'].[InstanceId][][]".replace("NODE", &pods.node);
    let words = ["ec2", "describe-instances", "--query", &query, "--output", "text"];
    let instance = target.at.client("aws", &words).good();
    assert!(instance.starts_with("i-"), "{instance}");
    pods.make("curious", "sleep 600", POWERLESS, "");
    pods.phase("curious", "Running");
    for path in ["user-data", "meta-data/", "dynamic/instance-identity/document", "eksile/clusters/"] {
        let words = format!("wget -T 3 -q -O - {METADATA}/{path}");
        let plain = pods.kubectl(&["exec", "curious", "--", "/bin/sh", "-c", &words]);
        assert!(!plain.ok && plain.out.is_empty(), "{path}: {}", plain.out);
    }
    assert_eq!(token(&pods), "", "a token came as far as a pod");
    // The options are those of the moment: a hop more, and then nothing at all.
    set(target, &instance, "--http-put-response-hop-limit 2");
    until("a token comes as far as a pod", SOON, || {
        let heard = token(&pods);
        if heard.contains("200 OK") { Ok(()) } else { Err(heard) }
    });
    set(target, &instance, "--http-endpoint disabled");
    until("the service is silent", SOON, || {
        let heard = token(&pods);
        if heard.contains("403") { Ok(()) } else { Err(heard) }
    });
    set(target, &instance, "--http-endpoint enabled --http-put-response-hop-limit 1");
    until("the service speaks, and not to pods", SOON, || {
        let heard = token(&pods);
        if heard.is_empty() { Ok(()) } else { Err(heard) }
    });
    pods.delete("curious");
}

/// Secrets of the installation: its administrator's key, the one that the command line brought, authorities' keys.
fn secrets(data: &Path) -> Vec<String> {
    let text = fs::read(data.join("admin-credentials.json")).unwrap();
    let keys: Vec<Value> = serde_json::from_slice(&text).unwrap();
    let mut all: Vec<String> = keys.iter().map(|key| key["secret_access_key"].as_str().unwrap().to_owned()).collect();
    assert!(all.iter().any(|secret| secret == STRANGER.1), "the command line's key is not among them");
    for name in ["link", "web"] {
        let key = fs::read_to_string(data.join("pki").join(name).join("ca.key")).unwrap();
        all.push(key.lines().nth(1).unwrap().to_owned());
    }
    all
}

fn holds(content: &[u8], secrets: &[String]) -> bool {
    secrets.iter().any(|secret| content.windows(secret.len()).any(|part| part == secret.as_bytes()))
}

/// Files below a folder that others could read and that hold a secret.
fn told_in_files(folder: &Path, secrets: &[String], told: &mut Vec<String>) {
    // What goes while we look is not there.
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        let (path, Ok(about)) = (entry.path(), entry.metadata()) else { continue };
        if about.is_dir() {
            told_in_files(&path, secrets, told);
        } else if about.is_file()
            && about.permissions().mode() & 0o077 != 0
            && fs::read(&path).is_ok_and(|content| holds(&content, secrets))
        {
            told.push(path.display().to_string());
        }
    }
}

fn keys_are_seen_by_their_owner_alone(target: &Target) {
    let data = target.at.data.path();
    let secrets = secrets(data);
    let mut told = Vec::new();
    for entry in fs::read_dir("/proc").unwrap().flatten() {
        let process = entry.path();
        if !entry.file_name().to_string_lossy().bytes().all(|byte| byte.is_ascii_digit()) {
            continue;
        }
        for file in ["cmdline", "environ"] {
            let content = fs::read(process.join(file)).unwrap_or_default();
            if holds(&content, &secrets) {
                let line = fs::read(process.join("cmdline")).unwrap_or_default();
                let program =
                    String::from_utf8_lossy(line.split(|byte| *byte == 0).next().unwrap_or_default()).into_owned();
                told.push(format!("{}/{file} ({program})", process.display()));
            }
        }
    }
    if holds(target.at.log_text().as_bytes(), &secrets) {
        told.push("the log".to_owned());
    }
    told_in_files(data, &secrets, &mut told);
    assert!(told.is_empty(), "{told:#?}");
    // Nothing that the installation keeps is others' to use, and who holds keys leaves no core.
    let findings = target.at.eksile(&["--output", "json", "doctor"]).json();
    let private =
        findings.as_array().unwrap().iter().find(|f| f["what"] == "files of the installation private").unwrap();
    assert_eq!(private["there"], true, "{private}");
    for role in ["region", "control-plane"] {
        let pids = target.at.pids(&[role, data.to_str().unwrap()]);
        assert!(!pids.is_empty(), "no {role}");
        for pid in pids {
            let limits = fs::read_to_string(format!("/proc/{pid}/limits")).unwrap();
            let core = limits.lines().find(|line| line.starts_with("Max core file size")).unwrap();
            assert_eq!(core.split_whitespace().nth(4), Some("0"), "{role}: {core}");
        }
    }
}
