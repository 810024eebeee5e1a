//! The table as a whole; words and values of each check are held to the real server's by `tests/oracle`.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::*;

fn pod(value: &Value) -> Pod {
    Pod::read(value).expect("a pod")
}

fn found(level: Level, version: Version, pod_: &Value) -> String {
    details(&violations(Standard { level, version }, &pod(pod_)))
}

/// A pod that does everything wrong that can be.
fn worst() -> Value {
    json!({
        "metadata": { "annotations": {
            "seccomp.security.alpha.kubernetes.io/pod": "unconfined",
            "container.apparmor.security.beta.kubernetes.io/a": "unconfined"
        } },
        "spec": {
            "hostPID": true,
            "volumes": [{ "name": "v", "hostPath": { "path": "/" } }],
            "securityContext": {
                "runAsUser": 0,
                "seccompProfile": { "type": "Unconfined" },
                "seLinuxOptions": { "role": "r" },
                "sysctls": [{ "name": "kernel.msgmax", "value": "1" }],
                "windowsOptions": { "hostProcess": true }
            },
            "containers": [{
                "name": "a",
                "ports": [{ "hostPort": 1 }],
                "securityContext": {
                    "privileged": true, "procMount": "Unmasked", "capabilities": { "add": ["SYS_ADMIN"] }
                }
            }]
        }
    })
}

#[test]
fn checks_are_told_in_the_order_of_their_ids() {
    for level in [Level::Baseline, Level::Restricted] {
        let ids: Vec<&str> = CHECKS.iter().filter(|check| check.level == level).map(|check| check.id).collect();
        assert!(ids.is_sorted(), "{ids:?}");
    }
    assert!(CHECKS.iter().map(|check| check.level).is_sorted());
    let ids: BTreeSet<&str> = CHECKS.iter().map(|check| check.id).collect();
    for check in CHECKS {
        assert!(check.forms.iter().map(|(from, _)| from).is_sorted(), "{}", check.id);
        assert!(check.instead_of.is_empty() || ids.contains(check.instead_of), "{}", check.id);
    }
}

#[test]
fn every_check_refuses_the_worst_pod_from_its_version_on() {
    let worst = pod(&worst());
    for check in CHECKS {
        for (from, judge) in check.forms {
            assert!(judge(&worst).is_some(), "{} of 1.{from}", check.id);
        }
        let (first, _) = check.forms[0];
        assert_eq!(check.at(first).is_some(), first.checked_sub(1).is_none_or(|before| check.at(before).is_none()));
    }
    let count = |level, minor| violations(Standard { level, version: Version::Minor(minor) }, &worst).len();
    assert_eq!(count(Level::Privileged, 33), 0);
    assert_eq!([0, 19, 33, u64::MAX].map(|minor| count(Level::Baseline, minor)), [11; 4]);
    // Capabilities and seccomp of the baseline go when their stricter forms come; hostPath at once.
    assert_eq!([0, 8, 19, 22, 23, 33].map(|minor| count(Level::Restricted, minor)), [12, 13, 13, 13, 14, 14]);
}

#[test]
fn what_a_restricted_pod_says_is_enough_at_every_level_and_version() {
    let kept = json!({ "spec": {
        "securityContext": { "runAsNonRoot": true, "seccompProfile": { "type": "RuntimeDefault" } },
        "containers": [{ "name": "a", "securityContext": {
            "allowPrivilegeEscalation": false, "capabilities": { "drop": ["ALL"] }
        } }]
    } });
    for version in (0..40).map(Version::Minor).chain([Version::Latest]) {
        for level in [Level::Privileged, Level::Baseline, Level::Restricted] {
            assert_eq!(found(level, version, &kept), "", "{level}:{version}");
        }
    }
}

#[test]
fn containers_of_all_three_lists_are_looked_at() {
    for list in ["initContainers", "containers", "ephemeralContainers"] {
        let bad = json!({ "spec": { list: [{ "name": "x", "securityContext": { "privileged": true } }] } });
        let told = found(Level::Baseline, Version::Latest, &bad);
        assert_eq!(told, "privileged (container \"x\" must not set securityContext.privileged=true)", "{list}");
    }
}

#[test]
fn null_is_absent_and_a_wrong_type_is_refused() {
    let silent = json!({ "spec": {
        "hostPID": null, "securityContext": null, "initContainers": null, "os": null,
        "volumes": [{ "name": "v", "hostPath": null, "emptyDir": {} }],
        "containers": [{ "name": "a", "ports": null, "securityContext": { "privileged": null, "capabilities": { "add": null } } }]
    } });
    assert_eq!(found(Level::Baseline, Version::Latest, &silent), "");
    let wrong = [
        json!({ "spec": { "hostPID": "true" } }),
        json!({ "spec": { "securityContext": { "runAsNonRoot": "true" } } }),
        json!({ "spec": { "securityContext": { "seccompProfile": "Unconfined" } } }),
        json!({ "spec": { "containers": [{ "name": "a", "securityContext": { "privileged": 1 } }] } }),
        json!({ "spec": { "containers": [{ "name": "a", "securityContext": { "windowsOptions": { "hostProcess": 1 } } }] } }),
        json!({ "spec": { "containers": { "name": "a" } } }),
        json!({ "spec": { "volumes": ["hostPath"] } }),
    ];
    for value in wrong {
        assert!(Pod::read(&value).is_err(), "{value}");
    }
}
