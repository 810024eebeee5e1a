//! Keeps the world's processes running.

use std::{
    collections::BTreeMap,
    fmt,
    process::Stdio,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use eksile_linux::process::Identity;
use rustix::process::Signal;
use tokio::{process::Command, sync::watch, time::timeout};

use crate::{control::ProcessStatus, layout::Layout, stores::HOPELESS};

const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);
/// A process that lived this long is started again at once.
const STEADY: Duration = Duration::from_secs(10);
const STOP: Duration = Duration::from_secs(5);

/// A process that the world keeps running.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Role {
    Region,
    Site(String),
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Region => f.write_str("region"),
            Self::Site(site) => write!(f, "site {site}"),
        }
    }
}

#[derive(Debug, Default)]
struct Life {
    pid: Option<u32>,
    restarts: u32,
    ready: bool,
}

type Lives = Arc<Mutex<BTreeMap<Role, Life>>>;

/// Starts the roles and starts them again when they end.
pub(crate) struct Supervisor {
    lives: Lives,
    stopping: watch::Sender<bool>,
    /// The role that cannot work, however often it is started.
    hopeless: watch::Receiver<Option<Role>>,
}

fn lock(lives: &Lives) -> MutexGuard<'_, BTreeMap<Role, Life>> {
    lives.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Supervisor {
    pub(crate) fn start(layout: &Layout, roles: Vec<Role>) -> Self {
        let lives: Lives = Arc::default();
        let stopping = watch::Sender::new(false);
        let (gives_up, hopeless) = watch::channel(None);
        for role in roles {
            lock(&lives).insert(role.clone(), Life::default());
            let (layout, lives, gives_up) = (layout.clone(), Arc::clone(&lives), gives_up.clone());
            let stopping = stopping.subscribe();
            tokio::spawn(async move {
                if keep(layout, &role, lives, stopping).await.is_err() {
                    gives_up.send_replace(Some(role));
                }
            });
        }
        Self { lives, stopping, hopeless }
    }

    /// Waits for a role that says that it cannot work, however often it is started. Its log says why.
    pub(crate) async fn hopeless(&self) -> Role {
        let mut hopeless = self.hopeless.clone();
        let found = hopeless.wait_for(Option::is_some).await.ok().and_then(|role| role.clone());
        match found {
            Some(role) => role,
            None => std::future::pending().await,
        }
    }

    /// Notes that a role serves. True once, when it was the last that was waited for.
    pub(crate) fn ready(&self, role: &str) -> bool {
        let mut lives = lock(&self.lives);
        let before = lives.values().all(|life| life.ready);
        if let Some((_, life)) = lives.iter_mut().find(|(known, _)| known.to_string() == role) {
            life.ready = true;
        }
        !before && lives.values().all(|life| life.ready)
    }

    pub(crate) fn status(&self) -> Vec<ProcessStatus> {
        let status = |(role, life): (&Role, &Life)| ProcessStatus {
            role: role.to_string(),
            pid: life.pid,
            restarts: life.restarts,
        };
        lock(&self.lives).iter().map(status).collect()
    }

    /// Tells every role to end, and waits a little.
    pub(crate) async fn stop(&self) {
        self.stopping.send_replace(true);
        let pids: Vec<u32> = lock(&self.lives).values().filter_map(|life| life.pid).collect();
        let ending = pids.into_iter().filter_map(|pid| {
            // One that has ended meanwhile is what is wanted.
            let identity = Identity::of(i32::try_from(pid).ok()?).ok()?;
            if let Err(error) = identity.signal(Signal::TERM) {
                tracing::debug!(%error, pid, "already gone");
            }
            Some(identity)
        });
        for identity in ending.collect::<Vec<_>>() {
            if timeout(STOP, identity.ended()).await.is_err() {
                tracing::warn!(pid = identity.pid, "did not end within {STOP:?}");
            }
        }
    }
}

/// A role that is not to be started again.
struct Hopeless;

async fn keep(layout: Layout, role: &Role, lives: Lives, mut stopping: watch::Receiver<bool>) -> Result<(), Hopeless> {
    let mut pause = FIRST_PAUSE;
    while !*stopping.borrow() {
        let begun = Instant::now();
        match command(&layout, role).and_then(|mut command| command.spawn()) {
            Ok(mut child) => {
                set_pid(&lives, role, child.id());
                let ended = child.wait().await;
                set_pid(&lives, role, None);
                if *stopping.borrow() {
                    return Ok(());
                }
                match ended {
                    Ok(how) if how.code() == Some(HOPELESS.into()) => return Err(Hopeless),
                    Ok(how) => tracing::warn!(%role, %how, "ended; starting it again"),
                    Err(error) => tracing::warn!(%role, %error, "cannot be waited for; starting it again"),
                }
            }
            Err(error) => tracing::error!(%role, %error, "cannot be started"),
        }
        if let Some(life) = lock(&lives).get_mut(role) {
            life.restarts += 1;
        }
        pause = if begun.elapsed() > STEADY { FIRST_PAUSE } else { (pause * 2).min(LONGEST_PAUSE) };
        if timeout(pause, stopping.wait_for(|stop| *stop)).await.is_ok() {
            return Ok(());
        }
    }
    Ok(())
}

fn set_pid(lives: &Lives, role: &Role, pid: Option<u32>) {
    if let Some(life) = lock(lives).get_mut(role) {
        life.pid = pid;
    }
}

fn command(layout: &Layout, role: &Role) -> std::io::Result<Command> {
    let mut command = Command::new(std::env::current_exe()?);
    command.arg("--data").arg(layout.root());
    match role {
        Role::Region => command.arg("region"),
        Role::Site(site) => command.arg("site").arg(site),
    };
    command.stdin(Stdio::null());
    Ok(command)
}
