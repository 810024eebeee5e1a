//! The agreement of a whole run, as a figure, and what is against it.

use std::fmt;

use crate::answer::Answers;
use crate::corpus::Scenario;
use crate::difference::{self, Symbols};
use crate::exceptions::Exceptions;

/// What a run came to.
#[derive(Debug, Default)]
pub struct Verdict {
    /// Requests compared.
    pub asked: usize,
    /// Requests whose answers agree.
    pub agreed: usize,
    /// Differences that have a named reason.
    pub excepted: Vec<(String, String)>,
    /// Differences without one, with their lines.
    pub differing: Vec<(String, Vec<String>)>,
    /// Exceptions that are no longer needed, or name no request.
    pub stale: Vec<String>,
}

impl Verdict {
    /// Compares one scenario.
    pub fn add(&mut self, scenario: &Scenario, expected: &Answers, got: &Answers, exceptions: &Exceptions) {
        let mut symbols = Symbols::default();
        for request in &scenario.requests {
            let name = format!("{}/{}", scenario.name, request.id);
            self.asked += 1;
            let lines = match (expected.get(&request.id), got.get(&request.id)) {
                (Some(answer), Some(other)) => difference::between(answer, other, &mut symbols),
                (Some(_), None) => vec!["no answer".to_owned()],
                (None, _) => vec!["no recorded answer; record it with oracle.sh".to_owned()],
            };
            match (lines.is_empty(), exceptions.reason(&name)) {
                (true, None) => self.agreed += 1,
                (true, Some(_)) => {
                    self.agreed += 1;
                    self.stale.push(name);
                }
                (false, Some(reason)) => self.excepted.push((name, reason.to_owned())),
                (false, None) => self.differing.push((name, lines)),
            }
        }
    }

    /// Notes a scenario that could not be played to its end.
    pub fn broken(&mut self, scenario: &str, expected: &Answers, why: &str) {
        self.asked += expected.len();
        self.differing.push((format!("{scenario}/*"), vec![why.to_owned()]));
    }

    /// Whether nothing stands against the agreement.
    #[must_use]
    pub fn holds(&self) -> bool {
        self.differing.is_empty() && self.stale.is_empty() && self.agreed + self.excepted.len() == self.asked
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, lines) in &self.differing {
            writeln!(f, "--- {name}")?;
            for line in lines {
                writeln!(f, "    {line}")?;
            }
        }
        for name in &self.stale {
            writeln!(f, "--- {name}: the exception is no longer needed")?;
        }
        for (name, reason) in &self.excepted {
            writeln!(f, "excepted {name}: {reason}")?;
        }
        write!(f, "agreement {}/{}, {} excepted", self.agreed, self.asked, self.excepted.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::answer::Answer;

    fn answers(status: u16) -> Answers {
        let body = serde_json::Value::Null;
        [("a".to_owned(), Answer { status, content: String::new(), headers: vec![], body })].into()
    }

    fn scenario() -> Scenario {
        let mut scenario: Scenario =
            serde_yaml_ng::from_str("{about: a test, requests: [{id: a, send: GET /}]}").expect("a scenario");
        scenario.name = "s".to_owned();
        scenario
    }

    #[test]
    fn a_difference_fails_and_an_exception_that_agrees_fails_too() {
        let path = std::env::temp_dir().join(format!("oracle-exceptions-{}.yaml", std::process::id()));
        std::fs::write(&path, "s/a: differs because of the test\n").expect("written");
        let exceptions = Exceptions::read(&path).expect("read");
        std::fs::remove_file(&path).expect("removed");

        let mut verdict = Verdict::default();
        verdict.add(&scenario(), &answers(200), &answers(404), &Exceptions::default());
        assert!(!verdict.holds());
        let mut verdict = Verdict::default();
        verdict.add(&scenario(), &answers(200), &answers(404), &exceptions);
        assert!(verdict.holds(), "{verdict}");
        let mut verdict = Verdict::default();
        verdict.add(&scenario(), &answers(200), &answers(200), &exceptions);
        assert!(!verdict.holds(), "a stale exception must fail");
    }
}
