//! Acknowledged writes survive the process and the power.
//!
//! A child (this test binary again) writes under load and says on its standard output what was acknowledged; it is
//! killed with -9 at some moment; what it said is looked for in the file. Twice: with the file as the kernel has it, and
//! with the file as a disk has it that forgets whatever was not synced (`tests/faults/volatile.c`).

use std::{
    collections::{BTreeMap, hash_map::RandomState},
    fs,
    hash::BuildHasher,
    io::{BufRead, BufReader, Write},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::mpsc,
    thread,
    time::Duration,
};

use eksile_store::{Options, Revision, Store};
use tempfile::TempDir;

use crate::world::{run, text, write};

const FOLDER: &str = "EKSILE_CRASH_FOLDER";
const WRITERS: u64 = 16;
/// Small, so that forgetting the past is part of what is interrupted.
const OPTIONS: Options = Options { history_changes: 300, history_bytes: 100_000, backlog: 10 };

/// What the child acknowledged: the last number of each writer, and the revision it got.
type Said = BTreeMap<u64, (u64, Revision)>;

/// Not a test by itself: the child.
#[test]
#[ignore = "started by the crash tests"]
fn child() {
    let folder = std::env::var(FOLDER).unwrap();
    let store = open(Path::new(&folder));
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().unwrap();
    runtime.block_on(async {
        let mut writers = tokio::task::JoinSet::new();
        for writer in 0..WRITERS {
            writers.spawn(write_on(store.clone(), writer));
        }
        writers.join_all().await;
    });
}

/// Each transaction leaves the same number at two keys, and one of many keys that come and go.
async fn write_on(store: Store, writer: u64) {
    let mut n = last(&store, "a", writer);
    loop {
        n += 1;
        let committed = write(&store, |txn| {
            let padding = "x".repeat((n * 37 % 3_000) as usize);
            txn.put(&format!("/a/{writer}"), format!("{n} {padding}"));
            let passing = format!("/passing/{writer}/{}", n % 20);
            if !txn.delete(&passing) {
                txn.put(&passing, "here");
            }
            txn.put(&format!("/b/{writer}"), format!("{n} {padding}"));
        })
        .await;
        let line = format!("acknowledged {writer} {n} {}\n", committed.revision);
        std::io::stdout().write_all(line.as_bytes()).unwrap();
    }
}

fn open(folder: &Path) -> Store {
    Store::open(&folder.join("store.db"), OPTIONS).unwrap()
}

fn last(store: &Store, key: &str, writer: u64) -> u64 {
    let entry = store.view().get(&format!("/{key}/{writer}"));
    entry.map_or(0, |entry| text(&entry.value).split(' ').next().unwrap().parse().unwrap())
}

fn random(below: u64) -> u64 {
    RandomState::new().hash_one(()) % below
}

fn start(folder: &Path, environment: &[(&str, &Path)]) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--ignored", "--exact", "crash::child", "--nocapture"])
        .env(FOLDER, folder)
        .envs(environment.iter().copied())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap()
}

/// Lets the child run for a while, kills it, and returns what it had said by then.
fn kill_somewhen(mut child: Child) -> Said {
    let output = child.stdout.take().unwrap();
    let (lines, heard) = mpsc::channel();
    let reader = thread::spawn(move || {
        let mut said = Said::new();
        for line in BufReader::new(output).lines() {
            let line = line.unwrap();
            let words: Vec<&str> = line.split(' ').collect();
            if let ["acknowledged", writer, n, revision] = words[..] {
                said.insert(writer.parse().unwrap(), (n.parse().unwrap(), Revision(revision.parse().unwrap())));
                // The parent has heard enough before the child is dead.
                let _ = lines.send(());
            }
        }
        said
    });
    // One in eight dies while it opens the file.
    let acknowledged = if random(8) == 0 { 0 } else { 1 + random(600) };
    for _ in 0..acknowledged {
        heard.recv_timeout(Duration::from_secs(20)).expect("the child writes");
    }
    // And a moment more, to end in the midst of a commit.
    thread::sleep(Duration::from_micros(random(20_000)));
    child.kill().unwrap();
    child.wait().unwrap();
    reader.join().unwrap()
}

