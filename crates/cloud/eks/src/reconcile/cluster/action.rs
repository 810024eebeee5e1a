use eksile_ec2::records::{Instance, NetworkInterface, SecurityGroup};
use eksile_store::{RecordError, Scope, Txn};
use serde::Serialize;

use crate::records::{AccessEntry, Cluster};

/// One change of the Region's records; a plan is a list of them, carried out in one transaction.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub enum Action {
    /// Made or changed.
    PutGroup(SecurityGroup),
    /// Made or changed.
    PutInterface(NetworkInterface),
    /// Made or changed.
    PutInstance(Box<Instance>),
    /// Changed.
    PutCluster(Box<Cluster>),
    /// By id.
    DeleteGroup(String),
    /// By id.
    DeleteInterface(String),
    /// By id.
    DeleteAccessEntry(String),
    /// By name.
    DeleteCluster(String),
}

impl Action {
    /// Writes the change.
    ///
    /// # Errors
    /// The record has no stored form.
    pub(crate) fn apply(&self, txn: &mut Txn<'_>, scope: &Scope) -> Result<(), RecordError> {
        match self {
            Self::PutGroup(group) => txn.put_record(scope, group)?,
            Self::PutInterface(interface) => txn.put_record(scope, interface)?,
            Self::PutInstance(instance) => txn.put_record(scope, instance.as_ref())?,
            Self::PutCluster(cluster) => txn.put_record(scope, cluster.as_ref())?,
            Self::DeleteGroup(id) => drop(txn.delete_record::<SecurityGroup>(scope, id)),
            Self::DeleteInterface(id) => drop(txn.delete_record::<NetworkInterface>(scope, id)),
            Self::DeleteAccessEntry(id) => drop(txn.delete_record::<AccessEntry>(scope, id)),
            Self::DeleteCluster(name) => drop(txn.delete_record::<Cluster>(scope, name)),
        }
        Ok(())
    }
}
