use serde_json::json;

use super::*;

fn standard(level: Level, minor: Option<u32>) -> Standard {
    Standard { level, minor }
}

fn pod(spec: Value) -> Value {
    json!({"metadata": {"name": "p"}, "spec": spec})
}

/// One container, hardened as `restricted` wants it.
fn hardened() -> Value {
    json!({"containers": [{"name": "c", "securityContext": {
        "allowPrivilegeEscalation": false, "runAsNonRoot": true, "seccompProfile": {"type": "RuntimeDefault"},
        "capabilities": {"drop": ["ALL"]}
    }}]})
}

#[test]
fn a_plain_pod_is_baseline_and_a_hardened_one_restricted() {
    let plain = pod(json!({"containers": [{"name": "c"}]}));
    assert!(evaluate(standard(Level::Baseline, None), &plain).is_empty());
    let found = evaluate(standard(Level::Restricted, None), &plain);
    assert_eq!(
        found.details(),
        "allowPrivilegeEscalation != false (container \"c\" must set securityContext.allowPrivilegeEscalation=false), \
         unrestricted capabilities (container \"c\" must set securityContext.capabilities.drop=[\"ALL\"]), \
         runAsNonRoot != true (pod or container \"c\" must set securityContext.runAsNonRoot=true), \
         seccompProfile (pod or container \"c\" must set securityContext.seccompProfile.type to \"RuntimeDefault\" or \"Localhost\")"
    );
    assert!(evaluate(standard(Level::Restricted, None), &pod(hardened())).is_empty());
}

#[test]
fn what_baseline_forbids() {
    let with = |extra: Value| {
        let mut spec = json!({"containers": [{"name": "c"}]});
        for (name, value) in extra.as_object().unwrap() {
            spec[name] = value.clone();
        }
        evaluate(standard(Level::Baseline, None), &pod(spec)).details()
    };
    let one = |context: Value| with(json!({"containers": [{"name": "c", "securityContext": context}]}));
    for (found, expected) in [
        (with(json!({"hostPID": true, "hostNetwork": true})), "host namespaces (hostNetwork=true, hostPID=true)"),
        (with(json!({"volumes": [{"name": "v", "hostPath": {"path": "/"}}]})), "hostPath volumes (volume \"v\")"),
        (
            with(json!({"initContainers": [{"name": "i", "ports": [{"hostPort": 80}, {"hostPort": 443}]}]})),
            "hostPort (container \"i\" uses hostPorts 443, 80)",
        ),
        (one(json!({"privileged": true})), "privileged (container \"c\" must not set securityContext.privileged=true)"),
        (
            with(json!({"ephemeralContainers": [{"name": "e", "securityContext": {"privileged": true}}]})),
            "privileged (container \"e\" must not set securityContext.privileged=true)",
        ),
        (
            one(json!({"capabilities": {"add": ["SYS_ADMIN", "NET_RAW", "CHOWN"]}})),
            "non-default capabilities (container \"c\" must not include \"NET_RAW\", \"SYS_ADMIN\" in securityContext.capabilities.add)",
        ),
        (
            one(json!({"procMount": "Unmasked"})),
            "procMount (container \"c\" must not set securityContext.procMount to \"Unmasked\")",
        ),
        (
            one(json!({"seccompProfile": {"type": "Unconfined"}})),
            "seccompProfile (container \"c\" must not set securityContext.seccompProfile.type to \"Unconfined\")",
        ),
        (
            with(json!({"securityContext": {"sysctls": [{"name": "kernel.msgmax"}, {"name": "net.ipv4.tcp_rmem"}]}})),
            "forbidden sysctls (kernel.msgmax)",
        ),
        (
            with(json!({"securityContext": {"seLinuxOptions": {"type": "spc_t", "user": "u"}}})),
            "seLinuxOptions (pod set forbidden securityContext.seLinuxOptions: type \"spc_t\"; user may not be set)",
        ),
        (
            with(json!({"securityContext": {"appArmorProfile": {"type": "Unconfined"}}})),
            "forbidden AppArmor profile (pod must not set AppArmor profile type to \"Unconfined\")",
        ),
        (
            with(json!({"securityContext": {"windowsOptions": {"hostProcess": true}}})),
            "hostProcess (pod must not set securityContext.windowsOptions.hostProcess=true)",
        ),
    ] {
        assert_eq!(found, expected);
    }
}

#[test]
fn what_restricted_forbids_beside() {
    let spoil = |at: &str, value: Value| {
        let mut spec = hardened();
        *spec.pointer_mut(at).unwrap_or_else(|| panic!("{at}")) = value;
        evaluate(standard(Level::Restricted, None), &pod(spec)).reasons()
    };
    let context = "/containers/0/securityContext";
    for (field, value, reason) in [
        ("allowPrivilegeEscalation", json!(null), "allowPrivilegeEscalation != false"),
        ("runAsNonRoot", json!(false), "runAsNonRoot != true"),
        ("seccompProfile", json!(null), "seccompProfile"),
        ("capabilities", json!({"drop": ["ALL"], "add": ["CHOWN"]}), "unrestricted capabilities"),
    ] {
        assert_eq!(spoil(&format!("{context}/{field}"), value), reason);
    }
    let mut spec = hardened();
    spec["volumes"] =
        json!([{"name": "a", "nfs": {"server": "s"}}, {"name": "b", "emptyDir": {}}, {"name": "c", "hostPath": {}}]);
    spec["securityContext"] = json!({"runAsUser": 0});
    assert_eq!(
        evaluate(standard(Level::Restricted, None), &pod(spec)).details(),
        "restricted volume types (volumes \"a\", \"c\" use restricted volume types \"hostPath\", \"nfs\"), \
         runAsUser=0 (pod must not set runAsUser=0)"
    );
}

#[test]
fn a_version_has_the_checks_of_its_time() {
    let windows = pod(
        json!({"os": {"name": "windows"}, "containers": [{"name": "c", "securityContext": {"runAsNonRoot": true}}]}),
    );
    assert!(evaluate(standard(Level::Restricted, Some(25)), &windows).is_empty());
    assert_eq!(
        evaluate(standard(Level::Restricted, Some(24)), &windows).reasons(),
        "allowPrivilegeEscalation != false, unrestricted capabilities, seccompProfile"
    );
    let root = pod(json!({"securityContext": {"runAsNonRoot": true, "runAsUser": 0}, "containers": []}));
    assert!(evaluate(standard(Level::Restricted, Some(22)), &root).is_empty());
    assert_eq!(evaluate(standard(Level::Restricted, Some(99)), &root).reasons(), "runAsUser=0");
    let old = json!({"metadata": {"annotations": {"seccomp.security.alpha.kubernetes.io/pod": "unconfined"}},
                     "spec": {"containers": []}});
    assert_eq!(evaluate(standard(Level::Baseline, Some(18)), &old).reasons(), "seccompProfile");
    assert!(evaluate(standard(Level::Baseline, Some(19)), &old).is_empty());
}
