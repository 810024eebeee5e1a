use eksile_aws::inputs::Filter;
use eksile_aws::{Ask, Call, Fault, Lookup, Reads, Shape};
use eksile_store::View;

use crate::resource::select;
use crate::shown::{SECURITY_GROUP_FILTERS, SecurityGroupShown, security_group_values};

/// <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeSecurityGroups.html>
#[derive(Shape)]
pub(super) struct DescribeSecurityGroups {
    #[shape(input = "GroupId")]
    group_ids: Vec<String>,
    #[shape(input = "GroupName")]
    group_names: Vec<String>,
    #[shape(input = "Filter")]
    filters: Vec<Filter>,
}

/// Groups by id.
#[derive(Shape)]
pub(super) struct Output {
    security_group_info: Vec<SecurityGroupShown>,
}

impl Lookup for DescribeSecurityGroups {
    type Output = Output;

    fn asks(&self, _call: &Call<'_>, _state: Reads<'_>) -> Result<Vec<Ask>, Fault> {
        Ok(vec![Ask::any()])
    }

    fn run(self, call: &Call<'_>, view: &View) -> Result<Output, Fault> {
        let Self { group_ids, group_names, filters } = self;
        let mut groups =
            select(Reads::of(view), &call.scope, &group_ids, &filters, SECURITY_GROUP_FILTERS, |group, name| {
                security_group_values(call, group, name)
            })?;
        if let Some(missing) = group_names.iter().find(|name| !groups.iter().any(|group| group.group_name == **name)) {
            let message = format!("The security group '{missing}' does not exist");
            return Err(Fault::client("InvalidGroup.NotFound", 400, message));
        }
        groups.retain(|group| group_names.is_empty() || group_names.contains(&group.group_name));
        Ok(Output { security_group_info: groups.iter().map(|group| SecurityGroupShown::of(call, group)).collect() })
    }
}
