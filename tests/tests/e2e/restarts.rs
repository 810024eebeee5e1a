//! Every process may be killed with -9 and comes back to the same state.

use std::{path::Path, time::Duration};

use eksile_tests::certificate::with;
use eksile_tests::installation::{Installation, kill, until};

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

/// The container is started again, as its pod's restart policy says.
pub(crate) fn a_shim_is_killed(at: &Installation) {
    let restarts = || at.kubectl("get pod hello -o jsonpath={.status.containerStatuses[0].restartCount}").good();
    let (before, pids) = (restarts(), at.pids(&["shim"]));
    assert_eq!(pids.len(), 1, "one container runs: {pids:?}");
    kill(pids[0], "-KILL");
    until("the container was started again", SOON, || {
        let (count, said) = (restarts(), at.kubectl("exec hello -- hostname"));
        if count != before && said.ok { Ok(()) } else { Err(format!("{count} after {before}: {}", said.err)) }
    });
    let last = "get pod hello -o jsonpath={.status.containerStatuses[0].lastState.terminated.exitCode}";
    assert_eq!(at.kubectl(last).good(), "137");
}

/// As if the instance had lost its power: it boots again.
pub(crate) fn an_instance_is_killed(at: &Installation, admin: &Path) {
    let query = "ec2 describe-instances --filters Name=tag:Name,Values=my-cluster-node --output text --query";
    let node = at.aws(&format!("{query} Reservations[].Instances[].InstanceId")).good();
    let words = ["eksile instance", &node];
    let pid = *at.pids(&words).first().expect("the instance's first process");
    kill(pid, "-KILL");
    until("it was started again", SOON, || {
        let pids = at.pids(&words);
        if pids.first().is_some_and(|new| *new != pid) { Ok(()) } else { Err(format!("{pids:?}")) }
    });
    stands_again(at, admin);
    let told = at.aws(&format!("{query} Reservations[].Instances[].[State.Name,StateReason.Message]")).good();
    assert!(told.starts_with("running") && told.contains("was started again"), "{told}");
}

pub(crate) fn the_world_is_killed(at: &Installation, admin: &Path) {
    let world = at.world();
    let keeper = at.pids(&[" world "]);
    assert_eq!(keeper.len(), 1, "{keeper:?}");
    kill(keeper[0], "-KILL");
    until("another world", SOON, || {
        let new = at.world();
        if new == world { Err(format!("{new} still")) } else { Ok(()) }
    });
    stands_again(at, admin);
}

pub(crate) fn up_is_killed(at: &mut Installation, admin: &Path) {
    let world = at.world();
    at.kill_up();
    until("the world ends with it", SOON, || {
        if Path::new(&format!("/proc/{world}")).exists() { Err("still there".to_owned()) } else { Ok(()) }
    });
    at.up();
    stands_again(at, admin);
}

fn stands_again(at: &Installation, admin: &Path) {
    until("the cluster serves again", SOON, || {
        let nodes = with(at, admin, "get nodes");
        if nodes.ok && nodes.out.contains(" Ready") { Ok(()) } else { Err(nodes.out + &nodes.err) }
    });
    until("the pod runs again", Duration::from_secs(60), || {
        let said = with(at, admin, "exec hello -- hostname");
        if said.ok { Ok(()) } else { Err(said.err) }
    });
}
