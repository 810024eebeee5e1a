//! The world, its places, and what is left when it dies. Needs root.

#![expect(clippy::unwrap_used, reason = "tests: a failure is a panic")]

use std::io::{Read, Write};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use eksile_linux::netlink::Netlink;
use eksile_linux::process::Identity;
use eksile_linux::world::{self, Order, World};
use eksile_linux::{IdRange, Namespace, netns, reap, socket};

/// Runs the test called `name` of this binary as the first process of a world, unless this is it.
/// True inside; false outside, after it has passed there (or was skipped without root).
fn inside(name: &str) -> bool {
    if std::env::var_os("EKSILE_TEST_WORLD").is_some() {
        world::settle().unwrap();
        return true;
    }
    if !nix::unistd::geteuid().is_root() {
        println!("skipped: {name} needs root");
        return false;
    }
    let order = Order {
        program: std::env::current_exe().unwrap(),
        args: ["--exact", name, "--nocapture", "--test-threads=1"].map(Into::into).to_vec(),
        env: vec![("EKSILE_TEST_WORLD".into(), "1".into())],
        inherit: Vec::new(),
    };
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let mut world = World::start(order).unwrap();
    let status = runtime.block_on(world.ended());
    assert!(status.success(), "{name} in its world: {status}");
    false
}

