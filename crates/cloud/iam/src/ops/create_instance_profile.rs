use eksile_aws::inputs::{Tag, TagRules, merge_tags};
use eksile_aws::{Ask, Call, Command, Fault, Reads, Shape};
use eksile_store::Txn;

use crate::names;
use crate::records::{InstanceProfile, Tags};
use crate::shapes;
use crate::{asked, find};

/// <https://docs.aws.amazon.com/IAM/latest/APIReference/API_CreateInstanceProfile.html>
#[derive(Shape)]
pub(super) struct CreateInstanceProfile {
    instance_profile_name: String,
    path: Option<String>,
    tags: Vec<Tag>,
}

#[derive(Shape)]
pub(super) struct Output {
    instance_profile: shapes::InstanceProfile,
}

impl Command for CreateInstanceProfile {
    type Output = Output;

    fn asks(&self, call: &Call<'_>, _state: Reads<'_>) -> Result<Vec<Ask>, Fault> {
        let path = self.path.as_deref().unwrap_or("/");
        let arn = format!("arn:aws:iam::{}:instance-profile{path}{}", call.scope.account, self.instance_profile_name);
        Ok(asked::made(&arn, None, &self.tags, "iam:TagInstanceProfile"))
    }

    fn run(self, call: &Call<'_>, txn: &mut Txn<'_>) -> Result<Output, Fault> {
        names::name("instanceProfileName", &self.instance_profile_name, 128)?;
        let path = names::path(self.path)?;
        let state = Reads::of(txn);
        find::unused::<InstanceProfile>(state, &call.scope, "Instance Profile", &self.instance_profile_name)?;
        let mut tags = Tags::new();
        merge_tags(&mut tags, self.tags, TagRules::IAM_OTHERS)?;
        let profile = InstanceProfile {
            name: self.instance_profile_name,
            path,
            instance_profile_id: call.mint.principal("AIPA"),
            role: None,
            created: call.now.as_second(),
            tags,
        };
        txn.put_record(&call.scope, &profile)?;
        Ok(Output { instance_profile: shapes::InstanceProfile::of(&profile, call, Reads::of(txn))? })
    }
}
