//! Change parts of one object.

use crate::answer::Answer;
use crate::call::Call;
use crate::status::StatusError;

pub(super) async fn run(call: &Call<'_>) -> Result<Answer, StatusError> {
    Err(StatusError::not_implemented(format!("patch of {}", call.resource.plural)))
}
