//! A stand-in for the Outpost's site: what is wanted is there at once.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use eksile_ec2::reconcile::Alarm;
use eksile_ec2::records::{Instance, InstanceState, ObservedInstance, WantedInstanceState};
use eksile_eks::records::{Cluster, ObservedCluster, WantedCluster};
use eksile_store::{RecordError, Scope, Store, Txn};

use super::server::{Guard, OUTPOST, Server};

pub(crate) fn start(server: &Server) -> Guard {
    Guard(vec![tokio::spawn(run(server.store.clone()))])
}

async fn run(store: Store) {
    let mut alarm = Alarm::new(&store, &["ec2", "eks"]);
    loop {
        store.write(report).await.expect("reported");
        if alarm.rung().await.is_err() {
            return;
        }
    }
}

fn report(txn: &mut Txn<'_>) -> Result<(), RecordError> {
    let scope = Scope::observed(OUTPOST);
    for (_, instance) in txn.all_records::<Instance>()?.into_iter().filter(|(_, instance)| instance.site == OUTPOST) {
        let state = match instance.wanted {
            WantedInstanceState::Running => InstanceState::Running,
            WantedInstanceState::Stopped => InstanceState::Stopped,
            WantedInstanceState::Terminated => InstanceState::Terminated,
        };
        let instance_id = instance.instance_id;
        let seen = ObservedInstance { instance_id, state, reason: None, since: instance.launch_time };
        put(txn, &scope, &seen)?;
    }
    for (_, cluster) in txn.all_records::<Cluster>()?.into_iter().filter(|(_, cluster)| !cluster.members.is_empty()) {
        let gone = cluster.wanted == WantedCluster::Absent;
        let seen = ObservedCluster {
            cluster_id: cluster.id,
            ready: !gone,
            certificate_authority_data: Some(STANDARD.encode("a certificate")),
            loopback_port: Some(6443),
            health: Vec::new(),
            gone,
        };
        put(txn, &scope, &seen)?;
    }
    Ok(())
}

/// Only what changes is written, or it would wake itself for ever.
fn put<R: eksile_store::Record + PartialEq>(txn: &mut Txn<'_>, scope: &Scope, seen: &R) -> Result<(), RecordError> {
    if txn.record::<R>(scope, seen.id())?.as_ref() != Some(seen) {
        txn.put_record(scope, seen)?;
    }
    Ok(())
}
