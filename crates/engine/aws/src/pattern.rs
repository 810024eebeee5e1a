//! Wildcards: `*` any text, `?` any one character. In linear space and at worst quadratic time, so
//! that no pattern from outside can stall the door.

/// Whether `text` matches `pattern`, in which `\` escapes (filters).
pub(crate) fn escaped(pattern: &str, text: &str) -> bool {
    let mut parts = Vec::new();
    let mut letters = pattern.chars();
    while let Some(letter) = letters.next() {
        parts.push(match letter {
            '*' => Part::Any,
            '?' => Part::One,
            '\\' => Part::Letter(letters.next().unwrap_or('\\')),
            other => Part::Letter(other),
        });
    }
    matches(&parts, text)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    Any,
    One,
    Letter(char),
}

/// A character of a pattern without escapes.
pub(crate) fn part(letter: char) -> Part {
    match letter {
        '*' => Part::Any,
        '?' => Part::One,
        other => Part::Letter(other),
    }
}

impl Part {
    /// The letter, if it is one.
    pub(crate) fn letter(&self) -> Option<char> {
        match self {
            Self::Letter(letter) => Some(*letter),
            Self::Any | Self::One => None,
        }
    }
}

/// Whether the whole text matches.
pub(crate) fn matches(pattern: &[Part], text: &str) -> bool {
    let (mut at, mut rest) = (0, text.chars());
    // Where to resume when the text after the last `*` did not match: one letter further.
    let mut resume: Option<(usize, std::str::Chars<'_>)> = None;
    loop {
        let mut next = rest.clone();
        let Some(letter) = next.next() else { break };
        match pattern.get(at) {
            Some(Part::Any) => {
                at += 1;
                resume = Some((at, rest.clone()));
                continue;
            }
            Some(Part::One) => at += 1,
            Some(Part::Letter(wanted)) if *wanted == letter => at += 1,
            _ => {
                let Some((after, from)) = &mut resume else { return false };
                from.next();
                at = *after;
                rest = from.clone();
                continue;
            }
        }
        rest = next;
    }
    pattern[at..].iter().all(|part| *part == Part::Any)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain(pattern: &str, text: &str) -> bool {
        matches(&pattern.chars().map(part).collect::<Vec<_>>(), text)
    }

    #[test]
    fn wildcards() {
        for (pattern, text, expected) in [
            ("*", "", true),
            ("a*c", "abbbc", true),
            ("a*c", "abbbcd", false),
            ("a*b*c", "a--b--b-c", true),
            ("a?c", "abc", true),
            ("a?c", "ac", false),
            ("", "", true),
            ("", "a", false),
            ("*.amazonaws.com", "ec2.amazonaws.com", true),
        ] {
            assert_eq!(plain(pattern, text), expected, "{pattern} {text}");
        }
        assert!(escaped(r"a\*b", "a*b"));
        assert!(!escaped(r"a\*b", "axb"));
        assert!(escaped(r"a\", r"a\"));
    }

    #[test]
    fn hostile_patterns_end() {
        let pattern = "a*".repeat(2_000);
        assert!(!plain(&(pattern + "b"), &"a".repeat(2_000)));
    }
}
