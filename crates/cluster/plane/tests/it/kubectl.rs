//! The real kubectl.

use std::io::Write as _;
use std::process::{Command, Stdio};

use crate::plane::Plane;

/// A kubectl that acts as the bearer of a token.
pub(crate) struct Kubectl<'a> {
    plane: &'a Plane,
    config: String,
}

impl<'a> Kubectl<'a> {
    pub(crate) fn new(plane: &'a Plane, token: &str) -> Self {
        let config = plane.folder.path().join(format!("kubeconfig-{token}"));
        let text = format!(
            "apiVersion: v1\nkind: Config\nclusters: [{{name: c, cluster: {{server: '{}', certificate-authority: '{}'}}}}]\n\
             users: [{{name: u, user: {{token: {token}}}}}]\ncontexts: [{{name: x, context: {{cluster: c, user: u}}}}]\n\
             current-context: x\n",
            plane.url(),
            plane.folder.path().join("pki/ca.crt").display()
        );
        std::fs::write(&config, text).unwrap();
        Self { plane, config: config.display().to_string() }
    }

    /// Standard output, or standard error when it fails.
    pub(crate) fn run(&self, arguments: &[&str], input: &str) -> Result<String, String> {
        let mut child = Command::new("kubectl")
            .args(arguments)
            .arg("--kubeconfig")
            .arg(&self.config)
            .env("HOME", self.plane.folder.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("kubectl must be on PATH");
        child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
        let output = child.wait_with_output().unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        if output.status.success() { Ok(text(&output.stdout)) } else { Err(text(&output.stderr)) }
    }

    /// The same, when it must succeed.
    pub(crate) fn ok(&self, arguments: &[&str]) -> String {
        self.run(arguments, "").unwrap_or_else(|error| panic!("{arguments:?}: {error}"))
    }
}

const MAP: &str = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a, labels: {app: x}}\ndata: {k: v}\n";

