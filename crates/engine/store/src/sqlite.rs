//! The store's file. Look into it with `sqlite3 store.db 'SELECT key, value FROM current'`.
//!
//! ```text
//! change   one row per change that can still be asked for: the newest of every key, and the watchable past
//!          (row, revision, key, value or NULL when deleted, created, version), ordered by row
//! current  what every key holds now (a view of `change`)
//! meta     format: of the file; oldest: the past begins after this revision
//! ```
//! Rows are only added at the end and removed when they are out of the past: the next revision follows the newest row.

use std::{
    collections::HashMap,
    fs::{self, DirBuilder, File, OpenOptions, TryLockError},
    io,
    os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt},
    path::Path,
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use bytes::Bytes;
use rusqlite::{Connection, TransactionBehavior, params};

use crate::{
    Change, Entry, OpenError, Revision,
    disk::{Disk, Forgotten, Row},
    hub::Past,
    index::Version,
    store::Content,
};

const FORMAT: i64 = 1;

/// A process that the last owner was just starting holds the lock too, until it becomes its own program.
const PATIENCE: Duration = Duration::from_millis(500);

const SCHEMA: &str = "
    CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
    CREATE TABLE IF NOT EXISTS change (
        row INTEGER PRIMARY KEY,
        revision INTEGER NOT NULL,
        key TEXT NOT NULL,
        value BLOB,
        created INTEGER NOT NULL,
        version INTEGER NOT NULL
    );
    CREATE VIEW IF NOT EXISTS current AS
        SELECT key, CAST(value AS TEXT) AS value, created, revision AS modified, version, MAX(row) AS row
        FROM change GROUP BY key HAVING value IS NOT NULL ORDER BY key;
";

/// The open file.
#[derive(Debug)]
pub(crate) struct Sqlite {
    connection: Connection,
    oldest: Revision,
    /// Held for as long as the file is open.
    _lock: File,
}

/// Opens the file and reads everything back.
pub(crate) fn open(path: &Path) -> Result<(Sqlite, Content), OpenError> {
    if let Some(folder) = path.parent() {
        make_folder(folder)?;
    }
    let lock = lock(path)?;
    // SQLite gives its side files the mode of the database.
    private(path)?;
    let mut connection = Connection::open(path)?;
    connection.pragma_update(None, "page_size", 8192)?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "cache_size", -4096)?;
    connection.set_prepared_statement_cache_capacity(16);
    prepare(&mut connection)?;
    // Before the log took over there was a rollback journal. Should its removal be lost with the power, SQLite would
    // take the file back to what it was then, and the log with it.
    sync_folder(path)?;
    let (content, outdated) = read(&connection)?;
    let mut sqlite = Sqlite { connection, oldest: content.oldest, _lock: lock };
    sqlite.commit(&[], &Forgotten { oldest: content.oldest, rows: outdated })?;
    Ok((sqlite, content))
}

/// Makes a folder and what leads to it, and has the disk know.
fn make_folder(folder: &Path) -> io::Result<()> {
    if folder.as_os_str().is_empty() || folder.exists() {
        return Ok(());
    }
    if let Some(parent) = folder.parent() {
        make_folder(parent)?;
    }
    match DirBuilder::new().mode(0o700).create(folder) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(error),
        Ok(()) => sync_folder(folder),
    }
}

/// A lock file beside the database, so that looking into the database does not get in the way.
fn lock(path: &Path) -> Result<File, OpenError> {
    let mut name = path.as_os_str().to_owned();
    name.push(".lock");
    let file = private(Path::new(&name))?;
    let patience = Instant::now() + PATIENCE;
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::WouldBlock) if Instant::now() < patience => thread::sleep(Duration::from_millis(5)),
            Err(TryLockError::WouldBlock) => return Err(OpenError::InUse),
            Err(TryLockError::Error(error)) => return Err(error.into()),
        }
    }
}

/// Opens or makes a file that only its owner can read.
fn private(path: &Path) -> io::Result<File> {
    let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(path)?;
    fs::set_permissions(path, fs::Permissions::from_mode(0o600))?;
    Ok(file)
}

fn sync_folder(path: &Path) -> io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(folder)?.sync_all()
}

fn prepare(connection: &mut Connection) -> Result<(), OpenError> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    transaction.execute_batch(SCHEMA)?;
    transaction.execute("INSERT OR IGNORE INTO meta VALUES ('format', ?1), ('oldest', 0)", [FORMAT])?;
    let found: i64 = transaction.query_row("SELECT value FROM meta WHERE name = 'format'", [], |row| row.get(0))?;
    if found > FORMAT {
        return Err(OpenError::Newer { found, known: FORMAT });
    }
    transaction.commit()?;
    Ok(())
}

