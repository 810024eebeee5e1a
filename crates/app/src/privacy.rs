//! What others can see of a process: its arguments, its environment, its memory, the files that it makes.

use std::{
    ffi::{OsStr, OsString},
    io::{Read as _, Write as _},
    os::unix::process::CommandExt as _,
    path::Path,
    process::{Command, Stdio},
};

use anyhow::{Context as _, Result, bail};
use nix::sys::stat::{Mode, umask};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::cli::UpArgs;

const FLAG: &str = "--credential";
/// Where a started `up` finds its access keys: on standard input.
pub(crate) const PIPED: [&str; 2] = ["--credential-file", "-"];
/// Longest list of access keys, bytes: what a pipe holds before anybody reads it (pipe(7)).
const LONGEST: usize = 60 * 1024;

/// For processes that hold keys: no core dump, and no look into the memory by others of the same user (prctl(2),
/// `PR_SET_DUMPABLE`). What a program executed from here on does is its own.
pub(crate) fn close() -> Result<()> {
    nix::sys::prctl::set_dumpable(false).context("forbidding core dumps")?;
    // The hard limit stays, for containers that ask for core dumps of their own.
    let limit = Rlimit { current: Some(0), maximum: getrlimit(Resource::Core).maximum };
    setrlimit(Resource::Core, limit).context("forbidding core dumps")
}

/// For processes all of whose files are the installation's own: what they make is its owner's alone.
pub(crate) fn own_files() {
    umask(Mode::S_IRWXG | Mode::S_IRWXO);
}

/// For processes that make files for others, too (instances', containers'): the usual, whatever was inherited.
pub(crate) fn shared_files() {
    umask(Mode::S_IWGRP | Mode::S_IWOTH);
}

/// Executes this program again when its arguments hold access keys, or its environment what is none of its business: what
/// is in either can be read by others as long as a process lives, and everything that `up` starts inherits the
/// environment. The access keys go through a pipe, which is empty once they are read.
///
/// Returns when there is nothing to hide.
///
/// # Errors
/// When that cannot be done; then nothing goes on.
pub(crate) fn hide(arguments: &[OsString], up: &UpArgs) -> Result<()> {
    let clean = std::env::vars_os().all(|(name, _)| belongs(&name));
    if up.credentials.is_empty() && clean {
        return Ok(());
    }
    let mut command = again(arguments, up)?;
    command.env_clear().envs(std::env::vars_os().filter(|(name, _)| belongs(name)));
    Err(command.exec()).context("starting without what others could read")
}

/// As [`hide`], of the arguments alone.
///
/// # Errors
/// When that cannot be done; then nothing goes on.
pub(crate) fn hide_credentials(arguments: &[OsString], up: &UpArgs) -> Result<()> {
    Err(again(arguments, up)?.exec()).context("starting without what others could read")
}

/// This program again, its access keys in a pipe.
fn again(arguments: &[OsString], up: &UpArgs) -> Result<Command> {
    let mut command = Command::new(std::env::current_exe().context("finding this program")?);
    if up.credentials.is_empty() {
        command.args(&arguments[1..]);
    } else {
        command.args(without_credentials(&arguments[1..])).args(PIPED).stdin(Stdio::from(piped(&all(up)?)?));
    }
    if let Some(name) = arguments.first() {
        command.arg0(name);
    }
    Ok(command)
}

/// Every access key that the command line brings, one a line.
///
/// # Errors
/// When a file cannot be read.
pub(crate) fn all(up: &UpArgs) -> Result<Vec<String>> {
    let mut all = up.credentials.clone();
    for path in &up.credential_files {
        all.extend(in_file(path)?);
    }
    Ok(all)
}

fn in_file(path: &Path) -> Result<Vec<String>> {
    let mut text = String::new();
    let most = u64::try_from(LONGEST)?;
    let reading = || format!("--credential-file: reading {}", path.display());
    if path == Path::new("-") {
        std::io::stdin().take(most).read_to_string(&mut text).with_context(reading)?;
    } else {
        let file = std::fs::File::open(path).with_context(reading)?;
        file.take(most).read_to_string(&mut text).with_context(reading)?;
    }
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    Ok(lines.map(str::to_owned).collect())
}

