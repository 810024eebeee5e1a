//! How whatever follows the store goes on: only the store's end ends it.
//!
//! Everything else, a panic, too, is told once with its cause, and followed anew: at once after a time in which all was
//! well, then with pauses that grow to a bound. Who keeps rights from what it reads grants nothing meanwhile.

use std::any::Any;
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::time::Duration;

use eksile_store::WatchError;
use futures::FutureExt as _;
use tokio::time::Instant;

use crate::status::StatusError;

/// First pause between two beginnings.
pub const SHORTEST: Duration = Duration::from_millis(200);
/// Longest pause. What lasted for as long was well, and its end is told anew.
pub const LONGEST: Duration = Duration::from_secs(5);

/// Why there is no more.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum Ended {
    /// The store has closed: there will be none.
    #[error("the store was closed")]
    Closed,
    /// Anything else: it is followed anew.
    #[error("{0}")]
    Broken(String),
}

impl From<StatusError> for Ended {
    fn from(error: StatusError) -> Self {
        Self::Broken(error.to_string())
    }
}

impl From<WatchError> for Ended {
    fn from(error: WatchError) -> Self {
        match error {
            WatchError::Closed => Self::Closed,
            WatchError::Compacted => Self::Broken(error.to_string()),
        }
    }
}

/// Does `once` again until it says that the store has closed.
pub async fn again<F: Future<Output = Ended>>(what: &str, mut once: impl FnMut() -> F) {
    let (mut pause, mut told) = (Duration::ZERO, false);
    loop {
        let began = Instant::now();
        let cause = match caught(&mut once).await {
            Ok(Ended::Closed) => return,
            Ok(Ended::Broken(cause)) | Err(cause) => cause,
        };
        if began.elapsed() >= LONGEST {
            (pause, told) = (Duration::ZERO, false);
        }
        if std::mem::replace(&mut told, true) {
            tracing::debug!(what, cause, "ended again");
        } else {
            tracing::warn!(what, cause, "ended; it begins anew, and is told of once");
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).clamp(SHORTEST, LONGEST);
    }
}

/// Does `once`.
///
/// # Errors
/// That it panicked, and at what.
pub async fn caught<F: Future>(once: impl FnOnce() -> F) -> Result<F::Output, String> {
    // The future is made inside, so that what panics at making it counts, too.
    let done = AssertUnwindSafe(async { once().await }).catch_unwind().await;
    done.map_err(|panic| format!("it panicked: {}", words(&*panic)))
}

/// What a panic says.
fn words(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("without words")
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::sync::Arc;

    use parking_lot::Mutex;

    use super::*;

    #[derive(Clone, Default)]
    struct Log(Arc<Mutex<Vec<u8>>>);

    impl Write for Log {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().write(bytes)
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    #[tokio::test(start_paused = true)]
    async fn only_the_end_of_the_store_ends_it_and_causes_are_told_once_an_outage() {
        let log = Log::default();
        let writer = log.clone();
        let lines = tracing_subscriber::fmt().with_writer(move || writer.clone()).with_ansi(false).finish();
        let told = tracing::subscriber::set_default(lines);
        let (mut begun, start) = (Vec::new(), Instant::now());
        again("pods", || {
            begun.push(start.elapsed().as_millis());
            let nth = begun.len();
            async move {
                match nth {
                    1 => panic!("at the {nth}st"),
                    2..=8 => Ended::Broken("still".to_owned()),
                    9 => {
                        tokio::time::sleep(LONGEST).await;
                        StatusError::expired("too slow").into()
                    }
                    _ => Ended::Closed,
                }
            }
        })
        .await;
        drop(told);
        assert_eq!(begun, [0, 0, 200, 600, 1400, 3000, 6200, 11_200, 16_200, 21_200]);
        let log = String::from_utf8(log.0.lock().clone()).unwrap();
        assert_eq!(log.lines().count(), 2, "{log}");
        assert!(log.contains("it panicked: at the 1st") && log.contains("too slow"), "{log}");
    }
}
