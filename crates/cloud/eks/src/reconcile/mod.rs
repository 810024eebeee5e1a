//! The Region's side of clusters: places them, watches over them, gives back what they held.

pub mod cluster;

use std::time::Duration;

use eksile_base::{Clock, ids};
use eksile_ec2::reconcile::Alarm;
use eksile_store::{RecordError, Scope, Store, WriteError};

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
            tracing::error!(%error, "clusters not reconciled, or not all");
        }
        tokio::select! {
            woken = alarm.rung() => if woken.is_err() { return },
            () = tokio::time::sleep(AGAIN) => {}
        }
    }
}

/// One look at every cluster, each in a transaction of its own, whatever becomes of the others: of one whose record, or
/// its account's, cannot be read nothing changes.
///
/// # Errors
/// The store failed; or a record cannot be read, the first of them, after all that can were looked at.
pub async fn pass(store: &Store, clock: &Clock) -> Result<(), WriteError<RecordError>> {
    let mut first = Ok(());
    let clusters = store.view().each_record::<Cluster>();
    for each in clusters {
        let looked = match each {
            Ok((scope, cluster)) => look(store, clock, scope, cluster).await,
            Err(error) => Err(WriteError::Refused(error)),
        };
        match looked {
            Err(WriteError::Refused(error)) => first = first.and(Err(WriteError::Refused(error))),
            other => other?,
        }
    }
    first
}

async fn look(store: &Store, clock: &Clock, scope: Scope, cluster: Cluster) -> Result<(), WriteError<RecordError>> {
    let now = clock.now().as_second();
    let written = store.write(move |txn| {
        let Some(seen) = Observation::read(txn, &scope, &cluster.name)? else { return Ok(()) };
        let mut given = Given { region: &scope.region, now, ids: &mut ids::aws };
        let actions = plan(&seen, &mut given);
        actions.iter().try_for_each(|action| action.apply(txn, &scope))
    });
    written.await.map(drop)
}
