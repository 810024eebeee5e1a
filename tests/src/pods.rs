//! Pods on quickstart's node.

use std::path::Path;
use std::time::Duration;

use crate::certificate::with;
use crate::installation::{Done, Installation, until};

const SOON: Duration = Duration::from_secs(30);

/// Where pods leave notes for each other, on the node.
const NOTES: &str = "/var/tmp/notes";

/// Makes pods on the node of quickstart's pod, with its image.
pub struct Pods<'a> {
    /// Where.
    pub at: &'a Installation,
    /// A kubeconfig with a client certificate: making an IAM token for each of many questions takes long.
    pub admin: &'a Path,
    /// The node's name.
    pub node: String,
    /// An image with a shell.
    pub image: String,
}

impl<'a> Pods<'a> {
    /// On the node and with the image of quickstart's pod.
    #[must_use]
    pub fn beside_hello(at: &'a Installation, admin: &'a Path) -> Self {
        let of_hello = |path: &str| with(at, admin, &format!("get pod hello -o jsonpath={{.{path}}}")).good();
        Self { at, admin, node: of_hello("spec.nodeName"), image: of_hello("spec.containers[0].image") }
    }

    /// kubectl as the administrator.
    pub fn kubectl(&self, words: &[&str]) -> Done {
        let admin = self.admin.to_str().unwrap();
        self.at.client("kubectl", &[&["--kubeconfig", admin], words].concat())
    }

    /// Its output, after it succeeded.
    pub fn ask(&self, words: &str) -> String {
        with(self.at, self.admin, words).good()
    }

    /// Makes a pod of one container that runs `script`; further fields are given as YAML flow maps.
    pub fn make(&self, name: &str, script: &str, spec: &str, container: &str) {
        let (node, image) = (&self.node, &self.image);
        let text = format!(
            "{{apiVersion: v1, kind: Pod, metadata: {{name: {name}}}, spec: {{nodeName: {node}, {spec} \
             volumes: [{{name: notes, hostPath: {{path: {NOTES}, type: DirectoryOrCreate}}}}], \
             containers: [{{name: c, image: '{image}', command: [/bin/sh, -c, '{script}'], {container} \
             volumeMounts: [{{name: notes, mountPath: /notes}}]}}]}}}}"
        );
        let file = self.at.scratch.path().join(format!("{name}.yaml"));
        std::fs::write(&file, text).unwrap();
        self.kubectl(&["apply", "-f", file.to_str().unwrap()]).good();
    }

    /// A field of a pod, by JSON path.
    #[must_use]
    pub fn field(&self, name: &str, path: &str) -> String {
        self.ask(&format!("get pod {name} -o jsonpath={{.{path}}}"))
    }

    /// Waits for a pod's phase.
    pub fn phase(&self, name: &str, wanted: &str) {
        until(&format!("{name} is {wanted}"), SOON, || {
            let phase = self.field(name, "status.phase");
            if phase == wanted { Ok(()) } else { Err(phase) }
        });
    }

    /// Waits for an event.
    pub fn event(&self, name: &str, reason: &str) -> String {
        let query = format!("get events --field-selector involvedObject.name={name},reason={reason} -o name");
        let mut seen = String::new();
        until(&format!("{name} has an event {reason}"), SOON, || {
            seen = self.ask(&query);
            if seen.is_empty() { Err("none".to_owned()) } else { Ok(()) }
        });
        seen
    }

    /// The output of shell words in a pod.
    pub fn shell(&self, name: &str, words: &str) -> String {
        self.kubectl(&["exec", name, "--", "/bin/sh", "-c", words]).good()
    }

    /// Deletes pods.
    pub fn delete(&self, names: &str) {
        self.ask(&format!("delete pod {names} --grace-period=1"));
    }
}
