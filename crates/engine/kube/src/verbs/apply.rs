//! Server-side apply.

use crate::answer::Answer;
use crate::call::Call;
use crate::status::StatusError;

pub(super) async fn run(_call: &Call<'_>) -> Result<Answer, StatusError> {
    Err(StatusError::not_implemented("server-side apply is not built"))
}
