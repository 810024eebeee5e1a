//! Remove one object, or all that match.

use eksile_store::Entry;
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
    let (mut deleted, mut first) = (Vec::new(), None);
    for entry in entries.into_iter().filter(|e| filter.matches(call.resource, &e.key, &e.value)) {
        // One that cannot be deleted, or read, keeps no other.
        match delete_listed(call, &filter, &entry, &options).await {
            Ok(true) => deleted.push(shown(call.resource, &entry.value)),
            Ok(false) => {}
            Err(error) => drop(first.get_or_insert(error)),
        }
    }
    if let Some(error) = first {
        return Err(error);
    }
    // They are gone, whether or not the client can be shown them as it wishes.
    super::list::answer(call, wanted, &json!({ "resourceVersion": revision.to_string() }), &deleted)
}

/// Deletes one of a collection, as it is now; says whether it did. One that is gone already, or is another by now, or is
/// not selected any more, stays out of it.
async fn delete_listed(
    call: &Call<'_>,
    filter: &Filter,
    listed: &Entry,
    options: &Options,
) -> Result<bool, StatusError> {
    let mut entry = Some(listed.clone());
    let before = Current::of(call.resource, listed.clone())?;
    let uid = meta(&before.object, "uid");
    let at = call.at.about(meta(&before.object, "namespace"), meta(&before.object, "name"));
    let call = Call { at: &at, body: call.body.clone(), ..*call };
    for _ in 0..write::TRIES {
        let Some(now) = entry else { return Ok(false) };
        if !filter.matches(call.resource, &now.key, &now.value) {
            return Ok(false);
        }
        let current = Current::of(call.resource, now)?;
        if meta(&current.object, "uid") != uid {
            return Ok(false);
        }
        match deletion::delete(&call, &current, options).await {
            Err(error) if error.to_string().ends_with(CHANGED) => entry = call.door.store.view().get(&listed.key),
            Err(error) if error.code() == 404 => return Ok(false),
            Err(error) => return Err(error),
            Ok(_) => return Ok(true),
        }
    }
    Err(call.conflict(CHANGED))
}
