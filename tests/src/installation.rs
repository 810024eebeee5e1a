//! One installation of the real binary in a folder of its own, and the clients that talk to it.

use std::{
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    time::{Duration, Instant},
};

use serde_json::Value;

/// Whether this machine can run an installation; says what it lacks.
pub fn able() -> bool {
    let doctor = Command::new(eksile()).arg("doctor").output().unwrap();
    if !doctor.status.success() {
        println!("SKIPPED: this machine lacks something\n{}", String::from_utf8_lossy(&doctor.stdout));
    }
    doctor.status.success()
}

/// The binary under test: built beside this test.
pub fn eksile() -> PathBuf {
    let exe = std::env::current_exe().unwrap();
    let target = exe.parent().and_then(Path::parent).unwrap();
    let binary = target.join("eksile");
    assert!(binary.exists(), "{} is missing: cargo build --bin eksile", binary.display());
    binary
}

/// A second account's key, to be refused with.
pub const STRANGER: (&str, &str, &str) =
    ("AKIASTRANGERSTRANGER", "stranger-secret-stranger-secret-stranger", "999988887777");

/// An installation, and its clients.
pub struct Installation {
    /// Its data folder.
    pub data: tempfile::TempDir,
    /// What the story itself writes.
    pub scratch: tempfile::TempDir,
    up: Option<Child>,
}

/// What a command did.
pub struct Done {
    /// Whether it succeeded.
    pub ok: bool,
    /// Its standard output.
    pub out: String,
    /// Its standard error.
    pub err: String,
}

impl From<Output> for Done {
    fn from(output: Output) -> Self {
        Self {
            ok: output.status.success(),
            out: String::from_utf8_lossy(&output.stdout).into_owned(),
            err: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }
}

impl Done {
    /// Its output, after it succeeded.
    #[track_caller]
    pub fn good(self) -> String {
        assert!(self.ok, "failed:\n{}{}", self.out, self.err);
        self.out.trim_end().to_owned()
    }

    /// Its complaint, after it failed.
    #[track_caller]
    pub fn bad(self) -> String {
        assert!(!self.ok, "succeeded, and should not:\n{}", self.out);
        self.err
    }

    /// Its output as JSON.
    #[track_caller]
    pub fn json(self) -> Value {
        serde_json::from_str(&self.good()).unwrap()
    }
}

impl Installation {
    /// A folder for one that is not started yet.
    #[must_use]
    pub fn new() -> Self {
        let folder = |prefix| tempfile::Builder::new().prefix(prefix).tempdir().unwrap();
        Self { data: folder("eksile-e2e-"), scratch: folder("eksile-story-"), up: None }
    }

    /// `eksile up`, until it says that it is ready.
    pub fn up(&mut self) -> Duration {
        let begun = Instant::now();
        let (key, secret, account) = STRANGER;
        let mut child = self
            .command()
            .args(["up", "--listen", "127.0.0.1:0", "--credential", &format!("{key}:{secret}:{account}")])
            .stdout(Stdio::piped())
            .stderr(self.log())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        self.up = Some(child);
        assert!(line.starts_with("eksile ready"), "not ready: {line}\n{}", self.log_text());
        begun.elapsed()
    }

    fn log(&self) -> std::fs::File {
        std::fs::File::options().create(true).append(true).open(self.scratch.path().join("test.log")).unwrap()
    }

    /// What `up` has written to its standard error.
    pub fn log_text(&self) -> String {
        std::fs::read_to_string(self.scratch.path().join("test.log")).unwrap_or_default()
    }

    /// The binary with its data folder given.
    pub fn command(&self) -> Command {
        let mut command = Command::new(eksile());
        command.arg("--data").arg(self.data.path());
        command
    }

    /// `eksile WORDS…`.
    pub fn eksile(&self, words: &[&str]) -> Done {
        self.command().args(words).output().unwrap().into()
    }

    fn environment(&self) -> Vec<(String, String)> {
        let env = self.eksile(&["--output", "json", "env"]).json();
        let mut variables: Vec<(String, String)> = env
            .as_object()
            .unwrap()
            .iter()
            .map(|(name, value)| (name.clone(), value.as_str().unwrap().to_owned()))
            .collect();
        variables.push(("KUBECONFIG".into(), self.kubeconfig().display().to_string()));
        variables.push(("AWS_PAGER".into(), String::new()));
        variables.push(("AWS_MAX_ATTEMPTS".into(), "1".into()));
        variables
    }

    /// Where quickstart writes the administrator's.
    pub fn kubeconfig(&self) -> PathBuf {
        self.data.path().join("kubeconfig")
    }

