//! How a cluster's IAM role stands.

use eksile_aws::Reads;
use eksile_aws::policy::Document;
use eksile_iam::records::Role as RoleRecord;
use eksile_store::{RecordError, Scope};

use crate::names::Principal;

/// The policy that a local cluster's role needs (EKS user guide, "Amazon EKS local cluster IAM role").
pub(crate) const LOCAL_POLICY: &str = "arn:aws:iam::aws:policy/AmazonEKSLocalOutpostClusterPolicy";

/// Who assumes a local cluster's role: its control-plane instances.
pub(crate) const LOCAL_SERVICE: &str = "ec2.amazonaws.com";

/// How a local cluster's IAM role stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// As it should.
    Able,
    /// There is none of that ARN.
    Missing,
    /// Control-plane instances may not assume it.
    Distrustful,
    /// It lacks the policy.
    Unprivileged,
}

impl Role {
    /// Looks the role up.
    ///
    /// # Errors
    /// The stored record cannot be read.
    pub(crate) fn of(reads: Reads<'_>, role_arn: &str) -> Result<Self, RecordError> {
        let Some(Principal { account, kind: "role", name, .. }) = Principal::parse(role_arn) else {
            return Ok(Self::Missing);
        };
        let record = reads.record::<RoleRecord>(&Scope::new(account, "global"), name)?;
        let Some(record) = record.filter(|record| record.arn(account) == role_arn) else { return Ok(Self::Missing) };
        let trust = Document::trust(&record.trust);
        let trusts = |document: &Document| document.principals().any(|p| p.services.iter().any(|s| s == LOCAL_SERVICE));
        if !trust.is_ok_and(|document| trusts(&document)) {
            return Ok(Self::Distrustful);
        }
        let privileged = record.grants.attached.iter().any(|arn| arn == LOCAL_POLICY);
        Ok(if privileged { Self::Able } else { Self::Unprivileged })
    }
}
