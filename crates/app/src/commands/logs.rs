use std::{
    collections::BTreeMap,
    fs::File,
    io::{self, BufReader, ErrorKind, IsTerminal as _, Write},
    os::unix::fs::MetadataExt as _,
    path::PathBuf,
    time::Duration,
};

use anyhow::{Context, Result, bail};

use crate::{
    cli::{LogsArgs, Output},
    layout::Layout,
    log,
    world_config::WorldConfig,
};

/// `up` and all that run in the world and in no instance: they share one file, whose lines name them.
const EKSILE: &str = "eksile";
/// How often a followed file is looked at.
const PAUSE: Duration = Duration::from_millis(200);

/// `eksile logs`: what a process has written; without a name, whose logs there are.
pub(crate) fn logs(layout: &Layout, arguments: &LogsArgs, output: Output) -> Result<()> {
    WorldConfig::load(layout)?;
    let known = known(layout)?;
    let Some(name) = &arguments.process else { return list(&known, output) };
    let Some(log) = known.get(name) else {
        let names: Vec<String> = known.keys().map(|name| log::escaped(name)).collect();
        let hint = if name == EKSILE { "; `up` without --detach writes to its own standard error" } else { "" };
        bail!("there is no log of {name:?}{hint}; there are: {}", names.join(", "));
    };
    let printed = print(name, log, arguments.follow).with_context(|| format!("printing {}", log.file.path().display()));
    match printed {
        // Whoever read along has gone.
        Err(error) if error.downcast_ref::<io::Error>().is_some_and(|e| e.kind() == ErrorKind::BrokenPipe) => Ok(()),
        printed => printed,
    }
}

/// Where a process's output is.
struct Log {
    file: Source,
    /// The lines that are its own; all where it has the file to itself.
    only: Option<String>,
}

/// Who writes it decides how it is opened.
enum Source {
    /// The installation.
    Ours(PathBuf),
    /// What runs in an instance, which may put anything in its place.
    Instances(eksile_site::logs::Log),
}

impl Source {
    fn open(&self) -> io::Result<File> {
        match self {
            Self::Ours(path) => File::open(path),
            Self::Instances(log) => log.open(),
        }
    }

    fn path(&self) -> PathBuf {
        match self {
            Self::Ours(path) => path.clone(),
            Self::Instances(log) => log.path(),
        }
    }
}

fn known(layout: &Layout) -> Result<BTreeMap<String, Log>> {
    let mut known = BTreeMap::new();
    let shared = layout.log();
    match File::open(&shared) {
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        opened => {
            let named = opened.and_then(|file| log::processes(BufReader::new(file)));
            let named = named.with_context(|| format!("reading {}", shared.display()))?;
            known.extend(
                named
                    .into_iter()
                    .map(|name| (name.clone(), Log { file: Source::Ours(shared.clone()), only: Some(name) })),
            );
            known.insert(EKSILE.to_owned(), Log { file: Source::Ours(shared), only: None });
        }
    }
    let sites = layout.sites();
    match std::fs::read_dir(&sites) {
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        listed => {
            for site in listed.with_context(|| format!("reading {}", sites.display()))? {
                let site = site?.path();
                let logs = eksile_site::logs::logs(&site);
                let logs = logs.with_context(|| format!("looking for logs in {}", site.display()))?;
                known.extend(
                    logs.into_iter().map(|(name, path)| (name, Log { file: Source::Instances(path), only: None })),
                );
            }
        }
    }
    Ok(known)
}

fn list(known: &BTreeMap<String, Log>, output: Output) -> Result<()> {
    match output {
        Output::Text => known.keys().for_each(|name| println!("{}", log::escaped(name))),
        Output::Json => {
            let paths: BTreeMap<&String, PathBuf> = known.iter().map(|(name, log)| (name, log.file.path())).collect();
            println!("{}", serde_json::to_string_pretty(&paths)?);
        }
    }
    Ok(())
}

/// What instances and their containers wrote comes to a terminal without what a terminal obeys, and every line with where
/// it is from; into a file or a pipe, as it is. The installation's own lines have their process's name already.
fn print(name: &str, Log { file, only }: &Log, follow: bool) -> io::Result<()> {
    let out = io::stdout().lock();
    let own = if matches!(file, Source::Instances(_)) { name } else { "" };
    let out: Box<dyn Write> = if out.is_terminal() { Box::new(log::Shown::new(own, out)) } else { Box::new(out) };
    let mut out: Box<dyn Write> = match only {
        Some(process) => Box::new(log::Only::new(process, out)),
        None => out,
    };
    let mut tail = Tail { source: file, file: file.open()?, read: 0 };
    loop {
        tail.step(&mut out)?;
        if !follow {
            return Ok(());
        }
        std::thread::sleep(PAUSE);
    }
}

/// A file that is read as it grows, and from its beginning where another has taken its place.
struct Tail<'a> {
    source: &'a Source,
    file: File,
    read: u64,
}

impl Tail<'_> {
    /// Passes on what has come since.
    fn step(&mut self, out: &mut impl Write) -> io::Result<()> {
        self.pass(out)?;
        let new = match self.source.open() {
            // Between two files of that name.
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
            opened => opened?,
        };
        let (old, found) = (self.file.metadata()?, new.metadata()?);
        if old.ino() != found.ino() || found.len() < self.read {
            (self.file, self.read) = (new, 0);
            self.pass(out)?;
        }
        Ok(())
    }

    fn pass(&mut self, out: &mut impl Write) -> io::Result<()> {
        self.read += io::copy(&mut self.file, out)?;
        out.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_growing_file_is_followed_into_its_successor() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        let append = |text: &str| {
            let mut file = File::options().create(true).append(true).open(&path).unwrap();
            file.write_all(text.as_bytes()).unwrap();
        };
        append("one\n");
        let source = Source::Ours(path.clone());
        let mut tail = Tail { source: &source, file: File::open(&path).unwrap(), read: 0 };
        let mut out = Vec::new();
        tail.step(&mut out).unwrap();
        append("two\n");
        tail.step(&mut out).unwrap();
        append("three\n");
        std::fs::rename(&path, folder.path().join("log.1")).unwrap();
        tail.step(&mut out).unwrap();
        append("four\n");
        tail.step(&mut out).unwrap();
        File::create(&path).unwrap();
        tail.step(&mut out).unwrap();
        append("five\n");
        tail.step(&mut out).unwrap();
        assert_eq!(String::from_utf8(out).unwrap(), "one\ntwo\nthree\nfour\nfive\n");
    }
}
