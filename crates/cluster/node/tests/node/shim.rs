//! Start, log, exec, kill, adopt.

use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use eksile_node::runtime::{Container, ExecIo, RuntimeError};
use eksile_node::shim::limits::Limits;
use eksile_node::shim::seccomp::Profile;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::bundle::{Bundle, lend, possible, process, program};
use eksile_node::cgroup;

/// Repeats a question until the answer is yes.
async fn until(what: &str, mut yes: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(10);
    while !yes() {
        assert!(Instant::now() < deadline, "{what}: not within 10 s");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

fn pipes() -> (ExecIo, std::io::PipeWriter, std::io::PipeReader, std::io::PipeReader) {
    let (stdin, to) = std::io::pipe().unwrap();
    let (out, stdout) = std::io::pipe().unwrap();
    let (err, stderr) = std::io::pipe().unwrap();
    (ExecIo::Streams { stdin: stdin.into(), stdout: stdout.into(), stderr: stderr.into() }, to, out, err)
}

fn text(mut from: impl Read) -> String {
    let mut text = String::new();
    from.read_to_string(&mut text).unwrap();
    text
}

#[tokio::test]
async fn output_and_exit_code_are_kept() {
    if !possible() {
        return;
    }
    let bundle = Bundle::new(&["sh", "-c", "echo out; echo err >&2; printf tail; exit 7"]);
    let container = bundle.container();
    container.start(&program()).await.unwrap();
    let exit = container.wait().await.unwrap();
    assert_eq!((exit.code, exit.signal, exit.oom_killed), (7, None, false));
    assert!(exit.finished_at >= exit.started_at);
    let mut log = bundle.log();
    log.sort();
    assert_eq!(log, ["stderr F err", "stdout F out", "stdout P tail"]);
    let cgroup = eksile_node::cgroup::directory("memory", bundle.cgroup());
    until("control group removed", || !cgroup.exists()).await;
}

#[tokio::test]
async fn a_missing_program_is_told_with_its_name() {
    if !possible() {
        return;
    }
    let bundle = Bundle::new(&["no-such-program"]);
    let error = bundle.container().start(&program()).await.unwrap_err();
    assert!(matches!(&error, RuntimeError::Start(reason) if reason.contains("no-such-program")), "{error}");
}

#[tokio::test]
async fn exec_has_streams_and_an_exit_code() {
    if !possible() {
        return;
    }
    let bundle = Bundle::new(&["sleep", "60"]);
    let container = bundle.container();
    container.start(&program()).await.unwrap();
    let (io, mut to, out, err) = pipes();
    let exec = container.exec(process(&["sh", "-c", "cat; echo oops >&2; exit 3"]), io).await.unwrap();
    to.write_all(b"through").unwrap();
    drop(to);
    assert_eq!(exec.wait().await.unwrap(), 3);
    assert_eq!((text(out), text(err)), ("through".to_owned(), "oops\n".to_owned()));
    let (io, ..) = pipes();
    let error = container.exec(process(&["nope"]), io).await.unwrap_err();
    assert!(matches!(error, RuntimeError::Refused(reason) if reason.contains("nope")));
}

#[tokio::test]
async fn exec_with_a_terminal_has_a_size() {
    if !possible() {
        return;
    }
    let bundle = Bundle::new(&["sleep", "60"]);
    let container = bundle.container();
    container.start(&program()).await.unwrap();
    let mut wanted = process(&["sh", "-c", "read x; stty size; exit 4"]);
    wanted["terminal"] = true.into();
    let mut exec = container.exec(wanted, ExecIo::Terminal).await.unwrap();
    let master: OwnedFd = exec.terminal().unwrap();
    eksile_linux::terminal::resize(std::os::fd::AsFd::as_fd(&master), 123, 45).unwrap();
    let mut terminal = std::fs::File::from(master);
    terminal.write_all(b"\n").unwrap();
    assert_eq!(exec.wait().await.unwrap(), 4);
    let mut seen = Vec::new();
    // A terminal ends with EIO.
    let _ = terminal.read_to_end(&mut seen);
    assert!(String::from_utf8_lossy(&seen).contains("45 123"), "{seen:?}");
}

/// A probe's time-out, an interrupted `kubectl exec`, a kubelet that is gone: all of them close the connection.
#[tokio::test]
async fn a_program_that_nobody_waits_for_is_killed_with_its_children() {
    if !possible() {
        return;
    }
    let bundle = Bundle::new(&["sleep", "60"]);
    let container = bundle.container();
    container.start(&program()).await.unwrap();
    let mut family = Vec::new();
    for script in ["yes >/dev/null & sleep 50 & echo $$; sleep 40", "trap '' TERM HUP; sleep 50 & echo $$; sleep 50"] {
        let (io, _to, out, _err) = pipes();
        let exec = container.exec(process(&["sh", "-c", script]), io).await.unwrap();
        let mut line = String::new();
        std::io::BufRead::read_line(&mut std::io::BufReader::new(out), &mut line).unwrap();
        family.push((exec, line));
    }
    let count = || {
        let file = eksile_node::cgroup::directory("memory", bundle.cgroup()).join("cgroup.procs");
        std::fs::read_to_string(file).unwrap().lines().count()
    };
    assert!(count() >= 6, "{}", count());
    drop(family);
    until("only the container's own program is left", || count() == 1).await;
    assert_eq!(container.exit().unwrap(), None, "the container goes on");
}

#[tokio::test]
async fn signals_reach_the_process_and_broken_pipes_end_writers() {
    if !possible() {
        return;
    }
    let script = "trap 'echo got; exit 9' TERM; yes | head -n 1; echo ready; while :; do sleep 0.02; done";
    let bundle = Bundle::new(&["sh", "-c", script]);
    let container = bundle.container();
    container.start(&program()).await.unwrap();
    until("ready", || bundle.log().contains(&"stdout F ready".to_owned())).await;
    container.kill(Signal::SIGTERM as i32).await.unwrap();
    assert_eq!(container.wait().await.unwrap().code, 9);
    assert_eq!(bundle.log(), ["stdout F y", "stdout F ready", "stdout F got"]);

    let bundle = Bundle::new(&["sleep", "60"]);
    let container = bundle.container();
    container.start(&program()).await.unwrap();
    container.kill(Signal::SIGKILL as i32).await.unwrap();
    let exit = container.wait().await.unwrap();
    assert_eq!((exit.code, exit.signal), (137, Some(9)));
    assert!(matches!(container.kill(9).await, Err(RuntimeError::NotRunning)));
}

#[tokio::test]
async fn a_user_may_open_its_output_again() {
    if !possible() {
        return;
    }
    let script = "echo out >/proc/self/fd/1; echo err >/proc/self/fd/2; sleep 60";
    let bundle = Bundle::with(&["sh", "-c", script], |spec| {
        spec["process"]["user"] = serde_json::json!({"uid": 1000, "gid": 1000});
    });
    let container = bundle.container();
    container.start(&program()).await.unwrap();
    until("both lines", || bundle.log().len() == 2).await;
    let mut log = bundle.log();
    log.sort();
    assert_eq!(log, ["stderr F err", "stdout F out"]);
    let (io, _to, out, err) = pipes();
    let mut again = process(&["sh", "-c", "echo out >/proc/self/fd/1; echo err >/proc/self/fd/2"]);
    again["user"] = serde_json::json!({"uid": 1000, "gid": 1000});
    let exec = container.exec(again, io).await.unwrap();
    assert_eq!((exec.wait().await.unwrap(), text(out), text(err)), (0, "out\n".to_owned(), "err\n".to_owned()));
}

/// Doubles a word until there is no memory for it.
const GREEDY: &str = "x=a; while :; do x=$x$x; done";

fn small() -> Limits {
    Limits { shares: 512, cpu: Some(250), memory: Some(16 << 20), processes: None }
}

#[tokio::test]
async fn memory_beyond_the_limit_is_told() {
    if !possible() {
        return;
    }
    let bundle = Bundle::limited(&["sh", "-c", GREEDY], small());
    let container = bundle.container();
    container.start(&program()).await.unwrap();
    let (file, quota) = if cgroup::unified() { ("cpu.max", "25000 100000") } else { ("cpu.cfs_quota_us", "25000") };
    let set = std::fs::read_to_string(cgroup::directory("cpu", bundle.cgroup()).join(file));
    assert!(set.is_err() || set.unwrap().trim() == quota, "it may have ended meanwhile, but was limited");
    let exit = container.wait().await.unwrap();
    assert_eq!((exit.code, exit.oom_killed), (137, true));
}

/// On version 1 a group's own file does not tell what happened in a group below it.
#[tokio::test]
async fn memory_is_told_of_groups_below_too() {
    if !possible() || cgroup::unified() {
        return;
    }
    let bundle = Bundle::new(&["sleep", "60"]);
    let container = bundle.container();
    container.start(&program()).await.unwrap();
    let below = cgroup::directory("memory", bundle.cgroup()).join("below");
    std::fs::create_dir(&below).unwrap();
    std::fs::write(below.join("memory.limit_in_bytes"), "16777216").unwrap();
    let (io, mut to, _out, _err) = pipes();
    let exec = container.exec(process(&["sh", "-c", &format!("read go; {GREEDY}")]), io).await.unwrap();
    std::fs::write(below.join("cgroup.procs"), exec.pid().to_string()).unwrap();
    assert_eq!(cgroup::oom_kills(bundle.cgroup()), 0);
    to.write_all(b"go\n").unwrap();
    assert_eq!(exec.wait().await.unwrap(), 137);
    assert!(cgroup::oom_kills(bundle.cgroup()) > 0);
}

#[tokio::test]
async fn a_killed_shim_does_not_hide_that_memory_was_short() {
    if !possible() {
        return;
    }
    let script = format!("({GREEDY}); echo survived; sleep 60");
    let bundle = Bundle::limited(&["sh", "-c", &script], small());
    let container = bundle.container();
    let started = container.start(&program()).await.unwrap();
    until("one was killed for memory", || bundle.log().contains(&"stdout F survived".to_owned())).await;
    kill(Pid::from_raw(started.shim_pid), Signal::SIGKILL).unwrap();
    let exit = container.wait().await.unwrap();
    assert_eq!((exit.code, exit.oom_killed), (137, true));
}

/// Too many open files, a socket that is not there yet, a refusal: none of it says that the shim is dead.
#[tokio::test]
async fn a_shim_that_cannot_be_asked_is_asked_again() {
    if !possible() {
        return;
    }
    let bundle = Bundle::new(&["sh", "-c", "trap 'exit 5' TERM; while :; do sleep 0.02; done"]);
    let container = bundle.container();
    let started = container.start(&program()).await.unwrap();
    let (socket, away) = (container.directory().join("control.sock"), container.directory().join("away.sock"));
    std::fs::rename(&socket, &away).unwrap();
    let waiting = tokio::spawn({
        let container = container.clone();
        async move { container.wait().await }
    });
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert!(!waiting.is_finished(), "{:?}", container.exit());
    kill(Pid::from_raw(started.pid), None).unwrap();
    std::fs::rename(&away, &socket).unwrap();
    container.kill(Signal::SIGTERM as i32).await.unwrap();
    assert_eq!(waiting.await.unwrap().unwrap().code, 5);
}

/// The agent gave it up before its shim came so far: nothing starts any more.
#[tokio::test]
async fn a_container_that_was_given_up_does_not_start() {
    if !possible() {
        return;
    }
    let bundle = Bundle::new(&["sleep", "60"]);
    let container = bundle.container();
    assert_eq!(container.wait().await.unwrap().code, 137);
    let error = container.start(&program()).await.unwrap_err();
    assert!(matches!(&error, RuntimeError::Start(reason) if reason.contains("given up")), "{error}");
    assert!(!bundle.log_path().exists());
}

#[tokio::test]
async fn attack_a_fork_bomb_stays_in_its_container() {
    if !possible() {
        return;
    }
    let limits = Limits { processes: Some(20), ..Limits::default() };
    let script = "i=0; while [ $i -lt 100 ]; do sleep 60 & i=$((i+1)); done; echo all";
    let bundle = Bundle::limited(&["sh", "-c", script], limits);
    let container = bundle.container();
    container.start(&program()).await.unwrap();
    let exit = container.wait().await.unwrap();
    let log = bundle.log();
    assert_ne!(exit.code, 0, "{log:?}");
    assert!(
        log.iter().any(|line| line.contains("can't fork")) && !log.iter().any(|line| line.ends_with("all")),
        "{log:?}"
    );
}

#[tokio::test]
async fn another_agent_adopts_it() {
    if !possible() {
        return;
    }
    let bundle = Bundle::new(&["sleep", "60"]);
    let started = bundle.container().start(&program()).await.unwrap();
    let adopted = Container::at(bundle.container().directory());
    assert_eq!(adopted.started().unwrap(), Some(started));
    assert_eq!(adopted.exit().unwrap(), None);
    let (io, _to, out, _err) = pipes();
    let exec = adopted.exec(process(&["echo", "hello"]), io).await.unwrap();
    assert_eq!(exec.wait().await.unwrap(), 0);
    assert_eq!(text(out), "hello\n");
}

/// What is started in a container can be stopped there before it runs its program.
#[tokio::test]
async fn attack_a_container_that_stops_what_is_started_in_it_stops_nothing_else() {
    if !possible() {
        return;
    }
    let script = "echo ready; while :; do for one in /proc/[0-9]*; do \
        pid=${one#/proc/}; [ $pid = 1 ] || kill -STOP $pid 2>/dev/null; done; done";
    let bundle = Bundle::new(&["sh", "-c", script]);
    let container = bundle.container();
    container.start(&program()).await.unwrap();
    until("ready", || bundle.log().contains(&"stdout F ready".to_owned())).await;
    let begin = Instant::now();
    let execs: Vec<_> = (0..6)
        .map(|_| {
            let container = container.clone();
            tokio::spawn(async move {
                let (io, ..) = pipes();
                container.exec(process(&["true"]), io).await.map(drop)
            })
        })
        .collect();
    tokio::time::sleep(Duration::from_secs(1)).await;
    // The shim goes on serving meanwhile ...
    tokio::time::timeout(Duration::from_secs(30), container.kill(Signal::SIGCONT as i32)).await.unwrap().unwrap();
    // ... and each start has come to an end within its time.
    let mut refused = 0;
    for exec in execs {
        let outcome = tokio::time::timeout(Duration::from_secs(60), exec).await.unwrap().unwrap();
        refused += u32::from(outcome.is_err());
    }
    eprintln!("{refused} of 6 did not start, {:?}", begin.elapsed());
    tokio::time::timeout(Duration::from_secs(60), container.end()).await.unwrap().unwrap();
    assert_eq!(container.wait().await.unwrap().code, 137);
    let group = cgroup::directory("pids", bundle.cgroup());
    until("nothing is left", || !group.exists()).await;
}

/// Version 1 lets no frozen process die.
#[tokio::test]
async fn attack_a_frozen_container_is_killed() {
    let frozen = |bundle: &Bundle| cgroup::directory("freezer", bundle.cgroup()).join("freezer.state");
    if !possible() || cgroup::unified() {
        return;
    }
    let bundle = Bundle::new(&["sleep", "60"]);
    if !frozen(&bundle).ancestors().nth(3).unwrap().exists() {
        eprintln!("SKIPPED: this machine has no freezer");
        return;
    }
    let container = bundle.container();
    container.start(&program()).await.unwrap();
    std::fs::write(frozen(&bundle), "FROZEN").unwrap();
    container.end().await.unwrap();
    let exit = tokio::time::timeout(Duration::from_secs(10), container.wait()).await.unwrap().unwrap();
    assert_eq!(exit.code, 137);
}

/// One that neither answers nor dies of anything in its container.
#[tokio::test]
async fn a_shim_that_hangs_does_not_keep_its_container() {
    if !possible() {
        return;
    }
    let bundle = Bundle::new(&["sleep", "60"]);
    let container = bundle.container();
    let started = container.start(&program()).await.unwrap();
    kill(Pid::from_raw(started.shim_pid), Signal::SIGSTOP).unwrap();
    tokio::time::timeout(Duration::from_secs(60), container.end()).await.unwrap().unwrap();
    let state = || {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", started.pid)).unwrap_or_default();
        stat.rsplit_once(") ").map(|(_, rest)| rest.starts_with('Z'))
    };
    until("its process is dead", || state().is_none_or(|zombie| zombie)).await;
    container.end_shim().unwrap();
    assert_eq!(container.wait().await.unwrap().code, 137);
}

#[tokio::test]
async fn a_killed_shim_takes_its_container_along() {
    if !possible() {
        return;
    }
    let bundle = Bundle::new(&["sleep", "60"]);
    let container = bundle.container();
    let started = container.start(&program()).await.unwrap();
    kill(Pid::from_raw(started.shim_pid), Signal::SIGKILL).unwrap();
    let exit = container.wait().await.unwrap();
    assert_eq!((exit.code, exit.signal), (137, Some(9)));
    until("container's process gone", || kill(Pid::from_raw(started.pid), None).is_err()).await;
}

/// A call that the kernel would allow is refused by the filter; what was lent to set it is gone.
#[tokio::test]
async fn a_confined_container_may_not_make_every_call() {
    if !possible() {
        return;
    }
    // Without a filter root may make a user namespace.
    let script = "grep Seccomp: /proc/1/status; grep -E 'CapEff|CapBnd|NoNewPrivs|Seccomp:' /proc/self/status; unshare -U true 2>&1; echo $?";
    let free = Bundle::new(&["sh", "-c", script]);
    free.container().start(&program()).await.unwrap();
    free.container().wait().await.unwrap();
    if free.log().last().is_none_or(|line| line != "stdout F 0") {
        eprintln!("SKIPPED: this kernel lets nobody make a user namespace: {:?}", free.log());
        return;
    }

    let held = vec!["CAP_CHOWN".to_owned(), "CAP_KILL".to_owned()];
    for (sealed, uid) in [(false, 0), (true, 0), (false, 1000)] {
        let profile = Profile::new(held.clone(), sealed);
        let bundle = Bundle::confined(&["sleep", "60"], &profile);
        let container = bundle.container();
        let started = container.start(&program()).await.unwrap();
        let named = format!("/proc/{}/comm", started.pid);
        until("its program runs", || std::fs::read_to_string(&named).is_ok_and(|name| name.trim() == "sleep")).await;
        let mut wanted = process(&["sh", "-c", script]);
        lend(&mut wanted, &profile);
        wanted["user"] = serde_json::json!({"uid": uid, "gid": uid});
        let (io, _to, out, _err) = pipes();
        let exec = container.exec(wanted, io).await.unwrap();
        exec.wait().await.unwrap();
        let said = text(out);
        let own = if uid == 0 { "0000000000000021" } else { "0000000000000000" };
        let privileges = u8::from(sealed);
        for line in [
            format!("CapEff:\t{own}"),
            "CapBnd:\t0000000000000021".to_owned(),
            format!("NoNewPrivs:\t{privileges}"),
            "unshare: unshare(0x10000000): Operation not permitted".to_owned(),
            "1".to_owned(),
        ] {
            assert!(said.lines().any(|one| one == line), "{line}\n{said}");
        }
        let filtered = said.lines().filter(|line| *line == "Seccomp:\t2").count();
        assert_eq!(filtered, 2, "the first process and this one: {said}");
    }
}

/// The library deadlocks when called from a threaded process; the shim must not, however busy its parent is.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_hundred_starts_from_a_busy_agent() {
    if !possible() {
        return;
    }
    let stop = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
    let busy: Vec<_> = (0..4)
        .map(|_| {
            let stop = stop.clone();
            std::thread::spawn(move || {
                while !stop.load(std::sync::atomic::Ordering::Relaxed) {
                    std::hint::black_box((0..64).map(|n| vec![n; 512]).collect::<Vec<_>>());
                }
            })
        })
        .collect();
    let mut took = Vec::new();
    for number in 0..100 {
        let bundle = Bundle::new(&["sh", "-c", &format!("echo {number}")]);
        let begin = Instant::now();
        let container = bundle.container();
        tokio::time::timeout(Duration::from_secs(120), container.start(&program())).await.unwrap().unwrap();
        took.push(begin.elapsed());
        assert_eq!(container.wait().await.unwrap().code, 0);
        assert_eq!(bundle.log(), [format!("stdout F {number}")]);
    }
    stop.store(true, std::sync::atomic::Ordering::Relaxed);
    for thread in busy {
        thread.join().unwrap();
    }
    took.sort();
    eprintln!("100 starts: median {:?}, most {:?}", took[50], took[99]);
}
