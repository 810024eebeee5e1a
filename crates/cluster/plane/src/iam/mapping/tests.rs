//! Who becomes whom.

use super::*;

fn identity(canonical: &str, principal: &str, session: &str) -> Identity {
    Identity {
        arn: canonical.to_owned(),
        canonical: canonical.to_owned(),
        account: "1".to_owned(),
        principal: principal.to_owned(),
        session: session.to_owned(),
        access_key: "AK".to_owned(),
        instance: session.starts_with("i-").then(|| session.to_owned()),
    }
}

fn access(mode: AuthenticationMode) -> Access {
    Access {
        mode,
        creator: Some(Creator { arn: "arn:aws:iam::1:role/path/Admin".into(), principal_id: "AROA1".into() }),
        entries: Vec::new(),
        instances: BTreeMap::from([("i-0123456789abcdef0".to_owned(), "ip-10-0-0-1.ec2.internal".to_owned())]),
        addresses: BTreeMap::new(),
    }
}

fn config_map() -> AwsAuth {
    AwsAuth::read(&serde_json::json!({"data": {
        "mapRoles": "- rolearn: arn:aws:iam::1:role/Node\n  username: system:node:{{EC2PrivateDNSName}}\n  groups: [system:bootstrappers, system:nodes]\n- username: bad\n",
        "mapUsers": "not: a list", "mapAccounts": "['2']"
    }}))
}

#[test]
fn a_section_that_cannot_be_read_takes_nobody_else_away() {
    let deep = "[".repeat(100_000);
    for broken in ["\"\\", "not: [yaml", "{}", "a: &a [*a]", "\u{0}", &deep] {
        let map = AwsAuth::read(&serde_json::json!({"data": {
            "mapRoles": "- {rolearn: 'arn:aws:iam::1:role/R', username: u}", "mapUsers": broken, "mapAccounts": broken
        }}));
        let access = access(AuthenticationMode::ConfigMap);
        let found = user(&access, &map, &identity("arn:aws:iam::1:role/R", "AROA3", "s")).unwrap();
        assert_eq!(found.map(|user| user.name).as_deref(), Some("u"), "{broken:.20}");
    }
}

#[test]
fn the_creator_is_known_by_arn_and_id() {
    let access = access(AuthenticationMode::Api);
    let found =
        user(&access, &AwsAuth::default(), &identity("arn:aws:iam::1:role/Admin", "AROA1", "s")).unwrap().unwrap();
    assert_eq!((found.name.as_str(), &found.groups[..]), ("kubernetes-admin", &["system:masters".to_owned()][..]));
    assert!(
        user(&access, &AwsAuth::default(), &identity("arn:aws:iam::1:role/Admin", "AROA2", "s")).unwrap().is_none()
    );
}

#[test]
fn a_node_is_named_after_its_instance() {
    let access = access(AuthenticationMode::ApiAndConfigMap);
    let node = identity("arn:aws:iam::1:role/Node", "AROA3", "i-0123456789abcdef0");
    let found = user(&access, &config_map(), &node).unwrap().unwrap();
    assert_eq!(found.name, "system:node:ip-10-0-0-1.ec2.internal");
    assert!(user(&access, &config_map(), &identity("arn:aws:iam::1:role/Node", "AROA3", "i-none")).is_err());
    let mut only_api = access;
    only_api.mode = AuthenticationMode::Api;
    assert!(user(&only_api, &config_map(), &node).unwrap().is_none());
}

#[test]
fn a_session_that_only_has_an_instance_s_name_is_no_node() {
    let access = access(AuthenticationMode::ApiAndConfigMap);
    let mut node = identity("arn:aws:iam::1:role/Node", "AROA3", "i-0123456789abcdef0");
    node.instance = None;
    assert!(user(&access, &config_map(), &node).unwrap_err().contains("is no instance's"));
}

#[test]
fn an_entry_is_for_the_principal_that_it_was_made_for() {
    let mut access = access(AuthenticationMode::Api);
    let entry = |path: &str, id: &str, name: &str| {
        let entry = serde_json::json!({
            "id": format!("c/{path}"), "cluster_id": "c", "cluster_name": "c", "principal_id": id, "entry_type": "STANDARD",
            "principal_arn": format!("arn:aws:iam::1:role/{path}Dev"), "access_entry_arn": "", "username": name,
            "kubernetes_groups": [], "created_at": 0, "modified_at": 0, "tags": {}
        });
        serde_json::from_value::<AccessEntry>(entry).unwrap()
    };
    access.entries = vec![entry("old/", "AROAOLD", "old"), entry("new/", "AROANEW", "new")];
    let of = |id: &str| {
        let who = identity("arn:aws:iam::1:role/Dev", id, "s");
        user(&access, &AwsAuth::default(), &who).unwrap().map(|user| user.name)
    };
    assert_eq!(of("AROANEW").as_deref(), Some("new"));
    assert_eq!(of("AROAOLD").as_deref(), Some("old"));
    assert_eq!(of("AROATHIRD"), None, "made again under the same name, it is another role");
}

#[test]
fn a_name_that_two_instances_have_is_nobody_s() {
    let mut access = access(AuthenticationMode::Api);
    assert!(access.machine("ip-10-0-0-1.ec2.internal").is_some() && access.machine("other").is_none());
    access.instances.insert("i-0123456789abcdef1".to_owned(), "ip-10-0-0-1.ec2.internal".to_owned());
    assert!(access.machine("ip-10-0-0-1.ec2.internal").is_none());
}

