//! Requests whose answers may differ, each with its reason.

use std::collections::BTreeMap;
use std::path::Path;

use crate::corpus::CorpusError;

/// `SCENARIO/REQUEST` to the reason why the answers differ.
#[derive(Debug, Clone, Default)]
pub struct Exceptions(BTreeMap<String, String>);

impl Exceptions {
    /// Reads the table; an exception without a reason is refused.
    ///
    /// # Errors
    /// When the file cannot be read, or a reason is missing.
    pub fn read(path: &Path) -> Result<Exceptions, CorpusError> {
        let shown = path.display().to_string();
        let text = std::fs::read_to_string(path).map_err(|e| CorpusError::Read(shown.clone(), e))?;
        let table: Option<BTreeMap<String, String>> =
            serde_yaml_ng::from_str(&text).map_err(|e| CorpusError::Parse(shown.clone(), e))?;
        let table = table.unwrap_or_default();
        match table.iter().find(|(_, reason)| reason.trim().len() < 10) {
            Some((name, _)) => Err(CorpusError::Inconsistent(shown, format!("{name} has no reason"))),
            None => Ok(Exceptions(table)),
        }
    }

    /// The reason why a request may differ.
    #[must_use]
    pub fn reason(&self, request: &str) -> Option<&str> {
        self.0.get(request).map(String::as_str)
    }

    /// All names.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }
}
