use std::collections::BTreeMap;

use eksile_aws::Fault;
use serde::{Deserialize, Serialize};

/// The policies of a user or role.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Grants {
    /// Name to document.
    pub inline: BTreeMap<String, String>,
    /// ARNs of managed policies, in the order of their attachment.
    pub attached: Vec<String>,
    /// ARN of the permissions boundary.
    pub boundary: Option<String>,
}

impl Grants {
    /// How many managed policies one identity takes: IAM's default quota.
    pub const LIMIT: usize = 10;

    /// Attaches a managed policy; attaching it again changes nothing.
    ///
    /// # Errors
    /// `LimitExceeded`.
    pub fn attach(&mut self, arn: String) -> Result<(), Fault> {
        if self.attached.contains(&arn) {
            return Ok(());
        }
        if self.attached.len() >= Self::LIMIT {
            let message = format!("Cannot exceed quota for PoliciesPerIdentity: {}", Self::LIMIT);
            return Err(Fault::client("LimitExceeded", 409, message));
        }
        self.attached.push(arn);
        Ok(())
    }

    /// Detaches a managed policy.
    ///
    /// # Errors
    /// `NoSuchEntity` when it is not attached.
    pub fn detach(&mut self, arn: &str) -> Result<(), Fault> {
        let Some(at) = self.attached.iter().position(|attached| attached == arn) else {
            return Err(Fault::client("NoSuchEntity", 404, format!("Policy {arn} was not found.")));
        };
        self.attached.remove(at);
        Ok(())
    }
}
