//! Instances, attacked by their own root. Each test is a world of its own and needs root.

use std::fs;
use std::os::unix::fs::{MetadataExt, symlink};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use eksile_linux::process::Identity;
use eksile_linux::world::{self, Order, World};
use eksile_linux::{IdRange, Namespace};
use eksile_site::instance::{self, Machine, Spec};

const BASE: u32 = 0x7000_0000;
const SOON: Duration = Duration::from_secs(30);

/// As in the fabric's tests: true inside of a world. The name is the test's, with its module.
pub(crate) fn inside(name: &str) -> bool {
    if std::env::var_os("EKSILE_TEST_WORLD").is_some() {
        world::settle().unwrap();
        return true;
    }
    if !nix::unistd::geteuid().is_root() {
        println!("SKIPPED: {name} needs root");
        return false;
    }
    let order = Order {
        program: std::env::current_exe().unwrap(),
        args: ["--exact", name, "--nocapture"].map(Into::into).to_vec(),
        env: vec![("EKSILE_TEST_WORLD".into(), "1".into()), ("SECRET".into(), "of-the-host".into())],
        inherit: Vec::new(),
    };
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let status = runtime.block_on(World::start(order).unwrap().ended());
    assert!(status.success(), "{name} in its world: {status}");
    false
}

fn program() -> PathBuf {
    let exe = std::env::current_exe().unwrap();
    let program = exe.parent().and_then(Path::parent).unwrap().join("examples/instance");
    assert!(program.exists(), "{} is missing: cargo build -p eksile-site --examples", program.display());
    program
}

/// An instance that runs a script, and whose control groups go with it.
struct Guest {
    spec: Spec,
}

impl Guest {
    fn new(folder: &Path, id: &str, number: u32, script: &str) -> Self {
        let ids = IdRange { base: BASE + number * IdRange::LENGTH };
        let netns = Namespace::named(id);
        netns.create_owned(ids).unwrap();
        let ca = folder.join("ca.pem");
        fs::write(&ca, "-----").unwrap();
        let unique = format!("eksile-test/{}-{id}", Path::new(folder.file_name().unwrap()).display());
        let spec = Spec {
            id: id.to_owned(),
            dir: folder.join(id),
            netns: netns.path().to_owned(),
            pid_file: folder.join(format!("{id}.pid")),
            hostname: format!("{id}.internal"),
            region: "us-west-2".to_owned(),
            resolver: None,
            user_data: Some(format!("#!/bin/sh\n{script}\necho finished\n").into_bytes()),
            cgroup_parent: unique,
            program: program(),
            trusted_ca: ca,
            machine: Machine { vcpus: 2, memory_mib: 512 },
            ids,
        };
        Self { spec }
    }

    fn disk(&self, path: &str) -> PathBuf {
        self.spec.dir.join("disk").join(path.trim_start_matches('/'))
    }

    fn output(&self) -> String {
        fs::read_to_string(self.disk("/var/log/cloud-init-output.log")).unwrap_or_default()
    }

    /// Starts it and waits until its script has ended; answers what that printed.
    fn run(&self) -> String {
        instance::start(&self.spec).unwrap();
        let begun = Instant::now();
        while !self.output().lines().any(|line| line == "finished") {
            let console = fs::read_to_string(self.disk("/var/log/console.log")).unwrap_or_default();
            assert!(begun.elapsed() < SOON, "{}\n{console}", self.output());
            std::thread::sleep(Duration::from_millis(5));
        }
        self.output()
    }

    fn end(&self) {
        let Some(first) = Identity::read(&self.spec.pid_file).unwrap() else { return };
        if first.signal(rustix::process::Signal::KILL).is_ok() {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(first.ended()).unwrap();
        }
    }

    fn groups(&self) -> Vec<PathBuf> {
        let parent = |entry: fs::DirEntry| entry.path().join(&self.spec.cgroup_parent);
        fs::read_dir("/sys/fs/cgroup").unwrap().flatten().map(parent).filter(|path| path.is_dir()).collect()
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        self.end();
        for group in self.groups() {
            // Busy until the kernel has let go of the last process.
            let begun = Instant::now();
            while fs::remove_dir(group.join("guest")).is_err() && begun.elapsed() < Duration::from_secs(2) {
                std::thread::sleep(Duration::from_millis(5));
            }
            let _ = fs::remove_dir(group);
        }
    }
}

