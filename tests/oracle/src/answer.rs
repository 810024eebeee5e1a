//! What a server answered, as far as it is compared, and its committed form.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// One masked answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Answer {
    /// HTTP status.
    pub status: u16,
    /// `Content-Type`, as sent.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub content: String,
    /// Other headers that matter (`Warning`, `Allow`, `Retry-After`, `WWW-Authenticate`, `Location`), in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub headers: Vec<String>,
    /// The body: JSON where it is JSON, a list of events for a watch, else a string.
    pub body: Value,
}

/// Answers of one scenario by request id.
pub type Answers = BTreeMap<String, Answer>;

/// Why recorded answers could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum AnswerError {
    /// The file could not be read or written.
    #[error("{0}: {1}")]
    File(String, std::io::Error),
    /// The file is not a table of answers.
    #[error("{0}: {1}")]
    Parse(String, serde_json::Error),
}

/// Reads the recorded answers of a scenario.
///
/// # Errors
/// When there are none, or they do not parse.
pub fn read(folder: &Path, scenario: &str) -> Result<Answers, AnswerError> {
    let path = folder.join(format!("{scenario}.json"));
    let shown = path.display().to_string();
    let text = std::fs::read_to_string(&path).map_err(|e| AnswerError::File(shown.clone(), e))?;
    serde_json::from_str(&text).map_err(|e| AnswerError::Parse(shown, e))
}

/// Writes the answers of a scenario: one line each, sorted, so that a changed answer is a changed line.
///
/// # Errors
/// When the file cannot be written.
pub fn write(folder: &Path, scenario: &str, answers: &Answers) -> Result<(), AnswerError> {
    let path = folder.join(format!("{scenario}.json"));
    let shown = path.display().to_string();
    let mut text = String::from("{\n");
    for (place, (id, answer)) in answers.iter().enumerate() {
        let line = serde_json::to_string(answer).map_err(|e| AnswerError::Parse(shown.clone(), e))?;
        let comma = if place + 1 < answers.len() { "," } else { "" };
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{}: {line}{comma}", Value::String(id.clone()));
    }
    text.push_str("}\n");
    std::fs::write(&path, text).map_err(|e| AnswerError::File(shown, e))
}
