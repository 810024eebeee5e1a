//! What follows from instances ending and time passing.

mod alarm;
mod departure;

pub use alarm::{Alarm, Closed};
pub use departure::{Action, Departures, plan};

use std::time::Duration;

use eksile_base::Clock;
use eksile_store::{RecordError, Scope, Store, WriteError};

use crate::records::{Instance, NatGateway};

/// Services whose records this follows from.
const WATCHED: &[&str] = &["ec2", "observed"];

/// How often to look without being woken: time passes, and a failure may have.
const AGAIN: Duration = Duration::from_secs(30);

/// Releases what terminated instances held and forgets what has been gone for an hour, in every account and Region,
/// until the store is closed or the future dropped.
pub async fn run(store: Store, clock: Clock) {
    let mut alarm = Alarm::new(&store, WATCHED);
    loop {
        if let Err(error) = pass(&store, &clock).await {
            tracing::error!(%error, "instances not reconciled");
        }
        tokio::select! {
            woken = alarm.rung() => if woken.is_err() { return },
            () = tokio::time::sleep(AGAIN) => {}
        }
    }
}

/// One look at every scope that has instances or NAT gateways.
///
/// # Errors
/// The store failed, or a record cannot be read.
pub async fn pass(store: &Store, clock: &Clock) -> Result<(), WriteError<RecordError>> {
    for scope in scopes(store).map_err(WriteError::Refused)? {
        let now = clock.now().as_second();
        let written = store.write(move |txn| {
            let actions = plan(&Departures::observe(txn, &scope)?, now);
            actions.iter().try_for_each(|action| action.apply(txn, &scope))
        });
        written.await?;
    }
    Ok(())
}

fn scopes(store: &Store) -> Result<Vec<Scope>, RecordError> {
    let view = store.view();
    let instances = view.all_records::<Instance>()?.into_iter().map(|(scope, _)| scope);
    let gateways = view.all_records::<NatGateway>()?.into_iter().map(|(scope, _)| scope);
    let mut scopes: Vec<Scope> = instances.chain(gateways).collect();
    scopes.sort();
    scopes.dedup();
    Ok(scopes)
}
