//! The instance profile of a launch.

use eksile_aws::{Call, Fault, Reads, Shape};
use eksile_iam::records::{InstanceProfile, Role};
use eksile_store::Scope;

use crate::records::InstanceProfileRef;
use crate::resource::invalid_value;

/// `IamInstanceProfileSpecification` of the EC2 API: a name or an ARN.
#[derive(Debug, Clone, Shape)]
pub(crate) struct ProfileSpecification {
    arn: Option<String>,
    name: Option<String>,
}

/// Where IAM's records of the caller's account are.
fn iam(call: &Call<'_>) -> Scope {
    Scope::new(call.scope.account.clone(), "global")
}

impl ProfileSpecification {
    /// The profile, by name or ARN, not both.
    pub(crate) fn find(&self, call: &Call<'_>, reads: Reads<'_>) -> Result<InstanceProfileRef, Fault> {
        if self.arn.is_some() && self.name.is_some() {
            let message =
                "The parameter 'iamInstanceProfile.name' may not be used in combination with 'iamInstanceProfile.arn'";
            return Err(Fault::client("InvalidParameterCombination", 400, message));
        }
        let profile = self.record(call, reads)?;
        let (parameter, value) = match (&self.arn, &self.name) {
            (Some(arn), _) => ("iamInstanceProfile.arn", arn.as_str()),
            (None, name) => ("iamInstanceProfile.name", name.as_deref().unwrap_or_default()),
        };
        let message = format!("Value ({value}) for parameter {parameter} is invalid. Invalid IAM Instance Profile");
        let profile = profile.ok_or_else(|| invalid_value(message))?;
        Ok(InstanceProfileRef { arn: profile.arn(&call.scope.account), id: profile.instance_profile_id })
    }

    fn record(&self, call: &Call<'_>, reads: Reads<'_>) -> Result<Option<InstanceProfile>, Fault> {
        let by_arn = self.arn.as_deref().and_then(|arn| arn.rsplit('/').next());
        let Some(name) = self.name.as_deref().or(by_arn) else { return Ok(None) };
        let found = reads.record::<InstanceProfile>(&iam(call), name)?;
        let account = &call.scope.account;
        Ok(found.filter(|profile| self.arn.as_ref().is_none_or(|arn| profile.arn(account) == *arn)))
    }

    /// ARNs of the roles it hands to the instance: none when the profile has none, or is none (the call itself says so).
    pub(crate) fn roles(&self, call: &Call<'_>, reads: Reads<'_>) -> Vec<String> {
        let Some(name) = self.record(call, reads).ok().flatten().and_then(|profile| profile.role) else {
            return Vec::new();
        };
        let account = &call.scope.account;
        match reads.record::<Role>(&iam(call), &name) {
            Ok(role) => role.map(|role| role.arn(account)).into_iter().collect(),
            // A role that cannot be read is passed all the same, so it is asked about.
            Err(error) => {
                tracing::error!(%error, name, "a role cannot be read");
                vec![format!("arn:aws:iam::{account}:role/{name}")]
            }
        }
    }
}
