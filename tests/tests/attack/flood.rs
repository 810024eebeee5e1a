//! Floods of connections, disks without room, stores that are damaged, processes that stand still: only who does it, or
//! has it, notices. What needs an installation to be broken has one of its own.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use eksile_tests::installation::{Installation, eksile, kill, until};

use crate::{Chapter, Target};

pub(crate) const CHAPTERS: &[Chapter] = &[
    ("connections that say nothing shut the doors", silent_connections_shut_no_door),
    ("a process that stands still holds up the others", a_process_that_stands_still_holds_up_nobody),
    ("who no longer reads what `up` says ends it", nobody_needs_to_read_what_up_says),
    ("a full disk ends an installation, or loses what it acknowledged", a_full_disk_ends_nothing),
    ("a damaged store is started again and again in silence", a_damaged_store_is_told),
    ("two installations run in one folder", one_folder_has_one_installation),
    ("what was acknowledged is lost when processes are killed", nothing_acknowledged_is_lost),
];

const SOON: Duration = Duration::from_secs(60);

fn listen(at: &Installation) -> String {
    let text = std::fs::read(at.data.path().join("run/up.json")).unwrap();
    let running: serde_json::Value = serde_json::from_slice(&text).unwrap();
    running["listen"].as_str().unwrap().to_owned()
}

fn silent_connections_shut_no_door(target: &Target) {
    let at = &target.at;
    let status = at.status();
    let ports = status["listeners"].as_array().unwrap().iter().map(|l| format!("127.0.0.1:{}", l["port"]));
    let doors: Vec<String> = ports.chain([listen(at)]).collect();
    let count = if target.long { 2000 } else { 300 };
    let mut silent: Vec<TcpStream> = doors
        .iter()
        .flat_map(|door| (0..count).map(|_| TcpStream::connect(door).unwrap()).collect::<Vec<_>>())
        .collect();
    // Half of them begin to say something, and never end.
    for stream in silent.iter_mut().step_by(2) {
        stream.write_all(b"POST / HTTP/1.1\r\nContent-Le").unwrap();
    }
    at.aws("sts get-caller-identity").good();
    at.kubectl("get nodes").good();
    for stream in &mut silent {
        stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        let mut rest = Vec::new();
        // An answer, an end, or a reset; not a time-out of ours.
        let end = stream.read_to_end(&mut rest).map_err(|error| error.kind());
        assert!(!matches!(end, Err(std::io::ErrorKind::WouldBlock)), "a silent connection was kept for a minute");
    }
}

fn a_process_that_stands_still_holds_up_nobody(target: &Target) {
    let at = &target.at;
    let outpost = at.status()["links"][0]["outpost"].as_str().unwrap().to_owned();
    let site = format!("site {outpost}");
    for words in [vec!["region"], vec![site.as_str()], vec!["site us-west-2"]] {
        let pids = if words == ["region"] { vec![at.pid_of("region").unwrap()] } else { at.pids(&words) };
        kill(pids[0], "-STOP");
        let client = target.admin.display().to_string();
        let nodes = at.client("kubectl", &["--kubeconfig", &client, "get", "nodes"]);
        if words != ["region"] {
            at.aws("sts get-caller-identity").good();
        }
        kill(pids[0], "-CONT");
        assert!(nodes.ok, "while {words:?} stood still: {}", nodes.err);
    }
    let control_plane = at.pids(&["control-plane"])[0];
    kill(control_plane, "-STOP");
    let region = at.aws("eks describe-cluster --name my-cluster");
    kill(control_plane, "-CONT");
    region.good();
    until("all goes on", SOON, || {
        let (door, nodes) = (at.aws("sts get-caller-identity"), at.kubectl("get nodes"));
        if door.ok && nodes.ok { Ok(()) } else { Err(door.err + &nodes.err) }
    });
}

