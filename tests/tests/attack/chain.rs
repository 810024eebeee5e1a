//! From a pod without any right towards the whole cluster: every step is refused by itself, even when the one before
//! it is given.

use std::time::Duration;

use eksile_tests::installation::{Done, until};
use serde_json::Value;

use crate::{Chapter, Target};

pub(crate) const CHAPTERS: &[Chapter] = &[
    ("a pod reads the credentials of its node's role", a_pod_reads_the_nodes_credentials),
    ("who holds the node role's credentials is more than that node", the_nodes_credentials_are_the_nodes_alone),
];

const SOON: Duration = Duration::from_secs(30);
const METADATA: &str = "http://169.254.169.254/latest";

/// User 1000, no capability, no token.
const POWERLESS: &str = "automountServiceAccountToken: false, securityContext: {runAsUser: 1000},";
const NO_CAPABILITY: &str = "securityContext: {allowPrivilegeEscalation: false, capabilities: {drop: [ALL]}},";

fn a_pod_reads_the_nodes_credentials(target: &Target) {
    let pods = target.pods();
    pods.make("powerless", "sleep 600", POWERLESS, NO_CAPABILITY);
    pods.phase("powerless", "Running");
    let try_it = |words: &str| pods.kubectl(&["exec", "powerless", "--", "/bin/sh", "-c", words]);
    let plain = try_it(&format!("wget -T 3 -q -O - {METADATA}/meta-data/iam/security-credentials/"));
    assert!(!plain.ok && plain.out.is_empty(), "{}", plain.out);
    // A token's answer does not come as far as a pod; busybox's wget cannot PUT, so the request is written by hand.
    let put = "printf 'PUT /latest/api/token HTTP/1.1\\r\\nHost: m\\r\\nX-aws-ec2-metadata-token-ttl-seconds: 60\\r\\n\
               Connection: close\\r\\n\\r\\n' | nc -w 3 169.254.169.254 80 || true";
    let answered = try_it(put);
    assert!(!answered.out.contains("200 OK"), "{}", answered.out);
    pods.delete("powerless");
}

/// kubectl with the node role's credentials, as the node's own processes get them.
struct Node<'a> {
    target: &'a Target,
    key: String,
    secret: String,
    token: String,
}

impl<'a> Node<'a> {
    /// By the metadata service, from the instance's own network.
    fn of(target: &'a Target) -> Self {
        let pods = target.pods();
        pods.make("robber", "sleep 600", "hostNetwork: true,", "");
        pods.phase("robber", "Running");
        // busybox's wget cannot PUT, and its nc hangs up on an answer that takes time.
        let put = "(printf 'PUT /latest/api/token HTTP/1.0\\r\\nHost: m\\r\\nX-aws-ec2-metadata-token-ttl-seconds: 60\\r\\n\\r\\n'; \
                   sleep 1) | nc -w 5 169.254.169.254 80";
        let token = until("the metadata service gives a token", SOON, || {
            let answer = pods.shell("robber", put);
            answer.split_once("\r\n\r\n").map(|(_, token)| token.to_owned()).ok_or(answer)
        });
        let get = |path: &str| {
            let header = format!("--header 'X-aws-ec2-metadata-token: {token}'");
            pods.shell("robber", &format!("wget -q -O - {header} {METADATA}/meta-data/{path}"))
        };
        let role = get("iam/security-credentials/");
        let document = get(&format!("iam/security-credentials/{role}"));
        let document: Value = serde_json::from_str(&document).unwrap();
        pods.delete("robber");
        let text = |name: &str| document[name].as_str().unwrap().to_owned();
        Self { target, key: text("AccessKeyId"), secret: text("SecretAccessKey"), token: text("Token") }
    }

    fn kubectl(&self, words: &[&str]) -> Done {
        let credentials = [
            ("AWS_ACCESS_KEY_ID", self.key.as_str()),
            ("AWS_SECRET_ACCESS_KEY", &self.secret),
            ("AWS_SESSION_TOKEN", &self.token),
        ];
        self.target.at.client_with("kubectl", words, &credentials)
    }

    fn apply(&self, name: &str, manifest: &str) -> Done {
        let file = self.target.at.scratch.path().join(format!("{name}.yaml"));
        std::fs::write(&file, manifest).unwrap();
        self.kubectl(&["create", "-f", file.to_str().unwrap()])
    }
}

#[track_caller]
fn forbidden(done: Done) {
    let text = done.bad();
    assert!(text.to_lowercase().contains("forbidden"), "{text}");
}

