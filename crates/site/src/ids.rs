//! Which ids of this machine an instance's users have: a range for each instance, never shared by two that live.
//!
//! All sites of an installation take from one folder: a file per range, called by its number, that names the instance.
//! Whoever changes it holds its lock, so two sites never take the same. A record is whole from the moment that it is there,
//! and what is taken is there after any crash; one that names nobody is free.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use eksile_linux::IdRange;

/// The first range's first id. From here to [`RANGES`] ranges further nobody else's ids are: those of people, of
/// `/etc/subuid` and of systemd's containers end below, its "foreign" range begins behind (systemd's documentation,
/// "Users, Groups, UIDs and GIDs on systemd Systems").
const FIRST: u32 = 0x7000_0000;
/// How many there are.
const RANGES: u32 = 0x0ffe;
/// Held by whoever changes the folder.
const LOCK: &str = "lock";
/// A record that is being written.
const NEW: &str = "new";

/// Gives out ranges.
#[derive(Debug, Clone)]
pub struct Ids {
    folder: PathBuf,
}

impl Ids {
    /// Those of an installation, kept in `folder`, which is made when it is missing.
    #[must_use]
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self { folder: folder.into() }
    }

    /// Every instance that has a range.
    ///
    /// # Errors
    /// When the folder cannot be read.
    pub fn taken(&self) -> io::Result<BTreeMap<String, IdRange>> {
        let listed = match fs::read_dir(&self.folder) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(BTreeMap::new()),
            listed => listed?,
        };
        let mut taken = BTreeMap::new();
        for entry in listed {
            let entry = entry?;
            let number = entry.file_name().to_str().and_then(|name| name.parse::<u32>().ok());
            let Some(number) = number.filter(|number| *number < RANGES) else { continue };
            match fs::read_to_string(entry.path()) {
                Ok(instance) => drop(taken.insert(instance, range(number))),
                // Given back since it was listed, by this site or another.
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
        // Of a full disk or a crash, in an earlier version: taken by nobody.
        taken.remove("");
        Ok(taken)
    }

    /// Brings what is known of ranges up to date, and takes one for each of `wanted` that has none. Answers what failed,
    /// and whether what is taken is known by now: when it is not, what was known stays, as ranges of instances that live do
    /// not change.
    pub(crate) fn refresh<'a>(
        &self,
        known: &mut BTreeMap<String, IdRange>,
        wanted: impl IntoIterator<Item = &'a str>,
    ) -> (Vec<String>, bool) {
        match self.taken() {
            Ok(taken) => *known = taken,
            Err(error) => return (vec![format!("ids of instances cannot be read: {error}")], false),
        }
        let mut failed = Vec::new();
        for instance in wanted {
            if known.contains_key(instance) {
                continue;
            }
            match self.take(instance) {
                Ok(ids) => drop(known.insert(instance.to_owned(), ids)),
                Err(error) => failed.push(format!("{instance} has no ids: {error}")),
            }
        }
        (failed, true)
    }

    /// The range of an instance, taken now if it has none.
    ///
    /// # Errors
    /// When it cannot be written down, or none is left.
    pub fn take(&self, instance: &str) -> io::Result<IdRange> {
        if let Some(range) = self.taken()?.get(instance) {
            return Ok(*range);
        }
        fs::DirBuilder::new().recursive(true).create(&self.folder)?;
        let _lock = self.lock()?;
        // Begin anywhere, so that ids of an instance that has just gone are not used at once by another.
        let begin = u32::try_from(hash(instance) % u64::from(RANGES)).unwrap_or_default();
        for number in (begin..RANGES).chain(0..begin) {
            if self.is_free(number)? {
                self.write(number, instance)?;
                return Ok(range(number));
            }
        }
        Err(io::Error::other(format!("all {RANGES} ranges of ids are taken")))
    }

    /// Until the file is closed.
    fn lock(&self) -> io::Result<File> {
        let mut options = OpenOptions::new();
        let lock = options.write(true).create(true).truncate(false).mode(0o600).open(self.folder.join(LOCK))?;
        lock.lock()?;
        Ok(lock)
    }

    fn is_free(&self, number: u32) -> io::Result<bool> {
        match fs::symlink_metadata(self.file(number)) {
            Ok(there) => Ok(there.is_file() && there.len() == 0),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(true),
            Err(error) => Err(error),
        }
    }

    /// Whole or not at all, and on disk.
    fn write(&self, number: u32, instance: &str) -> io::Result<()> {
        let new = self.folder.join(NEW);
        let written = (|| {
            let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&new)?;
            file.write_all(instance.as_bytes())?;
            file.sync_all()?;
            fs::rename(&new, self.file(number))
        })();
        if let Err(error) = written {
            // The next one writes over it, should it stay.
            let _stays = fs::remove_file(&new);
            return Err(error);
        }
        File::open(&self.folder)?.sync_all()
    }

    /// Gives an instance's range back. Nothing of the instance may be left: neither processes nor files.
    ///
    /// # Errors
    /// When the folder cannot be changed; that it has none is no error.
    pub fn give_back(&self, instance: &str) -> io::Result<()> {
        if !self.taken()?.contains_key(instance) {
            return Ok(());
        }
        let _lock = self.lock()?;
        match self.taken()?.get(instance) {
            Some(range) => fs::remove_file(self.file((range.base - FIRST) / IdRange::LENGTH)),
            None => Ok(()),
        }
    }

    fn file(&self, number: u32) -> PathBuf {
        Path::new(&self.folder).join(number.to_string())
    }
}

