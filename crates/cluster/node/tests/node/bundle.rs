//! A container directory with a busybox root file system.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use eksile_node::cgroup;
use eksile_node::runtime::Container;
use eksile_node::shim::limits::Limits;
use eksile_node::shim::protocol::{ShimConfig, files};
use eksile_node::shim::seccomp::Profile;
use serde_json::{Value, json};

static COUNT: AtomicU32 = AtomicU32::new(0);

/// Whether real containers can be made here; says so when not.
pub(crate) fn possible() -> bool {
    let root = nix::unistd::geteuid().is_root();
    let busybox = Path::new("/usr/bin/busybox").exists() || Path::new("/bin/busybox").exists();
    if !(root && busybox) {
        eprintln!("SKIPPED: needs root and a static busybox (Debian: busybox-static)");
    }
    root && busybox
}

/// The example beside the test binary: the shim without the rest of the product.
pub(crate) fn program() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    test.ancestors().nth(2).unwrap().join("examples/shim")
}

/// Copies busybox, by a process of its own: while one of another test's, about to be a shim, had a copy of a descriptor
/// open for writing, it could not be executed (execve(2), ETXTBSY).
fn copy_busybox(to: &Path) {
    let from = ["/usr/bin/busybox", "/bin/busybox"].into_iter().find(|path| Path::new(path).exists()).unwrap();
    assert!(std::process::Command::new("cp").arg(from).arg(to).status().unwrap().success());
}

/// A bundle; its processes, control groups and files go when it is dropped.
pub(crate) struct Bundle {
    directory: tempfile::TempDir,
    cgroup: PathBuf,
    id: String,
}

impl Bundle {
    pub(crate) fn new(arguments: &[&str]) -> Self {
        Self::with(arguments, |_| {})
    }

    pub(crate) fn with(arguments: &[&str], change: impl FnOnce(&mut Value)) -> Self {
        Self::made(arguments, change, None, Limits::default())
    }

    /// With `RuntimeDefault`'s filter of system calls, as the kubelet asks for it.
    pub(crate) fn confined(arguments: &[&str], profile: &Profile) -> Self {
        Self::made(arguments, |spec| lend(&mut spec["process"], profile), Some(profile.clone()), Limits::default())
    }

    /// With limits of its control group.
    pub(crate) fn limited(arguments: &[&str], limits: Limits) -> Self {
        Self::made(arguments, |_| {}, None, limits)
    }

    fn made(arguments: &[&str], change: impl FnOnce(&mut Value), seccomp: Option<Profile>, limits: Limits) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path().join("rootfs");
        for name in ["bin", "proc", "dev", "tmp", "sys"] {
            std::fs::create_dir_all(root.join(name)).unwrap();
        }
        copy_busybox(&root.join("bin/busybox"));
        for applet in
            ["sh", "echo", "cat", "grep", "sleep", "unshare", "yes", "head", "true", "stty", "id", "kill", "wc"]
        {
            std::os::unix::fs::symlink("busybox", root.join("bin").join(applet)).unwrap();
        }
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let id = format!("test-{}-{number}", std::process::id());
        // A parent of its own: emptying one that others share would take their groups away before they are read.
        let cgroup = PathBuf::from(format!("/eksile-test-{}-{number}/one", std::process::id()));
        let mut spec = spec(arguments, &cgroup);
        change(&mut spec);
        std::fs::write(directory.path().join(files::SPEC), spec.to_string()).unwrap();
        let bundle = Self { directory, cgroup, id };
        let config = ShimConfig {
            id: bundle.id.clone(),
            log_path: bundle.log_path(),
            log_root: bundle.directory.path().to_owned(),
            log_max_bytes: 0,
            log_keep: 1,
            cgroup: bundle.cgroup.clone(),
            limits,
            seccomp,
        };
        std::fs::write(bundle.directory.path().join(files::SHIM), serde_json::to_vec(&config).unwrap()).unwrap();
        bundle
    }

    pub(crate) fn container(&self) -> Container {
        Container::at(self.directory.path())
    }

    pub(crate) fn log_path(&self) -> PathBuf {
        self.directory.path().join("logs/0.log")
    }

    /// Log records without their times.
    pub(crate) fn log(&self) -> Vec<String> {
        let text = std::fs::read_to_string(self.log_path()).unwrap();
        text.lines().map(|line| line.split_once(' ').unwrap().1.to_owned()).collect()
    }

    pub(crate) fn cgroup(&self) -> &Path {
        &self.cgroup
    }
}

impl Drop for Bundle {
    fn drop(&mut self) {
        if std::thread::panicking() {
            for name in [files::SHIM_LOG, files::EXIT, "logs/0.log"] {
                let said = std::fs::read_to_string(self.directory.path().join(name));
                eprintln!("{name}: {}", said.unwrap_or_default());
            }
        }
        cgroup::kill_all(&self.cgroup);
        let _ = cgroup::remove(self.cgroup.parent().unwrap());
    }
}

/// A process object with root's usual rights.
pub(crate) fn process(arguments: &[&str]) -> Value {
    let capabilities = json!(["CAP_KILL", "CAP_CHOWN"]);
    json!({
        "terminal": false, "cwd": "/", "args": arguments, "user": {"uid": 0, "gid": 0},
        "env": ["PATH=/bin", "TERM=xterm"],
        "capabilities": {"bounding": capabilities, "effective": capabilities, "permitted": capabilities},
        "noNewPrivileges": true,
    })
}

/// Gives a process what it needs to confine itself.
pub(crate) fn lend(process: &mut Value, profile: &Profile) {
    for set in ["bounding", "effective", "permitted"] {
        let all = process["capabilities"][set].as_array_mut().unwrap();
        all.extend(profile.lent.iter().map(|name| json!(name)));
    }
    process["noNewPrivileges"] = profile.lent.is_empty().into();
}

fn spec(arguments: &[&str], cgroup: &Path) -> Value {
    json!({
        "ociVersion": "1.0.2",
        "process": process(arguments),
        "root": {"path": "rootfs"},
        "hostname": "box",
        "mounts": [
            {"destination": "/proc", "type": "proc", "source": "proc"},
            {"destination": "/dev", "type": "tmpfs", "source": "tmpfs", "options": ["nosuid", "mode=755", "size=65536k"]},
            {"destination": "/dev/pts", "type": "devpts", "source": "devpts",
             "options": ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620"]},
        ],
        "linux": {
            "cgroupsPath": cgroup,
            "namespaces": [
                {"type": "pid"}, {"type": "mount"}, {"type": "network"}, {"type": "ipc"}, {"type": "uts"},
            ],
        },
    })
}