fn the_nodes_credentials_are_the_nodes_alone(target: &Target) {
    let pods = target.pods();
    let node = Node::of(target);
    let whoami = node.kubectl(&["auth", "whoami", "-o", "json"]).json();
    let info = &whoami["status"]["userInfo"];
    assert_eq!(info["username"], format!("system:node:{}", pods.node));
    // It may look after itself …
    assert_eq!(node.kubectl(&["get", "node", &pods.node, "-o", "name"]).good(), format!("node/{}", pods.node));
    // … and no more: Secrets that no pod of its own uses, and pods that would use them.
    pods.ask("create secret generic treasure --from-literal=key=value");
    forbidden(node.kubectl(&["get", "secret", "treasure"]));
    forbidden(node.kubectl(&["get", "secrets", "-A"]));
    let mirror = |name: &str, spec: &str| {
        format!(
            "{{apiVersion: v1, kind: Pod, metadata: {{name: {name}, annotations: {{kubernetes.io/config.mirror: x}}}}, \
             spec: {{nodeName: {}, {spec} containers: [{{name: c, image: '{}'}}]}}}}",
            pods.node, pods.image
        )
    };
    let volume = "volumes: [{name: s, secret: {secretName: treasure}}],";
    forbidden(node.apply("thief", &mirror("thief", volume)));
    forbidden(node.apply("actor", &mirror("actor", "serviceAccountName: default,")));
    forbidden(node.kubectl(&["create", "token", "default"]));
    forbidden(node.kubectl(&["create", "token", "default", "--duration=999999h"]));
    // A pod that is on no node, or another's, is not this one's to delete.
    let unbound = format!(
        "{{apiVersion: v1, kind: Pod, metadata: {{name: unbound}}, spec: {{containers: [{{name: c, image: '{}'}}]}}}}",
        pods.image
    );
    let file = target.at.scratch.path().join("unbound.yaml");
    std::fs::write(&file, unbound).unwrap();
    pods.kubectl(&["create", "-f", file.to_str().unwrap()]).good();
    forbidden(node.kubectl(&["delete", "pod", "unbound", "--wait=false"]));
    pods.delete("unbound");
    forbidden(node.kubectl(&["taint", "node", &pods.node, "x=y:NoSchedule"]));
    another_nodes_certificate_is_not_issued(target, &node);
    pods.ask("delete secret treasure");
}

fn another_nodes_certificate_is_not_issued(target: &Target, node: &Node<'_>) {
    let pods = target.pods();
    let file = |name: &str| target.at.scratch.path().join(name).display().to_string();
    let subject = "/O=system:nodes/CN=system:node:ip-10-0-1-250.us-west-2.compute.internal";
    let (key, csr) = (file("thief.key"), file("thief.csr"));
    let words = ["req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"];
    let words = [&words[..], &["-keyout", &key, "-out", &csr, "-subj", subject]].concat();
    target.at.client("openssl", &words).good();
    let encoded = target.at.client("base64", &["-w0", &csr]).good();
    for (name, signer, usage) in [
        ("thief-client", "kubernetes.io/kube-apiserver-client-kubelet", "client auth"),
        ("thief-serving", "kubernetes.io/kubelet-serving", "server auth"),
    ] {
        let manifest = format!(
            "{{apiVersion: certificates.k8s.io/v1, kind: CertificateSigningRequest, metadata: {{name: {name}}}, \
             spec: {{signerName: {signer}, request: {encoded}, usages: [digital signature, {usage}]}}}}"
        );
        let made = node.apply(name, &manifest);
        if !made.ok {
            assert!(made.err.to_lowercase().contains("forbidden"), "{}", made.err);
            continue;
        }
        a_later_request_is_decided(target, &encoded, &format!("after-{name}"));
        let status = pods.ask(&format!("get csr {name} -o jsonpath={{.status}}"));
        assert!(!status.contains("certificate") && !status.contains("Approved"), "{status}");
        pods.ask(&format!("delete csr {name} after-{name}"));
    }
}

/// Requests are looked at in turn: once a later one has its certificate, the one before has had its look.
fn a_later_request_is_decided(target: &Target, encoded: &str, name: &str) {
    let pods = target.pods();
    let manifest = format!(
        "{{apiVersion: certificates.k8s.io/v1, kind: CertificateSigningRequest, metadata: {{name: {name}}}, \
         spec: {{signerName: kubernetes.io/kube-apiserver-client, request: {encoded}, usages: [client auth]}}}}"
    );
    let file = target.at.scratch.path().join(format!("{name}.yaml"));
    std::fs::write(&file, manifest).unwrap();
    pods.kubectl(&["create", "-f", file.to_str().unwrap()]).good();
    pods.ask(&format!("certificate approve {name}"));
    until("a later request is decided", SOON, || {
        let certificate = pods.ask(&format!("get csr {name} -o jsonpath={{.status.certificate}}"));
        if certificate.is_empty() { Err("no certificate".to_owned()) } else { Ok(()) }
    });
}
