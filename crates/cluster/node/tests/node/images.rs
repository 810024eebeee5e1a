//! Layers, unpacked and mounted: also in a user namespace, where there are no devices and few ids.

use std::path::{Path, PathBuf};
use std::process::Command;

use eksile_node::images::{mount_layers, unpack};
use tar::{Builder, EntryType, Header};

/// A layer of these entries: kind, path, owner.
fn layer(entries: &[(EntryType, &str, u64)]) -> Vec<u8> {
    let mut archive = Builder::new(Vec::new());
    for (kind, path, owner) in entries {
        let mut header = Header::new_gnu();
        header.set_path(path).unwrap();
        header.set_entry_type(*kind);
        header.set_mode(0o755);
        header.set_uid(*owner);
        header.set_gid(*owner);
        header.set_device_major(1).unwrap();
        header.set_device_minor(3).unwrap();
        header.set_mtime(1);
        header.set_size(0);
        header.set_cksum();
        archive.append(&header, &[][..]).unwrap();
    }
    archive.into_inner().unwrap()
}

fn unpacked(base: &Path, name: &str, entries: &[(EntryType, &str, u64)]) -> PathBuf {
    let directory = base.join(name);
    std::fs::create_dir(&directory).unwrap();
    unpack(layer(entries).as_slice(), &directory, 1 << 20).unwrap();
    directory
}

/// Runs in the user and mount namespaces that the next test makes.
#[test]
#[ignore = "run by layers_are_unpacked_and_mounted_in_a_user_namespace"]
fn within_namespaces() {
    use EntryType::{Char, Directory, Regular};
    // A file system of the namespace's own: what lies below an overlay's upper directory must keep attributes.
    let base = tempfile::tempdir().unwrap();
    let lower = unpacked(
        base.path(),
        "lower",
        &[(Directory, "d", 0), (Regular, "d/hidden", 0), (Regular, "gone", 0), (Char, "null", 0), (Regular, "kept", 0)],
    );
    let upper = unpacked(base.path(), "upper", &[(Regular, "d/.wh..wh..opq", 0), (Regular, ".wh.gone", 0)]);
    let container = base.path().join("container");
    std::fs::create_dir(&container).unwrap();
    mount_layers(&[lower, upper], &container).unwrap();
    let there = |name: &str| container.join("rootfs").join(name).exists();
    assert_eq!(["d", "kept"].map(there), [true; 2]);
    assert_eq!(["d/hidden", "gone", "null"].map(there), [false; 3]);
    let other = base.path().join("other");
    std::fs::create_dir(&other).unwrap();
    let refused = unpack(layer(&[(Regular, "f", 70_000)]).as_slice(), &other, 1 << 20).unwrap_err().to_string();
    assert_eq!(refused, "f: its owner 70000:70000 is not among the ids that this node has");
}

#[test]
fn layers_are_unpacked_and_mounted_in_a_user_namespace() {
    let mut unshare = Command::new("unshare");
    unshare.args(["--user", "--map-root-user", "--mount"]);
    let possible = Command::new("unshare").args(["--user", "--map-root-user", "--mount", "true"]).status();
    if !possible.is_ok_and(|status| status.success()) {
        eprintln!("SKIPPED: needs user namespaces");
        return;
    }
    unshare.arg(std::env::current_exe().unwrap());
    let done = unshare.args(["--exact", "images::within_namespaces", "--ignored", "--nocapture"]).output().unwrap();
    let said = String::from_utf8_lossy(&done.stdout).into_owned() + &String::from_utf8_lossy(&done.stderr);
    assert!(done.status.success() && said.contains("1 passed"), "{said}");
}
