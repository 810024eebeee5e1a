use eksile_aws::Shape;

use crate::records::{MetadataDefaults, MetadataOptions};

/// `InstanceMetadataOptionsResponse` of the EC2 API.
#[derive(Debug, Shape)]
pub(crate) struct MetadataOptionsShown {
    state: String,
    http_tokens: String,
    http_put_response_hop_limit: u32,
    http_endpoint: String,
    http_protocol_ipv6: String,
    instance_metadata_tags: String,
}

fn switch(on: bool) -> String {
    if on { "enabled" } else { "disabled" }.to_owned()
}

fn tokens(required: bool) -> String {
    if required { "required" } else { "optional" }.to_owned()
}

impl MetadataOptionsShown {
    /// In a state: `pending` until the instance's site has them, then `applied`.
    pub(crate) fn of(options: MetadataOptions, state: &str) -> Self {
        Self {
            state: state.to_owned(),
            http_tokens: tokens(options.tokens_required),
            http_put_response_hop_limit: options.hop_limit.into(),
            http_endpoint: switch(options.enabled),
            http_protocol_ipv6: switch(false),
            instance_metadata_tags: switch(options.tags),
        }
    }
}

/// `InstanceMetadataDefaultsResponse` of the EC2 API: what there is no preference for is left out.
#[derive(Debug, Shape)]
pub(crate) struct MetadataDefaultsShown {
    http_tokens: Option<String>,
    http_put_response_hop_limit: Option<u32>,
    http_endpoint: Option<String>,
    instance_metadata_tags: Option<String>,
    managed_by: String,
}

impl From<MetadataDefaults> for MetadataDefaultsShown {
    fn from(defaults: MetadataDefaults) -> Self {
        Self {
            http_tokens: defaults.tokens_required.map(tokens),
            http_put_response_hop_limit: defaults.hop_limit.map(u32::from),
            http_endpoint: defaults.enabled.map(switch),
            instance_metadata_tags: defaults.tags.map(switch),
            managed_by: "account".to_owned(),
        }
    }
}
