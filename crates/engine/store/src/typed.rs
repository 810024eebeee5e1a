//! Records through views and transactions. Stored form: `{"v":VERSION,"r":{…}}`.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::{Change, Entry, Key, Record, RecordError, Scope, Txn, View};

#[derive(Serialize)]
struct Write<'a, R> {
    v: u32,
    r: &'a R,
}

#[derive(Deserialize)]
struct Read<'a> {
    v: u32,
    #[serde(borrow)]
    r: &'a RawValue,
}

/// What both views and transactions can do.
trait Source {
    fn entry(&self, key: &str) -> Option<Entry>;
    fn entries(&self, prefix: &str, after: Option<&str>, limit: usize) -> Vec<Entry>;
}

impl Source for View {
    fn entry(&self, key: &str) -> Option<Entry> {
        self.get(key)
    }

    fn entries(&self, prefix: &str, after: Option<&str>, limit: usize) -> Vec<Entry> {
        self.scan(prefix, after, limit)
    }
}

impl Source for Txn<'_> {
    fn entry(&self, key: &str) -> Option<Entry> {
        self.get(key)
    }

    fn entries(&self, prefix: &str, after: Option<&str>, limit: usize) -> Vec<Entry> {
        self.scan(prefix, after, limit)
    }
}

macro_rules! readers {
    () => {
        /// The `R` with that id.
        ///
        /// # Errors
        /// When what is stored there cannot be read as one.
        pub fn record<R: Record>(&self, scope: &Scope, id: &str) -> Result<Option<R>, RecordError> {
            self.entry(&scope.key::<R>(id)).map(|entry| entry.decode()).transpose()
        }

        /// Every `R` of the scope, ordered by id.
        ///
        /// # Errors
        /// When one cannot be read.
        pub fn records<R: Record>(&self, scope: &Scope) -> Result<Vec<R>, RecordError> {
            self.entries(&scope.prefix::<R>(), None, usize::MAX).iter().map(Entry::decode).collect()
        }

        /// Every `R` of every scope, ordered by scope, then id; each that cannot be read as its error, for who must not
        /// let one of them keep it from the others.
        pub fn each_record<R: Record>(&self) -> Vec<Result<(Scope, R), RecordError>> {
            let mut out = Vec::new();
            for scope in scopes(self) {
                for entry in self.entries(&scope.prefix::<R>(), None, usize::MAX) {
                    out.push(entry.decode().map(|record| (scope.clone(), record)));
                }
            }
            out
        }

        /// Every `R` of every scope, ordered by scope, then id.
        ///
        /// # Errors
        /// When one cannot be read.
        pub fn all_records<R: Record>(&self) -> Result<Vec<(Scope, R)>, RecordError> {
            let mut out = Vec::new();
            for scope in scopes(self) {
                for entry in self.entries(&scope.prefix::<R>(), None, usize::MAX) {
                    out.push((scope.clone(), entry.decode()?));
                }
            }
            Ok(out)
        }
    };
}

impl View {
    readers!();
}

impl Txn<'_> {
    readers!();

    /// Puts a record.
    ///
    /// # Errors
    /// When it has no JSON form.
    pub fn put_record<R: Record>(&mut self, scope: &Scope, record: &R) -> Result<(), RecordError> {
        let key = scope.key::<R>(record.id());
        match serde_json::to_vec(&Write { v: R::VERSION, r: record }) {
            Ok(json) => {
                self.put(&key, json);
                Ok(())
            }
            Err(source) => Err(RecordError::Json { key, source }),
        }
    }

    /// Deletes a record; says whether it was there.
    pub fn delete_record<R: Record>(&mut self, scope: &Scope, id: &str) -> bool {
        self.delete(&scope.key::<R>(id))
    }
}

impl Entry {
    /// The record stored here.
    ///
    /// # Errors
    /// When it is none, or a later release's, or an earlier one's without a way up.
    pub fn decode<R: Record>(&self) -> Result<R, RecordError> {
        decode(&self.key, &self.value)
    }
}

fn decode<R: Record>(key: &str, value: &[u8]) -> Result<R, RecordError> {
    let json = |source| RecordError::Json { key: key.to_owned(), source };
    let Read { v, r } = serde_json::from_slice(value).map_err(json)?;
    if v > R::VERSION {
        return Err(RecordError::Newer { key: key.to_owned(), found: v, known: R::VERSION });
    }
    if v == R::VERSION {
        return serde_json::from_str(r.get()).map_err(json);
    }
    let old = serde_json::from_str(r.get()).map_err(json)?;
    let new = R::migrate(v, old).map_err(|reason| RecordError::Migration { key: key.to_owned(), reason })?;
    serde_json::from_value(new).map_err(json)
}

/// Every scope that has records. Jumps from scope to scope rather than walk all keys.
fn scopes(source: &impl Source) -> Vec<Scope> {
    let mut out = Vec::new();
    let mut after = None::<String>;
    loop {
        let Some(entry) = source.entries("/", after.as_deref(), 1).pop() else { return out };
        after = Some(match Key::parse(&entry.key) {
            Ok(key) => {
                out.push(key.scope());
                // '0' follows '/': past every key of this scope.
                format!("/{}/{}0", key.account, key.region)
            }
            // Not a record's: the next key.
            Err(_) => entry.key.to_string(),
        });
    }
}

impl Change {
    /// The record that was put, `None` when it was deleted.
    ///
    /// # Errors
    /// As [`Entry::decode`].
    pub fn decode<R: Record>(&self) -> Result<Option<R>, RecordError> {
        self.value.as_ref().map(|value| decode(&self.key, value)).transpose()
    }
}
