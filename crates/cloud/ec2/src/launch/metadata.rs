//! What a request says of the metadata service, read and judged.

use eksile_aws::{Call, Fault, Reads, Shape};

use crate::images::{self, Family};
use crate::records::{MetadataDefaults, MetadataOptions, Tags};
use crate::resource::invalid_value;

/// `InstanceMetadataOptionsRequest` of the EC2 API, and what `ModifyInstanceMetadataOptions` and
/// `ModifyInstanceMetadataDefaults` take beside what is their own.
#[derive(Debug, Default, Shape)]
pub(crate) struct MetadataRequest {
    pub(crate) http_tokens: Option<String>,
    pub(crate) http_put_response_hop_limit: Option<i32>,
    pub(crate) http_endpoint: Option<String>,
    pub(crate) http_protocol_ipv6: Option<String>,
    pub(crate) instance_metadata_tags: Option<String>,
}

/// Says of one text whether it is the first or the second word. Terraform's provider sends an empty text for what it
/// was not told.
fn choice(name: &str, given: Option<&str>, [yes, no]: [&str; 2]) -> Result<Option<bool>, Fault> {
    match given {
        None | Some("") => Ok(None),
        Some(word) if word == yes => Ok(Some(true)),
        Some(word) if word == no => Ok(Some(false)),
        Some(other) => Err(invalid_value(format!("Invalid value '{other}' for {name}. Valid values: {yes}, {no}"))),
    }
}

impl MetadataRequest {
    /// What it says; what it does not say is no preference.
    ///
    /// # Errors
    /// A value is none of AWS's, or asks for what is not built.
    pub(crate) fn read(&self) -> Result<MetadataDefaults, Fault> {
        let switch = ["enabled", "disabled"];
        if choice("HttpProtocolIpv6", self.http_protocol_ipv6.as_deref(), switch)? == Some(true) {
            return Err(Fault::not_implemented("The metadata service over IPv6 (HttpProtocolIpv6)"));
        }
        let hop_limit = match self.http_put_response_hop_limit {
            None | Some(0) => None,
            Some(limit) => Some(
                u8::try_from(limit)
                    .ok()
                    .filter(|limit| (1..=64).contains(limit))
                    .ok_or_else(|| invalid_value(format!("HttpPutResponseHopLimit must be 1 to 64, not {limit}")))?,
            ),
        };
        Ok(MetadataDefaults {
            enabled: choice("HttpEndpoint", self.http_endpoint.as_deref(), switch)?,
            tokens_required: choice("HttpTokens", self.http_tokens.as_deref(), ["required", "optional"])?,
            hop_limit,
            tags: choice("InstanceMetadataTags", self.instance_metadata_tags.as_deref(), switch)?,
        })
    }
}

/// The options of a new instance, each from the first that says it: the request, the account, the image (EC2 user guide,
/// "Order of precedence for instance metadata options").
///
/// # Errors
/// As [`MetadataRequest::read`], and for tags that cannot be told.
pub(crate) fn options(
    call: &Call<'_>,
    reads: Reads<'_>,
    asked: Option<&MetadataRequest>,
    image_id: &str,
    tags: &Tags,
) -> Result<MetadataOptions, Fault> {
    let asked = asked.map(MetadataRequest::read).transpose()?.unwrap_or_default();
    let account = reads.record::<MetadataDefaults>(&call.scope, MetadataDefaults::ID)?.unwrap_or_default();
    let image = images::find(call.region, image_id).map(|image| of_image(image.family)).unwrap_or_default();
    let options = asked.or(&account).or(&image).over(MetadataOptions::default());
    tellable(options, tags)?;
    Ok(options)
}

/// What `ImdsSupport=v2.0` of an image says: tokens, and one hop more, for containers.
fn of_image(family: Family) -> MetadataDefaults {
    match family {
        Family::AmazonLinux2 => MetadataDefaults::default(),
        Family::AmazonLinux2023 => {
            MetadataDefaults { tokens_required: Some(true), hop_limit: Some(2), ..MetadataDefaults::default() }
        }
    }
}

/// Keys of tags become names in a path (EC2 user guide, "Use instance metadata to view instance tags").
///
/// # Errors
/// Tags are to be told and a key cannot be.
pub(crate) fn tellable(options: MetadataOptions, tags: &Tags) -> Result<(), Fault> {
    if !options.tags {
        return Ok(());
    }
    match tags.keys().find(|key| !is_name(key)) {
        Some(key) => Err(invalid_value(format!(
            "'{key}' is not a valid tag key. Tag keys must match pattern ([0-9a-zA-Z\\\\-_+=,.@:]{{1,255}}), \
             and must not be a reserved name ('.', '..', '_index')"
        ))),
        None => Ok(()),
    }
}

/// Whether a tag's key can be a name in a path.
pub(crate) fn is_name(key: &str) -> bool {
    let letters = |byte: u8| byte.is_ascii_alphanumeric() || b"-_+=,.@:".contains(&byte);
    !matches!(key, "" | "." | ".." | "_index") && key.bytes().all(letters)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(tokens: &str, hops: i32) -> MetadataRequest {
        MetadataRequest {
            http_tokens: Some(tokens.to_owned()),
            http_put_response_hop_limit: Some(hops),
            ..MetadataRequest::default()
        }
    }

    #[test]
    fn values_that_are_none_of_awss_are_refused() {
        for bad in [request("perhaps", 1), request("required", 65), request("required", -1)] {
            assert_eq!(bad.read().unwrap_err().code, "InvalidParameterValue", "{bad:?}");
        }
        let ipv6 = MetadataRequest { http_protocol_ipv6: Some("enabled".to_owned()), ..MetadataRequest::default() };
        assert_eq!(ipv6.read().unwrap_err().status, 501);
        let read = request("required", 64).read().unwrap();
        assert_eq!((read.tokens_required, read.hop_limit, read.enabled), (Some(true), Some(64), None));
    }

    #[test]
    fn each_option_is_from_the_first_that_says_it() {
        let image = of_image(Family::AmazonLinux2023);
        let none = MetadataDefaults::default();
        let account = MetadataDefaults { tokens_required: Some(false), ..MetadataDefaults::default() };
        let of = |asked: &MetadataDefaults, account: &MetadataDefaults, image: &MetadataDefaults| {
            let options = asked.or(account).or(image).over(MetadataOptions::default());
            (options.tokens_required, options.hop_limit)
        };
        assert_eq!(of(&none, &none, &none), (false, 1));
        assert_eq!(of(&none, &none, &image), (true, 2));
        assert_eq!(of(&none, &account, &image), (false, 2), "an account's word counts before the image's");
        assert_eq!(of(&request("required", 3).read().unwrap(), &account, &image), (true, 3));
    }

    #[test]
    fn keys_that_are_no_names_are_not_told() {
        let tags = |key: &str| Tags::from([(key.to_owned(), String::new())]);
        let told = MetadataOptions { tags: true, ..MetadataOptions::default() };
        for key in ["a/b", "a b", "..", "_index", "ä"] {
            assert!(tellable(told, &tags(key)).is_err(), "{key}");
            tellable(MetadataOptions::default(), &tags(key)).unwrap();
        }
        tellable(told, &tags("eks:cluster-name")).unwrap();
    }
}
