//! `systemctl` and `journalctl`, as far as an instance has them.

use std::fs;
use std::io::{BufRead, BufReader, Read, Seek, Write};
use std::os::unix::net::UnixStream;
use std::process::ExitCode;
use std::time::Duration;

use super::{first, journal, unit::Unit};

const FOLLOW: Duration = Duration::from_millis(200);

/// `start|stop|restart|is-active|status|enable|disable [--now] UNIT`, `daemon-reload`.
pub(super) fn systemctl(words: &[&str]) -> ExitCode {
    let (flags, words): (Vec<&str>, Vec<&str>) = words.iter().partition(|word| word.starts_with('-'));
    let outcome = match words.as_slice() {
        ["daemon-reload"] => Ok(String::new()),
        [verb @ ("enable" | "disable"), unit] => {
            let now = flags.contains(&"--now").then_some(if *verb == "enable" { "start" } else { "stop" });
            let done = Unit::enable(*verb == "enable").map_err(|error| error.to_string());
            done.and_then(|()| now.map_or(Ok(String::new()), |verb| ask(verb, unit)))
        }
        [verb, unit] => ask(verb, unit),
        _ => Err("Too few arguments.".to_owned()),
    };
    match outcome {
        Ok(text) if text.is_empty() => ExitCode::SUCCESS,
        Ok(state) => {
            println!("{state}");
            // systemctl(1): is-active and status tell by their exit code, too.
            if state == "active" { ExitCode::SUCCESS } else { ExitCode::from(3) }
        }
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn ask(verb: &str, unit: &str) -> Result<String, String> {
    let answer = || -> std::io::Result<String> {
        let mut stream = UnixStream::connect(first::SOCKET)?;
        writeln!(stream, "{verb} {unit}")?;
        let mut line = String::new();
        BufReader::new(stream).read_line(&mut line)?;
        Ok(line.trim().to_owned())
    };
    let answer = answer().map_err(|error| format!("Failed to connect to the first process: {error}"))?;
    match answer.split_once(' ') {
        Some(("error:", reason)) => Err(reason.to_owned()),
        Some(("ok", state)) => Ok(state.to_owned()),
        _ => Ok(String::new()),
    }
}

/// `-u UNIT [-n LINES] [-f]`; other options that only shape the output are taken and ignored.
pub(super) fn journalctl(words: &[&str]) -> ExitCode {
    let (mut unit, mut most, mut follow) = (None, usize::MAX, false);
    let mut rest = words.iter();
    while let Some(word) = rest.next() {
        match *word {
            "-u" | "--unit" => unit = rest.next().copied(),
            "-n" | "--lines" => most = rest.next().and_then(|text| text.parse().ok()).unwrap_or(10),
            "-f" | "--follow" => follow = true,
            other => {
                if let Some(name) = other.strip_prefix("--unit=").or_else(|| other.strip_prefix("-u")) {
                    unit = Some(name);
                }
            }
        }
    }
    let Some(unit) = unit else {
        eprintln!("only the journal of a unit is kept: journalctl -u kubelet");
        return ExitCode::FAILURE;
    };
    match show(unit.trim_end_matches(".service"), most, follow) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            println!("-- No entries --");
            ExitCode::SUCCESS
        }
        // The reader of a pipe has seen enough.
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn show(unit: &str, most: usize, follow: bool) -> std::io::Result<()> {
    let path = journal::path(unit);
    let mut file = fs::File::open(&path)?;
    let mut text = String::new();
    file.read_to_string(&mut text)?;
    let lines: Vec<&str> = text.lines().collect();
    let mut out = std::io::stdout().lock();
    for line in &lines[lines.len().saturating_sub(most)..] {
        writeln!(out, "{line}")?;
    }
    if !follow {
        return Ok(());
    }
    loop {
        std::thread::sleep(FOLLOW);
        let mut more = String::new();
        file.read_to_string(&mut more)?;
        out.write_all(more.as_bytes())?;
        out.flush()?;
        // Started anew: go on with the new file.
        if path.metadata().is_ok_and(|meta| meta.len() < file.stream_position().unwrap_or(0)) {
            file = fs::File::open(&path)?;
        }
    }
}