/// Things that an instance's root must not be able to do: a name, and a command that must fail.
fn attacks(host_file: &str) -> Vec<(&'static str, String)> {
    let text = |words: &str| words.to_owned();
    let (major, minor) = {
        let device = fs::metadata("/usr").unwrap().dev();
        (rustix::fs::major(device), rustix::fs::minor(device))
    };
    vec![
        ("write /usr", text("touch /usr/attack")),
        ("remount /usr", text("mount -o remount,bind,rw /usr && touch /usr/attack")),
        ("bind /usr elsewhere", text("mount --bind /usr /mnt && mount -o remount,bind,rw /mnt && touch /mnt/attack")),
        ("uncover what /usr covers", text("umount /usr && ! test -e /usr/bin/env")),
        ("write our own program", text("touch /opt/eksile/bin/attack || : > /opt/eksile/bin/eksile")),
        ("uncover what our program covers", text("umount /opt/eksile/bin")),
        ("core_pattern", text("echo '|/attack' > /proc/sys/kernel/core_pattern")),
        ("core_pattern, /proc mounted anew", {
            text("mkdir -p /tmp/p && mount -t proc proc /tmp/p && echo '|/attack' > /tmp/p/sys/kernel/core_pattern")
        }),
        ("sysrq", text("echo h > /proc/sysrq-trigger")),
        ("kernel log", text("dmesg")),
        ("kernel memory", text("head -c 1 /proc/kcore")),
        ("a node of the host's disk", format!("mknod /tmp/disk b {major} {minor}")),
        ("a node of the host's disk, on disk", format!("mknod /var/disk b {major} {minor}")),
        ("a node of memory", text("mknod /tmp/mem c 1 1")),
        ("the host's devices", text("mount -t devtmpfs dev /mnt")),
        ("a device that is there", text("ls -d /dev/*da* /dev/sd* /dev/nvme* /dev/mem /dev/kmsg /dev/loop*")),
        (
            "/sys",
            text(
                "for f in $(find /sys -type f -writable 2>/dev/null | grep -v -e /net/ -e cgroup | head -20); do cat $f > $f && exit 0; done; false",
            ),
        ),
        (
            "firmware and modules",
            text("mount -t debugfs d /mnt || mount -t tracefs t /mnt || mount -t securityfs s /mnt"),
        ),
        ("limits of memory", text("echo -1 > /sys/fs/cgroup/memory/memory.limit_in_bytes")),
        ("limits of processes", text("echo max > /sys/fs/cgroup/pids/pids.max")),
        ("limits of processors", text("echo -1 > /sys/fs/cgroup/cpu/cpu.cfs_quota_us")),
        ("devices of the group", text("echo a > /sys/fs/cgroup/devices/devices.allow")),
        ("the group above", text("test -e /sys/fs/cgroup/memory/guest || test -e /sys/fs/cgroup/memory/../guest")),
        ("groups mounted anew", {
            text(
                "mkdir -p /tmp/g && mount -t cgroup -o memory g /tmp/g && (test -e /tmp/g/guest || echo -1 > /tmp/g/memory.limit_in_bytes)",
            )
        }),
        ("a freezer, which keeps processes from being ended", {
            text(
                "test -e /sys/fs/cgroup/freezer || { mkdir -p /tmp/f && mount -t cgroup -o freezer f /tmp/f && \
                 (mkdir /tmp/f/x || echo FROZEN > /tmp/f/freezer.state || echo FROZEN > /tmp/f/guest/freezer.state); }",
            )
        }),
        (
            "a release agent",
            text("mkdir -p /tmp/r && mount -t cgroup -o pids g /tmp/r; echo /attack > /tmp/r/release_agent"),
        ),
        ("a file of the host", format!("cat {host_file}")),
        ("a file of the host by /proc/1", format!("cat /proc/1/root{host_file} || cat /proc/1/cwd{host_file}")),
        (
            "processes of others",
            text("for p in /proc/[0-9]*; do case $(readlink $p/exe) in */deps/*) exit 0;; esac; done; false"),
        ),
        ("the host's variables", text("cat /proc/*/environ | tr '\\0' '\\n' | grep of-the-host")),
        (
            "descriptors of the first process",
            text("ls -l /proc/1/fd | grep -v -e socket: -e signalfd -e /var/log/console.log -e /dev/null -e ^total"),
        ),
        ("descriptors of a script", text("ls /proc/self/fd | grep -v -x -e 0 -e 1 -e 2 -e 3")),
        ("blocked signals", text("grep -E '^Sig(Blk|Ign)' /proc/self/status | grep -v 0000000000000000")),
        ("a file that cannot be removed", text("touch /var/fixed && chattr +i /var/fixed")),
        ("more ids", text("chown 70000 /var/tmp")),
        ("keys of the session that started it", {
            // keyctl(2) with KEYCTL_SEARCH: who has the keyring finds the key, though no list shows it.
            let number = if cfg!(target_arch = "x86_64") { 250 } else { 219 };
            format!(
                "python3 -c \"import ctypes,sys; sys.exit(ctypes.CDLL(None).syscall({number}, 10, -3, b'user', \
                 b'key-of-the-host', 0) < 0)\""
            )
        }),
        ("the clock", text("date -s 2001-01-01")),
        (
            "a swap file",
            text("dd if=/dev/zero of=/var/swap bs=1M count=1 2>/dev/null; mkswap /var/swap && swapon /var/swap"),
        ),
        ("the host's network", text("ip link | grep -v -e LOOPBACK -e loopback")),
        ("a quota above the limit of open files", text("ulimit -n 1073741816")),
    ]
}

