use std::{
    cell::Cell,
    io::{IsTerminal as _, Write as _},
    net::SocketAddr,
    path::PathBuf,
    process::{Command, Output, Stdio},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};

use crate::{
    cli::QuickstartArgs,
    credentials::Credential,
    layout::{self, Layout},
    world_config::WorldConfig,
};

/// Select graphic rendition (ECMA-48, 8.3.117): bold, faint.
pub(super) const BOLD: u8 = 1;
const FAINT: u8 = 2;

/// A text in a rendition, where there is a terminal to render it.
pub(super) fn styled(rendition: u8, text: &str) -> String {
    if std::io::stdout().is_terminal() { format!("\x1b[{rendition}m{text}\x1b[0m") } else { text.to_owned() }
}

/// Keys in the environment.
const KEYS: [&str; 2] = ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"];
/// What would lead the clients to the user's own keys.
const OTHERS: [&str; 7] = [
    "AWS_PROFILE",
    "AWS_DEFAULT_PROFILE",
    "AWS_SESSION_TOKEN",
    "AWS_ROLE_ARN",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
];

/// Runs the clients and shows what it runs.
pub(super) struct Shell {
    aws: PathBuf,
    kubectl: PathBuf,
    variables: Vec<(&'static str, String)>,
    kubeconfig: PathBuf,
    step: Cell<u32>,
}

impl Shell {
    pub(super) fn new(
        layout: &Layout,
        arguments: &QuickstartArgs,
        config: &WorldConfig,
        listen: SocketAddr,
        key: &Credential,
    ) -> Result<Self> {
        let kubeconfig = layout.kubeconfig();
        // In a file of the owner's: others can read a process's environment, and it is passed on.
        let credentials = layout.run().join("aws-credentials");
        layout::write(&credentials, key.profile().as_bytes())?;
        let mut variables = key.exports(config, listen);
        variables.retain(|(name, _)| !KEYS.contains(name));
        variables.push(("AWS_SHARED_CREDENTIALS_FILE", credentials.display().to_string()));
        variables.push(("AWS_CONFIG_FILE", "/dev/null".to_owned()));
        variables.push(("KUBECONFIG", kubeconfig.display().to_string()));
        // kubectl runs `aws` by this name to make its tokens.
        if let Some(folder) = arguments.aws.parent().filter(|folder| folder.is_absolute()) {
            let path = std::env::var("PATH").unwrap_or_default();
            variables.push(("PATH", format!("{}:{path}", folder.display())));
        }
        Ok(Self {
            aws: arguments.aws.clone(),
            kubectl: arguments.kubectl.clone(),
            variables,
            kubeconfig,
            step: Cell::new(0),
        })
    }

    pub(super) fn kubeconfig(&self) -> String {
        self.kubeconfig.display().to_string()
    }

    pub(super) fn heading(&self, text: &str) {
        self.step.set(self.step.get() + 1);
        println!("\n{}", styled(BOLD, &format!("{:>2}. {text}", self.step.get())));
    }

    /// `aws WORDS… ARGUMENTS…`, shown; its output is shown too.
    pub(super) fn aws(&self, words: &str, arguments: &[&str]) -> Result<()> {
        self.show("aws", words, arguments);
        let output = self.run(&self.aws, words, arguments, None)?;
        print!("{}", String::from_utf8_lossy(&output.stdout));
        Ok(())
    }

    /// As [`Shell::aws`], with `--output text`; returns what it printed.
    pub(super) fn text(&self, words: &str, arguments: &[&str]) -> Result<String> {
        self.show("aws", words, arguments);
        let text = self.quiet(words, arguments)?;
        println!("{text}");
        Ok(text)
    }

    /// As [`Shell::text`], without showing anything.
    pub(super) fn quiet(&self, words: &str, arguments: &[&str]) -> Result<String> {
        let arguments: Vec<&str> = arguments.iter().copied().chain(["--output", "text"]).collect();
        let output = self.run(&self.aws, words, &arguments, None)?;
        Ok(String::from_utf8_lossy(&output.stdout).trim_end().to_owned())
    }

