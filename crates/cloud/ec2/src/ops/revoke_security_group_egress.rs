use eksile_aws::{Ask, Call, Command, Fault, Reads, Shape};
use eksile_store::Txn;

use super::group_rules::{Asked, Revoked, Way};

/// <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_RevokeSecurityGroupEgress.html>
#[derive(Shape)]
pub(super) struct RevokeSecurityGroupEgress(Asked);

impl Command for RevokeSecurityGroupEgress {
    type Output = Revoked;

    fn asks(&self, call: &Call<'_>, state: Reads<'_>) -> Result<Vec<Ask>, Fault> {
        self.0.asks(call, state)
    }

    fn run(self, call: &Call<'_>, txn: &mut Txn<'_>) -> Result<Revoked, Fault> {
        self.0.revoke(call, txn, Way::Egress)
    }
}
