//! The instance's first process at work: runs the user data, keeps the kubelet, collects orphans, obeys.
//!
//! One thread and one loop: this process starts others all the time, and must never miss the end of one.

use std::collections::VecDeque;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{SigSet, Signal, kill};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;

use super::unit::{self, KUBELET, Unit};
use super::user_data::{self, Part};
use super::{InstanceError, etc, files, plain};

/// What was handed over from outside.
const HANDED: &str = "/run/eksile";
/// Where `systemctl` speaks to this process.
pub(super) const SOCKET: &str = "/run/eksile/init.sock";
/// How long processes may take to end by themselves at shutdown.
const SHUTDOWN: Duration = Duration::from_millis(1500);
const PATIENCE: Duration = Duration::from_secs(1);

struct First {
    signals: SignalFd,
    listener: UnixListener,
    kubelet: Unit,
    scripts: VecDeque<PathBuf>,
    script: Option<u32>,
}

/// Works until told to stop; when this returns, the kernel ends everything else in the instance.
pub(super) fn run() -> Result<(), InstanceError> {
    etc::install(Path::new(HANDED)).map_err(InstanceError::at("write /etc"))?;
    let mut mask = SigSet::empty();
    for signal in [Signal::SIGCHLD, Signal::SIGTERM, Signal::SIGINT, Signal::SIGPWR] {
        mask.add(signal);
    }
    mask.thread_block().map_err(InstanceError::at("block signals"))?;
    let signals = SignalFd::with_flags(&mask, SfdFlags::SFD_NONBLOCK | SfdFlags::SFD_CLOEXEC)
        .map_err(InstanceError::at("make a signal descriptor"))?;
    let listener = UnixListener::bind(SOCKET).map_err(InstanceError::at(SOCKET))?;
    fs::set_permissions(SOCKET, fs::Permissions::from_mode(0o600)).map_err(InstanceError::at(SOCKET))?;
    let mut netlink = eksile_linux::netlink::Netlink::here()?;
    netlink.set_up("lo")?;
    drop(netlink);
    let host = nix::unistd::gethostname().map_err(InstanceError::at("read the host name"))?;
    let host = host.to_string_lossy().into_owned();
    let mut first = First { signals, listener, kubelet: Unit::kubelet(&host), scripts: VecDeque::new(), script: None };
    first.boot().map_err(InstanceError::at("prepare the user data"))?;
    first.work()
}

/// Says something where cloud-init would.
fn note(text: &str) {
    let written = plain::append(Path::new(unit::OUTPUT)).and_then(|mut file| writeln!(file, "{text}"));
    if written.is_err() {
        eksile_base::stderr::say(text);
    }
}

impl First {
    fn boot(&mut self) -> std::io::Result<()> {
        if Unit::enabled() {
            self.kubelet.start();
        }
        if unit::scripts_done() {
            return Ok(());
        }
        let data = fs::read(Path::new(HANDED).join(files::USER_DATA))?;
        for (number, part) in user_data::parts(&data).into_iter().enumerate() {
            match part {
                Part::Script(content) => self.scripts.push_back(unit::write_script(number + 1, &content)?),
                Part::Unsupported(kind) => note(&format!("user data: part {}: {kind}: not supported", number + 1)),
            }
        }
        self.next_script();
        Ok(())
    }

    fn next_script(&mut self) {
        while let Some(path) = self.scripts.pop_front() {
            match unit::run_script(&path) {
                Ok(pid) => {
                    self.script = Some(pid);
                    return;
                }
                Err(error) => note(&format!("Failed running {}: {error}", path.display())),
            }
        }
        note(&format!("Cloud-init finished at {}", jiff::Timestamp::now().strftime("%a, %d %b %Y %H:%M:%S +0000")));
        if let Err(error) = unit::mark_scripts_done() {
            note(&format!("the user data will run again at the next boot: {error}"));
        }
    }

    fn work(&mut self) -> Result<(), InstanceError> {
        loop {
            let (asked, signalled) = self.wait()?;
            self.kubelet.pump();
            if asked {
                self.accept();
            }
            if signalled && self.told_to_stop() {
                self.shut_down();
                return Ok(());
            }
            self.collect();
            self.kubelet.tick();
        }
    }

