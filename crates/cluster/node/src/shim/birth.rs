//! A program that is to run in the container, from the wish to its first process.
//!
//! A copy of the shim makes it, because what it waits for is already in the container, whose processes can stop it
//! there: the shim itself never waits, goes on serving, and ends what takes too long.

use std::io::{self, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use eksile_linux::{fdpass, fork};

use super::protocol::{Reply, ShimConfig};
use super::{ShimError, family, runtime};

/// How long a program may take to start.
const MOST: Duration = Duration::from_secs(10);
/// Longest reason, in characters: it must go through a socket at once.
const REASON_MAX: usize = 4096;

/// A program that does not run yet.
pub(super) struct Birth {
    /// The copy of the shim.
    helper: i32,
    from_helper: UnixStream,
    client: UnixStream,
    until: Instant,
}

/// What came of it.
pub(super) enum Outcome {
    /// It is not known yet.
    None,
    /// It runs, and this client waits for its end.
    Runs(i32, UnixStream),
    /// It does not, and the client has been told.
    Failed,
}

impl Birth {
    /// Begins. What is refused at once is refused to `client`.
    pub(super) fn begin(
        config: &ShimConfig,
        number: u64,
        process: &serde_json::Value,
        fds: Vec<OwnedFd>,
        client: UnixStream,
    ) -> Result<Self, (ShimError, UnixStream)> {
        let pair = UnixStream::pair().and_then(|(ours, theirs)| ours.set_nonblocking(true).map(|()| (ours, theirs)));
        let (from_helper, to_shim) = match pair {
            Ok(pair) => pair,
            Err(error) => return Err((ShimError::io("make a pair of sockets")(error), client)),
        };
        let shim = rustix::process::getpid();
        let copied = fork::copy(|| {
            // Whatever the shim's end, its copy does not outlive it.
            let tied = rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::KILL));
            if tied.is_err() || rustix::process::getppid() != Some(shim) {
                return 1;
            }
            tell(&to_shim, runtime::exec(config, number, process, fds)).map_or(1, |()| 0)
        });
        match copied {
            Ok(helper) => Ok(Self { helper, from_helper, client, until: Instant::now() + MOST }),
            Err(error) => Err((ShimError::Runtime(error.to_string()), client)),
        }
    }

    /// To wait on: the copy's word, and the client's end.
    pub(super) fn descriptors(&self) -> [BorrowedFd<'_>; 2] {
        [self.from_helper.as_fd(), self.client.as_fd()]
    }

    /// When it has taken too long.
    pub(super) fn until(&self) -> Instant {
        self.until
    }

    /// Whether `pid`, which has been collected, was its copy: then there is no other word of it.
    pub(super) fn was_made_by(&self, pid: i32) -> bool {
        let ended = self.helper == pid;
        if ended {
            self.failed("the runtime ended");
        }
        ended
    }

    /// Looks for the copy's word, passes it on, and says what it means.
    pub(super) fn look(&self) -> Outcome {
        let mut buffer = vec![0; 16 * 1024];
        let heard = fdpass::receive(self.from_helper.as_fd(), &mut buffer);
        let (count, fds) = match heard {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Outcome::None,
            Err(error) => return self.failed(&error.to_string()),
            Ok((0, _)) => return self.failed("the runtime ended"),
            Ok(heard) => heard,
        };
        let reply = serde_json::from_slice(&buffer[..count]);
        let fds: Vec<_> = fds.iter().map(AsFd::as_fd).collect();
        // A client that is gone is noticed where its end is waited for.
        let passed = fdpass::send(self.client.as_fd(), &buffer[..count], &fds);
        match (reply, self.client.try_clone()) {
            (Ok(Reply::Running { pid }), Ok(client)) => Outcome::Runs(pid, client),
            (Ok(Reply::Running { .. }), Err(error)) => {
                self.end();
                self.failed(&error.to_string())
            }
            _ => {
                drop(passed);
                Outcome::Failed
            }
        }
    }

    /// Ends the copy with all that came of it, and says why.
    pub(super) fn give_up(&self, reason: &str) {
        self.end();
        self.failed(reason);
    }

    fn end(&self) {
        family::end(self.helper);
    }

    fn failed(&self, reason: &str) -> Outcome {
        let reply = Reply::Refused { reason: reason.to_owned() };
        // A client that is gone does not ask any more.
        let _ = (&self.client).write_all(&super::serve::line(&reply));
        Outcome::Failed
    }
}

/// In the copy: its word to the shim.
fn tell(shim: &UnixStream, made: Result<(i32, Option<OwnedFd>), ShimError>) -> io::Result<()> {
    let (reply, master) = match made {
        Ok((pid, master)) => (Reply::Running { pid }, master),
        Err(error) => (Reply::Refused { reason: error.to_string().chars().take(REASON_MAX).collect() }, None),
    };
    let fds: Vec<_> = master.iter().map(AsFd::as_fd).collect();
    fdpass::send(shim.as_fd(), &super::serve::line(&reply), &fds).map(drop)
}
