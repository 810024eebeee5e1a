//! Who has an installation's folder. Only who holds its lock says what is new in it, and takes away again what came to
//! nothing.

use std::{
    fs::{self, File, TryLockError},
    io::{self, ErrorKind, Read as _, Write as _},
    os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail};
use eksile_linux::tree::remove_tree;

use crate::{layout::Layout, modes};

/// Who only looks whether an installation runs holds the lock for a moment.
const PATIENCE: Duration = Duration::from_millis(200);

/// A folder, held while an installation runs in it or is removed.
pub(crate) struct Claim {
    lock: File,
    layout: Layout,
    /// The folder itself was not there, and this process made it.
    made_root: bool,
    /// What is found in it was there before: none of it is this process's to remove.
    before: Vec<PathBuf>,
}

impl Claim {
    /// Takes the folder, which is made when it is missing.
    ///
    /// # Errors
    /// When another has it: it is told who. Nothing has been changed then.
    pub(crate) fn take(layout: &Layout) -> Result<Self> {
        let made_root = make(layout)?;
        Self::hold(layout, made_root)
    }

    /// Takes a folder that this process has made earlier, or not.
    fn hold(layout: &Layout, mut made_root: bool) -> Result<Self> {
        let lock = lock(layout, &mut made_root)?;
        let there = |path: &PathBuf| fs::symlink_metadata(path).is_ok();
        let before = layout.made().into_iter().filter(there).collect();
        Ok(Self { lock, layout: layout.clone(), made_root, before })
    }

    /// Removes what this process, and what it has started, made of the folder.
    ///
    /// # Errors
    /// When something stays.
    pub(crate) fn undo(self) -> Result<()> {
        for path in self.layout.made() {
            if !self.before.contains(&path) {
                remove_tree(&path).with_context(|| format!("removing {}", path.display()))?;
            }
        }
        if self.made_root {
            remove_root(&self.layout)?;
        }
        drop(self.lock);
        Ok(())
    }
}

/// The folder with nothing but its lock in it; one that holds anything else stays.
fn remove_root(layout: &Layout) -> Result<()> {
    let root = layout.root();
    let others = fs::read_dir(root).with_context(|| format!("reading {}", root.display()))?.any(|entry| {
        // One that cannot be told is not ours.
        entry.map_or(true, |entry| entry.path() != layout.lock())
    });
    if others {
        return Ok(());
    }
    // Who waits for the lock finds out that its file is gone: see `lock`.
    fs::remove_file(layout.lock()).context("removing the lock")?;
    match fs::remove_dir(root) {
        // Somebody has begun anew there.
        Err(error) if matches!(error.kind(), ErrorKind::DirectoryNotEmpty | ErrorKind::NotFound) => Ok(()),
        removed => removed.with_context(|| format!("removing {}", root.display())),
    }
}

/// What a process does to a folder before the one that it starts takes it: the folder itself and the log.
pub(crate) struct Beginning {
    layout: Layout,
    made_root: bool,
    made_log: bool,
}

impl Beginning {
    /// Makes what is missing; answers the log, too.
    ///
    /// # Errors
    /// When that cannot be done.
    pub(crate) fn of(layout: &Layout) -> Result<(Self, File)> {
        let made_root = make(layout)?;
        let mut options = File::options();
        options.append(true).mode(0o600).custom_flags(nix::libc::O_NOFOLLOW);
        let (made_log, log) = match options.clone().create_new(true).open(layout.log()) {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => (false, options.create(true).open(layout.log())),
            opened => (true, opened),
        };
        let log = log.context("opening the log")?;
        Ok((Self { layout: layout.clone(), made_root, made_log }, log))
    }

    /// Removes that again, unless somebody has the folder or has made something of it. True when nothing is left.
    ///
    /// # Errors
    /// When it cannot be removed.
    pub(crate) fn undo(self) -> Result<bool> {
        if !self.made_root && !self.made_log {
            return Ok(false);
        }
        let Ok(mut claim) = Claim::hold(&self.layout, self.made_root) else { return Ok(false) };
        let log = self.layout.log();
        if claim.before.iter().any(|path| *path != log) {
            return Ok(false);
        }
        claim.before.retain(|path| *path == log && !self.made_log);
        claim.undo()?;
        Ok(!self.layout.root().exists())
    }
}

/// Makes a folder for its owner alone, and trusts none that is another's. True when it was not there.
fn make(layout: &Layout) -> Result<bool> {
    let root = layout.root();
    let making = || format!("making {}", root.display());
    let mut builder = fs::DirBuilder::new();
    builder.mode(0o700);
    if let Some(above) = root.parent() {
        builder.recursive(true).create(above).with_context(making)?;
    }
    match builder.recursive(false).create(root) {
        Ok(()) => Ok(true),
        // A link to a folder is one, too.
        Err(error) if error.kind() == ErrorKind::AlreadyExists && root.is_dir() => {
            modes::own(layout)?;
            Ok(false)
        }
        Err(error) => Err(error).with_context(making),
    }
}