fn nobody_needs_to_read_what_up_says(_: &Target) {
    let at = Installation::new();
    let mut up = at
        .command()
        .args(["up", "--listen", "127.0.0.1:0"])
        .env("EKSILE_LOG", "debug")
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // One line of each, as `2>&1 | head -1` reads, and no more.
    let mut line = String::new();
    BufReader::new(up.stderr.take().unwrap()).read_line(&mut line).unwrap();
    drop(up.stdout.take());
    until("it serves", SOON, || {
        let told = at.aws("sts get-caller-identity");
        if told.ok { Ok(()) } else { Err(told.err) }
    });
    assert!(up.try_wait().unwrap().is_none(), "up has ended");
    // A command that prints to nobody ends without a word.
    let mut status = at.command().arg("doctor").stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(status.stdout.take());
    let told = status.wait_with_output().unwrap();
    assert!(told.stderr.is_empty(), "{}", String::from_utf8_lossy(&told.stderr));
    kill(up.id(), "-TERM");
    up.wait().unwrap();
}

/// A small file system of its own beneath a folder.
struct Small<'a>(&'a Path);

impl<'a> Small<'a> {
    fn on(folder: &'a Path, megabytes: u32) -> Self {
        let size = format!("size={megabytes}m");
        let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", &size, "eksile-attack"]).arg(folder).status();
        assert!(mounted.unwrap().success());
        Self(folder)
    }
}

impl Drop for Small<'_> {
    fn drop(&mut self) {
        let gone = Command::new("umount").arg("--lazy").arg(self.0).status();
        assert!(gone.is_ok_and(|status| status.success()));
    }
}

fn a_full_disk_ends_nothing(_: &Target) {
    let mut at = Installation::new();
    let folder = at.data.path().to_owned();
    let _small = Small::on(&folder, 64);
    at.up();
    let region = at.pid_of("region");
    let create = |number: u32| at.aws(&format!("iam create-user --user-name u{number}"));
    create(0).good();
    let filler = folder.join("filler");
    let full = std::fs::File::create(&filler).and_then(|mut file| {
        let chunk = [0; 1 << 16];
        loop {
            file.write_all(&chunk)?;
        }
    });
    assert_eq!(full.map_err(|error| error.kind()), Err::<(), _>(std::io::ErrorKind::StorageFull));
    let mut acknowledged = vec![0];
    let mut refused = String::new();
    for number in 1..200 {
        let done = create(number);
        if done.ok {
            // There was room in the log's last block.
            acknowledged.push(number);
        } else {
            refused = done.err;
            break;
        }
    }
    assert!(refused.contains("ServiceUnavailable") && refused.contains("full"), "{refused}");
    at.aws("iam get-user --user-name u0").good();
    std::fs::remove_file(&filler).unwrap();
    create(1000).good();
    acknowledged.push(1000);
    assert_eq!(at.pid_of("region"), region, "the Region went on");
    at.down();
    at.up();
    for number in acknowledged {
        at.aws(&format!("iam get-user --user-name u{number}")).good();
    }
    at.down();
}

fn a_damaged_store_is_told(_: &Target) {
    let mut at = Installation::new();
    at.up();
    at.down();
    let path = at.data.path().join("region/store.db");
    let whole = std::fs::read(&path).unwrap();
    let mut damaged = whole.clone();
    damaged[..4096].fill(b'x');
    std::fs::write(&path, &damaged).unwrap();
    let begun = Instant::now();
    let told = at.eksile(&["up", "--detach", "--listen", "127.0.0.1:0"]);
    assert!(!told.ok, "it says that it serves");
    assert!(begun.elapsed() < SOON);
    assert!(told.err.contains("region/store.db cannot be used") && told.err.contains("eksile reset"), "{}", told.err);
    assert_eq!(std::fs::read(&path).unwrap(), damaged, "it was left as it was");
    assert!(!at.data.path().join("run/up.json").exists());
    std::fs::write(&path, &whole).unwrap();
    at.up();
    at.down();
}

fn one_folder_has_one_installation(target: &Target) {
    let taken = listen(&target.at);
    let other = Installation::new();
    let folder = other.data.path().join("new");
    let refused = Command::new(eksile()).arg("--data").arg(&folder).args(["up", "--listen", &taken]).output().unwrap();
    assert!(!refused.status.success() && !folder.exists(), "what could not begin leaves nothing");
    let second = target.at.eksile(&["up", "--listen", "127.0.0.1:0"]);
    assert!(second.bad().contains("an installation runs in"));
    two_begin_at_once(&other.data.path().join("raced"));
    target.at.aws("sts get-caller-identity").good();
}

