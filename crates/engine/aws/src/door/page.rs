//! Paging: a lookup answers its list whole, the door hands it out in pages.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::locate::Located;
use super::sigv4::sha256;
use crate::contract::{Fault, Protocol};
use crate::model::Page;
use crate::shape::{Case, Names, Tree, Value};

/// The page that the request asks for. EC2 pages only when asked to.
pub(crate) fn paged(value: Value, rule: Option<&Page>, tree: &Tree, located: &Located<'_>) -> Result<Value, Fault> {
    let (Some(rule), Value::Struct(mut members)) = (rule, value.clone()) else { return Ok(value) };
    let case = located.service.protocol.output_case();
    let list = members.iter_mut().find(|(names, _)| names.write(case) == rule.list);
    let Some((_, Value::List(items))) = list else { return Ok(value) };
    let limit = limit(rule, tree, located)?;
    let start = match tree.member(rule.input).map(Tree::text) {
        None => 0,
        Some(Ok("")) => 0,
        Some(token) => start(token.unwrap_or_default(), items).ok_or_else(|| bad_token(located))?,
    };
    let rest = items.len().saturating_sub(start);
    let mut page: Vec<Value> = items.drain(start.min(items.len())..).collect();
    let next = (rest > limit).then(|| {
        page.truncate(limit);
        token(start + limit, page.last())
    });
    *items = page;
    if let Some(name) = rule.more {
        members.push((named(name, case), Value::Bool(next.is_some())));
    }
    if let Some(next) = next {
        members.push((named(rule.output, case), Value::Text(next)));
    }
    Ok(Value::Struct(members))
}

fn limit(rule: &Page, tree: &Tree, located: &Located<'_>) -> Result<usize, Fault> {
    let all = if located.service.protocol == Protocol::Ec2 { usize::MAX } else { rule.most.min(100) };
    let asked = match tree.member(rule.limit) {
        None | Some(Tree::Null) => return Ok(all),
        Some(Tree::Number(number)) => number.as_u64().and_then(|number| usize::try_from(number).ok()),
        Some(other) => other.text().ok().and_then(|text| text.parse().ok()),
    };
    match asked {
        Some(asked) if (rule.least..=rule.most).contains(&asked) => Ok(asked),
        // EC2's larger pages are cut, not refused.
        Some(asked) if asked > rule.most && located.service.protocol == Protocol::Ec2 => Ok(rule.most),
        _ => Err(refused(
            located,
            &format!("Value for parameter {} must be between {} and {}", rule.limit, rule.least, rule.most),
        )),
    }
}

fn refused(located: &Located<'_>, message: &str) -> Fault {
    let code = match located.service.protocol {
        Protocol::Ec2 => "InvalidParameterValue",
        _ => located.service.invalid,
    };
    Fault::client(code, 400, message)
}

fn bad_token(located: &Located<'_>) -> Fault {
    match located.service.protocol {
        Protocol::Ec2 => Fault::client("InvalidNextToken", 400, "The token is not valid"),
        _ => refused(located, "The pagination token is not valid"),
    }
}

/// Where the page ends, and which item was its last: the list may change between pages.
fn token(next: usize, last: Option<&Value>) -> String {
    URL_SAFE_NO_PAD.encode(format!("1.{next}.{}", last.map(mark).unwrap_or_default()))
}

/// What stands for an item in a token.
fn mark(item: &Value) -> String {
    let name = match item {
        Value::Struct(members) => members.iter().find_map(|(_, value)| match value {
            Value::Text(text) => Some(text.clone()),
            _ => None,
        }),
        Value::Text(text) => Some(text.clone()),
        _ => None,
    };
    sha256(name.unwrap_or_default().as_bytes())[..16].to_owned()
}

/// The position after the item that the token marks; if it is gone, the position it had.
fn start(token: &str, items: &[Value]) -> Option<usize> {
    let text = String::from_utf8(URL_SAFE_NO_PAD.decode(token).ok()?).ok()?;
    let (next, marked) = text.strip_prefix("1.")?.split_once('.')?;
    let next: usize = next.parse().ok()?;
    let found = items.iter().position(|item| mark(item) == marked);
    Some(found.map_or(next.saturating_sub(1), |at| at + 1))
}

/// The names that models give to tokens; a new one must be added here.
fn named(name: &'static str, case: Case) -> &'static Names {
    macro_rules! names {
        ($($name:literal),*) => {
            match (name, case) {
                $(($name, _) => &Names { input: [$name; 2], output: [$name; 2], item: None, flattened: false },)*
                _ => &Names { input: ["NextToken", "nextToken"], output: ["NextToken", "nextToken"], item: None, flattened: false },
            }
        };
    }
    names!("NextToken", "nextToken", "Marker", "IsTruncated", "NextMarker", "nextMarker")
}
