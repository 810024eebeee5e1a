//! An image's layers as one file system: the kernel's overlay, with one directory above that takes what is written.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use nix::mount::{MsFlags, mount};

/// Most bytes of a mount's options: the kernel copies one page of them.
const OPTIONS_MAX: usize = 4095;

/// Mounts `layers` (lowest first) at `directory/rootfs`; what is written there goes to `directory/upper`.
///
/// Marks of removed and opaque directories are read from `user.` attributes, so that this works in a user namespace, too
/// (kernel documentation, "Overlay Filesystem", `userxattr`).
///
/// # Errors
/// More layers than fit into the options; what the kernel says.
pub fn mount_layers(layers: &[PathBuf], directory: &Path) -> io::Result<()> {
    for name in ["rootfs", "upper", "work"] {
        fs::create_dir_all(directory.join(name))?;
    }
    // Overlay lists the uppermost first.
    let lower: Vec<String> = layers.iter().rev().map(|layer| layer.display().to_string()).collect();
    let dir = directory.display();
    let options = format!("lowerdir={},upperdir={dir}/upper,workdir={dir}/work,userxattr", lower.join(":"));
    if options.len() > OPTIONS_MAX {
        return Err(io::Error::other(format!("{} layers are too many to be mounted", layers.len())));
    }
    Ok(mount(Some("overlay"), &directory.join("rootfs"), Some("overlay"), MsFlags::empty(), Some(options.as_str()))?)
}