/// Who comes second in a folder that is new to both leaves what the first has made.
fn two_begin_at_once(folder: &Path) {
    let begin = || {
        let mut command = Command::new(eksile());
        command.arg("--data").arg(folder).args(["up", "--listen", "127.0.0.1:0"]);
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    };
    let mut both = [begin(), begin()];
    let mut ended = None;
    until("one gives way", SOON, || {
        ended = both.iter_mut().position(|up| up.try_wait().unwrap().is_some());
        ended.map(drop).ok_or_else(|| "both go on".to_owned())
    });
    let [first, second] = both;
    let (loser, mut winner) = if ended == Some(0) { (first, second) } else { (second, first) };
    let told = loser.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&told.stderr).into_owned();
    assert!(!told.status.success() && said.contains(&format!("held by process {}", winner.id())), "{said}");
    let mut line = String::new();
    BufReader::new(winner.stdout.take().unwrap()).read_line(&mut line).unwrap();
    assert!(line.starts_with("eksile ready") && folder.join("world.json").exists(), "{line}");
    kill(winner.id(), "-TERM");
    winner.wait().unwrap();
}

struct Ends<'a>(&'a AtomicBool);

impl Drop for Ends<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// `kill -9` of each process in turn while both doors are written to.
fn nothing_acknowledged_is_lost(target: &Target) {
    let at = &target.at;
    let client = target.admin.display().to_string();
    let kubectl = |words: &[&str]| at.client("kubectl", &[&["--kubeconfig", &client], words].concat());
    let (done, users_made, maps_made) = (AtomicBool::new(false), AtomicUsize::new(0), AtomicUsize::new(0));
    let write = |count: &AtomicUsize, one: &dyn Fn(&str) -> bool| {
        let mut acknowledged = Vec::new();
        for number in 0.. {
            if done.load(Ordering::Relaxed) {
                break;
            }
            let name = format!("kept-{number}");
            if one(&name) {
                acknowledged.push(name);
                count.fetch_add(1, Ordering::Relaxed);
            }
        }
        acknowledged
    };
    let (users, maps) = std::thread::scope(|scope| {
        // However this ends, the writers do.
        let _ends = Ends(&done);
        let users =
            scope.spawn(|| write(&users_made, &|name| at.aws(&format!("iam create-user --user-name {name}")).ok));
        let maps = scope.spawn(|| write(&maps_made, &|name| kubectl(&["create", "configmap", name]).ok));
        let outpost = at.status()["links"][0]["outpost"].as_str().unwrap().to_owned();
        let site = format!("site {outpost}");
        for round in 0..if target.long { 20 } else { 1 } {
            for words in ["region", &site, "site us-west-2", "control-plane"] {
                let found = || if words == "region" { at.pid_of(words) } else { at.pids(&[words]).first().copied() };
                let made = || [&users_made, &maps_made].map(|count| count.load(Ordering::Relaxed));
                let before = made();
                until("both doors took a write", SOON, || {
                    let now = made();
                    if now[0] > before[0] && now[1] > before[1] { Ok(()) } else { Err(format!("{before:?} {now:?}")) }
                });
                let pid = until("there is one to kill", SOON, || found().ok_or_else(|| format!("no {words}")));
                kill(pid, "-KILL");
                until("it was started again", SOON, || match found() {
                    Some(new) if new != pid => Ok(()),
                    other => Err(format!("{words}, round {round}: {other:?}")),
                });
            }
        }
        done.store(true, Ordering::Relaxed);
        (users.join().unwrap(), maps.join().unwrap())
    });
    let listed = until("the doors answer", SOON, || {
        let users = at.aws("iam list-users --query Users[].UserName --output text");
        let maps = kubectl(&["get", "configmaps", "-o", "name"]);
        if users.ok && maps.ok { Ok((users.out, maps.out)) } else { Err(users.err + &maps.err) }
    });
    let has = |list: &str, name: &str| list.split_whitespace().any(|word| word.rsplit('/').next() == Some(name));
    println!("{} users and {} maps were acknowledged", users.len(), maps.len());
    assert!(!users.is_empty() && !maps.is_empty(), "nothing was written");
    let lost: Vec<_> = users.iter().filter(|name| !has(&listed.0, name)).collect();
    assert!(lost.is_empty(), "users lost: {lost:?}");
    let lost: Vec<_> = maps.iter().filter(|name| !has(&listed.1, name)).collect();
    assert!(lost.is_empty(), "maps lost: {lost:?}");
}