/// A pipe that holds the lines, its other end closed.
fn piped(lines: &[String]) -> Result<std::io::PipeReader> {
    let text = lines.iter().map(|line| format!("{line}\n")).collect::<String>();
    if text.len() > LONGEST {
        bail!("more access keys than {LONGEST} bytes");
    }
    let (reader, mut writer) = std::io::pipe().context("making a pipe")?;
    writer.write_all(text.as_bytes()).context("writing a pipe")?;
    Ok(reader)
}

/// The arguments but for access keys, and but for files of such, which have been read.
fn without_credentials(arguments: &[OsString]) -> Vec<OsString> {
    let mut kept = Vec::new();
    let mut rest = arguments.iter();
    while let Some(argument) = rest.next() {
        let text = argument.as_encoded_bytes();
        if [FLAG, PIPED[0]].iter().any(|flag| text == flag.as_bytes()) {
            rest.next();
        } else if ![FLAG, PIPED[0]].iter().any(|flag| text.starts_with(format!("{flag}=").as_bytes())) {
            kept.push(argument.clone());
        }
    }
    kept
}

/// What `up` and all that it starts need of the environment. The rest may hold keys of the user's.
fn belongs(name: &OsStr) -> bool {
    const NAMES: [&str; 14] = [
        "HOME",
        "LANG",
        "LANGUAGE",
        "LOGNAME",
        "NO_COLOR",
        "PATH",
        "RUST_BACKTRACE",
        "RUST_LOG",
        "SHELL",
        "TERM",
        "TMPDIR",
        "TZ",
        "USER",
        "XDG_DATA_HOME",
    ];
    const FAMILIES: [&str; 4] = ["EKSILE_", "LC_", "LLVM_PROFILE_", "MIMALLOC_"];
    let Some(name) = name.to_str() else { return false };
    NAMES.contains(&name) || FAMILIES.iter().any(|family| name.starts_with(family))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_holds_keys_leaves_no_core() {
        close().unwrap();
        assert!(!nix::sys::prctl::get_dumpable().unwrap());
        assert_eq!(getrlimit(Resource::Core).current, Some(0));
    }

    #[test]
    fn no_form_of_the_flag_stays() {
        let words = |text: &str| text.split(' ').map(OsString::from).collect::<Vec<_>>();
        let given =
            words("--data /d up --credential K:S --listen 127.0.0.1:0 --credential=K:T --credential-file f --detach");
        assert_eq!(without_credentials(&given), words("--data /d up --listen 127.0.0.1:0 --detach"));
    }

    #[test]
    fn what_goes_through_the_pipe_comes_out() {
        let lines = ["AKIA1:one".to_owned(), "AKIA2:two:111122223333".to_owned()];
        let mut text = String::new();
        piped(&lines).unwrap().read_to_string(&mut text).unwrap();
        assert_eq!(text, "AKIA1:one\nAKIA2:two:111122223333\n");
        assert!(piped(&["x".repeat(LONGEST)]).is_err());
    }

    #[test]
    fn files_of_keys_have_comments_and_empty_lines() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("keys");
        std::fs::write(&path, "# mine\n\nAKIA1:one\n  AKIA2:two  \n").unwrap();
        assert_eq!(in_file(&path).unwrap(), ["AKIA1:one", "AKIA2:two"]);
        assert!(in_file(&folder.path().join("none")).is_err());
    }

    #[test]
    fn keys_of_the_users_own_do_not_belong() {
        for name in ["AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "GITHUB_TOKEN", "LD_PRELOAD", "KUBECONFIG"] {
            assert!(!belongs(OsStr::new(name)), "{name}");
        }
        for name in ["PATH", "EKSILE_DATA", "LC_ALL"] {
            assert!(belongs(OsStr::new(name)), "{name}");
        }
    }
}
