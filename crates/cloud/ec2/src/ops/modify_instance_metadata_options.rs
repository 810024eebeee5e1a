use eksile_aws::{Ask, Call, Command, Fault, Reads, Shape};
use eksile_store::Txn;

use crate::asked;
use crate::launch::{MetadataRequest, tellable};
use crate::network::Network;
use crate::records::{Instance, InstanceState};
use crate::resource::find;
use crate::shown::MetadataOptionsShown;

/// What is left out stays as it is.
/// <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_ModifyInstanceMetadataOptions.html>
#[derive(Shape)]
pub(super) struct ModifyInstanceMetadataOptions {
    instance_id: String,
    http_tokens: Option<String>,
    http_put_response_hop_limit: Option<i32>,
    http_endpoint: Option<String>,
    http_protocol_ipv6: Option<String>,
    instance_metadata_tags: Option<String>,
}

/// The options as they will be.
#[derive(Shape)]
pub(super) struct Output {
    instance_id: String,
    instance_metadata_options: MetadataOptionsShown,
}

impl Command for ModifyInstanceMetadataOptions {
    type Output = Output;

    fn asks(&self, call: &Call<'_>, state: Reads<'_>) -> Result<Vec<Ask>, Fault> {
        Ok(vec![asked::ask::<Instance>(call, state, Some(&self.instance_id))?])
    }

    fn run(self, call: &Call<'_>, txn: &mut Txn<'_>) -> Result<Output, Fault> {
        let mut instance: Instance = find(Reads::of(txn), &call.scope, &self.instance_id)?;
        let state = Network::read(Reads::of(txn), &call.scope)?.state(&instance);
        if matches!(state, InstanceState::ShuttingDown | InstanceState::Terminated) {
            let message =
                format!("The instance '{}' is not in a valid state for this operation.", instance.instance_id);
            return Err(Fault::client("IncorrectInstanceState", 400, message));
        }
        let asked = MetadataRequest {
            http_tokens: self.http_tokens,
            http_put_response_hop_limit: self.http_put_response_hop_limit,
            http_endpoint: self.http_endpoint,
            http_protocol_ipv6: self.http_protocol_ipv6,
            instance_metadata_tags: self.instance_metadata_tags,
        };
        instance.metadata_options = asked.read()?.over(instance.metadata_options);
        tellable(instance.metadata_options, &instance.tags)?;
        txn.put_record(&call.scope, &instance)?;
        Ok(Output {
            instance_id: self.instance_id,
            instance_metadata_options: MetadataOptionsShown::of(instance.metadata_options, "pending"),
        })
    }
}
