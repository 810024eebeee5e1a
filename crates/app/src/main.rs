//! `eksile`: every role, and the command line, in one binary.

mod claim;
mod cli;
mod commands;
mod control;
mod credentials;
mod descriptors;
mod forward;
mod image;
mod init;
mod layout;
mod leftovers;
mod log;
mod modes;
mod privacy;
mod quickstart;
mod region;
mod site;
mod stores;
mod supervise;
mod trust;
mod up;
mod world;
mod world_config;

use std::process::ExitCode;

use anyhow::Result;
use clap::Parser as _;

use cli::{Cli, Command, OutpostCommand};
use layout::Layout;
use supervise::Role;

/// The doors make and drop many small objects on every request; bench/race shows a fifth less CPU a create with it.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    // A container's shim must stay single-threaded: it is told from the rest before anything else happens.
    let arguments: Vec<std::ffi::OsString> = std::env::args_os().collect();
    if arguments.get(1).is_some_and(|word| word == "shim") {
        return eksile_node::shim::main(&arguments[2..]);
    }
    let cli = Cli::parse();
    match hide(&cli, &arguments).and_then(|()| begin(cli)) {
        Ok(code) => code,
        Err(error) => {
            eksile_base::stderr::say(&format!("eksile: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

/// What the command line and the environment hold that others must not read: see [`privacy::hide`].
fn hide(cli: &Cli, arguments: &[std::ffi::OsString]) -> Result<()> {
    match &cli.command {
        Command::Up(up) => privacy::hide(arguments, up),
        // Its clients need the user's environment.
        Command::Quickstart(quickstart) if !quickstart.up.credentials.is_empty() => {
            privacy::hide_credentials(arguments, &quickstart.up)
        }
        _ => Ok(()),
    }
}

/// What a role makes of itself before it does anything: see [`privacy`].
fn shut(command: &Command) -> Result<()> {
    if matches!(command, Command::Up(_) | Command::ControlPlane { .. }) {
        descriptors::raise()?;
    }
    match command {
        Command::Up(_) | Command::Region | Command::ControlPlane { .. } => {
            privacy::own_files();
            privacy::close()
        }
        // The world's own `/run` is passed through by instances, who are nobody to this machine.
        Command::Init | Command::World => {
            privacy::shared_files();
            privacy::close()
        }
        // Its store first, and then files for instances: see `site::run`.
        Command::Site { .. } => {
            privacy::own_files();
            privacy::close()
        }
        Command::Node(_) => privacy::close(),
        Command::Quickstart(_) | Command::Image(_) => {
            privacy::own_files();
            Ok(())
        }
        _ => Ok(()),
    }
}

/// Takes a name and begins to log. Why a role ends belongs into the log, why a verb fails is told to who typed it.
fn begin(cli: Cli) -> Result<ExitCode> {
    shut(&cli.command)?;
    let role = match &cli.command {
        Command::Init => Some("init".to_owned()),
        Command::World => Some("world".to_owned()),
        Command::Region => Some(Role::Region.to_string()),
        Command::Site { site } => Some(Role::Site(site.clone()).to_string()),
        Command::ControlPlane { config } => {
            let config = eksile_plane::Config::read(config)?;
            Some(format!("control-plane {}", config.cluster.name))
        }
        Command::Node(_) => Some("node".to_owned()),
        _ => None,
    };
    // Roles, and `up`, live on when nobody reads what they say; a command that prints has nothing else to do.
    let stays = role.is_some() || matches!(&cli.command, Command::Up(up) if !up.detach);
    // Quickstart also writes into pipes of its own, and ends by an error of theirs.
    if !stays && !matches!(cli.command, Command::Instance(_) | Command::Fetch(_) | Command::Quickstart(_)) {
        eksile_linux::signal::default_broken_pipe()?;
    }
    let verb = if matches!(cli.command, Command::Up(_)) { "up" } else { "eksile" };
    log::begin(role.as_deref().unwrap_or(verb))?;
    match run(cli) {
        Err(error) if role.is_some() => {
            tracing::error!("{error:#}");
            Ok(if error.is::<stores::Unusable>() { stores::HOPELESS.into() } else { ExitCode::FAILURE })
        }
        other => other,
    }
}

fn run(cli: Cli) -> Result<ExitCode> {
    let layout = Layout::new(std::path::absolute(cli.data)?);
    match cli.command {
        Command::Init => init::run(&layout)?,
        Command::Quickstart(arguments) => quickstart::run(&layout, &arguments)?,
        Command::Image(cli::ImageCommand::Push(arguments)) => println!("{}", image::push(&arguments, true)?),
        Command::Exec(arguments) => return commands::exec(&layout, &arguments),
        Command::Instance(arguments) => return Ok(eksile_site::instance::main(&arguments.rest)),
        Command::Down => commands::down(&layout)?,
        Command::Reset(arguments) => commands::reset(&layout, &arguments)?,
        Command::Logs(arguments) => commands::logs(&layout, &arguments, cli.output)?,
        Command::Env => commands::env(&layout, cli.output)?,
        Command::Doctor => return Ok(commands::doctor(&layout, cli.output)),
        Command::Up(arguments) => block_on(up::run(&layout, &arguments))?,
        Command::World => block_on(world::run(&layout))?,
        Command::Region => block_on(region::run(&layout))?,
        Command::Site { site } => block_on(site::run(&layout, &site))?,
        Command::ControlPlane { config } => block_on(control_plane(&config))?,
        Command::Node(arguments) => return Ok(eksile_node::main(&arguments.rest)),
        Command::Fetch(arguments) => return Ok(eksile_site::instance::fetch(&arguments.rest)),
        Command::Status => block_on(commands::status(&layout, cli.output))?,
        Command::Outpost(command) => {
            let (turn, argument) = match command {
                OutpostCommand::Disconnect(argument) => (control::LinkTurn::Disconnect, argument),
                OutpostCommand::Reconnect(argument) => (control::LinkTurn::Reconnect, argument),
                OutpostCommand::Status(argument) => (control::LinkTurn::Look, argument),
            };
            block_on(commands::outpost(&layout, turn, argument.outpost, cli.output))?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

async fn control_plane(config: &std::path::Path) -> Result<()> {
    let config = eksile_plane::Config::read(config)?;
    match eksile_plane::run(config).await? {}
}

fn block_on<T>(future: impl Future<Output = Result<T>>) -> Result<T> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(future)
}
