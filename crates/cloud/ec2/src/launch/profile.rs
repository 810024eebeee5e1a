//! The instance profile of a launch.

use eksile_aws::{Ask, Call, Fault, Reads, Shape};
use eksile_iam::records::InstanceProfile;
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

    /// About handing over its role: nothing when the profile has none, or is none (the call itself says so).
    pub(crate) fn pass_role(&self, call: &Call<'_>, reads: Reads<'_>) -> Result<Option<Ask>, Fault> {
        let Some(named) = self.name.as_deref().or(self.arn.as_deref()) else { return Ok(None) };
        let instance = call.arn("ec2", "instance/*");
        eksile_iam::pass_profile(call, reads, named, "ec2.amazonaws.com", &instance)
    }

    /// The ARN that policies see (`ec2:InstanceProfile`); what it would be, where there is no such profile.
    pub(crate) fn asked_arn(&self, call: &Call<'_>, reads: Reads<'_>) -> Result<String, Fault> {
        let account = &call.scope.account;
        if let Some(profile) = self.record(call, reads)? {
            return Ok(profile.arn(account));
        }
        let name = self.name.as_deref().unwrap_or_default();
        Ok(self.arn.clone().unwrap_or_else(|| format!("arn:aws:iam::{account}:instance-profile/{name}")))
    }
}
