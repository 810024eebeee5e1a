//! Remove one object, or all that match.

use serde_json::json;

use super::list::{Filter, prefix};
use crate::answer::Answer;
use crate::call::Call;
use crate::deletion::{self, Options, Outcome};
use crate::negotiate;
use crate::object::{meta, shown};
use crate::status::{Details, Status, StatusError};
use crate::write::{self, CHANGED, Current};

pub(super) async fn one(call: &Call<'_>) -> Result<Answer, StatusError> {
    let options = Options::read(call)?;
    for _ in 0..write::TRIES {
        let current = Current::read(call)?;
        match deletion::delete(call, &current, &options).await {
            Err(error) if error.reason() == "Conflict" && error.to_string().ends_with(CHANGED) => {}
            Err(error) => return Err(error),
            Ok(outcome) => return told(call, &current, &outcome),
        }
    }
    Err(call.conflict(CHANGED))
}

fn told(call: &Call<'_>, current: &Current, outcome: &Outcome) -> Result<Answer, StatusError> {
    if !outcome.gone || call.resource.strategy.returns_deleted() {
        return write::answer(call, 200, &outcome.done);
    }
    let details = Details {
        name: meta(&current.object, "name").to_owned(),
        group: call.resource.group.to_string(),
        kind: call.resource.plural.to_string(),
        uid: meta(&current.object, "uid").to_owned(),
        ..Details::default()
    };
    Ok(Answer::status(200, &Status::success(Some(details))))
}

pub(super) async fn all(call: &Call<'_>) -> Result<Answer, StatusError> {
    let wanted = negotiate::wanted(call.head.accept)?;
    let options = Options::read(call)?;
    let filter = Filter::read(call)?;
    let view = call.door.store.view();
    let revision = view.revision().0;
    let entries = view.scan(&prefix(call), None, usize::MAX);
    drop(view);
    let mut deleted = Vec::new();
    for entry in entries.into_iter().filter(|e| filter.matches(call.resource, &e.key, &e.value)) {
        deleted.push(shown(call.resource, &entry.value));
        let current = Current::of(call.resource, entry)?;
        let (namespace, name) = (meta(&current.object, "namespace"), meta(&current.object, "name"));
        let at = call.at.about(namespace, name);
        let single = Call { at: &at, body: call.body.clone(), ..*call };
        delete_listed(&single, &options).await?;
    }
    // They are gone, whether or not the client can be shown them as it wishes.
    super::list::answer(call, wanted, &json!({ "resourceVersion": revision.to_string() }), &deleted)
}

/// Deletes one of a collection; one that is gone already does not matter.
async fn delete_listed(call: &Call<'_>, options: &Options) -> Result<(), StatusError> {
    for _ in 0..write::TRIES {
        let current = match Current::read(call) {
            Err(error) if error.code() == 404 => return Ok(()),
            other => other?,
        };
        match deletion::delete(call, &current, options).await {
            Err(error) if error.to_string().ends_with(CHANGED) => {}
            Err(error) => return Err(error),
            Ok(_) => return Ok(()),
        }
    }
    Err(call.conflict(CHANGED))
}
