use eksile_aws::{Call, Command, Fault, Reads, Shape};
use eksile_store::Txn;

use super::group_rules::{Asked, Way, authorize, group};
use crate::permission::IpPermission;
use crate::records::SecurityGroup;
use crate::resource;
use crate::shown::RuleShown;

/// <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_AuthorizeSecurityGroupIngress.html>
#[derive(Shape)]
pub(super) struct AuthorizeSecurityGroupIngress {
    group_id: Option<String>,
    group_name: Option<String>,
    ip_permissions: Vec<IpPermission>,
    ip_protocol: Option<String>,
    from_port: Option<i32>,
    to_port: Option<i32>,
    cidr_ip: Option<String>,
}

/// The rules made.
#[derive(Shape)]
pub(super) struct Output {
    #[shape(name = "return")]
    done: bool,
    security_group_rule_set: Vec<RuleShown>,
}

impl Command for AuthorizeSecurityGroupIngress {
    type Output = Output;

    fn resources(&self, call: &Call<'_>, _state: Reads<'_>) -> Vec<String> {
        vec![resource::arn::<SecurityGroup>(call, self.group_id.as_deref())]
    }

    fn run(self, call: &Call<'_>, txn: &mut Txn<'_>) -> Result<Output, Fault> {
        let group = group(call, txn, self.group_id.as_deref(), self.group_name.as_deref())?;
        let asked = Asked {
            permissions: self.ip_permissions,
            ip_protocol: self.ip_protocol,
            ports: (self.from_port, self.to_port),
            cidr_ip: self.cidr_ip,
        };
        let rules = authorize(call, txn, group, Way::Ingress, asked)?;
        Ok(Output { done: true, security_group_rule_set: rules })
    }
}
