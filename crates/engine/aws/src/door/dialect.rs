//! How a service words its answers and faults.

use bytes::Bytes;
use http::{HeaderMap, Request, header};

use crate::codec::SyntaxError;
use crate::contract::{Fault, Protocol, Service};
use crate::policy::{Denial, Kind};
use crate::shape::{Case, DecodeError, Problem};

/// A protocol as one service speaks it.
#[derive(Debug, Clone)]
pub(crate) struct Dialect {
    pub(crate) protocol: Protocol,
    /// The XML namespace of answers.
    pub(crate) namespace: String,
    /// The operation, once known; it names the answer's outer element.
    pub(crate) operation: &'static str,
    /// A query protocol's caller who asked for JSON.
    pub(crate) json: bool,
    /// Code for a member that does not fit.
    invalid: &'static str,
}

/// What can be wrong with credentials and signatures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Distrust {
    /// There are none.
    Missing,
    /// Incomplete or malformed.
    Incomplete,
    /// No such active key, or not its session token.
    UnknownKey,
    /// The signature is not that of the request.
    Mismatch,
    /// The request is too old or from the future.
    Stale,
    /// It is for a Region that is not here.
    Misscoped,
    /// Temporary credentials that ended.
    Expired,
}

impl Dialect {
    pub(crate) fn of(service: &Service, headers: &HeaderMap) -> Self {
        let wants = headers.get(header::ACCEPT).is_some_and(|accept| accept.as_bytes() == b"application/json");
        Self {
            protocol: service.protocol,
            namespace: namespace(service),
            operation: "",
            json: wants && service.protocol == Protocol::Query,
            invalid: service.invalid,
        }
    }

    /// Before the service is known, by the looks of the request.
    pub(crate) fn guessed(request: &Request<Bytes>) -> Self {
        let form = request
            .headers()
            .get(header::CONTENT_TYPE)
            .is_some_and(|kind| kind.as_bytes().starts_with(b"application/x-www-form"));
        let target = request.headers().contains_key("x-amz-target");
        let protocol = if target {
            Protocol::Json { target: "", case: Case::Camel }
        } else if form || request.uri().query().is_some_and(|query| query.contains("Action=")) {
            Protocol::Query
        } else {
            Protocol::RestJson(Case::Camel)
        };
        let invalid = "ValidationException";
        Self { protocol, namespace: String::new(), operation: "", json: false, invalid }
    }

    /// A body or query string that is not what the protocol says.
    pub(crate) fn syntax(&self, error: &SyntaxError) -> Fault {
        let code = match self.protocol {
            Protocol::Query => "MalformedQueryString",
            Protocol::Ec2 => "InvalidParameterCombination",
            Protocol::RestJson(_) | Protocol::Json { .. } => "SerializationException",
        };
        Fault::client(code, 400, error.to_string())
    }

    /// A member that is missing or does not fit.
    pub(crate) fn unfit(&self, error: &DecodeError) -> Fault {
        let at = error.dotted();
        match (self.protocol, &error.problem) {
            (Protocol::Ec2, Problem::Missing) => {
                Fault::client("MissingParameter", 400, format!("The request must contain the parameter {at}"))
            }
            (Protocol::Ec2, Problem::Type { expected, found }) => {
                let message = format!("Invalid value '{found}' for {at}: it must be a valid {expected}");
                Fault::client("InvalidParameterValue", 400, message)
            }
            (Protocol::Ec2, Problem::Invalid(found)) => {
                let message = format!("Value ({found}) for parameter {at} is invalid.");
                Fault::client("InvalidParameterValue", 400, message)
            }
            (Protocol::Query, Problem::Type { expected, found }) => {
                let message = format!("Value '{found}' at '{at}' is not a valid {expected}");
                Fault::client("MalformedInput", 400, message)
            }
            (Protocol::RestJson(_) | Protocol::Json { .. }, Problem::Type { expected, .. }) => {
                Fault::client("SerializationException", 400, format!("{at} can not be converted to {expected}"))
            }
            (_, problem) => {
                let (found, constraint) = match problem {
                    Problem::Invalid(found) => (format!("'{found}'"), "Member must satisfy enum value set"),
                    _ => ("null".to_owned(), "Member must not be null"),
                };
                let message = format!(
                    "1 validation error detected: Value {found} at '{}' failed to satisfy constraint: {constraint}",
                    lowered(&at)
                );
                Fault::client(self.invalid, 400, message)
            }
        }
    }

