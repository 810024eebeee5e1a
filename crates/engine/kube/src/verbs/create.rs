//! Make one object.

use crate::answer::Answer;
use crate::call::Call;
use crate::decode;
use crate::metadata;
use crate::negotiate;
use crate::query::WriteOptions;
use crate::status::StatusError;
use crate::write;

pub(super) async fn run(call: &Call<'_>) -> Result<Answer, StatusError> {
    let options = WriteOptions::read(call.query, "CreateOptions")?;
    negotiate::wanted(call.head.accept)?;
    let mut object = decode::object(call, options.validation)?;
    metadata::place(&mut object, call.namespace())?;
    if object.pointer("/metadata/resourceVersion").and_then(|v| v.as_str()).is_some_and(|v| !v.is_empty()) {
        return Err(StatusError::unexplained("resourceVersion should not be set on objects to be created"));
    }
    metadata::clean(&mut object, call.warnings);
    let done = write::create(call, object, &options, write::Tracking::Compare).await?;
    write::answer(call, 201, &done)
}
