//! Streams of a pod: what does not need an upgraded connection goes this way (logs); see [`crate::connect`].

use crate::answer::Answer;
use crate::call::Call;
use crate::connect;
use crate::status::StatusError;

pub(super) async fn run(call: &Call<'_>) -> Result<Answer, StatusError> {
    match (&*call.resource.plural, call.at.sub.as_str()) {
        ("pods", "log") => connect::log(call).await,
        ("pods", "exec" | "attach" | "portforward") => connect::no_upgrade(call),
        (plural, sub) => Err(StatusError::not_implemented(format!("{plural}/{sub} is not built"))),
    }
}
