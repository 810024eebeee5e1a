//! Read one object: the stored bytes, untouched.

use crate::answer::Answer;
use crate::call::Call;
use crate::negotiate::{self, Wanted};
use crate::object::shown;
use crate::status::StatusError;
use crate::table;
use crate::verbs::list::{is_whole, read_revision};

pub(super) fn run(call: &Call<'_>) -> Result<Answer, StatusError> {
    let wanted = negotiate::wanted(call.head.accept)?;
    if call.query.has("resourceVersion") {
        read_revision(call)?;
    }
    let entry = call.door.store.view().get(&call.key()).ok_or_else(|| call.not_found())?;
    if !is_whole(&entry.value) {
        return Err(StatusError::internal("what is stored there is damaged"));
    }
    let stored = shown(call.resource, &entry.value);
    if wanted == Wanted::PLAIN {
        return Ok(Answer::json(200, stored));
    }
    let include = table::Include::read(call.query)?;
    let bytes = table::one(call.resource, &stored, wanted, include, call.now)?;
    Ok(Answer::json(200, bytes))
}
