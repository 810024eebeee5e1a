//! Files of a volume that the API gives, exchanged as a whole: a reader sees all the old ones or all the new ones.
//!
//! `..data` is a link to a directory that is exchanged at once, and each name a link through it. Containers have such
//! volumes read-only; still nothing that lies in one is believed.

use std::collections::HashMap;
use std::fs;
use std::io;
use std::os::unix::fs::{PermissionsExt, chown, symlink};
use std::path::{Component, Path, PathBuf};

use eksile_linux::tree::remove_tree;

/// A file of a volume.
pub(super) struct FileIn {
    pub(super) content: Vec<u8>,
    pub(super) mode: u32,
    /// The user who may read it, if not everybody's mode says so.
    pub(super) owner: Option<u32>,
}

pub(super) type Files = HashMap<PathBuf, FileIn>;

/// Publishes `files` in `volume`; with a group they are readable to it.
///
/// # Errors
/// What the file system says.
pub(super) fn publish(volume: &Path, files: &Files, group: Option<i64>) -> io::Result<()> {
    fs::create_dir_all(volume)?;
    let data = volume.join("..data");
    let same = |(path, file): (&PathBuf, &FileIn)| fs::read(data.join(path)).is_ok_and(|now| now == file.content);
    let before = fs::read_link(&data).ok().filter(|target| ours(target));
    if before.is_some() && files.iter().all(same) && count(&data) == files.len() {
        return Ok(());
    }
    let stamp = format!("..{}", jiff::Timestamp::now().strftime("%Y_%m_%d_%H_%M_%S.%9f"));
    let new = volume.join(&stamp);
    for (path, file) in files {
        let target = new.join(path);
        fs::create_dir_all(target.parent().unwrap_or(&new))?;
        fs::write(&target, &file.content)?;
        let group = group.and_then(|group| u32::try_from(group).ok());
        chown(&target, file.owner, group)?;
        let shared = if group.is_some() { 0o440 } else { 0 };
        fs::set_permissions(&target, fs::Permissions::from_mode(file.mode | shared))?;
    }
    fs::create_dir_all(&new)?;
    let next = volume.join("..data_tmp");
    // Left by a crash, perhaps; if it stays, the next line says so.
    let _ = fs::remove_file(&next);
    symlink(&stamp, &next)?;
    fs::rename(&next, &data)?;
    let mut wanted: Vec<_> = files.keys().filter_map(|path| path.components().next()).collect();
    wanted.sort_unstable();
    wanted.dedup();
    for top in wanted {
        let link = volume.join(top);
        if fs::symlink_metadata(&link).is_err() {
            symlink(Path::new("..data").join(top), link)?;
        }
    }
    before.map_or(Ok(()), |old| remove_tree(&volume.join(old)))
}

/// Whether `..data` leads to a directory that was made here: one beside it.
fn ours(target: &Path) -> bool {
    let mut parts = target.components();
    let (first, rest) = (parts.next(), parts.next());
    let named = matches!(first, Some(Component::Normal(name)) if name.as_encoded_bytes().starts_with(b".."));
    named && rest.is_none()
}

fn count(directory: &Path) -> usize {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    let directory = |entry: &fs::DirEntry| entry.file_type().is_ok_and(|kind| kind.is_dir());
    entries.map(|entry| if directory(&entry) { count(&entry.path()) } else { 1 }).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files(pairs: &[(&str, &str)]) -> Files {
        let one = |(path, text): &(&str, &str)| {
            (PathBuf::from(path), FileIn { content: text.as_bytes().to_vec(), mode: 0o640, owner: None })
        };
        pairs.iter().map(one).collect()
    }

    #[test]
    fn files_are_exchanged_as_a_whole() {
        let directory = tempfile::tempdir().unwrap();
        let volume = directory.path().join("v");
        publish(&volume, &files(&[("a", "1"), ("d/b", "2")]), None).unwrap();
        assert_eq!(fs::read_to_string(volume.join("d/b")).unwrap(), "2");
        let first = fs::read_link(volume.join("..data")).unwrap();
        publish(&volume, &files(&[("a", "1"), ("d/b", "2")]), None).unwrap();
        assert_eq!(fs::read_link(volume.join("..data")).unwrap(), first, "nothing changed, nothing exchanged");
        publish(&volume, &files(&[("a", "3"), ("d/b", "2")]), None).unwrap();
        assert_eq!(fs::read_to_string(volume.join("a")).unwrap(), "3");
        assert!(!volume.join(first).exists());
        assert_eq!(fs::metadata(volume.join("a")).unwrap().permissions().mode() & 0o777, 0o640);
    }

    #[test]
    fn a_link_that_somebody_put_there_removes_nothing_elsewhere() {
        let directory = tempfile::tempdir().unwrap();
        let (volume, outside) = (directory.path().join("v"), directory.path().join("outside"));
        fs::create_dir(&outside).unwrap();
        fs::write(outside.join("kept"), "x").unwrap();
        for target in [outside.as_path(), Path::new("../outside"), Path::new(".."), Path::new(".")] {
            publish(&volume, &files(&[("a", "1")]), None).unwrap();
            fs::remove_file(volume.join("..data")).unwrap();
            symlink(target, volume.join("..data")).unwrap();
            publish(&volume, &files(&[("a", "2")]), None).unwrap();
            assert_eq!(fs::read_to_string(volume.join("a")).unwrap(), "2");
        }
        assert!(outside.join("kept").exists());
    }
}
