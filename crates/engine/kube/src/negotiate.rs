//! Which form of an answer the client wants, and which form its body has.

use crate::status::StatusError;

/// Forms of an object or a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// As it is.
    Object,
    /// `meta.k8s.io` Table.
    Table,
    /// `meta.k8s.io` PartialObjectMetadata: of one object.
    Partial,
    /// `meta.k8s.io` PartialObjectMetadataList: of a list.
    PartialList,
}

/// What the client wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wanted {
    /// The form.
    pub form: Form,
    /// `v1` or `v1beta1` of `meta.k8s.io`.
    pub version: &'static str,
    /// YAML instead of JSON.
    pub yaml: bool,
}

impl Wanted {
    /// Plain JSON.
    pub const PLAIN: Self = Self { form: Form::Object, version: "v1", yaml: false };
}

struct Clause<'a> {
    media: &'a str,
    params: Vec<(&'a str, &'a str)>,
    quality: f32,
}

impl<'a> Clause<'a> {
    fn read(text: &'a str) -> Self {
        let mut parts = text.split(';').map(str::trim);
        let media = parts.next().unwrap_or_default();
        let params: Vec<_> = parts.filter_map(|p| p.split_once('=')).map(|(k, v)| (k.trim(), v.trim())).collect();
        let quality = params.iter().find(|(k, _)| *k == "q").and_then(|(_, v)| v.parse().ok()).unwrap_or(1.0);
        Self { media, params, quality }
    }

    fn get(&self, name: &str) -> Option<&'a str> {
        self.params.iter().find(|(k, _)| *k == name).map(|(_, v)| *v)
    }

    /// Whether its media type is YAML; `None` for one that the door does not write.
    fn yaml(&self) -> Option<bool> {
        match self.media {
            "application/json" | "*/*" | "application/*" => Some(false),
            "application/yaml" => Some(true),
            _ => None,
        }
    }

    /// What this clause asks for, if the door can do it.
    fn wanted(&self) -> Option<Wanted> {
        let yaml = self.yaml()?;
        let form = match self.get("as") {
            None => return Some(Wanted { yaml, ..Wanted::PLAIN }),
            Some("Table") => Form::Table,
            Some("PartialObjectMetadata") => Form::Partial,
            Some("PartialObjectMetadataList") => Form::PartialList,
            Some(_) => return None,
        };
        let version = match (self.get("g"), self.get("v")) {
            (Some("meta.k8s.io"), Some("v1")) => "v1",
            (Some("meta.k8s.io"), Some("v1beta1")) => "v1beta1",
            _ => return None,
        };
        Some(Wanted { form, version, yaml })
    }
}

fn clauses(accept: &str) -> Vec<Clause<'_>> {
    let mut clauses: Vec<Clause<'_>> = accept.split(',').map(|c| Clause::read(c.trim())).collect();
    clauses.sort_by(|a, b| b.quality.total_cmp(&a.quality));
    clauses
}

/// What an `Accept` header asks for.
///
/// # Errors
/// 406 when the door can do none of it.
pub fn wanted(accept: Option<&str>) -> Result<Wanted, StatusError> {
    let text = match accept {
        None | Some("" | "*/*" | "application/json") => return Ok(Wanted::PLAIN),
        Some(text) => text,
    };
    let clauses = clauses(text);
    clauses.iter().find_map(Clause::wanted).ok_or_else(|| match clauses.iter().any(|c| c.yaml().is_some()) {
        true => only("application/json, application/yaml, application/vnd.kubernetes.protobuf"),
        false => not_acceptable(),
    })
}

/// What an `Accept` header asks for, of a watch: a stream has no form in YAML.
///
/// # Errors
/// 406 when the door can do none of it, or would choose YAML.
pub fn wanted_stream(accept: Option<&str>) -> Result<Wanted, StatusError> {
    let wanted = wanted(accept)?;
    if wanted.yaml {
        return Err(only("application/json;stream=watch, application/vnd.kubernetes.protobuf;stream=watch"));
    }
    Ok(wanted)
}

