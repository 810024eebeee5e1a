use eksile_aws::{Ask, Call, Command, Fault, Reads, Shape};
use eksile_store::Txn;

use crate::launch::MetadataRequest;
use crate::records::MetadataDefaults;
use crate::shown::Done;

/// What is left out stays as it is; `no-preference` (of the hop limit -1) takes a preference back.
/// <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_ModifyInstanceMetadataDefaults.html>
#[derive(Shape)]
pub(super) struct ModifyInstanceMetadataDefaults {
    http_tokens: Option<String>,
    http_put_response_hop_limit: Option<i32>,
    http_endpoint: Option<String>,
    instance_metadata_tags: Option<String>,
}

impl Command for ModifyInstanceMetadataDefaults {
    type Output = Done;

    fn asks(&self, _call: &Call<'_>, _state: Reads<'_>) -> Result<Vec<Ask>, Fault> {
        Ok(vec![Ask::any()])
    }

    fn run(self, call: &Call<'_>, txn: &mut Txn<'_>) -> Result<Done, Fault> {
        let known = txn.record::<MetadataDefaults>(&call.scope, MetadataDefaults::ID)?.unwrap_or_default();
        let none = |given: &Option<String>| given.as_deref() == Some("no-preference");
        let kept = MetadataDefaults {
            enabled: known.enabled.filter(|_| !none(&self.http_endpoint)),
            tokens_required: known.tokens_required.filter(|_| !none(&self.http_tokens)),
            hop_limit: known.hop_limit.filter(|_| self.http_put_response_hop_limit != Some(-1)),
            tags: known.tags.filter(|_| !none(&self.instance_metadata_tags)),
        };
        let said = |given: Option<String>| given.filter(|text| text != "no-preference");
        let asked = MetadataRequest {
            http_tokens: said(self.http_tokens),
            http_put_response_hop_limit: self.http_put_response_hop_limit.filter(|limit| *limit != -1),
            http_endpoint: said(self.http_endpoint),
            http_protocol_ipv6: None,
            instance_metadata_tags: said(self.instance_metadata_tags),
        };
        txn.put_record(&call.scope, &asked.read()?.or(&kept))?;
        Ok(Done::TRUE)
    }
}
