//! What this program's processes log. Most of them share one file, so every line says whose it is:
//! `TIME [PROCESS]  LEVEL MODULE: TEXT`.

use std::{
    collections::BTreeSet,
    fmt,
    fs::File,
    io::{self, BufRead, IsTerminal as _, Write},
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context as _, Result};
use eksile_base::stderr::Stderr;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::{
    EnvFilter,
    fmt::{format::Writer, time::FormatTime},
};

/// What is logged, as `tracing_subscriber::EnvFilter` reads it: `debug`, or `info,eksile_kube=trace`. Without it, `info`.
const VARIABLE: &str = "EKSILE_LOG";

/// Begins to log on standard error, under the process's name.
pub(crate) fn begin(process: &str) -> Result<()> {
    let filter = EnvFilter::builder().with_default_directive(LevelFilter::INFO.into()).with_env_var(VARIABLE);
    let colours = io::stderr().is_terminal();
    tracing_subscriber::fmt()
        .with_env_filter(filter.from_env().with_context(|| format!("reading {VARIABLE}"))?)
        .with_writer(move || OneLine { to: Stderr, colours })
        .log_internal_errors(false)
        .with_ansi(colours)
        .with_timer(Stamp { process: process.to_owned() })
        .init();
    std::panic::set_hook(Box::new(|panic| {
        // `println!` to somebody who has gone is no fault of ours, and nobody is left to be told.
        if panic.payload_as_str().is_some_and(|text| text.starts_with("failed printing to stdout")) {
            std::process::exit(1);
        }
        tracing::error!("{panic}");
    }));
    Ok(())
}

/// Longest line of a log, bytes.
const LINE_MAX: usize = 8 * 1024;

/// Where events go, each in one write: what strangers said in one is neither another line nor a command to a terminal,
/// and is cut where it is long.
struct OneLine<W> {
    to: W,
    /// Whether colours, made by this program, may be among it.
    colours: bool,
}

impl<W: Write> Write for OneLine<W> {
    fn write(&mut self, event: &[u8]) -> io::Result<usize> {
        let text = String::from_utf8_lossy(event);
        let mut line = String::with_capacity(text.len() + 1);
        for c in text.trim_end_matches('\n').chars() {
            if line.len() > LINE_MAX {
                line.push('…');
                break;
            }
            if c.is_control() && !(self.colours && c == '\u{1b}') {
                line.extend(c.escape_default());
            } else {
                line.push(c);
            }
        }
        line.push('\n');
        self.to.write_all(line.as_bytes())?;
        Ok(event.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.to.flush()
    }
}

/// Bytes after which the log begins anew. One older file is kept beside it.
const LONGEST: u64 = 32 << 20;
/// How often its length is looked at.
const LOOK: Duration = Duration::from_secs(5);

/// Keeps a log that many processes append to from growing for ever.
pub(crate) async fn bound(path: PathBuf) {
    loop {
        if let Err(error) = begin_anew(&path, LONGEST) {
            tracing::warn!(%error, "the log cannot be shortened");
        }
        tokio::time::sleep(LOOK).await;
    }
}

/// Moves the text of a log that is too long to `PATH.1`. The file itself stays, since those who write have it open; where
/// there is no room for two, the old text goes.
fn begin_anew(path: &Path, longest: u64) -> io::Result<()> {
    let file = match File::options().append(true).open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        opened => opened?,
    };
    if file.metadata()?.len() <= longest {
        return Ok(());
    }
    let [half, old] = ["1.new", "1"].map(|end| path.with_extension(format!("log.{end}")));
    if let Err(error) = std::fs::copy(path, &half).and_then(|_| std::fs::rename(&half, old)) {
        std::fs::remove_file(&half).ok();
        file.set_len(0)?;
        tracing::warn!(%error, "the log begins anew, and its older text could not be kept");
        return Ok(());
    }
    file.set_len(0)
}

/// What every line begins with: when, and whose it is.
struct Stamp {
    process: String,
}

impl FormatTime for Stamp {
    fn format_time(&self, to: &mut Writer<'_>) -> fmt::Result {
        write!(to, "{:.6} [{}]", jiff::Timestamp::now(), self.process)
    }
}

