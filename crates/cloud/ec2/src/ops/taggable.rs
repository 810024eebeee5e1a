//! Resources of every kind, as far as tags go.

use eksile_aws::{Ask, Call, Fault, Reads};
use eksile_store::{Scope, Txn};

use crate::asked;
use crate::records::{
    Address, Instance, InternetGateway, NatGateway, NetworkInterface, RouteTable, SecurityGroup, Subnet, Tags, Vpc,
};
use crate::resource::{Resource, find};

macro_rules! each_kind {
    ($then:ident) => {
        $then!(Address, Instance, InternetGateway, NatGateway, NetworkInterface, RouteTable, SecurityGroup, Subnet, Vpc)
    };
}

fn change_one<R: Resource>(
    txn: &mut Txn<'_>,
    scope: &Scope,
    id: &str,
    change: &dyn Fn(&mut Tags) -> Result<(), Fault>,
) -> Result<(), Fault> {
    let mut record: R = find(Reads::of(txn), scope, id)?;
    change(record.tags_mut())?;
    txn.put_record(scope, &record)?;
    Ok(())
}

/// Changes the tags of the resource with that id, whatever its kind.
pub(super) fn change(
    call: &Call<'_>,
    txn: &mut Txn<'_>,
    id: &str,
    change: &dyn Fn(&mut Tags) -> Result<(), Fault>,
) -> Result<(), Fault> {
    macro_rules! by_prefix {
        ($($kind:ty),*) => {$(
            if id.starts_with(<$kind>::PREFIX) {
                return change_one::<$kind>(txn, &call.scope, id, change);
            }
        )*};
    }
    each_kind!(by_prefix);
    Err(Fault::client("InvalidID", 400, format!("The ID '{id}' is not valid")))
}

/// About each of the resources; about everything, where an id is none that can be tagged (the call itself says so).
pub(super) fn asks(
    call: &Call<'_>,
    state: Reads<'_>,
    ids: &[String],
    with: &dyn Fn(Ask) -> Ask,
) -> Result<Vec<Ask>, Fault> {
    if ids.is_empty() {
        return Ok(vec![with(Ask::any())]);
    }
    ids.iter().map(|id| about(call, state, id).map(with)).collect()
}

/// The keys of the tags of a resource that are not AWS's own.
pub(super) fn keys(call: &Call<'_>, state: Reads<'_>, id: &str) -> Result<Vec<String>, Fault> {
    macro_rules! by_prefix {
        ($($kind:ty),*) => {$(
            if id.starts_with(<$kind>::PREFIX) {
                let record = state.record::<$kind>(&call.scope, id)?;
                let keys = record.into_iter().flat_map(|record| record.tags.into_keys());
                return Ok(keys.filter(|key| !key.starts_with("aws:")).collect());
            }
        )*};
    }
    each_kind!(by_prefix);
    Ok(Vec::new())
}

fn about(call: &Call<'_>, state: Reads<'_>, id: &str) -> Result<Ask, Fault> {
    macro_rules! by_prefix {
        ($($kind:ty),*) => {$(
            if id.starts_with(<$kind>::PREFIX) {
                return asked::ask::<$kind>(call, state, Some(id));
            }
        )*};
    }
    each_kind!(by_prefix);
    Ok(Ask::any())
}

/// A resource's id, type and tags.
pub(super) struct Tagged {
    pub(super) id: String,
    pub(super) kind: &'static str,
    pub(super) tags: Tags,
}

/// Every resource of a scope, by kind, then id.
pub(super) fn all(reads: Reads<'_>, scope: &Scope) -> Result<Vec<Tagged>, Fault> {
    let mut tagged = Vec::new();
    macro_rules! read {
        ($($kind:ty),*) => {$(
            for record in reads.records::<$kind>(scope)? {
                tagged.push(Tagged { id: eksile_store::Record::id(&record).to_owned(), kind: <$kind>::TYPE, tags: record.tags });
            }
        )*};
    }
    each_kind!(read);
    Ok(tagged)
}
