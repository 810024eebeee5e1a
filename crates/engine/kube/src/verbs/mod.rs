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
use crate::resource::Verb;
use crate::route::Handler;
use crate::status::StatusError;

/// Runs what was found for a call.
///
/// # Errors
/// The `Status` to answer.
pub(crate) async fn run(handler: Handler, call: &Call<'_>) -> Result<Answer, StatusError> {
    let verb = match handler {
        Handler::Connect => return connect::run(call).await,
        Handler::Action => return actions::run(call).await,
        Handler::Verb(verb) => verb,
    };
    match verb {
        Verb::Create if &*call.resource.kind == "Binding" => crate::actions::bindings(call).await,
        Verb::Create if !call.resource.stored => crate::reviews::run(call).await,
        Verb::Create => create::run(call).await,
        Verb::Get => get::run(call),
        Verb::List => list::run(call),
        Verb::Watch => watch::run(call),
        Verb::Update => update::run(call).await,
        Verb::Patch => patch::run(call).await,
        Verb::Delete => delete::one(call).await,
        Verb::DeleteCollection => delete::all(call).await,
    }
}
