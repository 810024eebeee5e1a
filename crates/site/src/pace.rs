//! Pauses that grow while the same goes on.

use std::time::Duration;

/// A pause from one length up to another, doubled each time.
#[derive(Debug)]
pub(crate) struct Pace {
    first: Duration,
    most: Duration,
    next: Duration,
}

impl Pace {
    pub(crate) fn new(first: Duration, most: Duration) -> Self {
        Self { first, most, next: first }
    }

    /// The next pause; none, and the shortest after it, when there is nothing to wait for any more.
    pub(crate) fn next(&mut self, waits: bool) -> Option<Duration> {
        if !waits {
            self.begin_anew();
            return None;
        }
        let pause = self.next;
        self.next = (self.next * 2).min(self.most);
        Some(pause)
    }

    /// Something has changed.
    pub(crate) fn begin_anew(&mut self) {
        self.next = self.first;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pause_grows_while_the_same_goes_on() {
        let millis = Duration::from_millis;
        let mut pace = Pace::new(millis(20), millis(50));
        let pauses: Vec<_> = (0..4).map(|_| pace.next(true).unwrap()).collect();
        assert_eq!(pauses, [20, 40, 50, 50].map(millis));
        assert_eq!((pace.next(false), pace.next(true)), (None, Some(millis(20))));
        pace.next(true);
        pace.begin_anew();
        assert_eq!(pace.next(true), Some(millis(20)));
    }
}
