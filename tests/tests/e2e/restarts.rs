//! Every process may be killed with -9 and comes back to the same state.

use std::{path::Path, time::Duration};

use crate::{
    disconnected::with,
    installation::{Installation, kill, until},
};

const SOON: Duration = Duration::from_secs(30);

pub(crate) fn the_region_is_killed(at: &Installation, admin: &Path) {
    let before = at.aws("ec2 describe-vpcs").good();
    let pid = at.pid_of("region").unwrap();
    kill(pid, "-KILL");
    assert!(with(at, admin, "get nodes").good().contains("Ready"), "the cluster does without the Region");
    until("the Region is back", SOON, || {
        let new = at.pid_of("region");
        if new.is_some_and(|new| new != pid) { Ok(()) } else { Err(format!("{new:?}")) }
    });
    until("the same state", SOON, || {
        let after = at.aws("ec2 describe-vpcs");
        if after.ok && after.out.trim_end() == before { Ok(()) } else { Err(after.err) }
    });
    assert_eq!(at.aws("eks describe-cluster --name my-cluster --query cluster.status --output text").good(), "ACTIVE");
}

pub(crate) fn everything_else_is_killed(at: &Installation, admin: &Path) {
    let started = at.kubectl("get pod hello -o jsonpath={.status.containerStatuses[0].containerID}").good();
    let outpost = at.status()["links"][0]["outpost"].as_str().unwrap().to_owned();
    let site = format!("site {outpost}");
    // Whole phrases: the Outpost's name is also in the arguments of its instances and containers, and theirs may be the
    // lower pid.
    for words in [vec![site.as_str()], vec!["site us-west-2"], vec!["control-plane"], vec!["eksile node"]] {
        let pid = *at.pids(&words).first().unwrap_or_else(|| panic!("no process {words:?}"));
        kill(pid, "-KILL");
        until("started again", SOON, || {
            let pids = at.pids(&words);
            if pids.first().is_some_and(|new| *new != pid) { Ok(()) } else { Err(format!("{words:?}: {pids:?}")) }
        });
        until("the pod answers", SOON, || {
            let said = with(at, admin, "exec hello -- hostname");
            if said.ok { Ok(()) } else { Err(format!("{words:?}: {}", said.err)) }
        });
    }
    let after = at.kubectl("get pod hello -o jsonpath={.status.containerStatuses[0].containerID}").good();
    assert_eq!(started, after, "the container was not touched");
    assert!(at.pid_of(&site).is_some());
}

pub(crate) fn up_is_killed(at: &mut Installation, admin: &Path) {
    let world = at.world();
    at.kill_up();
    until("the world ends with it", SOON, || {
        if Path::new(&format!("/proc/{world}")).exists() { Err("still there".to_owned()) } else { Ok(()) }
    });
    at.up();
    until("the cluster serves again", SOON, || {
        let nodes = with(at, admin, "get nodes");
        if nodes.ok && nodes.out.contains(" Ready") { Ok(()) } else { Err(nodes.out + &nodes.err) }
    });
    until("the pod runs again", Duration::from_secs(60), || {
        let said = with(at, admin, "exec hello -- hostname");
        if said.ok { Ok(()) } else { Err(said.err) }
    });
}
