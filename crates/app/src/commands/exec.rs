use std::{
    os::unix::process::CommandExt as _,
    process::{Command, ExitCode},
};

use anyhow::{Context, Result, bail};
use nix::sched::{CloneFlags, setns};

use super::{outpost::on_host, running};
use crate::{cli::ExecArgs, layout::Layout};

/// `eksile exec --from PLACE -- COMMAND`: this process becomes the command, in the place's network namespace and with
/// this machine's files. It has no way out to the host's network.
pub(crate) fn exec(layout: &Layout, arguments: &ExecArgs) -> Result<ExitCode> {
    let place = &arguments.from;
    let known = place == "internet" || place == "onprem" || place.starts_with("i-");
    if !known || place.contains('/') {
        bail!("--from must be internet, onprem or an instance's id, not {place:?}");
    }
    let world = running(layout)?.world;
    let path = on_host(world, &format!("{}/{place}", eksile_linux::netns::DIRECTORY));
    let namespace = std::fs::File::open(&path).with_context(|| format!("there is no place {place}"))?;
    setns(namespace, CloneFlags::CLONE_NEWNET).context("entering the place (this needs root)")?;
    let (program, rest) = arguments.command.split_first().context("no command")?;
    Err(Command::new(program).args(rest).exec()).with_context(|| format!("running {program}"))
}