/// Things that must work, or nodes and pods do not.
const NEEDED: [(&str, &str); 8] = [
    ("network", "ip link add va type veth peer name vb && ip link set va up && ip addr add 10.9.9.9/32 dev va"),
    ("network settings", "echo 1 > /proc/sys/net/ipv4/ip_forward"),
    (
        "overlay",
        "mkdir -p /var/o/l /var/o/u /var/o/w /var/o/m && mount -t overlay -o userxattr,lowerdir=/var/o/l,upperdir=/var/o/u,workdir=/var/o/w o /var/o/m",
    ),
    ("whiteouts", "mknod /var/o/gone c 0 0"),
    (
        "a container's /proc and /sys",
        "unshare -mpnf sh -c 'mount -t proc p /proc && mount -t sysfs s /sys && test $(ls -d /proc/[0-9]* | wc -l) -lt 5'",
    ),
    (
        "a group with a limit",
        "for g in memory pids; do mkdir -p /sys/fs/cgroup/$g/pod; done; echo 10000000 > /sys/fs/cgroup/memory/pod/memory.limit_in_bytes && echo 5 > /sys/fs/cgroup/pids/pod/pids.max && echo $$ > /sys/fs/cgroup/pids/pod/cgroup.procs && echo $$ > /sys/fs/cgroup/pids/cgroup.procs && rmdir /sys/fs/cgroup/*/pod",
    ),
    ("users", "touch /var/u && chown 1000:65535 /var/u && test $(stat -c %u:%g /var/u) = 1000:65535"),
    ("terminals", "test -c /dev/ptmx && test -c /dev/null && echo x > /dev/null"),
];

#[test]
fn an_instances_root_gets_at_nothing_of_this_machine() {
    if !inside("instance::an_instances_root_gets_at_nothing_of_this_machine") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let secret = folder.path().join("secret");
    fs::write(&secret, "of-the-host").unwrap();
    give_a_key();
    let attacks = attacks(&secret.display().to_string());
    let mut script = String::new();
    for (name, command) in &attacks {
        script += &format!("({command}) >/tmp/out 2>&1 </dev/null && {{ echo 'WON: {name}'; cat /tmp/out; }}\n");
    }
    for (name, command) in NEEDED {
        script += &format!("({command}) >/tmp/out 2>&1 </dev/null || {{ echo 'LACKS: {name}'; cat /tmp/out; }}\n");
    }
    script += "echo groups: $(ls /sys/fs/cgroup)\n";
    // At the end: it looks like the file of its own machine.
    script += "echo 'id of root:' $(id -u) of $(cat /proc/self/uid_map)\n";
    let guest = Guest::new(folder.path(), "i-attacker", 0, &script);
    let printed = guest.run();
    assert!(!printed.contains("WON:") && !printed.contains("LACKS:"), "{printed}");
    let groups = printed.lines().find(|line| line.starts_with("groups:")).unwrap();
    assert!(groups.contains("pids") || groups.contains("cgroup.procs"), "{printed}");
    assert!(!groups.contains("freezer"), "{groups}");
    assert!(printed.contains(&format!("id of root: 0 of 0 {BASE} 65536")), "{printed}");
    let owner = fs::metadata(guest.disk("/var/u")).unwrap();
    assert_eq!((owner.uid(), owner.gid()), (BASE + 1000, BASE + 65535));
    assert!(!Path::new("/usr/attack").exists());
}