    fn wait(&self) -> Result<(bool, bool), InstanceError> {
        let mut fds = vec![
            PollFd::new(self.listener.as_fd(), PollFlags::POLLIN),
            PollFd::new(self.signals.as_fd(), PollFlags::POLLIN),
        ];
        fds.extend(self.kubelet.descriptor().map(|fd| PollFd::new(fd, PollFlags::POLLIN)));
        let timeout = self.kubelet.due().map_or(PollTimeout::NONE, |at| {
            // A millisecond more, so that it is due when this returns.
            let left = at.saturating_duration_since(Instant::now()) + Duration::from_millis(1);
            PollTimeout::try_from(left).unwrap_or(PollTimeout::MAX)
        });
        match poll(&mut fds, timeout) {
            Ok(_) => Ok((fds[0].any().unwrap_or(true), fds[1].any().unwrap_or(true))),
            Err(nix::errno::Errno::EINTR) => Ok((false, false)),
            Err(error) => Err(InstanceError::at("wait")(error)),
        }
    }

    fn told_to_stop(&mut self) -> bool {
        let mut stop = false;
        while let Ok(Some(signal)) = self.signals.read_signal() {
            stop |= signal.ssi_signo != Signal::SIGCHLD as u32;
        }
        stop
    }

    /// Takes every process that has ended, orphans too.
    fn collect(&mut self) {
        loop {
            let (pid, how) = match waitpid(None::<Pid>, Some(WaitPidFlag::WNOHANG)) {
                Ok(WaitStatus::Exited(pid, code)) => (pid, format!("code=exited, status={code}")),
                Ok(WaitStatus::Signaled(pid, signal, _)) => (pid, format!("code=killed, status={signal}")),
                Ok(WaitStatus::StillAlive) | Err(_) => return,
                Ok(_) => continue,
            };
            let pid = pid.as_raw().cast_unsigned();
            self.kubelet.ended(pid, &how);
            if self.script == Some(pid) {
                self.script = None;
                if how != "code=exited, status=0" {
                    note(&format!("Failed running a script of the user data: {how}"));
                }
                self.next_script();
            }
        }
    }

    fn accept(&mut self) {
        let answered = self.listener.accept().and_then(|(stream, _)| self.answer(&stream));
        if let Err(error) = answered {
            eksile_base::stderr::say(&format!("systemctl: {error}"));
        }
    }

    /// One line `VERB UNIT`, one line back.
    fn answer(&mut self, mut stream: &UnixStream) -> std::io::Result<()> {
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        let mut line = String::new();
        BufReader::new(stream).read_line(&mut line)?;
        let answer = self.obey(line.trim());
        writeln!(stream, "{answer}")
    }

    fn obey(&mut self, line: &str) -> String {
        let Some((verb, name)) = line.split_once(' ') else { return "error: what?".to_owned() };
        if name.trim_end_matches(".service") != KUBELET {
            return format!("error: Unit {name} not found.");
        }
        match verb {
            "start" => self.kubelet.start(),
            "stop" => self.kubelet.stop(),
            "restart" => {
                // Its end starts it again at once: stopping alone would forget that it is wanted.
                self.kubelet.stop();
                self.kubelet.start();
            }
            "is-active" | "status" => return format!("ok {}", self.kubelet.state()),
            _ => return format!("error: Unknown operation {verb}."),
        }
        "ok".to_owned()
    }

    /// Everyone is asked to end, and given a moment.
    fn shut_down(&mut self) {
        self.kubelet.stop();
        // To every process of the instance but this one (kill(2)).
        let _ = kill(Pid::from_raw(-1), Signal::SIGTERM);
        let until = Instant::now() + SHUTDOWN;
        while Instant::now() < until {
            self.kubelet.pump();
            match waitpid(None::<Pid>, Some(WaitPidFlag::WNOHANG)) {
                Ok(WaitStatus::StillAlive) => std::thread::sleep(Duration::from_millis(10)),
                Err(_) => return,
                Ok(_) => {}
            }
        }
        let _ = kill(Pid::from_raw(-1), Signal::SIGKILL);
    }
}
