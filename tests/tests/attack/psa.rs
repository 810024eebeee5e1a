//! A namespace that says what its pods may ask for: pods that ask for more are not made.

use std::time::Duration;

use eksile_tests::installation::{Done, until};

use crate::{Chapter, Target};

pub(crate) const CHAPTERS: &[Chapter] = &[
    ("a privileged pod in a namespace that enforces restricted", a_privileged_pod_where_restricted_is_enforced),
    ("a debugging container with more rights than the namespace lets pods have", a_container_added_later),
];

const SOON: Duration = Duration::from_secs(30);
const LABEL: &str = "pod-security.kubernetes.io/enforce";

/// A namespace with a level, for as long as one of these is held.
struct Namespace<'a> {
    target: &'a Target,
    name: &'a str,
}

impl<'a> Namespace<'a> {
    fn new(target: &'a Target, name: &'a str, level: &str) -> Self {
        let made = Self { target, name };
        made.kubectl(&["create", "namespace", name]).good();
        made.kubectl(&["label", "namespace", name, &format!("{LABEL}={level}")]).good();
        until("the namespace has its account", SOON, || {
            let asked = made.kubectl(&["-n", name, "get", "serviceaccount", "default"]);
            if asked.ok { Ok(()) } else { Err(asked.err) }
        });
        made
    }

    fn kubectl(&self, words: &[&str]) -> Done {
        self.target.pods().kubectl(words)
    }

    fn apply(&self, file: &str, manifest: &str) -> Done {
        let file = self.target.at.scratch.path().join(file);
        std::fs::write(&file, manifest).unwrap();
        self.kubectl(&["-n", self.name, "apply", "-f", file.to_str().unwrap()])
    }
}

impl Drop for Namespace<'_> {
    fn drop(&mut self) {
        let ended = self.kubectl(&["delete", "namespace", self.name, "--wait=false"]);
        if !ended.ok {
            println!("{}: {}", self.name, ended.err);
        }
    }
}

fn a_privileged_pod_where_restricted_is_enforced(target: &Target) {
    let namespace = Namespace::new(target, "restricted", "restricted");
    let worst = "{apiVersion: v1, kind: Pod, metadata: {name: worst}, spec: {hostPID: true, containers: [{name: c, image: i, \
                 securityContext: {privileged: true}}]}}";
    let said = namespace.apply("worst.yaml", worst).bad();
    assert!(said.contains("violates PodSecurity \"restricted:latest\""), "{said}");
    let silent = "{apiVersion: v1, kind: Pod, metadata: {name: silent}, spec: {containers: [{name: c, image: i}]}}";
    let said = namespace.apply("silent.yaml", silent).bad();
    assert!(said.contains("allowPrivilegeEscalation != false"), "{said}");
    let none = namespace.kubectl(&["-n", "restricted", "get", "pods", "-o", "name"]).good();
    assert_eq!(none, "");
    // A label that cannot be understood is refused, not taken for none.
    let said =
        namespace.kubectl(&["label", "--overwrite", "namespace", "restricted", &format!("{LABEL}=Privileged")]).bad();
    assert!(said.contains("must be one of privileged, baseline, restricted"), "{said}");
}

fn a_container_added_later(target: &Target) {
    let namespace = Namespace::new(target, "baseline", "baseline");
    let plain = "{apiVersion: v1, kind: Pod, metadata: {name: plain}, spec: {containers: [{name: c, image: i}]}}";
    namespace.apply("plain.yaml", plain).good();
    let add = r#"{"spec":{"ephemeralContainers":[{"name":"e","image":"i","securityContext":{"privileged":true}}]}}"#;
    let words = [
        "-n",
        "baseline",
        "patch",
        "pod",
        "plain",
        "--subresource",
        "ephemeralcontainers",
        "--type=strategic",
        "-p",
        add,
    ];
    let said = namespace.kubectl(&words).bad();
    assert!(said.contains("must not set securityContext.privileged=true"), "{said}");
}