#[test]
fn objects_are_made_changed_and_removed() {
    let plane = Plane::start();
    let kubectl = Kubectl::new(&plane, "admin-token");
    assert_eq!(kubectl.run(&["apply", "-f", "-"], MAP).unwrap().trim(), "configmap/a created");
    assert_eq!(kubectl.run(&["apply", "-f", "-"], MAP).unwrap().trim(), "configmap/a unchanged");
    let changed = MAP.replace("k: v", "k: w");
    assert_eq!(kubectl.run(&["apply", "-f", "-"], &changed).unwrap().trim(), "configmap/a configured");
    let data = |kubectl: &Kubectl<'_>| kubectl.ok(&["get", "cm", "a", "-o", "jsonpath={.data}"]);
    for (kind, patch, expected) in [
        ("strategic", r#"{"data":{"s":"1"}}"#, r#"{"k":"w","s":"1"}"#),
        ("merge", r#"{"data":{"s":null,"m":"1"}}"#, r#"{"k":"w","m":"1"}"#),
        ("json", r#"[{"op":"replace","path":"/data/m","value":"2"}]"#, r#"{"k":"w","m":"2"}"#),
    ] {
        kubectl.ok(&["patch", "cm", "a", "--type", kind, "-p", patch]);
        assert_eq!(data(&kubectl), expected, "{kind}");
    }
    let conflict = kubectl.run(&["apply", "--server-side", "--field-manager", "other", "-f", "-"], MAP).unwrap_err();
    assert!(conflict.contains("conflict"), "{conflict}");
    kubectl.run(&["apply", "--server-side", "--force-conflicts", "--field-manager", "other", "-f", "-"], MAP).unwrap();
    assert_eq!(data(&kubectl), r#"{"k":"v","m":"2"}"#);
    assert_eq!(kubectl.ok(&["get", "cm", "-l", "app=x", "-o", "name"]).trim(), "configmap/a");
    assert_eq!(kubectl.ok(&["delete", "cm", "a"]).trim(), "configmap \"a\" deleted");
    assert!(kubectl.run(&["get", "cm", "a"], "").unwrap_err().contains("configmaps \"a\" not found"));
}

#[test]
fn fields_are_explained_and_rights_are_told() {
    let plane = Plane::start();
    let kubectl = Kubectl::new(&plane, "admin-token");
    let explained = kubectl.ok(&["explain", "pod.spec.containers"]);
    for part in
        ["FIELD: containers", "The main containers", "A program in an image", "imagePullPolicy", "When to fetch"]
    {
        assert!(explained.contains(part), "{part}: {explained}");
    }
    assert!(!explained.contains("<no description>"), "{explained}");
    let recursive = kubectl.ok(&["explain", "pod", "--recursive"]);
    assert!(recursive.contains("Containers that share a network address"), "{recursive}");
    assert!(recursive.lines().filter(|line| line.contains('<')).count() > 500, "{recursive}");
    assert!(kubectl.ok(&["api-resources"]).contains("certificatesigningrequests"));
    assert_eq!(kubectl.ok(&["auth", "can-i", "delete", "nodes"]).trim(), "yes");
    let joe = Kubectl::new(&plane, "joe-token");
    assert!(joe.run(&["auth", "can-i", "list", "pods"], "").is_err());
    let denied = joe.run(&["get", "pods"], "").unwrap_err();
    assert!(
        denied.contains("User \"joe\" cannot list resource \"pods\" in API group \"\" in the namespace \"default\""),
        "{denied}"
    );
    kubectl.ok(&["create", "rolebinding", "joe", "--clusterrole", "view", "--user", "joe"]);
    assert_eq!(joe.ok(&["auth", "can-i", "list", "pods"]).trim(), "yes");
    assert!(joe.run(&["get", "secrets"], "").is_err());
}

#[test]
fn a_namespace_takes_its_content_along() {
    let plane = Plane::start();
    let kubectl = Kubectl::new(&plane, "admin-token");
    kubectl.ok(&["create", "ns", "x"]);
    kubectl.ok(&["-n", "x", "create", "secret", "generic", "s", "--from-literal=a=b"]);
    kubectl.ok(&["wait", "-n", "x", "--for=create", "sa/default", "cm/kube-root-ca.crt", "--timeout=30s"]);
    kubectl.ok(&["delete", "ns", "x", "--timeout=30s"]);
    assert!(kubectl.run(&["get", "ns", "x"], "").is_err());
    assert!(kubectl.ok(&["get", "secrets", "-A", "-o", "name"]).is_empty());
}

#[test]
fn a_watch_tells_of_changes() {
    let plane = Plane::start();
    let kubectl = Kubectl::new(&plane, "admin-token");
    kubectl.ok(&["create", "cm", "seen", "--from-literal=a=1"]);
    let waited = std::thread::scope(|scope| {
        let waiting = scope.spawn(|| kubectl.ok(&["wait", "cm/seen", "--for=jsonpath={.data.a}=2", "--timeout=30s"]));
        kubectl.ok(&["patch", "cm", "seen", "-p", r#"{"data":{"a":"2"}}"#]);
        waiting.join().unwrap()
    });
    assert!(waited.contains("condition met"), "{waited}");
}

#[test]
fn a_list_is_checked_and_applied() {
    let plane = Plane::start();
    let kubectl = Kubectl::new(&plane, "admin-token");
    let list = |field: &str| {
        format!(
            "apiVersion: v1\nkind: List\nitems:\n- {{apiVersion: v1, kind: ConfigMap, metadata: {{name: a}}, {field}: {{k: v}}}}\n\
             - {{apiVersion: v1, kind: Secret, metadata: {{name: b}}, stringData: {{k: v}}}}\n"
        )
    };
    // A List is in no document of OpenAPI v3: kubectl checks it itself, by v2.
    let refused = kubectl.run(&["apply", "-f", "-"], &list("dat")).unwrap_err();
    assert!(refused.contains("unknown field \"dat\" in io.k8s.api.core.v1.ConfigMap"), "{refused}");
    let applied = kubectl.run(&["apply", "-f", "-"], &list("data")).unwrap();
    assert_eq!(applied.lines().collect::<Vec<_>>(), ["configmap/a created", "secret/b created"]);
    let unknown =
        kubectl.run(&["apply", "-f", "-"], "apiVersion: none/v1\nkind: None\nmetadata: {name: a}\n").unwrap_err();
    assert!(unknown.contains("no matches for kind \"None\" in version \"none/v1\""), "{unknown}");
}

#[test]
fn what_is_too_large_is_refused_in_upstreams_words() {
    let plane = Plane::start();
    let kubectl = Kubectl::new(&plane, "admin-token");
    let file = plane.folder.path().join("large");
    std::fs::write(&file, vec![b'x'; 1_100_000]).unwrap();
    let source = format!("--from-file={}", file.display());
    let refused = kubectl.run(&["create", "configmap", "large", &source], "").unwrap_err();
    assert!(refused.contains("\"large\" is invalid: []: Too long: may not be more than 1048576 bytes"), "{refused}");
}