/// What is wrong with the file, given what was said.
fn judge(folder: &Path, said: &Said) -> Vec<String> {
    let store = open(folder);
    let mut wrong = Vec::new();
    for writer in 0..WRITERS {
        let (a, b) = (last(&store, "a", writer), last(&store, "b", writer));
        let (acknowledged, revision) = said.get(&writer).copied().unwrap_or_default();
        if a != b {
            wrong.push(format!("writer {writer}: half a transaction, {a} and {b}"));
        }
        if a < acknowledged {
            wrong.push(format!("writer {writer}: {acknowledged} was acknowledged, {a} is there"));
        }
        if store.revision() < revision {
            wrong.push(format!("revision {revision} was acknowledged, the store is at {}", store.revision()));
        }
    }
    // It goes on as if nothing had been.
    let revision = store.revision();
    assert_eq!(run(write(&store, |txn| txn.put("/after", "crash"))).revision, Revision(revision.0 + 1));
    wrong
}

#[test]
fn acknowledged_writes_survive_the_process() {
    let folder = TempDir::new().unwrap();
    let mut acknowledged = 0;
    // `make soak` asks for more.
    let kills = std::env::var("EKSILE_KILLS").map_or(50, |kills| kills.parse().unwrap());
    for round in 0..kills {
        let said = kill_somewhen(start(folder.path(), &[]));
        acknowledged += said.len();
        assert_eq!(judge(folder.path(), &said), [""; 0], "round {round}");
    }
    assert!(acknowledged > 100, "{acknowledged}");
}

#[test]
fn acknowledged_writes_survive_the_power() {
    let mut disk = Disk::new();
    for round in 0..15 {
        assert_eq!(disk.pull_the_plug(None), [""; 0], "round {round}");
    }
}

/// The test of the test: where the log's syncs are lies (as with synchronous=NORMAL or OFF), writes get lost.
#[test]
fn a_lying_disk_is_found_out() {
    let mut disk = Disk::new();
    let lost = (0..10).any(|_| disk.pull_the_plug(Some("store.db-wal")).iter().any(|wrong| wrong.contains("is there")));
    assert!(lost, "the test does not notice lost writes");
}

/// A folder, and what of it would still be there without power.
struct Disk {
    base: TempDir,
    library: PathBuf,
}

impl Disk {
    fn new() -> Disk {
        let base = TempDir::new().unwrap();
        let library = base.path().join("volatile.so");
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/faults/volatile.c");
        let built = Command::new("cc")
            .args(["-shared", "-fPIC", "-O1", "-Wall", "-Wno-discarded-qualifiers", "-o"])
            .args([&library, &source])
            .args(["-ldl", "-lpthread"])
            .status();
        assert!(built.expect("a C compiler, which the build needs anyway").success());
        fs::create_dir(base.path().join("data")).unwrap();
        Disk { base, library }
    }

    fn pull_the_plug(&mut self, lies: Option<&str>) -> Vec<String> {
        // Where the temporary folder is a link, the kernel names the files by where it leads.
        let base = self.base.path().canonicalize().unwrap();
        let (data, shadow) = (base.join("data"), base.join("shadow"));
        copy(&data, &shadow);
        let mut environment =
            vec![("LD_PRELOAD", &*self.library), ("VOLATILE_DATA", &data), ("VOLATILE_SHADOW", &shadow)];
        environment.extend(lies.map(|lies| ("VOLATILE_LIES", Path::new(lies))));
        let said = kill_somewhen(start(&data, &environment));
        copy(&shadow, &data);
        judge(&data, &said)
    }
}

/// Makes `to` what `from` is.
fn copy(from: &Path, to: &Path) {
    if to.exists() {
        fs::remove_dir_all(to).unwrap();
    }
    fs::create_dir(to).unwrap();
    for file in fs::read_dir(from).unwrap().map(|file| file.unwrap()) {
        fs::copy(file.path(), to.join(file.file_name())).unwrap();
    }
}