fn range(number: u32) -> IdRange {
    IdRange { base: FIRST + number * IdRange::LENGTH }
}

/// FNV-1a, 64 bits (draft-eastlake-fnv).
fn hash(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |h, byte| (h ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_have_the_same_ids_and_each_keeps_its_own() {
        let folder = tempfile::tempdir().unwrap();
        // Two sites with the same folder.
        let (one, other) = (Ids::new(folder.path().join("ids")), Ids::new(folder.path().join("ids")));
        assert!(one.taken().unwrap().is_empty());
        let mut bases: Vec<u32> =
            (0..50).map(|n| if n % 2 == 0 { &one } else { &other }.take(&format!("i-{n}")).unwrap().base).collect();
        assert_eq!(other.take("i-0").unwrap().base, bases[0]);
        bases.sort_unstable();
        assert!(bases.windows(2).all(|two| two[1] - two[0] >= IdRange::LENGTH));
        one.give_back("i-7").unwrap();
        one.give_back("i-7").unwrap();
        assert_eq!(one.taken().unwrap().len(), 49);
        assert!(!one.taken().unwrap().contains_key("i-7"));
    }

    #[test]
    fn a_range_that_is_given_back_meanwhile_hides_no_other() {
        let folder = tempfile::tempdir().unwrap();
        let ids = Ids::new(folder.path());
        let own = ids.take("i-1").unwrap();
        // Listed, and not there any more when it is read.
        std::os::unix::fs::symlink(folder.path().join("nowhere"), folder.path().join("4093")).unwrap();
        assert_eq!(ids.taken().unwrap(), BTreeMap::from([("i-1".to_owned(), own)]));
    }

    #[test]
    fn what_is_known_of_ranges_stays_while_they_cannot_be_read() {
        let folder = tempfile::tempdir().unwrap();
        let ids = Ids::new(folder.path().join("ids"));
        let mut known = BTreeMap::new();
        assert_eq!(ids.refresh(&mut known, ["i-1"]), (Vec::new(), true));
        let before = known.clone();
        assert!(before.contains_key("i-1"));
        let unreadable = Ids::new(folder.path().join("file"));
        fs::write(folder.path().join("file"), "").unwrap();
        let (failed, complete) = unreadable.refresh(&mut known, ["i-2"]);
        assert!(failed.len() == 1 && !complete && known == before, "{failed:?}");
        // One that fails to get its own is told, and hides no other.
        fs::remove_file(folder.path().join("ids/lock")).unwrap();
        fs::create_dir(folder.path().join("ids/lock")).unwrap();
        let (failed, complete) = ids.refresh(&mut known, ["i-3"]);
        assert!(failed[0].starts_with("i-3") && complete && known == before, "{failed:?}");
    }

    #[test]
    fn ranges_end_below_those_of_others_and_are_used_up_aloud() {
        let last = range(RANGES - 1);
        assert!(last.base + IdRange::LENGTH <= 0x7ffe_0000);
        let folder = tempfile::tempdir().unwrap();
        for number in 0..RANGES {
            fs::write(folder.path().join(number.to_string()), format!("i-{number}")).unwrap();
        }
        let ids = Ids::new(folder.path());
        assert!(ids.take("i-other").unwrap_err().to_string().contains("are taken"));
        // A record of nobody is nobody's.
        fs::write(folder.path().join("7"), "").unwrap();
        assert_eq!(ids.take("i-other").unwrap(), range(7));
        assert!(!ids.taken().unwrap().contains_key("i-7"));
    }
}
