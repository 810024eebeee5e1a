use eksile_store::Record;
use serde::{Deserialize, Serialize};

/// How an instance's metadata service behaves (EC2 user guide, "Configure the Instance Metadata Service options").
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct MetadataOptions {
    /// Whether it answers at all (`HttpEndpoint`).
    pub enabled: bool,
    /// Whether every question must bring a session token (`HttpTokens`).
    pub tokens_required: bool,
    /// Time to live of the packets that carry a token: how many hops it may travel, 1 to 64.
    pub hop_limit: u8,
    /// Whether the instance's tags are told (`InstanceMetadataTags`).
    pub tags: bool,
}

/// What holds where neither the launch, nor the account, nor the image says otherwise.
impl Default for MetadataOptions {
    fn default() -> Self {
        Self { enabled: true, tokens_required: false, hop_limit: 1, tags: false }
    }
}

/// What an account says for launches that do not say it themselves; `None` is no preference. One for each Region.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MetadataDefaults {
    /// As [`MetadataOptions::enabled`].
    pub enabled: Option<bool>,
    /// As [`MetadataOptions::tokens_required`].
    pub tokens_required: Option<bool>,
    /// As [`MetadataOptions::hop_limit`].
    pub hop_limit: Option<u8>,
    /// As [`MetadataOptions::tags`].
    pub tags: Option<bool>,
}

impl MetadataDefaults {
    /// The id of the only one.
    pub const ID: &'static str = "account";

    /// These, and where they have no preference those of `other`.
    #[must_use]
    pub fn or(&self, other: &Self) -> Self {
        Self {
            enabled: self.enabled.or(other.enabled),
            tokens_required: self.tokens_required.or(other.tokens_required),
            hop_limit: self.hop_limit.or(other.hop_limit),
            tags: self.tags.or(other.tags),
        }
    }

    /// Options that follow these, and `options` where these have no preference.
    #[must_use]
    pub fn over(&self, options: MetadataOptions) -> MetadataOptions {
        MetadataOptions {
            enabled: self.enabled.unwrap_or(options.enabled),
            tokens_required: self.tokens_required.unwrap_or(options.tokens_required),
            hop_limit: self.hop_limit.unwrap_or(options.hop_limit),
            tags: self.tags.unwrap_or(options.tags),
        }
    }
}

impl Record for MetadataDefaults {
    const SERVICE: &'static str = "ec2";
    const KIND: &'static str = "metadata-defaults";

    fn id(&self) -> &str {
        Self::ID
    }
}
