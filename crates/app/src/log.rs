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
        let half_gone = match std::fs::remove_file(&half) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => format!("; {} stays: {error}", half.display()),
            _ => String::new(),
        };
        file.set_len(0)?;
        tracing::warn!("the log begins anew, and its older text could not be kept: {error}{half_gone}");
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

/// For a terminal: what strangers wrote, on its way to be printed, without what a terminal obeys (control characters, C1
/// ones among them, and marks that turn the direction of text round), each line after the name of where it is from, if there
/// is one.
pub(crate) struct Shown<W: Write> {
    to: W,
    name: String,
    /// Bytes of a line that has not come whole.
    begun: Vec<u8>,
    /// The line that has begun has had its name.
    named: bool,
}

impl<W: Write> Shown<W> {
    pub(crate) fn new(name: &str, to: W) -> Self {
        Self { to, name: escaped(name), begun: Vec::new(), named: false }
    }

    fn pass(&mut self, bytes: &[u8], ends: bool) -> io::Result<()> {
        let bare = self.named || self.name.is_empty();
        let mut text = if bare { String::new() } else { format!("{}: ", self.name) };
        text.push_str(&escaped(&String::from_utf8_lossy(bytes)));
        if ends {
            text.push('\n');
        }
        self.named = !ends;
        self.to.write_all(text.as_bytes())
    }
}

impl<W: Write> Write for Shown<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            self.begun.extend_from_slice(piece);
            let ends = self.begun.last() == Some(&b'\n');
            if ends || self.begun.len() > LINE_MAX {
                let whole = std::mem::take(&mut self.begun);
                self.pass(whole.strip_suffix(b"\n").unwrap_or(&whole), ends)?;
            }
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.to.flush()
    }
}

impl<W: Write> Drop for Shown<W> {
    /// A last line without an end.
    fn drop(&mut self) {
        let whole = std::mem::take(&mut self.begun);
        if !whole.is_empty() || self.named {
            // Whoever read along has gone.
            let _unread = self.pass(&whole, true).and_then(|()| self.to.flush());
        }
    }
}

/// Text without what a terminal obeys; tabs stay.
pub(crate) fn escaped(text: &str) -> String {
    let turns = |c: char| matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    let mut clean = String::with_capacity(text.len());
    for c in text.chars() {
        if c != '\t' && (c.is_control() || turns(c)) {
            clean.extend(c.escape_default());
        } else {
            clean.push(c);
        }
    }
    clean
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
    fn a_terminal_gets_no_orders_and_every_line_says_where_it_is_from() {
        let mut out = Vec::new();
        let mut shown = Shown::new("i-1/ku\x1bbelet", &mut out);
        let said = "one\ttab\r\n\x1b]0;owned\x07\x1b[2J\u{9b}31m\u{202e}gnp.exe \u{e9}\nlast".as_bytes();
        for piece in said.chunks(3) {
            shown.write_all(piece).unwrap();
        }
        drop(shown);
        assert_eq!(
            String::from_utf8(out).unwrap(),
            "i-1/ku\\u{1b}belet: one\ttab\\r\n\
             i-1/ku\\u{1b}belet: \\u{1b}]0;owned\\u{7}\\u{1b}[2J\\u{9b}31m\\u{202e}gnp.exe \u{e9}\n\
             i-1/ku\\u{1b}belet: last\n"
        );
        let mut long = Vec::new();
        Shown::new("a", &mut long).write_all(&[b'x'; 3 * LINE_MAX]).unwrap();
        assert_eq!(long.iter().filter(|byte| **byte == b'\n').count(), 1);
    }

    #[test]
    fn an_old_text_that_cannot_be_kept_is_no_reason_to_grow() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("eksile.log");
        std::fs::write(&path, "0123456789a").unwrap();
        // Neither can be written, and the second cannot be removed as a file.
        std::fs::create_dir_all(folder.path().join("eksile.log.1.new/x")).unwrap();
        begin_anew(&path, 10).unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"");
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