/// The lock, with this process's id in it. The folder is made anew where who had it has just removed it.
fn lock(layout: &Layout, made_root: &mut bool) -> Result<File> {
    let begun = Instant::now();
    loop {
        let mut options = File::options();
        options.read(true).write(true).create(true).truncate(false).mode(0o600).custom_flags(nix::libc::O_NOFOLLOW);
        let mut lock = match options.open(layout.lock()) {
            Err(error) if error.kind() == ErrorKind::NotFound && begun.elapsed() < PATIENCE => {
                *made_root |= make(layout)?;
                continue;
            }
            opened => opened.context("making the lock")?,
        };
        match lock.try_lock() {
            Ok(()) if !is_still_at(&lock, &layout.lock())? => continue,
            Ok(()) => {
                lock.set_len(0).and_then(|()| write!(lock, "{}", std::process::id())).context("writing the lock")?;
                return Ok(lock);
            }
            Err(TryLockError::WouldBlock) if begun.elapsed() < PATIENCE => {
                std::thread::sleep(Duration::from_millis(10));
            }
            Err(TryLockError::WouldBlock) => {
                let root = layout.root().display();
                let who = holder(&mut lock).map_or_else(String::new, |pid| format!(", held by process {pid}"));
                bail!("an installation runs in {root} already{who} (stop it with `eksile down`)")
            }
            Err(TryLockError::Error(error)) => return Err(error).context("taking the lock"),
        }
    }
}

/// Who held a lock before may have removed its file.
fn is_still_at(lock: &File, path: &Path) -> Result<bool> {
    let ours = lock.metadata().context("looking at the lock")?;
    match fs::symlink_metadata(path) {
        Ok(there) => Ok((there.dev(), there.ino()) == (ours.dev(), ours.ino())),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error).context("looking at the lock"),
    }
}

/// Whose process id a lock holds; none in one of an earlier version.
fn holder(lock: &mut File) -> Option<u32> {
    let mut text = String::new();
    io::Read::take(&mut *lock, 20).read_to_string(&mut text).ok()?;
    text.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layout(folder: &tempfile::TempDir) -> Layout {
        Layout::new(folder.path().join("deep/data"))
    }

    /// The lock is the process's: tests that want another holder need another descriptor, which counts as one.
    #[test]
    fn who_comes_second_is_told_who_holds_the_folder_and_changes_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let layout = layout(&folder);
        let first = Claim::take(&layout).unwrap();
        fs::create_dir_all(layout.region()).unwrap();
        fs::write(layout.region().join("store.db"), "precious").unwrap();
        let why = format!("{:#}", Claim::take(&layout).err().unwrap());
        assert!(why.contains(&format!("held by process {}", std::process::id())), "{why}");
        let (beginning, _log) = Beginning::of(&layout).unwrap();
        assert!(!beginning.undo().unwrap());
        assert_eq!(fs::read_to_string(layout.region().join("store.db")).unwrap(), "precious");
        first.undo().unwrap();
        assert!(!layout.root().exists());
    }

    #[test]
    fn only_what_one_has_made_is_removed() {
        let folder = tempfile::tempdir().unwrap();
        let layout = layout(&folder);
        fs::create_dir_all(layout.pki()).unwrap();
        fs::write(layout.root().join("mine"), "kept").unwrap();
        let claim = Claim::take(&layout).unwrap();
        fs::create_dir_all(layout.sites().join("op-1")).unwrap();
        fs::write(layout.pki().join("ca.key"), "").unwrap();
        claim.undo().unwrap();
        assert!(
            !layout.sites().exists() && layout.pki().join("ca.key").exists() && layout.root().join("mine").exists()
        );
        // Made by us, and then used by another.
        fs::remove_dir_all(layout.root()).unwrap();
        let claim = Claim::take(&layout).unwrap();
        fs::write(layout.root().join("theirs"), "kept").unwrap();
        claim.undo().unwrap();
        assert!(layout.root().join("theirs").exists());
    }

    #[test]
    fn a_beginning_that_came_to_nothing_leaves_nothing_and_one_that_became_something_stays() {
        let folder = tempfile::tempdir().unwrap();
        let layout = layout(&folder);
        let (beginning, _log) = Beginning::of(&layout).unwrap();
        assert!(beginning.undo().unwrap() && !layout.root().exists());
        let (beginning, _log) = Beginning::of(&layout).unwrap();
        fs::write(layout.world_config(), "{}").unwrap();
        assert!(!beginning.undo().unwrap() && layout.world_config().exists() && layout.log().exists());
    }

    #[test]
    fn the_lock_of_a_file_that_is_gone_is_none() {
        let folder = tempfile::tempdir().unwrap();
        let layout = layout(&folder);
        make(&layout).unwrap();
        // Whoever holds it removes it and ends, while another waits.
        let held = lock(&layout, &mut false).unwrap();
        let waiting = {
            let layout = layout.clone();
            std::thread::spawn(move || Claim::take(&layout))
        };
        std::thread::sleep(Duration::from_millis(50));
        fs::remove_dir_all(layout.root()).unwrap();
        drop(held);
        let claim = waiting.join().unwrap().unwrap();
        assert!(is_still_at(&claim.lock, &layout.lock()).unwrap());
        assert!(Claim::take(&layout).is_err());
    }

    #[test]
    fn who_looks_for_a_moment_keeps_nobody_from_it() {
        let folder = tempfile::tempdir().unwrap();
        let layout = layout(&folder);
        drop(Claim::take(&layout).unwrap());
        let looking = File::open(layout.lock()).unwrap();
        looking.lock_shared().unwrap();
        let taking = std::thread::spawn(move || Claim::take(&layout).map(drop));
        std::thread::sleep(Duration::from_millis(50));
        drop(looking);
        taking.join().unwrap().unwrap();
    }
}
