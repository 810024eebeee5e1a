//! What follows from instances ending and time passing.

mod alarm;
mod departure;

pub use alarm::{Alarm, Closed};
pub use departure::{Action, Departures, plan};

use std::collections::BTreeSet;
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
            tracing::error!(%error, "instances not reconciled, or not all");
        }
        tokio::select! {
            woken = alarm.rung() => if woken.is_err() { return },
            () = tokio::time::sleep(AGAIN) => {}
        }
    }
}

/// One look at every scope that has instances or NAT gateways, each whatever becomes of the others: in one with a record
/// that cannot be read nothing changes.
///
/// # Errors
/// The store failed; or a record cannot be read, the first of them, after all that can were looked at.
pub async fn pass(store: &Store, clock: &Clock) -> Result<(), WriteError<RecordError>> {
    let (scopes, unreadable) = scopes(store);
    let mut first = unreadable.map_or(Ok(()), |error| Err(WriteError::Refused(error)));
    for scope in scopes {
        let now = clock.now().as_second();
        let written = store.write(move |txn| {
            let actions = plan(&Departures::observe(txn, &scope)?, now);
            actions.iter().try_for_each(|action| action.apply(txn, &scope))
        });
        match written.await {
            Err(WriteError::Refused(error)) => first = first.and(Err(WriteError::Refused(error))),
            other => drop(other?),
        }
    }
    first
}

/// And why a record cannot be read, if one cannot.
fn scopes(store: &Store) -> (BTreeSet<Scope>, Option<RecordError>) {
    let view = store.view();
    let instances = view.each_record::<Instance>().into_iter().map(|each| each.map(|(scope, _)| scope));
    let gateways = view.each_record::<NatGateway>().into_iter().map(|each| each.map(|(scope, _)| scope));
    let (mut scopes, mut unreadable) = (BTreeSet::new(), None);
    for each in instances.chain(gateways) {
        match each {
            Ok(scope) => drop(scopes.insert(scope)),
            Err(error) => drop(unreadable.get_or_insert(error)),
        }
    }
    (scopes, unreadable)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::records::{NatGatewayState, Tags};

    /// Neither a record that cannot be read nor its account keeps what others have to be released.
    #[tokio::test]
    async fn accounts_are_looked_at_whatever_becomes_of_others() {
        let (store, clock) = (Store::in_memory(), Clock::system());
        let scopes = ["1", "2", "3"].map(|account| Scope::new(account, "us-west-2"));
        let [unreadable, hindered, last] = &scopes;
        let gone = NatGateway {
            nat_gateway_id: "nat-1".to_owned(),
            subnet_id: String::new(),
            vpc_id: String::new(),
            allocation_id: String::new(),
            network_interface_id: String::new(),
            state: NatGatewayState::Deleted,
            create_time: 0,
            delete_time: Some(0),
            tags: Tags::new(),
        };
        let seed = store.write(|txn| {
            txn.put(&unreadable.key::<Instance>("i-1"), "not a record");
            txn.put(&hindered.key::<Instance>("i-2"), "not a record");
            [hindered, last].into_iter().try_for_each(|scope| txn.put_record(scope, &gone))
        });
        seed.await.unwrap();
        let told = pass(&store, &clock).await;
        let there = |scope| store.view().record::<NatGateway>(scope, "nat-1").unwrap().is_some();
        assert!(!there(last) && there(hindered));
        assert!(told.unwrap_err().to_string().contains("/1/"), "the first that cannot be read is told");
    }
}
