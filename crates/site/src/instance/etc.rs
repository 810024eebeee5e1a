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

/// Writes what is not there yet, and anew what belongs to the place and not to the instance.
pub(super) fn write(spec: &Spec, root: &Path) -> Result<(), InstanceError> {
    let etc = root.join("etc");
    let once = |name: &str, text: &str| if etc.join(name).exists() { Ok(()) } else { put(&etc, name, text, 0o644) };
    once("passwd", PASSWD)?;
    once("group", GROUP)?;
    once("os-release", OS_RELEASE)?;
    once("system-release", "Amazon Linux release 2 (Karoo)\n")?;
    once("nsswitch.conf", "passwd: files\ngroup: files\nhosts: files dns\nservices: files\nprotocols: files\n")?;
    once("machine-id", &machine_id(&spec.id))?;
    once("hosts", "127.0.0.1   localhost localhost.localdomain\n")?;
    put(&etc, "hostname", &format!("{}\n", spec.hostname), 0o644)?;
    put(&etc, "resolv.conf", &resolv_conf(spec), 0o644)?;
    put(&etc, "eks/bootstrap.sh", BOOTSTRAP, 0o755)?;
    let trusted =
        fs::read_to_string(&spec.trusted_ca).map_err(InstanceError::at(spec.trusted_ca.display().to_string()))?;
    for bundle in ["ssl/certs/ca-certificates.crt", "pki/tls/certs/ca-bundle.crt"] {
        put(&etc, bundle, &trusted, 0o644)?;
    }
    for name in COPIED {
        match fs::read(Path::new("/etc").join(name)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            read => read.and_then(|bytes| fs::write(etc.join(name), bytes)).map_err(InstanceError::at(name))?,
        }
    }
    copy_alternatives(&etc)?;
    for name in ["log", "lib", "cache", "tmp"] {
        let path = root.join("var").join(name);
        fs::create_dir_all(&path).map_err(InstanceError::at(path.display().to_string()))?;
    }
    let run = root.join("var/run");
    if fs::symlink_metadata(&run).is_err() {
        symlink("../run", &run).map_err(InstanceError::at("var/run"))?;
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
