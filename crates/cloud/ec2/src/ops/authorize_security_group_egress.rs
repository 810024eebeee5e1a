use eksile_aws::{Ask, Call, Command, Fault, Reads, Shape};
use eksile_store::Txn;

use super::group_rules::{Asked, Authorized, Way};

/// <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_AuthorizeSecurityGroupEgress.html>
#[derive(Shape)]
pub(super) struct AuthorizeSecurityGroupEgress(Asked);

impl Command for AuthorizeSecurityGroupEgress {
    type Output = Authorized;

    fn asks(&self, call: &Call<'_>, state: Reads<'_>) -> Result<Vec<Ask>, Fault> {
        self.0.asks(call, state)
    }

    fn run(self, call: &Call<'_>, txn: &mut Txn<'_>) -> Result<Authorized, Fault> {
        self.0.authorize(call, txn, Way::Egress)
    }
}
