//! Whether somebody may do something (`pkg/registry/authorization`): the evaluator is the one that requests meet.

use serde_json::{Value, json};

use super::{list, text};
use crate::authorize::{self, Attributes, Why};
use crate::call::Call;
use crate::caller::Caller;
use crate::field::FieldErrors;
use crate::names;
use crate::selector::{FieldSelector, LabelSelector};
use crate::status::StatusError;
use crate::strategy::User;

const RESOURCE: &str = "spec.resourceAttributes";
const PATH: &str = "spec.nonResourceAttributes";

/// What a review is about.
struct Asked<'a> {
    resource: Option<&'a Value>,
    path: Option<&'a Value>,
}

/// The status of a review of access.
///
/// # Errors
/// 422 with everything that is wrong with it.
pub(super) fn status(call: &Call<'_>, review: &Value) -> Result<Value, StatusError> {
    let part = |name: &str| review.pointer(name).filter(|v| v.is_object());
    let asked = Asked { resource: part("/spec/resourceAttributes"), path: part("/spec/nonResourceAttributes") };
    let own = &*call.resource.kind == "SelfSubjectAccessReview";
    let mut errors = FieldErrors::new();
    asked.validate(&mut errors);
    let user = subject(review);
    if !own && user.name.is_empty() && user.groups.is_empty() {
        errors.invalid("spec.user", &"".into(), "at least one of user or group must be specified");
    }
    for (kind, selector) in [("fieldSelector", Kind::Field), ("labelSelector", Kind::Label)] {
        if let Some(given) = asked.resource.and_then(|r| r.get(kind)).filter(|s| s.is_object()) {
            check_selector(given, selector, &format!("{RESOURCE}.{kind}"), &mut errors);
        }
    }
    if &*call.resource.kind == "LocalSubjectAccessReview" {
        asked.stays_within(&call.at.namespace, &mut errors);
    }
    if !errors.is_empty() {
        return Err(StatusError::invalid(&call.resource.group, "", "", &errors));
    }
    if own { Ok(asked.judge(call, call.caller)) } else { Ok(asked.judge(call, &Caller::new(user))) }
}

fn subject(review: &Value) -> User {
    let extra = review.pointer("/spec/extra").and_then(Value::as_object).into_iter().flatten();
    let values =
        |value: &Value| value.as_array().into_iter().flatten().filter_map(|v| v.as_str().map(str::to_owned)).collect();
    User {
        name: text(review, "/spec/user").to_owned(),
        uid: text(review, "/spec/uid").to_owned(),
        groups: list(review, "/spec/groups"),
        extra: extra.map(|(key, value)| (key.clone(), values(value))).collect(),
    }
}

impl Asked<'_> {
    fn validate(&self, errors: &mut FieldErrors) {
        match (self.resource, self.path) {
            (Some(_), Some(path)) => {
                let why = "cannot be specified in combination with resourceAttributes";
                errors.invalid_verbatim(PATH, path.to_string(), why);
            }
            (None, None) => {
                let why = "exactly one of nonResourceAttributes or resourceAttributes must be specified";
                errors.invalid(RESOURCE, &"null".into(), why);
            }
            _ => {}
        }
    }

    /// What a review within a namespace may not ask.
    fn stays_within(&self, namespace: &str, errors: &mut FieldErrors) {
        let asked = self.resource.map_or(namespace, |r| text(r, "/namespace"));
        if asked != namespace {
            errors.invalid("spec.resourceAttributes.namespace", &asked.into(), "must match metadata.namespace");
        }
        if let Some(path) = self.path {
            errors.invalid_verbatim(PATH, path.to_string(), "disallowed on this kind of request");
        }
    }

    fn judge(&self, call: &Call<'_>, caller: &Caller) -> Value {
        let none = Value::Null;
        let resource = self.resource.unwrap_or(&none);
        let fields = Fields::read(&resource["fieldSelector"]);
        let asked = match self.path {
            Some(p) => Attributes { verb: text(p, "/verb"), path: Some(text(p, "/path")), ..Attributes::default() },
            None => Attributes {
                verb: text(resource, "/verb"),
                group: text(resource, "/group"),
                plural: text(resource, "/resource"),
                sub: text(resource, "/subresource"),
                namespace: text(resource, "/namespace"),
                name: text(resource, "/name"),
                path: None,
                fields: fields.selector.as_ref(),
            },
        };
        let mut status = match authorize::explained(call.door, caller, &asked) {
            Ok(Why::Itself) => json!({ "allowed": true }),
            Ok(Why::Rbac(allowed)) => json!({ "allowed": true, "reason": call.door.rbac.explain(&allowed) }),
            Err(reason) if reason.is_empty() => json!({ "allowed": false }),
            Err(reason) => json!({ "allowed": false, "reason": reason }),
        };
        let ignored: Vec<String> =
            [fields.ignored, labels_ignored(&resource["labelSelector"])].into_iter().flatten().collect();
        if !ignored.is_empty() {
            status["evaluationError"] = ignored.join("; ").into();
        }
        status
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Field,
    Label,
}