/// Everything in the file, and the rows that should have been gone.
fn read(connection: &Connection) -> Result<(Content, Vec<u64>), OpenError> {
    let mut content = Content::default();
    content.oldest = connection
        .query_row("SELECT value FROM meta WHERE name = 'oldest'", [], |row| Ok(Revision(number(row, 0)?)))?;
    // Nothing was numbered below what is forgotten, even if no row is left to tell.
    content.revision = content.oldest;
    let mut outdated = Vec::new();
    let mut newest: HashMap<Arc<str>, Entry> = HashMap::new();
    let mut statement =
        connection.prepare("SELECT row, revision, key, value, created, version FROM change ORDER BY row")?;
    let mut rows = statement.query([])?;
    while let Some(found) = rows.next()? {
        let row = stored(found, &mut newest, &content)?;
        content.next_row = row.row + 1;
        content.revision = content.revision.max(row.change.revision);
        content.index.push(&row.change.key, Version::of(&row));
        if row.change.revision > content.oldest {
            content.history.push_back(Past::of(row));
            continue;
        }
        outdated.extend(row.superseded_row);
        outdated.extend(row.change.value.is_none().then_some(row.row));
        content.index.forget(&row.change.key, row.change.revision);
    }
    Ok((content, outdated))
}

/// SQLite's integers have a sign, ours have not; 2^63 changes are out of reach.
fn number(row: &rusqlite::Row<'_>, column: usize) -> Result<u64, rusqlite::Error> {
    let signed: i64 = row.get(column)?;
    u64::try_from(signed).map_err(|_| rusqlite::Error::IntegralValueOutOfRange(column, signed))
}

/// One row of the file, with what it superseded.
fn stored(
    found: &rusqlite::Row<'_>,
    newest: &mut HashMap<Arc<str>, Entry>,
    content: &Content,
) -> Result<Row, OpenError> {
    let revision = Revision(number(found, 1)?);
    let key: Arc<str> = Arc::from(found.get_ref(2)?.as_str().map_err(rusqlite::Error::from)?);
    if revision < content.revision && revision > content.oldest {
        return Err(OpenError::Damaged(format!("revision {revision} after {} at {key}", content.revision)));
    }
    let value = found.get::<_, Option<Vec<u8>>>(3)?.map(Bytes::from);
    let previous = newest.remove(&key);
    let key = previous.as_ref().map_or(key, |entry| entry.key.clone());
    let entry = value.as_ref().map(|value| -> Result<Entry, rusqlite::Error> {
        Ok(Entry {
            key: key.clone(),
            value: value.clone(),
            created: Revision(number(found, 4)?),
            modified: revision,
            version: number(found, 5)?,
        })
    });
    let entry = entry.transpose()?;
    if let Some(entry) = &entry {
        newest.insert(key.clone(), entry.clone());
    }
    Ok(Row::new(number(found, 0)?, Change { revision, key, value, previous }, entry, &content.index))
}

impl Disk for Sqlite {
    fn commit(&mut self, rows: &[Row], forgotten: &Forgotten) -> Result<(), rusqlite::Error> {
        if rows.is_empty() && forgotten.rows.is_empty() {
            return Ok(());
        }
        let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        {
            let mut insert = transaction.prepare_cached("INSERT INTO change VALUES (?1, ?2, ?3, ?4, ?5, ?6)")?;
            for row in rows {
                let (created, version) = row.entry.as_ref().map_or((0, 0), |entry| (entry.created.0, entry.version));
                let change = &row.change;
                insert.execute(params![
                    row.row.cast_signed(),
                    change.revision.0.cast_signed(),
                    &*change.key,
                    change.value.as_deref(),
                    created.cast_signed(),
                    version.cast_signed()
                ])?;
            }
            if !forgotten.rows.is_empty() {
                let mut delete = transaction.prepare_cached("DELETE FROM change WHERE row = ?1")?;
                for row in &forgotten.rows {
                    delete.execute([row.cast_signed()])?;
                }
            }
            if forgotten.oldest > self.oldest {
                transaction
                    .prepare_cached("UPDATE meta SET value = ?1 WHERE name = 'oldest'")?
                    .execute([forgotten.oldest.0.cast_signed()])?;
            }
        }
        transaction.commit()?;
        self.oldest = forgotten.oldest;
        Ok(())
    }
}
