use eksile_ec2::records::{Peer, Rule};
use eksile_linux::{Effects, Script};

use super::super::plan::Plan;
use super::super::{base, diff, plan};
use super::topology::{EDGE_ONE, Machine};
use super::topology::{OUTPOST, REGION, WEB, add, records};

/// Compares with `NAME.golden` beside this file; with `EKSILE_GOLDENS=update` writes it instead.
fn golden(name: &str, actions: &[eksile_linux::Action]) {
    let mut script = Script::default();
    assert!(script.perform(actions).is_empty());
    let seen = script.lines.join("\n") + "\n";
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src/fabric/tests").join(format!("{name}.golden"));
    if std::env::var("EKSILE_GOLDENS").is_ok_and(|v| v == "update") {
        std::fs::write(&path, &seen).unwrap();
    }
    let wanted = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(seen == wanted, "{} differs (EKSILE_GOLDENS=update rewrites it):\n{seen}", path.display());
}

#[test]
fn base_places() {
    golden("base", &diff::actions(&Plan::default(), &base::plan(&[OUTPOST.to_owned()])));
}

#[test]
fn the_zones_part() {
    golden("zones", &diff::actions(&Plan::default(), &plan(&records(), (REGION, REGION))));
}

#[test]
fn the_outposts_part() {
    golden("outpost", &diff::actions(&Plan::default(), &plan(&records(), (OUTPOST, REGION))));
}

#[test]
fn a_new_instance_leaves_the_rest_alone() {
    let before = plan(&records(), (OUTPOST, REGION));
    let mut more = records();
    add(&mut more, &Machine { suffix: "c3", ip: "10.0.9.12", ..EDGE_ONE });
    let after = plan(&more, (OUTPOST, REGION));
    golden("instance_added", &diff::actions(&before, &after));
    golden("instance_removed", &diff::actions(&after, &before));
}

#[test]
fn the_same_records_need_nothing() {
    let wanted = plan(&records(), (REGION, REGION));
    assert_eq!(diff::actions(&wanted, &plan(&records(), (REGION, REGION))), []);
}

#[test]
fn an_instance_keeps_its_interface_until_it_has_ended() {
    let running = plan(&records(), (REGION, REGION));
    let mut ending = records();
    let web = ending.instances.iter_mut().find(|instance| instance.instance_id == WEB.id()).unwrap();
    web.wanted = eksile_ec2::records::WantedInstanceState::Terminated;
    ending.alive.insert(WEB.id());
    assert_eq!(plan(&ending, (REGION, REGION)), running);
    ending.alive.clear();
    assert!(!plan(&ending, (REGION, REGION)).places.contains_key(&WEB.id()));
}

#[test]
fn secondary_addresses_lead_through_the_primary() {
    let mut more = records();
    let of_web = |i: &&mut eksile_ec2::records::NetworkInterface| i.network_interface_id == WEB.interface();
    more.interfaces.iter_mut().find(of_web).unwrap().secondary_private_ips = vec!["10.0.1.77".into()];
    let actions = diff::actions(&plan(&records(), (REGION, REGION)), &plan(&more, (REGION, REGION)));
    let text: Vec<_> = actions.iter().map(ToString::to_string).collect();
    let route = "10.0.1.77/32 in 0xa: via 10.0.1.10 on e0000000000a1".to_owned();
    assert!(text.iter().any(|line| line.ends_with(&route)), "{text:#?}");
    assert!(text.iter().any(|line| line.contains("\"e0000000000a1\" . 10.0.1.77")), "{text:#?}");
}

#[test]
fn records_that_cannot_be_understood_are_told_and_nothing_else_suffers() {
    let mut odd = records();
    odd.subnets[1].cidr_block = "10.0.2.0/99".into();
    odd.interfaces[1].mac_address = "\"; flush ruleset; #".into();
    odd.security_groups[0].ingress.push(Rule {
        rule_id: "sgr-odd".into(),
        ip_protocol: "tcp; flush ruleset".into(),
        from_port: None,
        to_port: None,
        peer: Peer::Cidr("0.0.0.0/0; drop".into()),
        description: None,
    });
    let plan = plan(&odd, (REGION, REGION));
    assert_eq!(plan.pending.len(), 3, "{:?}", plan.pending);
    let actions = diff::actions(&Plan::default(), &plan);
    assert!(actions.iter().all(|a| !a.to_string().contains("flush")));
    assert!(actions.len() > 20);
}