    /// Credentials or a signature that do not convince.
    pub(crate) fn distrust(&self, why: Distrust, detail: &str) -> Fault {
        let (code, status) = match self.protocol {
            Protocol::Ec2 => match why {
                Distrust::Missing => ("MissingAuthenticationToken", 403),
                Distrust::Incomplete => ("IncompleteSignature", 400),
                Distrust::UnknownKey | Distrust::Mismatch | Distrust::Misscoped => ("AuthFailure", 401),
                Distrust::Stale | Distrust::Expired => ("RequestExpired", 400),
            },
            Protocol::Query => match why {
                Distrust::Missing => ("MissingAuthenticationToken", 403),
                Distrust::Incomplete => ("IncompleteSignature", 400),
                Distrust::UnknownKey => ("InvalidClientTokenId", 403),
                Distrust::Mismatch | Distrust::Stale | Distrust::Misscoped => ("SignatureDoesNotMatch", 403),
                Distrust::Expired => ("ExpiredToken", 403),
            },
            Protocol::RestJson(_) | Protocol::Json { .. } => {
                let code = match why {
                    Distrust::Missing => "MissingAuthenticationTokenException",
                    Distrust::Incomplete => "IncompleteSignatureException",
                    Distrust::UnknownKey => "UnrecognizedClientException",
                    Distrust::Mismatch | Distrust::Stale | Distrust::Misscoped => "InvalidSignatureException",
                    Distrust::Expired => "ExpiredTokenException",
                };
                (code, if matches!(self.protocol, Protocol::Json { .. }) { 400 } else { 403 })
            }
        };
        let message = match why {
            Distrust::Missing => "Request is missing Authentication Token",
            Distrust::UnknownKey if self.protocol == Protocol::Ec2 => {
                "AWS was not able to validate the provided access credentials"
            }
            Distrust::UnknownKey => "The security token included in the request is invalid.",
            Distrust::Mismatch if self.protocol == Protocol::Ec2 => {
                "AWS was not able to validate the provided access credentials"
            }
            Distrust::Mismatch => {
                "The request signature we calculated does not match the signature you provided. Check your AWS Secret \
                 Access Key and signing method. Consult the service documentation for details."
            }
            Distrust::Expired => "The security token included in the request is expired",
            Distrust::Incomplete | Distrust::Stale | Distrust::Misscoped => detail,
        };
        Fault::client(code, status, message)
    }

    /// An action that policies do not allow.
    pub(crate) fn denied(&self, caller: &str, action: &str, resource: &str, why: Denial) -> Fault {
        let because = match why {
            Denial::Explicit(Kind::Identity) => "with an explicit deny in an identity-based policy".to_owned(),
            Denial::Explicit(Kind::Boundary) => "with an explicit deny in a permissions boundary".to_owned(),
            Denial::Explicit(Kind::Session) => "with an explicit deny in a session policy".to_owned(),
            Denial::Explicit(Kind::Resource) => "with an explicit deny in a resource-based policy".to_owned(),
            Denial::NoIdentityPolicy => format!("because no identity-based policy allows the {action} action"),
            Denial::NoBoundary => format!("because no permissions boundary allows the {action} action"),
            Denial::NoSessionPolicy => format!("because no session policy allows the {action} action"),
        };
        let on = if resource == "*" { String::new() } else { format!(" on resource: {resource}") };
        let message = format!("User: {caller} is not authorized to perform: {action}{on} {because}");
        match self.protocol {
            Protocol::Ec2 => {
                let message = format!("You are not authorized to perform this operation. {message}");
                Fault::client("UnauthorizedOperation", 403, message)
            }
            Protocol::Query => Fault::client("AccessDenied", 403, message),
            Protocol::RestJson(_) => Fault::client("AccessDeniedException", 403, message),
            Protocol::Json { .. } => Fault::client("AccessDeniedException", 400, message),
        }
    }

    /// An operation that AWS does not have.
    pub(crate) fn unknown_operation(&self, name: &str, version: &str) -> Fault {
        match self.protocol {
            Protocol::Ec2 | Protocol::Query => {
                let message = format!("The action {name} is not valid for this web service, version {version}.");
                Fault::client("InvalidAction", 400, message)
            }
            Protocol::RestJson(_) => Fault::client("UnknownOperationException", 404, format!("no operation at {name}")),
            Protocol::Json { .. } => Fault::client("UnknownOperationException", 400, format!("no operation {name}")),
        }
    }
}

fn namespace(service: &Service) -> String {
    match (service.protocol, service.name) {
        (Protocol::Ec2, _) => format!("http://ec2.amazonaws.com/doc/{}/", service.version),
        (_, name) => format!("https://{name}.amazonaws.com/doc/{}/", service.version),
    }
}

/// Validation messages spell members as the model does, with a small first letter.
fn lowered(name: &str) -> String {
    let mut letters = name.chars();
    letters.next().map_or_else(String::new, |first| first.to_ascii_lowercase().to_string() + letters.as_str())
}
