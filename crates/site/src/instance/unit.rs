//! A service kept running: started, restarted when it ends, stopped when told to.

use std::fs;
use std::io;
use std::os::fd::BorrowedFd;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use eksile_linux::process::inherit_nothing;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::journal::{self, Pipe};
use super::{PROGRAM, plain};

/// The one service of an instance: the kubelet.
pub(super) const KUBELET: &str = "kubelet";
/// One argument a line; written by the bootstrap.
const ARGUMENTS: &str = "/etc/eksile/kubelet.args";
const WANTED: &str = "/etc/systemd/system/multi-user.target.wants/kubelet.service";
/// Where everything in the instance looks for programs; ours come before the host's.
const SEARCH: &str = "/opt/eksile/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
const RESTART_FIRST: Duration = Duration::from_millis(500);
const RESTART_MOST: Duration = Duration::from_secs(5);
/// After running this long it counts as healthy, and the next restart is quick again.
const HEALTHY: Duration = Duration::from_secs(30);

/// What a unit should do and does.
pub(super) struct Unit {
    host: String,
    wanted: bool,
    running: Option<(u32, Instant)>,
    pipe: Option<Pipe>,
    again: Option<Instant>,
    pause: Duration,
}

impl Unit {
    /// The kubelet, not started.
    pub(super) fn kubelet(host: &str) -> Self {
        Self { host: host.to_owned(), wanted: false, running: None, pipe: None, again: None, pause: RESTART_FIRST }
    }

    /// Whether it starts by itself at boot.
    pub(super) fn enabled() -> bool {
        fs::symlink_metadata(WANTED).is_ok()
    }

    /// Makes it start (or not) at boot.
    pub(super) fn enable(yes: bool) -> io::Result<()> {
        let link = Path::new(WANTED);
        match (yes, Self::enabled()) {
            (true, false) => {
                fs::create_dir_all(link.parent().unwrap_or(Path::new("/")))?;
                std::os::unix::fs::symlink("/etc/systemd/system/kubelet.service", link)
            }
            (false, true) => fs::remove_file(link),
            _ => Ok(()),
        }
    }

    pub(super) fn start(&mut self) {
        self.wanted = true;
        self.again = None;
        if self.running.is_none() {
            self.launch();
        }
    }

    pub(super) fn stop(&mut self) {
        self.wanted = false;
        self.again = None;
        if let Some((pid, _)) = self.running {
            self.say(0, "Stopping kubelet.");
            // One that has just ended is collected in a moment.
            let _ = kill(Pid::from_raw(pid.cast_signed()), Signal::SIGTERM);
        }
    }

    pub(super) fn pid(&self) -> Option<u32> {
        self.running.map(|(pid, _)| pid)
    }

    /// `active`, `activating` (it will be started again), `inactive`.
    pub(super) fn state(&self) -> &'static str {
        match (self.running, self.wanted) {
            (Some(_), _) => "active",
            (None, true) => "activating",
            (None, false) => "inactive",
        }
    }

    fn launch(&mut self) {
        match self.spawn() {
            Ok(pid) => {
                self.running = Some((pid, Instant::now()));
                self.say(0, "Started kubelet.");
            }
            Err(error) => {
                self.say(0, &format!("kubelet failed to start: {error}"));
                self.retry();
            }
        }
    }

    fn spawn(&mut self) -> io::Result<u32> {
        // Without a bootstrap there are none.
        let arguments = match plain::read(Path::new(ARGUMENTS)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
            read => String::from_utf8(read?).map_err(io::Error::other)?,
        };
        let (reader, writer) = io::pipe()?;
        let mut command = Command::new(PROGRAM);
        let child = inherit_nothing(&mut command)
            .arg("node")
            .env("PATH", SEARCH)
            .env("HOME", "/root")
            .args(arguments.lines().filter(|line| !line.is_empty()))
            .stdin(Stdio::null())
            .stdout(writer.try_clone()?)
            .stderr(writer)
            .process_group(0)
            .spawn()?;
        self.pipe = Some(Pipe::new(reader)?);
        // The first process collects all that end; the handle is not needed.
        Ok(child.id())
    }

    /// To be told of every process that ended.
    pub(super) fn ended(&mut self, pid: u32, how: &str) {
        let Some((own, since)) = self.running else { return };
        if own != pid {
            return;
        }
        self.pump();
        self.running = None;
        self.say(0, &format!("kubelet.service: main process exited, {how}"));
        if since.elapsed() > HEALTHY {
            self.pause = RESTART_FIRST;
        }
        if self.wanted {
            self.retry();
        }
    }

    fn retry(&mut self) {
        self.again = Some(Instant::now() + self.pause);
        self.pause = (self.pause * 2).min(RESTART_MOST);
    }

    /// When something is to be done by itself.
    pub(super) fn due(&self) -> Option<Instant> {
        self.again
    }

    pub(super) fn tick(&mut self) {
        if self.again.is_some_and(|at| at <= Instant::now()) {
            self.again = None;
            self.launch();
        }
    }

    pub(super) fn descriptor(&self) -> Option<BorrowedFd<'_>> {
        self.pipe.as_ref().and_then(Pipe::descriptor)
    }

    /// Moves what it wrote into the journal.
    pub(super) fn pump(&mut self) {
        let pid = self.pid().unwrap_or(0);
        let lines = self.pipe.as_mut().map(Pipe::lines).unwrap_or_default();
        for line in lines {
            self.say(pid, &line);
        }
    }

    fn say(&self, pid: u32, text: &str) {
        let (who, pid) = if pid == 0 { ("systemd", 1) } else { (KUBELET, pid) };
        let line = journal::line(jiff::Timestamp::now(), &self.host, who, pid, text);
        if let Err(error) = journal::append(KUBELET, &line) {
            eksile_base::stderr::say(&format!("journal: {error}: {line}"));
        }
    }
}

/// Where the user data's output goes, as cloud-init has it.
pub(super) const OUTPUT: &str = "/var/log/cloud-init-output.log";
const SCRIPTS: &str = "/var/lib/cloud/instance/scripts";
const DONE: &str = "/var/lib/cloud/instance/sem/config_scripts_user";

/// Whether the user data ran to its end in an earlier boot: it runs once per instance.
pub(super) fn scripts_done() -> bool {
    Path::new(DONE).exists()
}

/// Remembers that the user data ran to its end.
pub(super) fn mark_scripts_done() -> io::Result<()> {
    fs::create_dir_all(Path::new(DONE).parent().unwrap_or(Path::new("/")))?;
    plain::write(Path::new(DONE), b"")
}

/// Puts a script where cloud-init puts it.
pub(super) fn write_script(number: usize, content: &[u8]) -> io::Result<PathBuf> {
    use std::os::unix::fs::PermissionsExt;
    fs::create_dir_all(SCRIPTS)?;
    let path = Path::new(SCRIPTS).join(format!("part-{number:03}"));
    plain::write(&path, content)?;
    fs::set_permissions(&path, fs::Permissions::from_mode(0o700))?;
    Ok(path)
}

/// Starts a script, its output appended to [`OUTPUT`].
pub(super) fn run_script(path: &Path) -> io::Result<u32> {
    let output = plain::append(Path::new(OUTPUT))?;
    let mut command = Command::new(path);
    let child = inherit_nothing(&mut command)
        .current_dir("/")
        .env("PATH", SEARCH)
        .env("HOME", "/root")
        .stdin(Stdio::null())
        .stdout(output.try_clone()?)
        .stderr(output)
        .process_group(0)
        .spawn()?;
    Ok(child.id())
}
