use eksile_ec2::records::Instance;
use eksile_eks::records::{AccessEntry, Cluster};
use eksile_store::{Key, Record, Scope, View};

/// Whether a site keeps a copy of the record stored under `key`.
///
/// Networks and Outposts concern every site, since a packet's path may cross several. Instances and
/// clusters concern the site that hosts them. IAM concerns none, nor does what other sites observed.
#[must_use]
pub fn concerns(site: &str, key: &str, value: &[u8], view: &View) -> bool {
    let Ok(parsed) = Key::parse(key) else { return false };
    match (parsed.service, parsed.kind) {
        ("ec2", Instance::KIND) => field(value, "site").as_deref() == Some(site),
        ("eks", Cluster::KIND) => field(value, "site").as_deref() == Some(site),
        ("eks", AccessEntry::KIND) => {
            let scope = Scope { account: parsed.account.to_owned(), region: parsed.region.to_owned() };
            let Some(name) = field(value, "cluster_name") else { return false };
            match view.record::<Cluster>(&scope, &name) {
                Ok(Some(cluster)) => cluster.site == site,
                // The cluster went first: the end of its entries still concerns whoever had them.
                Ok(None) => true,
                Err(error) => {
                    tracing::error!(%error, key, "access entry of an unreadable cluster is not sent");
                    false
                }
            }
        }
        ("ec2" | "outposts", _) => true,
        _ => false,
    }
}

/// One text field of a record's stored form, without decoding the rest.
fn field(stored: &[u8], name: &str) -> Option<String> {
    match serde_json::from_slice::<serde_json::Value>(stored) {
        Ok(value) => value.get("r")?.get(name)?.as_str().map(str::to_owned),
        Err(error) => {
            tracing::error!(%error, "a record that cannot be read is not sent");
            None
        }
    }
}