    /// `kubectl WORDS… ARGUMENTS…`, shown, its output too.
    pub(super) fn kubectl(&self, words: &str, arguments: &[&str], input: Option<&str>) -> Result<String> {
        self.show("kubectl", words, arguments);
        if let Some(input) = input {
            println!("{}", input.trim_end());
        }
        let output = self.run(&self.kubectl, words, arguments, input)?;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        print!("{text}");
        Ok(text)
    }

    /// Runs `kubectl` until `done` says so of its output, showing a dot a try.
    pub(super) fn wait_kubectl(
        &self,
        words: &str,
        arguments: &[&str],
        patience: Duration,
        done: impl Fn(&str) -> bool,
    ) -> Result<String> {
        self.show("kubectl", words, arguments);
        wait(patience, || {
            let output = self.command(&self.kubectl, words, arguments).stdin(Stdio::null()).output()?;
            let text = String::from_utf8_lossy(&output.stdout).into_owned();
            if output.status.success() && done(&text) {
                return Ok(Ok(text));
            }
            Ok(Err(format!("{text}{}", String::from_utf8_lossy(&output.stderr))))
        })
    }

    /// Runs `aws` until `done` says so of its text.
    pub(super) fn wait_text(
        &self,
        words: &str,
        arguments: &[&str],
        patience: Duration,
        done: impl Fn(&str) -> bool,
    ) -> Result<String> {
        self.show("aws", words, arguments);
        wait(patience, || {
            let text = self.quiet(words, arguments)?;
            Ok(if done(&text) { Ok(text) } else { Err(text) })
        })
    }

    fn show(&self, program: &str, words: &str, arguments: &[&str]) {
        let mut line = format!("$ {program} {words}");
        for argument in arguments {
            line.push(' ');
            let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=,@+".contains(c);
            if argument.chars().all(plain) && !argument.is_empty() {
                line.push_str(argument);
            } else {
                line.push_str(&format!("'{}'", argument.replace('\'', r"'\''")));
            }
        }
        println!("{}", styled(FAINT, &line));
    }

    fn command(&self, program: &PathBuf, words: &str, arguments: &[&str]) -> Command {
        let mut command = Command::new(program);
        command.args(words.split_whitespace()).args(arguments).env("AWS_PAGER", "");
        for (name, value) in &self.variables {
            command.env(name, value);
        }
        for name in KEYS.into_iter().chain(OTHERS) {
            command.env_remove(name);
        }
        command
    }

    fn run(&self, program: &PathBuf, words: &str, arguments: &[&str], input: Option<&str>) -> Result<Output> {
        let mut command = self.command(program, words, arguments);
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        command.stdin(if input.is_some() { Stdio::piped() } else { Stdio::null() });
        let mut child = command.spawn().with_context(|| format!("running {}", program.display()))?;
        if let (Some(input), Some(mut stdin)) = (input, child.stdin.take()) {
            stdin.write_all(input.as_bytes())?;
        }
        let output = child.wait_with_output()?;
        if !output.status.success() {
            bail!("{} {words}: {}", program.display(), String::from_utf8_lossy(&output.stderr).trim());
        }
        Ok(output)
    }
}

/// Tries until there is an answer; what was seen last is told when patience ends.
fn wait(patience: Duration, mut attempt: impl FnMut() -> Result<Result<String, String>>) -> Result<String> {
    let begun = Instant::now();
    loop {
        let last = match attempt()? {
            Ok(text) => {
                println!("{}", text.trim_end());
                return Ok(text);
            }
            Err(last) => last,
        };
        if begun.elapsed() > patience {
            bail!("still not after {patience:?}; last seen: {}", last.trim());
        }
        print!(".");
        std::io::stdout().flush()?;
        thread::sleep(Duration::from_millis(200));
    }
}