#[test]
fn accounts_come_last() {
    let mut who = identity("arn:aws:iam::2:user/x", "AIDA", "");
    who.account = "2".to_owned();
    let found = user(&access(AuthenticationMode::ConfigMap), &config_map(), &who).unwrap().unwrap();
    assert_eq!((found.name.as_str(), found.groups.len()), ("arn:aws:iam::2:user/x", 0));
}

fn entry(kind: &str, username: &str, groups: &[&str]) -> AccessEntry {
    let entry = serde_json::json!({
        "id": "c/e", "cluster_id": "c", "cluster_name": "c", "principal_id": "AROA3", "entry_type": kind,
        "principal_arn": "arn:aws:iam::1:role/R", "access_entry_arn": "", "username": username,
        "kubernetes_groups": groups, "created_at": 0, "modified_at": 0, "tags": {}
    });
    serde_json::from_value(entry).unwrap()
}

/// Whom an entry makes of a session of the role.
fn by_entry(session: &str, entry: AccessEntry) -> Result<(String, Vec<String>), String> {
    let mut access = access(AuthenticationMode::Api);
    access.entries = vec![entry];
    let who = identity("arn:aws:iam::1:role/R", "AROA3", session);
    user(&access, &AwsAuth::default(), &who).map(|user| user.unwrap()).map(|user| (user.name, user.groups))
}

/// Whom an item of aws-auth makes of it.
fn by_config_map(session: &str, username: &str, groups: &[&str]) -> Result<(String, Vec<String>), String> {
    let access = access(AuthenticationMode::ConfigMap);
    let items = serde_json::json!([{"rolearn": "arn:aws:iam::1:role/R", "username": username, "groups": groups}]);
    let map = AwsAuth::read(&serde_json::json!({"data": {"mapRoles": items.to_string()}}));
    let who = identity("arn:aws:iam::1:role/R", "AROA3", session);
    user(&access, &map, &who).map(|user| user.unwrap()).map(|user| (user.name, user.groups))
}

#[test]
fn what_an_entry_becomes_is_judged_again() {
    for (session, username, groups) in [
        ("system", "a", &["{{SessionName}}:masters"][..]),
        ("masters", "a", &["system:{{SessionName}}"]),
        ("x", "a", &["system:masters"]),
        ("x", "a", &["eks:{{SessionName}}"]),
        ("x", "a", &["{{SessionName}}"]),
        ("system", "{{SessionNameRaw}}:serviceaccount:kube-system:{{SessionName}}", &[]),
        ("aws", "{{SessionName}}:x", &[]),
        ("x", "system:node:ip-10-0-0-1.ec2.internal", &[]),
    ] {
        by_entry(session, entry("STANDARD", username, groups)).unwrap_err();
    }
    let named = by_entry("ann@b", entry("STANDARD", "a:{{SessionName}}:{{SessionNameRaw}}", &["view"])).unwrap();
    assert_eq!(named, ("a:ann-b:ann@b".to_owned(), vec!["view".to_owned()]));
}

#[test]
fn no_type_of_entry_makes_a_chosen_session_a_node() {
    let (node, groups) = ("ip-10-0-0-1.ec2.internal", &["system:bootstrappers", "system:nodes"]);
    for kind in ["HYBRID_LINUX", "HYPERPOD_LINUX", "FARGATE_LINUX", "EC2_LINUX", "STANDARD", "EC2", ""] {
        for session in [node, "i-0123456789abcdef0"] {
            by_entry(session, entry(kind, "system:node:{{SessionName}}", groups)).unwrap_err();
            by_entry(session, entry(kind, &format!("system:node:{node}"), groups)).unwrap_err();
        }
    }
    let own = by_entry("i-0123456789abcdef0", entry("EC2_LINUX", "system:node:{{EC2PrivateDNSName}}", groups)).unwrap();
    assert_eq!(own.0, format!("system:node:{node}"));
}

#[test]
fn in_aws_auth_reserved_names_are_written_and_not_filled_in() {
    for (session, username, groups) in [
        ("system", "{{SessionName}}:admin", &[][..]),
        ("system", "{{SessionNameRaw}}:serviceaccount:kube-system:x", &[]),
        ("admin", "system:{{SessionName}}", &[]),
        ("system", "a", &["{{SessionName}}:masters"]),
        ("masters", "a", &["system:{{SessionName}}"]),
        ("x", "{{Unknown}}", &[]),
        ("x", "a{{SessionName", &[]),
        // Nodes are instances.
        ("ip-10-0-0-1.ec2.internal", "system:node:{{SessionName}}", &["system:nodes"]),
        ("x", "system:node:ip-10-0-0-1.ec2.internal", &["system:nodes"]),
        ("i-0123456789abcdef0", "system:node:other", &["system:nodes"]),
        ("x", "a", &["system:bootstrappers"]),
        ("x", "a", &["system:nodes"]),
    ] {
        by_config_map(session, username, groups).unwrap_err();
    }
    let admin = by_config_map("ann", "aws:{{AccountID}}:dev:{{SessionName}}", &["system:masters"]).unwrap();
    assert_eq!(admin, ("aws:1:dev:ann".to_owned(), vec!["system:masters".to_owned()]));
    assert_eq!(by_config_map("a@b", "{{SessionNameRaw}}", &[]).unwrap().0, "a@b");
}