/// A key in this thread's session, as a login may leave one.
fn give_a_key() {
    eksile_linux::userns::leave_keys().unwrap();
    // add_key(2), on x86-64 and AArch64.
    let number = if cfg!(target_arch = "x86_64") { 248 } else { 217 };
    let script =
        format!("import ctypes; ctypes.CDLL(None).syscall({number}, b'user', b'key-of-the-host', b'x', 1, -3)");
    match std::process::Command::new("python3").args(["-c", &script]).status() {
        Ok(done) if done.success() => assert!(fs::read_to_string("/proc/keys").unwrap().contains("key-of-the-host")),
        _ => println!("SKIPPED: keys: there is no python3 to make one"),
    }
}

#[test]
fn what_an_instance_type_shows_is_its_limit() {
    if !inside("instance::what_an_instance_type_shows_is_its_limit") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let guest = Guest::new(folder.path(), "i-limited", 1, "head -c 700m /dev/zero | tail; echo tail: $?");
    let printed = guest.run();
    assert!(printed.contains("Killed") || printed.contains("tail: 137"), "{printed}");
    let read = |controller: &str, file: &str| {
        let path = Path::new("/sys/fs/cgroup").join(controller).join(&guest.spec.cgroup_parent).join(file);
        fs::read_to_string(&path).map(|text| text.trim().to_owned())
    };
    if Path::new("/sys/fs/cgroup/cgroup.controllers").exists() {
        assert_eq!(read("", "memory.max").unwrap(), (512_u64 << 20).to_string());
        assert_eq!(read("", "cpu.max").unwrap(), "200000 100000");
    } else {
        assert_eq!(read("memory", "memory.limit_in_bytes").unwrap(), (512_u64 << 20).to_string());
        assert_eq!(read("cpu", "cpu.cfs_quota_us").unwrap(), "200000");
        assert!(read("pids", "pids.max").unwrap().parse::<u64>().unwrap() <= 4096);
        assert!(
            !read("devices", "devices.list").unwrap().lines().any(|line| line.starts_with('b') || line == "a *:* rwm")
        );
    }
}

#[test]
fn two_instances_do_not_see_each_other() {
    if !inside("instance::two_instances_do_not_see_each_other") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let mark = "echo of-another > /dev/shm/mark; touch /dev/mqueue/mark; echo of-another > /tmp/mark; hostname; \
        ls /proc/sys/fs/mqueue; sleep 1000 & echo $!";
    let one = Guest::new(folder.path(), "i-one", 2, mark);
    one.run();
    let look = "cat /dev/shm/mark /tmp/mark; ls /dev/mqueue; for p in /proc/[0-9]*; do cat $p/cmdline | tr '\\0' ' '; done; \
        kill -0 1000; ls -A /var /etc /opt; ip -br link; hostname";
    let other = Guest::new(folder.path(), "i-other", 3, look);
    let printed = other.run();
    assert!(
        !printed.contains("of-another") && !printed.contains("sleep 1000") && !printed.contains("\nmark\n"),
        "{printed}"
    );
    assert!(printed.contains("i-other.internal"), "{printed}");
    let [mine, theirs] = [&one, &other].map(|guest| fs::metadata(guest.disk("/etc/hostname")).unwrap().uid());
    assert_ne!(mine, theirs);
}

