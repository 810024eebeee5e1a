//! `eksile up`: the only process in the host's network namespace. It holds the loopback listeners and the world.

use std::{
    collections::HashMap,
    fs::{File, TryLockError},
    io::{Read as _, Seek as _, SeekFrom, Write as _},
    net::{Ipv4Addr, SocketAddr, TcpListener},
    os::{fd::AsFd as _, unix::fs::DirBuilderExt as _},
    path::Path,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use anyhow::{Context, Result, bail};
use eksile_linux::{
    fdpass,
    socket::accept_unix,
    world::{Order, World},
};
use nix::sys::signal::Signal;
use serde::{Deserialize, Serialize};
use tokio::{
    net::{UnixListener, UnixStream},
    signal::unix::{SignalKind, signal},
    sync::watch,
    time::timeout,
};

use crate::{
    claim::{Beginning, Claim},
    cli::UpArgs,
    credentials,
    layout::{self, Layout},
    leftovers, log, modes, privacy,
    world_config::{Wishes, WorldConfig},
};

/// How long the world may take to stop.
const STOP: Duration = Duration::from_secs(15);
/// How long it may take to end when it is ended.
const END: Duration = Duration::from_secs(5);

/// `DATA/run/up.json`: how other commands find a running installation.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Running {
    /// Pid of `eksile up`.
    pub pid: u32,
    /// Pid of the world's first process, as the host sees it.
    pub world: i32,
    /// Where the AWS door listens.
    pub listen: SocketAddr,
}

impl Running {
    /// The installation that runs, if one does.
    pub(crate) fn find(layout: &Layout) -> Result<Option<Self>> {
        let lock = match File::open(layout.lock()) {
            Ok(file) => file,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error).context("opening the lock"),
        };
        match lock.try_lock_shared() {
            Ok(()) => return Ok(None),
            Err(TryLockError::WouldBlock) => {}
            Err(TryLockError::Error(error)) => return Err(error).context("looking at the lock"),
        }
        match std::fs::read(layout.up_pid()) {
            Ok(text) => Ok(Some(serde_json::from_slice(&text).context("reading up.json")?)),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error).context("reading up.json"),
        }
    }
}

/// What the world asks of `up`, one JSON line; a listener comes back as a descriptor beside the answer.
#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "act", rename_all = "kebab-case")]
pub(crate) enum HostRequest {
    /// The AWS door's listener.
    Door,
    /// A listener on 127.0.0.1; any port when none is named or it is not free.
    Listen {
        /// Port wanted.
        port: Option<u16>,
    },
    /// Everything serves.
    Ready,
}

/// Runs until told to stop, or until a world ends before it serves.
pub(crate) async fn run(layout: &Layout, arguments: &UpArgs) -> Result<()> {
    if arguments.detach {
        return detach(layout, arguments);
    }
    // Inside the world these are mounted anew, and what lies below them on the host is out of sight.
    anyhow::ensure!(
        !["/run", "/proc"].iter().any(|hidden| layout.root().starts_with(hidden)),
        "--data must not lie below /run or /proc"
    );
    let claim = Claim::take(layout)?;
    let mut served = false;
    let done = begin(layout, arguments, &mut served).await;
    // An installation that never served.
    if done.is_err()
        && !served
        && let Err(error) = claim.undo()
    {
        tracing::warn!(folder = %layout.root().display(), "what came to nothing could not be removed: {error:#}");
    }
    done
}

/// Holding the folder.
async fn begin(layout: &Layout, arguments: &UpArgs, served: &mut bool) -> Result<()> {
    make_folders(layout)?;
    let wishes =
        Wishes { region: arguments.region.clone(), account: arguments.account.clone(), listen: arguments.listen };
    let mut config = WorldConfig::settle(layout, &wishes)?;
    credentials::remember(layout, &config, &privacy::all(arguments)?)?;
    leftovers::remove(layout);
    forget_pids(layout)?;
    let door = TcpListener::bind(config.listen)
        .with_context(|| format!("listening on {} (--listen names another address)", config.listen))?;
    config.listen = door.local_addr()?;
    let desk = Desk::open(layout, door)?;
    tokio::spawn(log::bound(layout.log()));
    let stopped = keep_world(layout, &config, &desk, served).await;
    remove_stale(&layout.up_pid())?;
    leftovers::remove(layout);
    stopped
}

