use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use parking_lot::Mutex;

/// Two times: the wall's, and the product's.
///
/// **Wall time** judges what foreign clients stamp: signatures, tokens, certificates. **Product time** drives lifetimes
/// and controllers; it starts as wall time and can be moved ahead, so that a day may pass in a second.
/// Clones share one clock.
#[derive(Debug, Clone)]
pub struct Clock {
    state: Arc<Mutex<State>>,
}

#[derive(Debug)]
struct State {
    /// `None`: ask the operating system.
    wall: Option<Timestamp>,
    /// Product time minus wall time.
    ahead: SignedDuration,
}

impl Clock {
    /// The machine's clock.
    #[must_use]
    pub fn system() -> Clock {
        Clock::with(None)
    }

    /// A clock that stands still at `start` until it is moved. For tests.
    #[must_use]
    pub fn manual(start: Timestamp) -> Clock {
        Clock::with(Some(start))
    }

    fn with(wall: Option<Timestamp>) -> Clock {
        Clock { state: Arc::new(Mutex::new(State { wall, ahead: SignedDuration::ZERO })) }
    }

    /// Wall time.
    #[must_use]
    pub fn now_wall(&self) -> Timestamp {
        self.state.lock().wall()
    }

    /// Product time.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        let state = self.state.lock();
        moved(state.wall(), state.ahead)
    }

    /// Moves product time ahead by `by`; wall time stays.
    pub fn advance(&self, by: SignedDuration) {
        let mut state = self.state.lock();
        state.ahead = state.ahead.saturating_add(by);
    }

    /// Moves both times of a manual clock by `by`. On the machine's clock, which cannot be moved, it moves product time.
    pub fn pass(&self, by: SignedDuration) {
        let mut state = self.state.lock();
        match state.wall {
            Some(wall) => state.wall = Some(moved(wall, by)),
            None => state.ahead = state.ahead.saturating_add(by),
        }
    }
}

impl State {
    fn wall(&self) -> Timestamp {
        self.wall.unwrap_or_else(Timestamp::now)
    }
}

/// Stays at the end of representable time rather than fail there.
fn moved(time: Timestamp, by: SignedDuration) -> Timestamp {
    let end = if by.is_negative() { Timestamp::MIN } else { Timestamp::MAX };
    time.checked_add(by).unwrap_or(end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn product_time_moves_alone() {
        let clock = Clock::manual(Timestamp::UNIX_EPOCH);
        let same = clock.clone();
        same.advance(SignedDuration::from_hours(24));
        assert_eq!(clock.now_wall(), Timestamp::UNIX_EPOCH);
        assert_eq!(clock.now().as_second(), 86_400);
        clock.pass(SignedDuration::from_secs(5));
        assert_eq!(clock.now_wall().as_second(), 5);
        assert_eq!(same.now().as_second(), 86_405);
    }

    #[test]
    fn the_machine_s_clock_runs() {
        let clock = Clock::system();
        let first = clock.now_wall();
        while clock.now_wall() == first {}
        clock.advance(SignedDuration::from_hours(1));
        assert!(clock.now() > clock.now_wall());
    }

    #[test]
    fn time_ends_quietly() {
        let clock = Clock::manual(Timestamp::MAX);
        clock.advance(SignedDuration::MAX);
        assert_eq!(clock.now(), Timestamp::MAX);
    }
}