/// Whether an error is to be told in YAML: it has no other forms, so clauses that ask for one do not count.
#[must_use]
pub fn errors_in_yaml(accept: Option<&str>) -> bool {
    let clauses = clauses(accept.unwrap_or_default());
    clauses.iter().filter(|c| c.get("as").is_none()).find_map(Clause::yaml).unwrap_or(false)
}

/// Lets a document pass that there is in JSON alone.
///
/// # Errors
/// 406 when JSON is not wanted.
pub fn json_alone(accept: Option<&str>) -> Result<(), StatusError> {
    match accept {
        Some(text) if !clauses(text).iter().any(|c| c.yaml() == Some(false)) => Err(unavailable("application/json")),
        _ => Ok(()),
    }
}

/// 406 where the media type is known and its parameters are not.
fn only(types: &str) -> StatusError {
    StatusError::new(406, "NotAcceptable", format!("only the following media types are accepted: {types}"))
}

/// 406 of an answer that has no such form, found when the work is done already.
#[must_use]
pub fn no_such_form(why: impl Into<String>) -> StatusError {
    StatusError::new(406, "NotAcceptable", why)
}

/// 406 where no media type is known.
fn not_acceptable() -> StatusError {
    unavailable(
        "application/json, application/yaml, application/vnd.kubernetes.protobuf, \
         application/json;stream=watch, application/vnd.kubernetes.protobuf;stream=watch",
    )
}

fn unavailable(available: &str) -> StatusError {
    let message = format!("406: Not Acceptable\n\nAvailable representations: {available}");
    StatusError::new(406, "NotAcceptable", message).with(crate::status::Details::default())
}

/// Whether aggregated discovery is asked for before its plain form (v2; upstream has dropped v2beta1).
#[must_use]
pub fn aggregated(accept: Option<&str>) -> bool {
    for clause in clauses(accept.unwrap_or_default()) {
        match (clause.media, clause.get("as"), clause.get("g"), clause.get("v")) {
            ("application/json", Some("APIGroupDiscoveryList"), Some("apidiscovery.k8s.io"), Some("v2")) => {
                return true;
            }
            (_, None, ..) if clause.yaml().is_some() => return false,
            _ => {}
        }
    }
    false
}

/// The media type of a `Content-Type` header, without parameters; JSON when it is missing.
#[must_use]
pub fn media(content_type: Option<&str>) -> &str {
    let text = content_type.unwrap_or_default();
    match text.split(';').next().map(str::trim) {
        None | Some("") => "application/json",
        Some(media) => media,
    }
}

/// 415, naming what is taken.
#[must_use]
pub fn unsupported_media(accepted: &str) -> StatusError {
    StatusError::new(
        415,
        "UnsupportedMediaType",
        format!("the body of the request was in an unknown format - accepted media types include: {accepted}"),
    )
}

/// 415 of a patch.
#[must_use]
pub fn unsupported_patch() -> StatusError {
    StatusError::new(415, "UnsupportedMediaType", "415: Unsupported Media Type").with(crate::status::Details::default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kubectl_s_header_asks_for_a_table() {
        let text = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json;as=Table;v=v1beta1;g=meta.k8s.io,application/json";
        assert_eq!(wanted(Some(text)).unwrap(), Wanted { form: Form::Table, version: "v1", yaml: false });
    }

    #[test]
    fn quality_orders() {
        assert!(wanted(Some("application/json;q=0.5, application/yaml")).unwrap().yaml);
        assert_eq!(wanted(Some("application/vnd.kubernetes.protobuf, application/json")).unwrap(), Wanted::PLAIN);
        assert_eq!(wanted(Some("text/html")).unwrap_err().code(), 406);
    }

    #[test]
    fn what_is_known_but_not_like_this_is_refused_in_other_words() {
        let error = wanted(Some("application/json;as=Table;v=v1beta2;g=meta.k8s.io")).unwrap_err();
        assert!(error.to_string().starts_with("only the following"), "{error}");
        assert!(wanted(Some("text/html")).unwrap_err().to_string().starts_with("406"));
        assert!(wanted_stream(Some("application/yaml, application/json")).is_err());
        assert!(errors_in_yaml(Some("application/json;as=Table;v=v1;g=meta.k8s.io, application/yaml")));
        assert!(!errors_in_yaml(None));
    }
}
