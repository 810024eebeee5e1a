//! Station 3: the operation's input.

use std::collections::BTreeMap;

use bytes::Bytes;
use http::Request;

use super::locate::{Located, Target};
use crate::codec::form::Pairs;
use crate::codec::{SyntaxError, form, json};
use crate::contract::{Erased, Fault, Operation, Protocol};
use crate::model::Facts;
use crate::shape::Tree;

/// An operation with its input.
pub(crate) struct Decoded<'a> {
    pub(crate) operation: &'static Operation,
    pub(crate) facts: &'a Facts,
    pub(crate) input: Box<dyn Erased>,
    /// The request's members, for what the door itself reads: paging, dry run, tokens.
    pub(crate) tree: Tree,
}

/// Decodes the input, or says that the operation is not there.
pub(crate) fn decode<'a>(request: &Request<Bytes>, located: &'a Located<'_>) -> Result<Decoded<'a>, Fault> {
    let dialect = &located.dialect;
    let (operation, facts, labels) = match &located.target {
        Target::Built { operation, facts, labels } => (*operation, *facts, labels),
        Target::Unbuilt(name) => return Err(Fault::not_implemented(name)),
        Target::Unknown(name) => return Err(dialect.unknown_operation(name, located.service.version)),
    };
    let tree = match located.service.protocol {
        Protocol::Query | Protocol::Ec2 => parameters(located),
        Protocol::Json { .. } => json::tree(request.body()),
        Protocol::RestJson(_) => json::tree(request.body()).and_then(|body| merged(body, &located.query, labels)),
    };
    let tree = tree.map_err(|error| dialect.syntax(&error))?;
    let case = located.service.protocol.input_case();
    let input = (operation.decode)(&tree, case).map_err(|error| dialect.unfit(&error))?;
    refuse_unread(&(operation.unread)(&tree, case), operation, facts, located)?;
    Ok(Decoded { operation, facts, input, tree })
}

/// Nothing that a caller asks for is passed over in silence: what AWS knows and the operation does not read is not
/// built. What AWS does not know either, EC2 refuses, and the other services pass over.
fn refuse_unread(unread: &[String], operation: &Operation, facts: &Facts, located: &Located<'_>) -> Result<(), Fault> {
    for path in unread.iter().filter(|path| !is_doors(path, facts)) {
        if facts.has(path) {
            let what = format!("{}:{} with {path}", located.service.name, operation.name);
            return Err(Fault::not_implemented(&what));
        }
        if located.service.protocol == Protocol::Ec2 {
            let message = format!("The parameter {path} is not recognized");
            return Err(Fault::client("UnknownParameter", 400, message));
        }
    }
    Ok(())
}

/// Whether the door itself reads it. Paging is there also where the models have no rule for it: such a list is answered
/// whole.
fn is_doors(path: &str, facts: &Facts) -> bool {
    let paging = facts.page.as_ref().is_some_and(|page| path == page.input || path == page.limit);
    let ruleless = facts.page.is_none() && matches!(path, "MaxResults" | "NextToken" | "MaxItems" | "Marker");
    paging || (facts.has(path) && (ruleless || path == "DryRun")) || facts.token == Some(path)
}

/// A form's and a query string's parameters, those of the signature and the protocol apart.
fn parameters(located: &Located<'_>) -> Result<Tree, SyntaxError> {
    let own = |name: &str| name.starts_with("X-Amz-") || matches!(name, "Action" | "Version");
    form::tree(located.query.iter().chain(&located.form).filter(|(name, _)| !own(name)).cloned())
}

/// REST: members of the body, beneath those of the query string, beneath those of the path.
fn merged(body: Tree, query: &Pairs<'_>, labels: &[(&'static str, String)]) -> Result<Tree, SyntaxError> {
    let Tree::Map(mut members) = body else { return Err(SyntaxError::Json("not an object".to_owned())) };
    let mut lists: BTreeMap<&str, Vec<Tree>> = BTreeMap::new();
    for (name, value) in query {
        lists.entry(name).or_default().push(Tree::Raw(value.to_string()));
    }
    for (name, mut values) in lists {
        let value = if values.len() == 1 { values.remove(0) } else { Tree::List(values) };
        members.insert(name.to_owned(), value);
    }
    for (name, value) in labels {
        members.insert((*name).to_owned(), Tree::Raw(value.clone()));
    }
    Ok(Tree::Map(members))
}
