//! Subresources that take another kind and do something.

mod binding;
mod token;

use crate::answer::Answer;
use crate::call::Call;
use crate::status::StatusError;

/// Runs the action of a call.
///
/// # Errors
/// The `Status` to answer; 501 for actions that are not built.
pub(crate) async fn run(call: &Call<'_>) -> Result<Answer, StatusError> {
    match (&*call.resource.plural, call.at.sub.as_str()) {
        ("pods", "binding") => binding::run(call).await,
        ("serviceaccounts", "token") => token::run(call),
        (plural, sub) => Err(StatusError::not_implemented(format!("{plural}/{sub} is not built"))),
    }
}
