//! The nine verbs, one file each.

mod apply;
mod connect;
mod create;
mod delete;
mod get;
mod list;
mod options;
mod page;
mod patch;
mod update;
mod watch;

pub(crate) use list::Filter;
pub(crate) use watch::{Events, Item, Kind as EventKind};

use crate::actions;
use crate::answer::Answer;
use crate::call::Call;
use crate::resource::SubKind;
use crate::status::StatusError;

/// Runs the verb of a call.
///
/// # Errors
/// The `Status` to answer.
pub(crate) async fn run(verb: &str, call: &Call<'_>) -> Result<Answer, StatusError> {
    if !call.at.sub.is_empty() {
        let Some(sub) = call.resource.sub(&call.at.sub) else { return Ok(crate::plain::not_found()) };
        match sub.served {
            SubKind::Connect => return connect::run(call).await,
            SubKind::Action if verb == "create" => return actions::run(call).await,
            SubKind::Action => return Err(StatusError::method_not_allowed()),
            SubKind::Part if !sub.verbs.iter().any(|v| v.name() == verb) => {
                return Err(StatusError::method_not_allowed());
            }
            SubKind::Part => {}
        }
    } else if !call.resource.verbs.iter().any(|v| v.name() == verb) {
        return Err(StatusError::method_not_allowed());
    }
    match verb {
        "create" if !call.at.name.is_empty() && call.at.sub.is_empty() => Err(StatusError::method_not_allowed()),
        "create" if &*call.resource.kind == "Binding" => crate::actions::bindings(call).await,
        "create" if !call.resource.stored => crate::reviews::run(call).await,
        "create" => create::run(call).await,
        "get" => get::run(call),
        "list" => list::run(call),
        "watch" => watch::run(call),
        "update" if !call.at.name.is_empty() => update::run(call).await,
        "patch" if !call.at.name.is_empty() => patch::run(call).await,
        "delete" => delete::one(call).await,
        "deletecollection" => delete::all(call).await,
        _ => Err(StatusError::method_not_allowed()),
    }
}
