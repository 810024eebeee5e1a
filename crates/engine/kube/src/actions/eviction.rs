//! `pods/eviction`: a delete that disruption budgets may forbid. There are no budgets yet, so none forbids.

use crate::answer::Answer;
use crate::call::Call;
use crate::deletion::{self, Options};
use crate::status::{Status, StatusError};
use crate::write::{self, CHANGED, Current};

pub(super) async fn run(call: &Call<'_>) -> Result<Answer, StatusError> {
    for _ in 0..write::TRIES {
        let current = Current::read(call)?;
        match deletion::delete(call, &current, &Options::default()).await {
            Err(error) if error.to_string().ends_with(CHANGED) => {}
            Err(error) => return Err(error),
            Ok(_) => {
                let mut status = Status::success(None);
                status.code = 201;
                return Ok(Answer::status(201, &status));
            }
        }
    }
    Err(call.conflict(CHANGED))
}