fn until(what: &str, condition: impl Fn() -> bool) {
    let start = Instant::now();
    while !condition() {
        assert!(start.elapsed() < Duration::from_secs(10), "waited in vain until {what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

#[test]
fn a_world_is_apart() {
    if !inside("a_world_is_apart") {
        return;
    }
    assert_eq!(std::process::id(), 1);
    assert_eq!(netns::list().unwrap(), Vec::<String>::new());
    let mut netlink = Netlink::here().unwrap();
    assert_eq!(netlink.links().unwrap().keys().collect::<Vec<_>>(), ["lo"]);
    assert_eq!(netlink.routes().unwrap(), []);
}

#[test]
fn places_are_made_entered_and_removed() {
    if !inside("places_are_made_entered_and_removed") {
        return;
    }
    let (a, b) = (Namespace::named("a"), Namespace::named("b"));
    let here = std::fs::read_link("/proc/thread-self/ns/net").unwrap();
    std::fs::write(b.path(), "").unwrap();
    assert!(!b.exists(), "the empty file of a crash is no namespace");
    for place in [&a, &b, &a] {
        place.create().unwrap();
        assert!(place.exists());
    }
    let seen = |place: &Namespace| place.enter(|| std::fs::read_link("/proc/thread-self/ns/net").unwrap()).unwrap();
    assert_ne!(seen(&a), seen(&b));
    assert_ne!(seen(&a), here);
    assert_eq!(std::fs::read_link("/proc/thread-self/ns/net").unwrap(), here);
    assert_eq!(netns::list().unwrap(), ["a", "b"]);
    a.delete().unwrap();
    a.delete().unwrap();
    assert_eq!(netns::list().unwrap(), ["b"]);
    assert!(a.enter(|| ()).unwrap_err().is_absent());
}

#[test]
fn sockets_belong_to_their_place() {
    if !inside("sockets_belong_to_their_place") {
        return;
    }
    let (a, b) = (Namespace::named("a"), Namespace::named("b"));
    a.create().unwrap();
    b.create().unwrap();
    let address: SocketAddr = "127.0.0.1:7000".parse().unwrap();
    runtime().block_on(async {
        let listener = tokio::net::TcpListener::from_std(socket::tcp_listener(&a, address).unwrap()).unwrap();
        let _same_port_elsewhere = socket::tcp_listener(&b, address).unwrap();
        assert!(socket::tcp_listener(&a, address).is_err());
        let (dialled, accepted) = tokio::join!(socket::tcp_connect(&a, address), listener.accept());
        assert_eq!(dialled.unwrap().local_addr().unwrap(), accepted.unwrap().1);
        drop(_same_port_elsewhere);
        assert_eq!(socket::tcp_connect(&b, address).await.unwrap_err().errno(), Some(111));
    });
}

#[test]
fn the_first_process_collects_children_and_orphans() {
    if !inside("the_first_process_collects_children_and_orphans") {
        return;
    }
    runtime().block_on(async {
        let children = reap::Children::collect().unwrap();
        let own = children.spawn(Command::new("sh").args(["-c", "sleep 0.01 & exit 7"])).unwrap();
        assert_eq!(own.exit.await.unwrap().code(), Some(7));
        let zombies = || {
            std::fs::read_dir("/proc")
                .unwrap()
                .filter_map(|e| e.ok()?.file_name().into_string().ok()?.parse::<i32>().ok())
                .filter(|pid| *pid != 1)
                .count()
        };
        let start = Instant::now();
        while zombies() > 0 {
            assert!(start.elapsed() < Duration::from_secs(10), "an orphan stays");
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    });
}

/// Not a test of its own: the starter that the next test kills.
#[test]
fn starter() {
    let Some(file) = std::env::var_os("EKSILE_TEST_STARTER") else { return };
    let script = "mount -t tmpfs x /mnt; sleep 1000 & setsid sleep 1000 & echo up; wait";
    let order = Order { program: "/bin/sh".into(), args: vec!["-c".into(), script.into()], ..Order::default() };
    let world = World::start(order).unwrap();
    std::fs::write(file, world.pid().to_string()).unwrap();
    std::thread::sleep(Duration::from_secs(60));
}

#[test]
fn killing_the_starter_ends_the_world() {
    if !nix::unistd::geteuid().is_root() {
        println!("skipped: killing_the_starter_ends_the_world needs root");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let file: PathBuf = folder.path().join("pid");
    let mut starter = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "starter", "--nocapture"])
        .env("EKSILE_TEST_STARTER", &file)
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let mut output = starter.stdout.take().unwrap();
    let mut seen = String::new();
    let mut buffer = [0; 256];
    while !seen.contains("up\n") {
        let n = output.read(&mut buffer).unwrap();
        assert!(n > 0, "the starter ended: {seen}");
        seen.push_str(&String::from_utf8_lossy(&buffer[..n]));
    }
    let pid = || std::fs::read_to_string(&file).ok().and_then(|s| s.parse::<i32>().ok());
    until("the world's pid is known", || pid().is_some());
    let first = Identity::of(pid().unwrap()).unwrap();
    let namespace = std::fs::read_link(format!("/proc/{}/ns/net", first.pid)).unwrap();
    let members = || {
        std::fs::read_dir("/proc")
            .unwrap()
            .filter_map(|e| std::fs::read_link(e.ok()?.path().join("ns/net")).ok())
            .filter(|n| *n == namespace)
            .count()
    };
    assert!(members() >= 3, "the shell and two sleepers");
    starter.kill().unwrap();
    starter.wait().unwrap();
    until("every process of the world is gone", || members() == 0 && !first.is_alive());
}

#[test]
fn a_world_that_cannot_start_says_why() {
    if !nix::unistd::geteuid().is_root() {
        println!("skipped: a_world_that_cannot_start_says_why needs root");
        return;
    }
    let order = Order { program: "/nowhere/program".into(), ..Order::default() };
    assert!(World::start(order).unwrap_err().is_absent());
}

#[test]
fn the_exit_of_a_world_and_its_inherited_descriptors() {
    if !nix::unistd::geteuid().is_root() {
        println!("skipped: the_exit_of_a_world_and_its_inherited_descriptors needs root");
        return;
    }
    use std::os::fd::AsRawFd;
    let (reader, mut writer) = std::io::pipe().unwrap();
    let script = format!("read word <&{}; test \"$word\" = hello && exit 5", reader.as_raw_fd());
    let order = Order {
        program: "/bin/sh".into(),
        args: vec!["-c".into(), script.into()],
        inherit: vec![reader.into()],
        ..Order::default()
    };
    let mut world = World::start(order).unwrap();
    writer.write_all(b"hello\n").unwrap();
    assert_eq!(runtime().block_on(world.ended()).code(), Some(5));
    assert!(world.signal(nix::sys::signal::Signal::SIGTERM).unwrap_err().is_absent());
}

#[test]
fn the_root_of_a_place_with_ids_of_its_own_rules_that_place_and_nothing_else() {
    if !inside("the_root_of_a_place_with_ids_of_its_own_rules_that_place_and_nothing_else") {
        return;
    }
    let ids = IdRange { base: 0x7000_0000 };
    let place = Namespace::named("i-1");
    place.create_owned(ids).unwrap();
    place.create_owned(ids).unwrap();
    assert!(Netlink::open(&place).unwrap().links().unwrap()["lo"].up);
    let plain = Namespace::named("plain");
    plain.create().unwrap();
    let owner = place.owner().unwrap();
    // The test's harness has threads of its own, which a process that enters a user namespace must not have.
    let program = std::env::current_exe().unwrap();
    let path = format!("/proc/{}/fd/{}", std::process::id(), std::os::fd::AsRawFd::as_raw_fd(&owner));
    let script = format!(
        "id -u; cat /proc/self/uid_map; ip link set lo mtu 9000 && echo ours; nsenter --net={} true || echo theirs; \
         echo x > /proc/sys/kernel/core_pattern || echo refused",
        plain.path().display()
    );
    let entered = Command::new("nsenter")
        .args([&format!("--user={path}"), &format!("--net={}", place.path().display()), "-S0", "-G0", "sh", "-c"])
        .arg(script)
        .output()
        .unwrap();
    let text = String::from_utf8(entered.stdout).unwrap();
    let words: Vec<&str> = text.split_whitespace().collect();
    assert_eq!(words, ["0", "0", "1879048192", "65536", "ours", "theirs", "refused"], "{program:?} {text}");
    drop(owner);
    place.delete().unwrap();
    assert!(!place.exists());
}