    /// Any client, as the administrator.
    pub fn client(&self, program: &str, words: &[&str]) -> Done {
        Command::new(program).args(words).envs(self.environment()).stdin(Stdio::null()).output().unwrap().into()
    }

    /// Any client, with more variables.
    pub fn client_with(&self, program: &str, words: &[&str], variables: &[(&str, &str)]) -> Done {
        let mut command = Command::new(program);
        command.args(words).envs(self.environment()).envs(variables.iter().copied()).stdin(Stdio::null());
        command.output().unwrap().into()
    }

    /// The aws CLI as the administrator.
    pub fn aws(&self, words: &str) -> Done {
        self.client("aws", &words.split_whitespace().collect::<Vec<_>>())
    }

    /// The aws CLI as another account's administrator.
    pub fn aws_stranger(&self, words: &str) -> Done {
        let (key, secret, _) = STRANGER;
        let words: Vec<&str> = words.split_whitespace().collect();
        self.client_with("aws", &words, &[("AWS_ACCESS_KEY_ID", key), ("AWS_SECRET_ACCESS_KEY", secret)])
    }

    /// kubectl as the cluster's creator.
    pub fn kubectl(&self, words: &str) -> Done {
        self.client("kubectl", &words.split_whitespace().collect::<Vec<_>>())
    }

    /// Facts of `eksile status`.
    pub fn status(&self) -> Value {
        self.eksile(&["--output", "json", "status"]).json()
    }

    /// Pid, on the host, of a process that the world keeps running.
    pub fn pid_of(&self, role: &str) -> Option<u32> {
        let status = self.status();
        let processes = status["processes"].as_array().unwrap().clone();
        let process = processes.into_iter().find(|process| process["role"].as_str() == Some(role))?;
        process["pid"].as_u64().and_then(|pid| u32::try_from(pid).ok())
    }

    /// Pids, on the host, of this installation's processes whose command line has all of `words`.
    pub fn pids(&self, words: &[&str]) -> Vec<u32> {
        let world = self.world();
        let text = |pid: u32| std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        // Its pid in every namespace it is in, outermost first.
        let known_as = |pid: u32| -> Vec<u32> {
            let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
            let line = status.lines().find_map(|line| line.strip_prefix("NSpid:")).unwrap_or_default().to_owned();
            line.split_whitespace().filter_map(|word| word.parse().ok()).collect()
        };
        let level = known_as(world).len() - 1;
        // Another installation's process has no such pid in this world, or another process has it.
        let inside = |pid: u32| {
            let pids = known_as(pid);
            let there = pids.get(level).map(|own| format!("/proc/{world}/root/proc/{own}/cmdline"));
            there.is_some_and(|path| std::fs::read(path).is_ok_and(|line| line == text(pid)))
        };
        let mut found: Vec<u32> = std::fs::read_dir("/proc")
            .unwrap()
            .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
            .filter(|pid| {
                let line = String::from_utf8_lossy(&text(*pid)).replace('\0', " ");
                words.iter().all(|word| line.contains(word))
            })
            .filter(|pid| inside(*pid))
            .collect();
        found.sort_unstable();
        found
    }

    /// Pid of the world's first process.
    pub fn world(&self) -> u32 {
        let text = std::fs::read(self.data.path().join("run/up.json")).unwrap();
        let running: Value = serde_json::from_slice(&text).unwrap();
        u32::try_from(running["world"].as_u64().unwrap()).unwrap()
    }

    /// `kill -9` of `up` itself.
    pub fn kill_up(&mut self) {
        let mut up = self.up.take().unwrap();
        up.kill().unwrap();
        up.wait().unwrap();
    }

    /// SIGTERM, and the end of it.
    pub fn down(&mut self) {
        if let Some(mut up) = self.up.take() {
            kill(up.id(), "-TERM");
            up.wait().unwrap();
        }
    }
}

impl Default for Installation {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for Installation {
    fn drop(&mut self) {
        self.down();
        if std::thread::panicking() {
            eprintln!("--- log of the installation ---\n{}", self.log_text());
        }
    }
}

/// Sends a signal to a process that belongs to an installation of ours.
pub fn kill(pid: u32, signal: &str) {
    assert!(Command::new("kill").args([signal, &pid.to_string()]).status().unwrap().success());
}

/// Waits for a condition.
#[track_caller]
pub fn until<T>(what: &str, patience: Duration, mut attempt: impl FnMut() -> Result<T, String>) -> T {
    let begun = Instant::now();
    loop {
        match attempt() {
            Ok(value) => return value,
            Err(last) => assert!(begun.elapsed() < patience, "never: {what}; last seen: {last}"),
        }
        std::thread::sleep(Duration::from_millis(50));
    }
}
