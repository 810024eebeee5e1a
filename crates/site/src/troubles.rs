//! What failed, item by item: one bad item waits, longer each time, and the others go on.

use std::collections::HashMap;
use std::time::{Duration, Instant};

/// Pause after the first failure; doubled by each further one.
const FIRST: Duration = Duration::from_millis(500);
/// Longest pause.
const MOST: Duration = Duration::from_secs(30);

/// Failures of items by their ids.
#[derive(Debug, Default)]
pub struct Troubles(HashMap<String, Trouble>);

#[derive(Debug)]
struct Trouble {
    /// What was wanted of it; something else is tried at once.
    wanted: String,
    why: String,
    pause: Duration,
    again: Instant,
}

impl Troubles {
    /// Whether it is to be left alone for now.
    #[must_use]
    pub fn rests(&self, id: &str, wanted: &str, now: Instant) -> bool {
        self.0.get(id).is_some_and(|trouble| trouble.wanted == wanted && now < trouble.again)
    }

    /// When it is tried again.
    #[must_use]
    pub fn again(&self, id: &str) -> Option<Instant> {
        self.0.get(id).map(|trouble| trouble.again)
    }

    /// Notes that it failed. True when that is news: told once, not at each try.
    pub fn note(&mut self, id: &str, wanted: &str, why: &str, now: Instant) -> bool {
        let known = self.0.get(id).filter(|trouble| trouble.wanted == wanted);
        let (news, pause) = match known {
            Some(trouble) => (trouble.why != why, (trouble.pause * 2).min(MOST)),
            None => (true, FIRST),
        };
        let trouble = Trouble { wanted: wanted.to_owned(), why: why.to_owned(), pause, again: now + pause };
        self.0.insert(id.to_owned(), trouble);
        news
    }

    /// Notes that all is well with it.
    pub fn over(&mut self, id: &str) {
        self.0.remove(id);
    }

    /// Forgets those that are no longer.
    pub fn keep(&mut self, known: impl Fn(&str) -> bool) {
        self.0.retain(|id, _| known(id));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_is_told_once_and_tried_ever_more_seldom() {
        let (mut troubles, now) = (Troubles::default(), Instant::now());
        assert!(!troubles.rests("a", "gone", now));
        assert!(troubles.note("a", "gone", "busy", now));
        assert!(troubles.rests("a", "gone", now) && !troubles.rests("b", "gone", now));
        assert!(!troubles.rests("a", "running", now), "another wish is tried at once");
        assert!(!troubles.rests("a", "gone", now + FIRST));
        assert!(!troubles.note("a", "gone", "busy", now));
        assert!(troubles.rests("a", "gone", now + FIRST));
        assert!(troubles.note("a", "gone", "no space", now));
        for _ in 0..20 {
            troubles.note("a", "gone", "no space", now);
        }
        assert!(!troubles.rests("a", "gone", now + MOST));
        troubles.over("a");
        assert!(!troubles.rests("a", "gone", now));
    }
}