#[test]
fn a_disk_full_of_links_misleads_nobody_outside_when_its_instance_starts_again() {
    if !inside("instance::a_disk_full_of_links_misleads_nobody_outside_when_its_instance_starts_again") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let outside = folder.path().join("outside");
    fs::create_dir(&outside).unwrap();
    let victim = outside.join("file");
    fs::write(&victim, "kept").unwrap();
    // The worst that it can do: everything that is written at a start leads out. As the host's root sees it.
    let guest = Guest::new(folder.path(), "i-links", 4, "");
    guest.run();
    guest.end();
    fs::remove_file(guest.disk("/var/log/cloud-init-output.log")).unwrap();
    fs::remove_dir_all(guest.disk("/var/lib/cloud")).unwrap();
    for file in ["/etc/hostname", "/etc/resolv.conf", "/var/log/console.log", "/etc/eks/bootstrap.sh"] {
        fs::remove_file(guest.disk(file)).unwrap();
        symlink(&victim, guest.disk(file)).unwrap();
    }
    symlink(&outside, guest.disk("/etc/pki/tls/more")).unwrap();
    let again = instance::start(&guest.spec);
    assert_eq!(fs::read_to_string(&victim).unwrap(), "kept", "{again:?}");
    guest.end();
    // A folder of ours on its disk that has become a link: refused, and told.
    fs::remove_dir_all(guest.disk("/opt/eksile")).unwrap();
    symlink(&outside, guest.disk("/opt/eksile")).unwrap();
    let refused = instance::start(&guest.spec).unwrap_err().to_string();
    assert!(refused.contains("/opt/eksile/bin"), "{refused}");
    assert_eq!(fs::read_dir(&outside).unwrap().count(), 1);
    assert!(!guest.spec.pid_file.exists() || !Identity::read(&guest.spec.pid_file).unwrap().unwrap().is_alive());
}

/// Whatever lies where this machine opens something at a start: nobody waits for it.
#[test]
fn a_pipe_in_the_place_of_a_file_holds_up_no_start() {
    if !inside("instance::a_pipe_in_the_place_of_a_file_holds_up_no_start") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let guest = Guest::new(folder.path(), "i-pipes", 5, "");
    guest.run();
    guest.end();
    let own =
        |path: &Path| std::os::unix::fs::chown(path, Some(guest.spec.ids.base), Some(guest.spec.ids.base)).unwrap();
    let pipe = |path: &Path| {
        nix::unistd::mkfifo(path, nix::sys::stat::Mode::S_IRWXU).unwrap();
        own(path);
    };
    let within = |what: &str| {
        let begun = Instant::now();
        let started = instance::start(&guest.spec);
        assert!(begun.elapsed() < Duration::from_secs(10), "{what}");
        started
    };
    for file in [
        "/var/log/console.log",
        "/var/log/cloud-init-output.log",
        "/etc/hostname",
        "/etc/resolv.conf",
        "/etc/passwd",
        "/etc/eksile/kubelet.args",
        "/var/lib/cloud/instance/sem/config_scripts_user",
    ] {
        let path = guest.disk(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        let _absent = fs::remove_file(&path);
        pipe(&path);
        within(file).unwrap();
        let first = Identity::read(&guest.spec.pid_file).unwrap().unwrap();
        assert!(first.is_alive(), "{file}");
        guest.end();
        let _replaced = fs::remove_file(&path);
    }
    // The console is the instance's again.
    assert!(fs::symlink_metadata(guest.disk("/var/log/console.log")).unwrap().is_file());
    within("nothing").unwrap();
    guest.end();
    for file in ["/opt/eksile/bin", "/opt/eksile", "/var/log"] {
        fs::remove_dir_all(guest.disk(file)).unwrap();
        pipe(&guest.disk(file));
        let why = within(file).unwrap_err().to_string();
        assert!(why.contains(file.rsplit('/').next().unwrap()), "{why}");
        fs::remove_file(guest.disk(file)).unwrap();
        fs::create_dir_all(guest.disk(file)).unwrap();
        own(&guest.disk(file));
    }
}

/// As an instance of an earlier version could.
#[test]
fn groups_as_deep_as_they_can_be_keep_no_instance_from_starting_again() {
    if !inside("instance::groups_as_deep_as_they_can_be_keep_no_instance_from_starting_again") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let script = "cd /sys/fs/cgroup/pids || cd /sys/fs/cgroup; n=$(printf 'd%.0s' $(seq 200)); \
        for i in $(seq 40); do mkdir $n && cd $n || break; done; echo depth $i";
    let guest = Guest::new(folder.path(), "i-deep", 6, script);
    let printed = guest.run();
    assert!(printed.contains("depth"), "{printed}");
    guest.end();
    let begun = Instant::now();
    instance::start(&guest.spec).unwrap();
    assert!(begun.elapsed() < Duration::from_secs(10));
    guest.end();
}
