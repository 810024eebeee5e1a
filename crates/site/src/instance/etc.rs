//! The synthesized `/etc` of an instance. It is on the instance's disk: what the user data changes stays.

use std::fs;
use std::io;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

use super::{InstanceError, Spec};

const BOOTSTRAP: &str = include_str!("assets/bootstrap.sh");
const PASSWD: &str = "root:x:0:0:root:/root:/bin/sh\nbin:x:1:1:bin:/bin:/sbin/nologin\n\
    daemon:x:2:2:daemon:/sbin:/sbin/nologin\nnobody:x:65534:65534:nobody:/:/sbin/nologin\n\
    ec2-user:x:1000:1000:EC2 Default User:/home/ec2-user:/bin/sh\n";
const GROUP: &str = "root:x:0:\nbin:x:1:\ndaemon:x:2:\ntty:x:5:\nwheel:x:10:ec2-user\nnogroup:x:65534:\n\
    ec2-user:x:1000:\n";
const OS_RELEASE: &str = "NAME=\"Amazon Linux\"\nVERSION=\"2\"\nID=\"amzn\"\nID_LIKE=\"centos rhel fedora\"\n\
    VERSION_ID=\"2\"\nPRETTY_NAME=\"Amazon Linux 2\"\nCPE_NAME=\"cpe:2.3:o:amazon:amazon_linux:2\"\n";
/// Of the host, copied: programs of the shared `/usr` need them.
const COPIED: [&str; 3] = ["ld.so.cache", "services", "protocols"];

/// What is written only where nothing is yet, and what belongs to the place and is written at each boot.
const ONCE: &str = "etc-once";
const ALWAYS: &str = "etc-always";

/// Writes all of it below `handed`, a fresh directory that the instance gets.
pub(super) fn stage(spec: &Spec, handed: &Path) -> Result<(), InstanceError> {
    let (first, each) = (handed.join(ONCE), handed.join(ALWAYS));
    let once = |name: &str, text: &str| put(&first, name, text, 0o644);
    let always = |name: &str, text: &str| put(&each, name, text, 0o644);
    once("passwd", PASSWD)?;
    once("group", GROUP)?;
    once("os-release", OS_RELEASE)?;
    once("system-release", "Amazon Linux release 2 (Karoo)\n")?;
    once("nsswitch.conf", "passwd: files\ngroup: files\nhosts: files dns\nservices: files\nprotocols: files\n")?;
    once("machine-id", &machine_id(&spec.id))?;
    once("hosts", "127.0.0.1   localhost localhost.localdomain\n")?;
    always("hostname", &format!("{}\n", spec.hostname))?;
    always("resolv.conf", &resolv_conf(spec))?;
    put(&each, "eks/bootstrap.sh", BOOTSTRAP, 0o755)?;
    let trusted =
        fs::read_to_string(&spec.trusted_ca).map_err(InstanceError::at(spec.trusted_ca.display().to_string()))?;
    for bundle in ["ssl/certs/ca-certificates.crt", "pki/tls/certs/ca-bundle.crt"] {
        always(bundle, &trusted)?;
    }
    for name in COPIED {
        match fs::read(Path::new("/etc").join(name)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            read => read.and_then(|bytes| fs::write(each.join(name), bytes)).map_err(InstanceError::at(name))?,
        }
    }
    copy_alternatives(&first)
}

/// Moves what was staged to where it belongs. Inside, as the first process: what the instance's disk holds can mislead
/// the instance only.
pub(super) fn install(handed: &Path) -> io::Result<()> {
    copy(&handed.join(ONCE), Path::new("/etc"), false)?;
    copy(&handed.join(ALWAYS), Path::new("/etc"), true)?;
    for staged in [ONCE, ALWAYS] {
        fs::remove_dir_all(handed.join(staged))?;
    }
    for name in ["log", "lib", "cache", "tmp"] {
        fs::create_dir_all(Path::new("/var").join(name))?;
    }
    let run = Path::new("/var/run");
    if fs::symlink_metadata(run).is_err() { symlink("../run", run) } else { Ok(()) }
}

fn copy(from: &Path, to: &Path, again: bool) -> io::Result<()> {
    for entry in fs::read_dir(from)? {
        let (entry, kind) = entry.and_then(|entry| entry.file_type().map(|kind| (entry, kind)))?;
        let (source, target) = (entry.path(), to.join(entry.file_name()));
        let there = fs::symlink_metadata(&target).is_ok();
        if kind.is_dir() {
            fs::create_dir_all(&target)?;
            copy(&source, &target, again)?;
            continue;
        }
        if there && !again {
            continue;
        }
        if there {
            fs::remove_file(&target)?;
        }
        match kind.is_symlink() {
            true => symlink(fs::read_link(&source)?, &target)?,
            false => fs::copy(&source, &target).map(drop)?,
        }
    }
    Ok(())
}

fn put(etc: &Path, name: &str, text: &str, mode: u32) -> Result<(), InstanceError> {
    let path = etc.join(name);
    let parent = path.parent().unwrap_or(etc);
    fs::create_dir_all(parent)
        .and_then(|()| fs::write(&path, text))
        .and_then(|()| fs::set_permissions(&path, fs::Permissions::from_mode(mode)))
        .map_err(InstanceError::at(path.display().to_string()))
}

/// The digits of the instance's id, filled up to the 32 of machine-id(5).
fn machine_id(id: &str) -> String {
    let digits: String = id.trim_start_matches("i-").chars().filter(char::is_ascii_hexdigit).collect();
    format!("{digits:0>32}\n")
}

fn resolv_conf(spec: &Spec) -> String {
    match spec.resolver {
        Some(resolver) => {
            format!("search {}.compute.internal\nnameserver {resolver}\noptions timeout:2 attempts:3\n", spec.region)
        }
        None => String::new(),
    }
}

/// Many programs of a Debian-like `/usr` are links through `/etc/alternatives`.
fn copy_alternatives(etc: &Path) -> Result<(), InstanceError> {
    let target = etc.join("alternatives");
    fs::create_dir_all(&target).map_err(InstanceError::at("alternatives"))?;
    let listed = match fs::read_dir("/etc/alternatives") {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        listed => listed.map_err(InstanceError::at("/etc/alternatives"))?,
    };
    for entry in listed {
        let entry = entry.map_err(InstanceError::at("/etc/alternatives"))?;
        // The folder's own files are no links.
        let (Ok(to), new) = (fs::read_link(entry.path()), target.join(entry.file_name())) else { continue };
        if fs::symlink_metadata(&new).is_err() {
            symlink(to, &new).map_err(InstanceError::at(new.display().to_string()))?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_machine_id_has_32_hexadecimal_digits() {
        let id = super::machine_id("i-0123456789abcdef0");
        let id = id.trim_end();
        assert_eq!(id.len(), 32);
        assert!(id.chars().all(|c| c.is_ascii_hexdigit()) && id.ends_with("0123456789abcdef0"), "{id}");
    }
}
