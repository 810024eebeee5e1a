//! The Region's side of clusters: places them, watches over them, gives back what they held.

pub mod cluster;

use std::time::Duration;

use eksile_base::{Clock, ids};
use eksile_ec2::reconcile::Alarm;
use eksile_store::{RecordError, Store, WriteError};

use self::cluster::{Given, Observation, plan};
use crate::records::Cluster;

/// Services whose records a cluster's state follows from.
const WATCHED: &[&str] = &["eks", "ec2", "iam", "outposts", "observed"];

/// How often to look without being woken: a failure may have passed.
const AGAIN: Duration = Duration::from_secs(30);

/// Keeps the clusters of every account and Region as they should be, until the store is closed or the future dropped.
/// Level-triggered: any change of a watched record makes it look at all clusters again.
pub async fn run(store: Store, clock: Clock) {
    let mut alarm = Alarm::new(&store, WATCHED);
    loop {
        if let Err(error) = pass(&store, &clock).await {
            tracing::error!(%error, "clusters not reconciled");
        }
        tokio::select! {
            woken = alarm.rung() => if woken.is_err() { return },
            () = tokio::time::sleep(AGAIN) => {}
        }
    }
}

/// One look at every cluster, each in a transaction of its own.
///
/// # Errors
/// The store failed, or a record cannot be read.
pub async fn pass(store: &Store, clock: &Clock) -> Result<(), WriteError<RecordError>> {
    let clusters = store.view().all_records::<Cluster>().map_err(WriteError::Refused)?;
    for (scope, cluster) in clusters {
        let now = clock.now().as_second();
        let written = store.write(move |txn| {
            let Some(seen) = Observation::read(txn, &scope, &cluster.name)? else { return Ok(()) };
            let mut given = Given { region: &scope.region, now, ids: &mut ids::aws };
            let actions = plan(&seen, &mut given);
            actions.iter().try_for_each(|action| action.apply(txn, &scope))
        });
        written.await?;
    }
    Ok(())
}
