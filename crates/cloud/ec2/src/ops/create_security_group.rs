use eksile_aws::inputs::{Tag, TagSpecification, specified_tags};
use eksile_aws::{Ask, Call, Command, Fault, Reads, Shape};
use eksile_store::Txn;

use crate::asked;
use crate::records::{Peer, SecurityGroup, Vpc};
use crate::resource::{self, find, invalid_value};
use crate::shown::tag_set;
use crate::vpcs::all_traffic;

/// <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CreateSecurityGroup.html>
#[derive(Shape)]
pub(super) struct CreateSecurityGroup {
    group_name: String,
    #[shape(input = "GroupDescription")]
    description: String,
    vpc_id: Option<String>,
    #[shape(input = "TagSpecification")]
    tag_specifications: Vec<TagSpecification>,
}

/// The group.
#[derive(Shape)]
pub(super) struct Output {
    group_id: String,
    security_group_arn: String,
    tag_set: Vec<Tag>,
}

/// Letters, digits, spaces and `._-:/()#,@[]+=&;{}!$*`, at most 255.
fn check(text: &str, parameter: &str) -> Result<(), Fault> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || " ._-:/()#,@[]+=&;{}!$*".contains(c);
    if text.is_empty() || text.len() > 255 || !text.chars().all(allowed) {
        let message = format!(
            "Value ({text}) for parameter {parameter} is invalid. Character sets beyond ASCII are not supported, and it \
             must have 1 to 255 characters."
        );
        return Err(invalid_value(message));
    }
    Ok(())
}

impl Command for CreateSecurityGroup {
    type Output = Output;

    fn asks(&self, call: &Call<'_>, state: Reads<'_>) -> Result<Vec<Ask>, Fault> {
        let vpc_id = match &self.vpc_id {
            Some(id) => Some(id.clone()),
            None => state.records::<Vpc>(&call.scope)?.into_iter().find(|vpc| vpc.is_default).map(|vpc| vpc.vpc_id),
        };
        let vpc = vpc_id.as_deref().map(|id| asked::arn::<Vpc>(call, Some(id)));
        let mut asks = asked::made::<SecurityGroup>(call, "CreateSecurityGroup", &self.tag_specifications, |ask| {
            ask.maybe("ec2:Vpc", vpc.as_deref())
        });
        asks.push(asked::ask::<Vpc>(call, state, vpc_id.as_deref())?);
        Ok(asks)
    }

    fn run(self, call: &Call<'_>, txn: &mut Txn<'_>) -> Result<Output, Fault> {
        let name = self.group_name;
        check(&name, "GroupName")?;
        check(&self.description, "GroupDescription")?;
        if name == "default" {
            let message = "Cannot use reserved security group name: default";
            return Err(Fault::client("InvalidGroup.Reserved", 400, message));
        }
        if name.starts_with("sg-") {
            let message =
                format!("Value ({name}) for parameter GroupName is invalid. Group names may not be in the format sg-*");
            return Err(invalid_value(message));
        }
        let vpc = vpc(call, txn, self.vpc_id.as_deref())?;
        let groups = txn.records::<SecurityGroup>(&call.scope)?;
        if groups.iter().any(|other| other.vpc_id == vpc.vpc_id && other.group_name == name) {
            let message = format!("The security group '{name}' already exists for VPC '{}'", vpc.vpc_id);
            return Err(Fault::client("InvalidGroup.Duplicate", 400, message));
        }
        let group = SecurityGroup {
            group_id: call.id("sg"),
            group_name: name,
            description: self.description,
            vpc_id: vpc.vpc_id,
            ingress: Vec::new(),
            egress: vec![all_traffic(Peer::Cidr("0.0.0.0/0".to_owned()), call.mint)],
            tags: specified_tags(&self.tag_specifications, "security-group")?,
        };
        txn.put_record(&call.scope, &group)?;
        Ok(Output {
            security_group_arn: resource::arn::<SecurityGroup>(call, Some(&group.group_id)),
            tag_set: tag_set(&group.tags),
            group_id: group.group_id,
        })
    }
}

/// The VPC named, or the default one.
fn vpc(call: &Call<'_>, txn: &Txn<'_>, named: Option<&str>) -> Result<Vpc, Fault> {
    if let Some(id) = named {
        return find(Reads::of(txn), &call.scope, id);
    }
    let default = txn.records::<Vpc>(&call.scope)?.into_iter().find(|vpc| vpc.is_default);
    default.ok_or_else(|| Fault::client("VPCIdNotSpecified", 400, "No default VPC for this user"))
}