/// Keeps a world, until told to stop. One that served and ended is started again: its processes find their state as they
/// do after `up` itself was killed.
async fn keep_world(layout: &Layout, config: &WorldConfig, desk: &Desk, served: &mut bool) -> Result<()> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut ready = desk.ready.subscribe();
    loop {
        let mut world = start_world(layout)?;
        let running = Running { pid: std::process::id(), world: world.pid(), listen: config.listen };
        layout::write(&layout.up_pid(), &serde_json::to_vec(&running)?)?;
        let status = loop {
            tokio::select! {
                status = world.ended() => break status,
                _ = interrupt.recv() => return stop(layout, &mut world).await,
                _ = terminate.recv() => return stop(layout, &mut world).await,
                changed = ready.changed(), if !*served => {
                    changed.context("waiting for the world")?;
                    *served = true;
                    // Whoever was to hear it may have gone; what was started stays.
                    if let Err(error) = announce(layout, config) {
                        tracing::warn!(%error, "nobody hears that it is ready");
                    }
                }
            }
        };
        // What ends before it serves would do so again.
        if !desk.ready.send_replace(false) {
            bail!("the world ended by itself: {status}");
        }
        tracing::warn!(%status, "the world ended; starting it again");
        leftovers::remove(layout);
        forget_pids(layout)?;
    }
}

fn announce(layout: &Layout, config: &WorldConfig) -> Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(
        out,
        "eksile ready: http://{} region {} account {} outpost {} data {}",
        config.listen,
        config.region,
        config.account,
        config.outposts.join(","),
        layout.root().display()
    )?;
    Ok(out.flush()?)
}

fn make_folders(layout: &Layout) -> Result<()> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true).mode(0o700);
    let folders =
        [layout.root().to_path_buf(), layout.run(), layout.region(), layout.pki(), layout.sites(), layout.ids()];
    for folder in &folders {
        builder.create(folder).with_context(|| format!("making {}", folder.display()))?;
    }
    // Made by somebody else, or by an earlier version.
    modes::shut(&folders).with_context(|| format!("keeping {} for its owner", layout.root().display()))
}

/// Pid files of an earlier run: what they name ended with its world.
fn forget_pids(layout: &Layout) -> Result<()> {
    for entry in std::fs::read_dir(layout.run())? {
        let path = entry?.path();
        if path.is_dir() {
            std::fs::remove_dir_all(&path).with_context(|| format!("removing {}", path.display()))?;
        }
    }
    Ok(())
}

fn start_world(layout: &Layout) -> Result<World> {
    let program = std::env::current_exe().context("finding this program")?;
    let args = vec!["--data".into(), layout.root().as_os_str().to_owned(), "init".into()];
    World::start(Order { program, args, ..Order::default() })
        .context("starting the world (this needs root: see `eksile doctor`)")
}

/// Waits a bounded time, whatever runs in the world; what remains is told.
async fn stop(layout: &Layout, world: &mut World) -> Result<()> {
    world.signal(Signal::SIGTERM)?;
    if timeout(STOP, world.ended()).await.is_ok() {
        return Ok(());
    }
    tracing::warn!("the world did not stop within {STOP:?}; ending it");
    // What is frozen does not end.
    leftovers::thaw(layout);
    world.signal(Signal::SIGKILL)?;
    if timeout(END, world.ended()).await.is_err() {
        bail!("the world (process {}) has not ended within {END:?}: {}", world.pid(), leftovers::remaining(layout));
    }
    Ok(())
}

/// Where the world asks for listeners.
struct Desk {
    ready: watch::Sender<bool>,
}

type Listeners = Arc<Mutex<HashMap<u16, TcpListener>>>;

impl Desk {
    fn open(layout: &Layout, door: TcpListener) -> Result<Self> {
        let path = layout.run().join("up.sock");
        remove_stale(&path)?;
        let socket = UnixListener::bind(&path).with_context(|| format!("listening on {}", path.display()))?;
        let ready = watch::Sender::new(false);
        let announce = ready.clone();
        door.set_nonblocking(true)?;
        let door = Arc::new(door);
        // Kept for the installation's life, so that a port stays ours while its process is started again.
        let listeners = Listeners::default();
        tokio::spawn(async move {
            loop {
                let stream = accept_unix(&socket).await;
                let (door, listeners, ready) = (Arc::clone(&door), Arc::clone(&listeners), announce.clone());
                tokio::spawn(async move {
                    if let Err(error) = serve(&stream, &door, &listeners, &ready).await {
                        tracing::warn!(%error, "a request to up failed");
                    }
                });
            }
        });
        Ok(Self { ready })
    }
}

/// A file of an earlier run.
pub(crate) fn remove_stale(path: &Path) -> Result<()> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("removing {}", path.display()))
        }
        _ => Ok(()),
    }
}

