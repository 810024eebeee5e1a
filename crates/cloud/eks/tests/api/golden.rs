//! Exchanges as text that is the same in every run.

use std::fmt::Write as _;
use std::path::PathBuf;

use super::server::Exchange;

/// Compares the exchanges of a scenario with its golden file, or writes it.
pub(crate) fn compare(name: &str, exchanges: &[Exchange]) {
    let path: PathBuf = [env!("CARGO_MANIFEST_DIR"), "tests", "golden", &format!("{name}.txt")].iter().collect();
    let seen = text(exchanges);
    if std::env::var_os("EKSILE_UPDATE_GOLDENS").is_some() {
        std::fs::write(&path, seen).expect("writable");
        return;
    }
    let kept = std::fs::read_to_string(&path).expect("a golden file; make it with EKSILE_UPDATE_GOLDENS=1");
    for (number, (kept, seen)) in kept.lines().zip(seen.lines()).enumerate() {
        assert_eq!(kept, seen, "line {} of {name}.txt", number + 1);
    }
    assert_eq!(kept.lines().count(), seen.lines().count(), "lines of {name}.txt");
}

fn text(exchanges: &[Exchange]) -> String {
    let mut text = String::new();
    let mut names = Names::default();
    for exchange in exchanges {
        let request = sorted(exchange.request.trim_end());
        let answer = exchange.answer.replace("><", ">\n<");
        let block = format!("{request}\n-> {}\n{answer}\n\n", exchange.status);
        let _ = write!(text, "{}", names.mask(&block));
    }
    text
}

/// A form's parameters, one a line; JSON as it is.
fn sorted(request: &str) -> String {
    let Some((line, body)) = request.split_once('\n') else { return request.to_owned() };
    if body.starts_with("Action=") { format!("{line}\n{}", body.replace('&', "\n&")) } else { request.to_owned() }
}

/// Stands in for ids, times and tokens: the first of a kind that is met is number 1.
#[derive(Default)]
struct Names {
    met: Vec<String>,
}

impl Names {
    fn mask(&mut self, text: &str) -> String {
        let mut masked = String::new();
        let mut word = String::new();
        for c in text.chars() {
            if c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | ':') && !word.is_empty() {
                word.push(c);
                continue;
            }
            masked.push_str(&self.stand_in(&std::mem::take(&mut word)));
            masked.push(c);
        }
        masked.push_str(&self.stand_in(&word));
        masked
    }

    fn stand_in(&mut self, word: &str) -> String {
        if is_time(word) {
            return "TIME".to_owned();
        }
        if is_uuid(word) {
            return "UUID".to_owned();
        }
        let Some((prefix, digits)) = word.rsplit_once('-') else { return word.to_owned() };
        if digits.len() != 17 || !digits.bytes().all(|b| b.is_ascii_hexdigit()) {
            return word.to_owned();
        }
        let number = self.met.iter().position(|met| met == word).unwrap_or_else(|| {
            self.met.push(word.to_owned());
            self.met.len() - 1
        });
        format!("{prefix}-#{}", number + 1)
    }
}

/// `2026-11-21T10:00:00Z`, or seconds since the epoch with or without a fraction.
fn is_time(word: &str) -> bool {
    let iso = word.len() >= 20 && word.as_bytes()[4] == b'-' && word.as_bytes()[10] == b'T';
    let whole = word.split('.').next().unwrap_or_default();
    iso || whole.len() == 10 && whole.starts_with('1') && word.bytes().all(|b| b.is_ascii_digit() || b == b'.')
}

fn is_uuid(word: &str) -> bool {
    let lengths: Vec<usize> = word.split('-').map(str::len).collect();
    lengths == [8, 4, 4, 4, 12]
}