fn requirements(selector: &Value) -> &[Value] {
    selector.get("requirements").and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

fn check_selector(selector: &Value, kind: Kind, path: &str, errors: &mut FieldErrors) {
    let (raw, terms) = (text(selector, "/rawSelector"), requirements(selector));
    if !raw.is_empty() && !terms.is_empty() {
        let why = "may not specified at the same time as requirements";
        errors.invalid(format!("{path}.rawSelector"), &raw.into(), why);
    }
    if raw.is_empty() && terms.is_empty() {
        // Upstream names the selector's parent by its own path.
        let why = format!("when {path} is specified, requirements or rawSelector is required");
        errors.required(format!("{path}.requirements"), why);
    }
    for (index, term) in terms.iter().enumerate() {
        check_term(term, kind, &format!("{path}.requirements[{index}]"), errors);
    }
}

/// Operators that are not known may be those of newer clients.
fn check_term(term: &Value, kind: Kind, path: &str, errors: &mut FieldErrors) {
    let key = text(term, "/key");
    let some = term.get("values").and_then(Value::as_array).is_some_and(|values| !values.is_empty());
    if kind == Kind::Field && key.is_empty() {
        errors.required(format!("{path}.key"), "must be specified");
    }
    match text(term, "/operator") {
        "In" | "NotIn" if !some => {
            let why = "must be specified when `operator` is 'In' or 'NotIn'";
            errors.required(format!("{path}.values"), why);
        }
        "Exists" | "DoesNotExist" if some => {
            errors.forbidden(
                format!("{path}.values"),
                "may not be specified when `operator` is 'Exists' or 'DoesNotExist'",
            );
        }
        _ => {}
    }
    if kind == Kind::Label {
        for problem in names::qualified_name(key) {
            errors.invalid(format!("{path}.key"), &key.into(), problem);
        }
    }
}

fn told(kind: &str, partially: bool) -> String {
    let how = if partially { "partially ignored" } else { "ignored" };
    format!("{RESOURCE}.{kind} {how} due to parse error")
}

/// A field selector as authorizers may rely on it: what cannot be read of it is left out, which asks for more, not less.
struct Fields {
    selector: Option<FieldSelector>,
    ignored: Option<String>,
}

impl Fields {
    fn read(given: &Value) -> Self {
        let raw = text(given, "/rawSelector");
        if !raw.is_empty() {
            let selector = FieldSelector::parse(raw).ok();
            let ignored = selector.is_none().then(|| told("fieldSelector", false));
            return Self { selector, ignored };
        }
        let terms = requirements(given);
        let read: Vec<(&str, bool, &str)> = terms.iter().filter_map(term).collect();
        let ignored = (read.len() < terms.len()).then(|| told("fieldSelector", !read.is_empty()));
        let selector = (!read.is_empty()).then(|| FieldSelector::all(read));
        Self { selector, ignored }
    }
}

/// Field, whether it must be equal, and the value; `None` for what a selector of fields cannot say.
fn term(term: &Value) -> Option<(&str, bool, &str)> {
    let [value] = term.get("values")?.as_array()?.as_slice() else { return None };
    let equal = match text(term, "/operator") {
        "In" => true,
        "NotIn" => false,
        _ => return None,
    };
    Some((text(term, "/key"), equal, value.as_str()?))
}

fn labels_ignored(given: &Value) -> Option<String> {
    let raw = text(given, "/rawSelector");
    if !raw.is_empty() {
        return LabelSelector::parse(raw).is_err().then(|| told("labelSelector", false));
    }
    let known = |term: &&Value| matches!(text(term, "/operator"), "In" | "NotIn" | "Exists" | "DoesNotExist");
    let terms = requirements(given);
    let read = terms.iter().filter(known).count();
    (read < terms.len()).then(|| told("labelSelector", read > 0))
}
