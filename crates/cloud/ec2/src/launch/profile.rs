//! The instance profile of a launch.

use eksile_aws::{Call, Fault, Reads, Shape};

use crate::records::InstanceProfileRef;

/// `IamInstanceProfileSpecification` of the EC2 API: a name or an ARN.
#[derive(Debug, Clone, Shape)]
pub(crate) struct ProfileSpecification {
    arn: Option<String>,
    name: Option<String>,
}

impl ProfileSpecification {
    pub(crate) fn find(&self, _call: &Call<'_>, _reads: Reads<'_>) -> Result<InstanceProfileRef, Fault> {
        Err(Fault::not_implemented("IamInstanceProfile"))
    }

    /// ARNs of the roles it hands to the instance.
    pub(crate) fn roles(&self, _call: &Call<'_>, _reads: Reads<'_>) -> Vec<String> {
        Vec::new()
    }
}
