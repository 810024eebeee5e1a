use super::*;

fn csr(common_name: &str, organizations: &[&str], names: Vec<SanName>) -> Csr {
    // Requests come from openssl: only it is asked to make one here.
    let folder =
        std::env::temp_dir().join(format!("eksile-csr-{}-{}", std::process::id(), eksile_base::ids::kube_suffix()));
    std::fs::create_dir_all(&folder).unwrap();
    let subject: String =
        organizations.iter().map(|o| format!("/O={o}")).chain([format!("/CN={common_name}")]).collect();
    let mut command = std::process::Command::new("openssl");
    command.args([
        "req",
        "-new",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:prime256v1",
        "-nodes",
        "-subj",
        &subject,
    ]);
    command.arg("-keyout").arg(folder.join("key"));
    if !names.is_empty() {
        let list: Vec<String> = names
            .iter()
            .map(|n| match n {
                SanName::Dns(d) => format!("DNS:{d}"),
                SanName::Ip(i) => format!("IP:{i}"),
                SanName::Email(e) => format!("email:{e}"),
                SanName::Uri(u) => format!("URI:{u}"),
            })
            .collect();
        command.arg("-addext").arg(format!("subjectAltName={}", list.join(",")));
    }
    let output = command.output().unwrap();
    std::fs::remove_dir_all(&folder).unwrap();
    Csr::parse(std::str::from_utf8(&output.stdout).unwrap()).unwrap()
}

fn own(list: &[&str]) -> Vec<String> {
    list.iter().map(|s| (*s).to_owned()).collect()
}

#[test]
fn masters_are_not_signed() {
    let usages = own(&["client auth"]);
    assert!(fits(CLIENT, &csr("admin", &[], vec![]), &usages).is_ok());
    assert!(fits(CLIENT, &csr("admin", &["dev", "system:masters"], vec![]), &usages).is_err());
    assert!(fits(CLIENT, &csr("admin", &[], vec![]), &own(&["server auth"])).is_err());
    assert!(fits(CLIENT, &csr("admin", &[], vec![]), &own(&["digital signature"])).is_err());
}

#[test]
fn a_kubelet_is_a_node() {
    let usages = own(&["digital signature", "client auth"]);
    assert!(fits(KUBELET, &csr("system:node:n", &["system:nodes"], vec![]), &usages).is_ok());
    assert!(fits(KUBELET, &csr("system:node:n", &["system:nodes", "x"], vec![]), &usages).is_err());
    assert!(fits(KUBELET, &csr("n", &["system:nodes"], vec![]), &usages).is_err());
    let named = csr("system:node:n", &["system:nodes"], vec![SanName::Dns("n".into())]);
    assert!(fits(KUBELET, &named, &usages).is_err());
    assert!(fits(SERVING, &named, &own(&["digital signature", "server auth"])).is_ok());
}

#[test]
fn serving_names_must_be_the_node_s() {
    let node =
        json!({"metadata": {"name": "n"}, "status": {"addresses": [{"type": "InternalIP", "address": "192.0.2.1"}]}});
    let names = |list| csr("system:node:n", &["system:nodes"], list);
    assert!(names_fit(&names(vec![SanName::Dns("n".into()), SanName::Ip("192.0.2.1".parse().unwrap())]), &node));
    assert!(!names_fit(&names(vec![SanName::Ip("192.0.2.9".parse().unwrap())]), &node));
    assert!(!names_fit(&names(vec![SanName::Dns("other".into())]), &node));
}

#[test]
fn only_foreign_signers_and_finished_requests_are_left_alone() {
    let now = Timestamp::UNIX_EPOCH;
    assert_eq!(plan(&json!({"spec": {"signerName": "example.com/x"}}), None, now), Plan::Nothing);
    let broken = json!({"spec": {"signerName": CLIENT, "request": "bm90IGEgcmVxdWVzdA=="}});
    assert!(matches!(plan(&broken, None, now), Plan::Fail(_)));
    let done = json!({"spec": {"signerName": CLIENT, "request": "x"}, "status": {"certificate": "x"}});
    assert_eq!(plan(&done, None, now), Plan::Nothing);
}
