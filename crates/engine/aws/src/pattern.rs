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

/// Whether `text` matches `pattern`, without escapes (policies).
pub(crate) fn plain(pattern: &str, text: &str) -> bool {
    let parts: Vec<Part> = pattern.chars().map(part).collect();
    matches(&parts, text)
}

#[derive(Clone, Copy, PartialEq)]
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

/// Whether the whole text matches.
pub(crate) fn matches(pattern: &[Part], text: &str) -> bool {
    let text: Vec<char> = text.chars().collect();
    let (mut at, mut letter) = (0, 0);
    // Where to resume when the text after the last `*` did not match: one letter further.
    let mut resume: Option<(usize, usize)> = None;
    while letter < text.len() {
        match pattern.get(at) {
            Some(Part::Any) => {
                resume = Some((at + 1, letter));
                at += 1;
            }
            Some(Part::One) => {
                at += 1;
                letter += 1;
            }
            Some(Part::Letter(wanted)) if *wanted == text[letter] => {
                at += 1;
                letter += 1;
            }
            _ => {
                let Some((after, from)) = resume else { return false };
                resume = Some((after, from + 1));
                at = after;
                letter = from + 1;
            }
        }
    }
    pattern[at..].iter().all(|part| *part == Part::Any)
}

#[cfg(test)]
mod tests {
    use super::*;

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