/// The process that a line names; none of a line that goes on with the one before.
fn process(line: &[u8]) -> Option<&str> {
    let (time, rest) = std::str::from_utf8(line).ok()?.split_once(" [")?;
    time.parse::<jiff::Timestamp>().ok()?;
    Some(rest.split_once("] ")?.0)
}

/// All processes that a log names.
///
/// # Errors
/// When it cannot be read.
pub(crate) fn processes(mut log: impl BufRead) -> io::Result<BTreeSet<String>> {
    let mut found = BTreeSet::new();
    let mut line = Vec::new();
    while log.read_until(b'\n', &mut line)? > 0 {
        found.extend(process(&line).filter(|name| !found.contains(*name)).map(str::to_owned));
        line.clear();
    }
    Ok(found)
}

/// Passes on the lines of one process.
pub(crate) struct Only<'a, W> {
    process: &'a str,
    to: W,
    /// A line that has not come whole.
    begun: Vec<u8>,
    /// Whether the last line was passed on.
    passing: bool,
}

impl<'a, W: Write> Only<'a, W> {
    pub(crate) fn new(process: &'a str, to: W) -> Self {
        Self { process, to, begun: Vec::new(), passing: false }
    }
}

impl<W: Write> Write for Only<'_, W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.begun.extend_from_slice(bytes);
        let whole = self.begun.iter().rposition(|byte| *byte == b'\n').map_or(0, |last| last + 1);
        for line in self.begun.drain(..whole).as_slice().split_inclusive(|byte| *byte == b'\n') {
            self.passing = process(line).map_or(self.passing, |name| name == self.process);
            if self.passing {
                self.to.write_all(line)?;
            }
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.to.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(process: &str, text: &str) -> String {
        let mut line = String::new();
        Stamp { process: process.to_owned() }.format_time(&mut Writer::new(&mut line)).unwrap();
        format!("{line}  INFO eksile: {text}\n")
    }

    #[test]
    fn a_log_that_is_too_long_begins_anew_for_those_who_have_it_open() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("eksile.log");
        begin_anew(&path, 10).unwrap();
        let mut writer = File::options().create(true).append(true).open(&path).unwrap();
        writer.write_all(b"0123456789").unwrap();
        begin_anew(&path, 10).unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"0123456789");
        writer.write_all(b"a").unwrap();
        begin_anew(&path, 10).unwrap();
        writer.write_all(b"b").unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"b");
        assert_eq!(std::fs::read(folder.path().join("eksile.log.1")).unwrap(), b"0123456789a");
    }

    #[test]
    fn a_process_has_its_lines_and_what_follows_them() {
        let log = format!(
            "{}{}  and more\n{}nobody's: [x] y\n{}",
            line("region", "a"),
            line("site op-1", "b"),
            line("site op-12", "c"),
            line("site op-1", "d [region] e"),
        );
        assert_eq!(
            processes(log.as_bytes()).unwrap().into_iter().collect::<Vec<_>>(),
            ["region", "site op-1", "site op-12"]
        );
        let mut out = Vec::new();
        let mut only = Only::new("site op-1", &mut out);
        for piece in log.as_bytes().chunks(7) {
            only.write_all(piece).unwrap();
        }
        let out = String::from_utf8(out).unwrap();
        let texts: Vec<&str> = out.lines().map(|line| line.rsplit("eksile: ").next().unwrap()).collect();
        assert_eq!(texts, ["b", "  and more", "d [region] e"]);
    }

    #[test]
    fn what_strangers_say_is_one_line_and_cut() {
        let mut out = OneLine { to: Vec::new(), colours: false };
        out.write_all(b"probe said: ok\n2026-01-01 [region] forged \x1b[2J\xff\n").unwrap();
        assert_eq!(
            String::from_utf8(std::mem::take(&mut out.to)).unwrap(),
            "probe said: ok\\n2026-01-01 [region] forged \\u{1b}[2J\u{fffd}\n"
        );
        out.write_all(&[b'a'; 100_000]).unwrap();
        assert!(out.to.len() < LINE_MAX + 16 && out.to.ends_with("…\n".as_bytes()));
    }
}
