use super::*;

fn csr(common_name: &str, organizations: &[&str], names: &[SanName]) -> Csr {
    Csr::parse(&csr_pem(common_name, organizations, names)).unwrap()
}

fn csr_pem(common_name: &str, organizations: &[&str], names: &[SanName]) -> String {
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
    String::from_utf8(output.stdout).unwrap()
}

fn own(list: &[&str]) -> Vec<String> {
    list.iter().map(|s| (*s).to_owned()).collect()
}

#[test]
fn masters_are_not_signed() {
    let usages = own(&["client auth"]);
    assert!(fits(CLIENT, &csr("admin", &[], &[]), &usages).is_ok());
    assert!(fits(CLIENT, &csr("admin", &["dev", "system:masters"], &[]), &usages).is_err());
    assert!(fits(CLIENT, &csr("admin", &[], &[]), &own(&["server auth"])).is_err());
    assert!(fits(CLIENT, &csr("admin", &[], &[]), &own(&["digital signature"])).is_err());
}

#[test]
fn a_kubelet_is_a_node() {
    let usages = own(&["digital signature", "client auth"]);
    assert!(fits(KUBELET, &csr("system:node:n", &["system:nodes"], &[]), &usages).is_ok());
    assert!(fits(KUBELET, &csr("system:node:n", &["system:nodes", "x"], &[]), &usages).is_err());
    assert!(fits(KUBELET, &csr("n", &["system:nodes"], &[]), &usages).is_err());
    let named = csr("system:node:n", &["system:nodes"], &[SanName::Dns("n".into())]);
    assert!(fits(KUBELET, &named, &usages).is_err());
    assert!(fits(SERVING, &named, &own(&["digital signature", "server auth"])).is_ok());
}

fn machine() -> Ground {
    Ground::Known(Machine { names: own(&["n"]), addresses: vec!["192.0.2.1".parse().unwrap()] })
}

#[test]
fn serving_names_must_be_the_instance_s() {
    let Ground::Known(machine) = machine() else { unreachable!() };
    let names = |list: &[SanName]| csr("system:node:n", &["system:nodes"], list);
    assert!(names_fit(&names(&[SanName::Dns("n".into()), SanName::Ip("192.0.2.1".parse().unwrap())]), &machine));
    assert!(!names_fit(&names(&[SanName::Ip("192.0.2.9".parse().unwrap())]), &machine));
    assert!(!names_fit(&names(&[SanName::Dns("n".into()), SanName::Dns("kubernetes.default.svc".into())]), &machine));
}

/// A request by `user` in `groups`, in the name of `system:node:NAME`.
fn asked(signer: &str, user: &str, groups: &[&str], name: &str, names: &[&str]) -> Value {
    let names: Vec<SanName> =
        names.iter().map(|name| name.parse().map_or_else(|_| SanName::Dns((*name).to_owned()), SanName::Ip)).collect();
    let pem = csr_pem(&format!("system:node:{name}"), &["system:nodes"], &names);
    let usage = if signer == SERVING { "server auth" } else { "client auth" };
    json!({"spec": {
        "signerName": signer, "username": user, "groups": groups, "request": STANDARD.encode(pem),
        "usages": ["digital signature", usage]
    }})
}

#[test]
fn a_node_gets_certificates_in_its_own_name_alone() {
    let now = Timestamp::UNIX_EPOCH;
    let node = &["system:nodes", "system:bootstrappers", "system:authenticated"][..];
    let approved = |request: &Value, ground: &Ground| matches!(plan(request, ground, now), Plan::Approve(_));
    let client = |user: &str, groups: &[&str]| asked(KUBELET, user, groups, "n", &[]);
    for groups in [node, &["system:nodes"], &["system:bootstrappers"]] {
        assert!(approved(&client("system:node:n", groups), &machine()), "{groups:?}");
        assert!(!approved(&client("system:node:other", groups), &machine()), "another's name");
        assert!(!approved(&client("system:bootstrap:abcdef", groups), &machine()), "whoever bootstraps");
        assert!(!approved(&client("system:node:n", groups), &Ground::Unknown), "no instance");
    }
    assert!(!approved(&client("system:node:n", &["system:authenticated"]), &machine()));
    assert!(!approved(&client("system:node:n", &["system:bootstrappers"]), &Ground::NoCloud));
}

#[test]
fn a_node_serves_under_the_names_and_addresses_of_its_instance() {
    let now = Timestamp::UNIX_EPOCH;
    let plan = |names: &[&str], ground: &Ground| {
        plan(&asked(SERVING, "system:node:n", &["system:nodes"], "n", names), ground, now)
    };
    assert!(matches!(plan(&["n", "192.0.2.1"], &machine()), Plan::Approve(_)));
    for stolen in [
        &["n", "192.0.2.2"][..],
        &["kubernetes.default.svc", "192.0.2.1"],
        &["10.100.0.1"],
        &["127.0.0.1"],
        &["localhost", "n"],
        &["*.compute.internal"],
    ] {
        assert_eq!(plan(stolen, &machine()), Plan::Later, "{stolen:?}");
    }
    assert_eq!(plan(&["n", "192.0.2.1"], &Ground::Unknown), Plan::Later);
    assert_eq!(plan(&["n", "192.0.2.1"], &Ground::NoCloud), Plan::Nothing, "a human must look at it");
}

#[test]
fn only_foreign_signers_and_finished_requests_are_left_alone() {
    let now = Timestamp::UNIX_EPOCH;
    let plan = |request: &Value| plan(request, &Ground::NoCloud, now);
    assert_eq!(plan(&json!({"spec": {"signerName": "example.com/x"}})), Plan::Nothing);
    let broken = json!({"spec": {"signerName": CLIENT, "request": "bm90IGEgcmVxdWVzdA=="}});
    assert!(matches!(plan(&broken), Plan::Fail(_)));
    let done = json!({"spec": {"signerName": CLIENT, "request": "x"}, "status": {"certificate": "x"}});
    assert_eq!(plan(&done), Plan::Nothing);
}