async fn serve(stream: &UnixStream, door: &TcpListener, kept: &Listeners, ready: &watch::Sender<bool>) -> Result<()> {
    let mut buffer = [0; 512];
    let (length, _) = fdpass::receive_some(stream, &mut buffer).await?;
    match serde_json::from_slice(&buffer[..length])? {
        HostRequest::Ready => {
            ready.send_replace(true);
            fdpass::send_all(stream, b"0", &[]).await?;
        }
        HostRequest::Door => {
            let port = door.local_addr()?.port();
            fdpass::send_all(stream, port.to_string().as_bytes(), &[door.as_fd()]).await?;
        }
        HostRequest::Listen { port } => {
            let listener = listen(kept, port)?;
            let port = listener.local_addr()?.port();
            fdpass::send_all(stream, port.to_string().as_bytes(), &[listener.as_fd()]).await?;
        }
    }
    Ok(())
}

fn listen(kept: &Listeners, port: Option<u16>) -> Result<TcpListener> {
    let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(known) = port.and_then(|port| kept.get(&port)) {
        return Ok(known.try_clone()?);
    }
    let wanted = port.map(|port| TcpListener::bind((Ipv4Addr::LOCALHOST, port)));
    let listener = match wanted {
        Some(Ok(listener)) => listener,
        // Somebody else's by now: the caller learns which port it is instead.
        Some(Err(_)) | None => TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("listening on loopback")?,
    };
    listener.set_nonblocking(true)?;
    kept.insert(listener.local_addr()?.port(), listener.try_clone()?);
    Ok(listener)
}

/// Asks `up`, from inside the world: a port and, for listeners, the socket.
pub(crate) async fn ask_host(layout: &Layout, request: &HostRequest) -> Result<(u16, Option<tokio::net::TcpListener>)> {
    let stream = UnixStream::connect(layout.run().join("up.sock")).await.context("asking up")?;
    fdpass::send_all(&stream, &serde_json::to_vec(request)?, &[]).await?;
    let mut buffer = [0; 16];
    let (length, mut fds) = fdpass::receive_some(&stream, &mut buffer).await?;
    let port = std::str::from_utf8(&buffer[..length])?.parse().context("up refused")?;
    let listener = match fds.pop() {
        Some(fd) => Some(tokio::net::TcpListener::from_std(TcpListener::from(fd))?),
        None => None,
    };
    Ok((port, listener))
}

/// Starts `up` again without a terminal, and returns once it is ready.
pub(crate) fn detach(layout: &Layout, arguments: &UpArgs) -> Result<()> {
    use std::{
        io::{BufRead as _, BufReader},
        os::unix::process::CommandExt as _,
        process::{Command, Stdio},
    };
    let (beginning, file) = Beginning::of(layout)?;
    let log = layout.log();
    let mut command = Command::new(std::env::current_exe()?);
    command.arg("--data").arg(layout.root()).arg("up");
    for (flag, value) in [
        ("--listen", arguments.listen.map(|listen| listen.to_string())),
        ("--region", arguments.region.clone()),
        ("--account", arguments.account.clone()),
    ] {
        if let Some(value) = value {
            command.arg(flag).arg(value);
        }
    }
    // Never as arguments, which everybody can read.
    let credentials = privacy::all(arguments)?;
    if !credentials.is_empty() {
        command.args(privacy::PIPED);
    }
    let before = file.metadata().context("reading the log's length")?.len();
    let mut child = command
        .process_group(0)
        .stdin(if credentials.is_empty() { Stdio::null() } else { Stdio::piped() })
        .stdout(Stdio::piped())
        .stderr(file)
        .spawn()
        .context("starting up in the background")?;
    if let Some(mut stdin) = child.stdin.take() {
        stdin.write_all(credentials.join("\n").as_bytes()).context("handing the access keys over")?;
    }
    let mut line = String::new();
    if let Some(stdout) = child.stdout.take() {
        BufReader::new(stdout).read_line(&mut line)?;
    }
    if line.starts_with("eksile ready") {
        print!("{line}");
        return Ok(());
    }
    let status = child.wait()?;
    let said = since(&log, before).with_context(|| format!("reading {}", log.display()))?;
    if beginning.undo()? {
        bail!("up ended before it was ready ({status}), and nothing of it is left:\n{}", said.trim_end());
    }
    bail!("up ended before it was ready ({status}):\n{}\nits log is {}", said.trim_end(), log.display())
}

/// What a file holds after its first `before` bytes.
fn since(path: &Path, before: u64) -> std::io::Result<String> {
    let mut file = File::open(path)?;
    file.seek(SeekFrom::Start(before))?;
    let mut said = Vec::new();
    file.read_to_end(&mut said)?;
    Ok(String::from_utf8_lossy(&said).into_owned())
}
