//! Station 6: the answer, in the service's protocol.

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Response, StatusCode, header};
use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};

use super::dialect::Dialect;
use crate::codec::json;
use crate::codec::xml::{self, Style};
use crate::contract::{Fault, Protocol};
use crate::shape::Value;

/// An answer without what differs from one request to the next.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Reply {
    /// Members in XML, or a JSON body.
    fragment: String,
    /// The instance that the caller's credentials were given to, by ARN.
    #[serde(skip)]
    pub(crate) source_instance: Option<String>,
}

/// Writes an operation's output.
pub(crate) fn reply(output: &Value, dialect: &Dialect) -> Reply {
    let as_json = || {
        let case = dialect.protocol.output_case();
        json::json(output, case).unwrap_or_else(|| json!({})).to_string()
    };
    let fragment = match dialect.protocol {
        Protocol::Query if dialect.json => as_json(),
        Protocol::Query => xml::members(output, Style::QUERY),
        // EC2 says "true" where there is nothing to say.
        Protocol::Ec2 => Some(xml::members(output, Style::EC2))
            .filter(|members| !members.is_empty())
            .unwrap_or_else(|| "<return>true</return>".to_owned()),
        Protocol::RestJson(_) | Protocol::Json { .. } => as_json(),
    };
    Reply { fragment, source_instance: None }
}

/// The HTTP answer.
pub(crate) fn response(dialect: &Dialect, outcome: &Result<Reply, Fault>, id: &str) -> Response<Bytes> {
    let (status, body) = match outcome {
        Ok(reply) => (200, success(dialect, reply, id)),
        Err(fault) => (fault.status, failure(dialect, fault, id)),
    };
    let kind = match dialect.protocol {
        Protocol::Query if dialect.json => "application/json",
        Protocol::Query => "text/xml",
        Protocol::Ec2 => "text/xml;charset=UTF-8",
        Protocol::RestJson(_) => "application/json",
        Protocol::Json { .. } => "application/x-amz-json-1.1",
    };
    let mut response = Response::new(Bytes::from(body));
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    if let Ok(id) = HeaderValue::from_str(id) {
        headers.insert(HeaderName::from_static("x-amzn-requestid"), id);
    }
    let source = outcome.as_ref().ok().and_then(|reply| reply.source_instance.as_deref());
    if let Some(source) = source.and_then(|arn| HeaderValue::from_str(arn).ok()) {
        headers.insert(HeaderName::from_static(super::SOURCE_INSTANCE), source);
    }
    if let (Err(fault), Protocol::RestJson(_)) = (outcome, dialect.protocol)
        && let Ok(code) = HeaderValue::from_str(&fault.code)
    {
        headers.insert(HeaderName::from_static("x-amzn-errortype"), code);
    }
    response
}

fn success(dialect: &Dialect, reply: &Reply, id: &str) -> String {
    let (name, fragment, namespace) = (dialect.operation, &reply.fragment, &dialect.namespace);
    match dialect.protocol {
        Protocol::Query if dialect.json => {
            format!(r#"{{"{name}Response":{{"{name}Result":{fragment},"ResponseMetadata":{{"RequestId":"{id}"}}}}}}"#)
        }
        Protocol::Query => {
            // An empty result is written all the same: clients look for it where the operation has an output.
            let result = if fragment.is_empty() {
                format!("<{name}Result/>")
            } else {
                format!("<{name}Result>{fragment}</{name}Result>")
            };
            format!(
                "<{name}Response xmlns=\"{namespace}\">{result}\
                 <ResponseMetadata><RequestId>{id}</RequestId></ResponseMetadata></{name}Response>"
            )
        }
        Protocol::Ec2 => format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<{name}Response xmlns=\"{namespace}\">\
             <requestId>{id}</requestId>{fragment}</{name}Response>"
        ),
        Protocol::RestJson(_) | Protocol::Json { .. } => fragment.clone(),
    }
}

fn failure(dialect: &Dialect, fault: &Fault, id: &str) -> String {
    let blame = if fault.is_client() { "Sender" } else { "Receiver" };
    match dialect.protocol {
        Protocol::Query if dialect.json => {
            json!({"Error": {"Code": fault.code, "Message": fault.message, "Type": blame}, "RequestId": id}).to_string()
        }
        Protocol::Query => {
            let mut out = format!("<ErrorResponse xmlns=\"{}\"><Error><Type>{blame}</Type>", dialect.namespace);
            xml::leaf(&mut out, "Code", &fault.code);
            xml::leaf(&mut out, "Message", &fault.message);
            out + "</Error><RequestId>" + id + "</RequestId></ErrorResponse>"
        }
        Protocol::Ec2 => {
            let mut out = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Response><Errors><Error>".to_owned();
            xml::leaf(&mut out, "Code", &fault.code);
            xml::leaf(&mut out, "Message", &fault.message);
            out + "</Error></Errors><RequestID>" + id + "</RequestID></Response>"
        }
        Protocol::RestJson(case) | Protocol::Json { case, .. } => {
            let mut body = serde_json::Map::new();
            if matches!(dialect.protocol, Protocol::Json { .. }) {
                body.insert("__type".to_owned(), Json::String(fault.code.to_string()));
            }
            let message = if case == crate::shape::Case::Pascal { "Message" } else { "message" };
            body.insert(message.to_owned(), Json::String(fault.message.clone()));
            for (name, value) in &fault.members {
                body.extend(json::json(value, case).map(|value| ((*name).to_owned(), value)));
            }
            Json::Object(body).to_string()
        }
    }
}
