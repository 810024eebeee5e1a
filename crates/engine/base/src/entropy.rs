//! Bytes nobody can foresee, from the operating system.

/// `N` fresh bytes from the operating system's generator.
#[must_use]
pub fn bytes<const N: usize>() -> [u8; N] {
    let mut out = [0; N];
    fill(&mut out);
    out
}

/// Fills `out` with fresh bytes.
pub fn fill(out: &mut [u8]) {
    aws_lc_rs::rand::fill(out).expect("the generator ends the process rather than hand out weak bytes");
}

/// `length` characters, each drawn evenly from `alphabet` (ASCII, 2 to 256 characters).
#[must_use]
pub fn text(alphabet: &[u8], length: usize) -> String {
    debug_assert!((2..=256).contains(&alphabet.len()) && alphabet.is_ascii());
    // Bytes at or above the largest multiple of the alphabet's size would favour its first characters.
    let even = 256 - 256 % alphabet.len();
    let mut out = String::with_capacity(length);
    while out.len() < length {
        for byte in bytes::<32>().map(usize::from) {
            if byte < even && out.len() < length {
                out.push(char::from(alphabet[byte % alphabet.len()]));
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn draws_differ() {
        assert_ne!(bytes::<16>(), bytes::<16>());
    }

    #[test]
    fn text_uses_the_whole_alphabet_evenly() {
        let text = text(b"abc", 9_000);
        for letter in ['a', 'b', 'c'] {
            let seen = text.chars().filter(|c| *c == letter).count();
            assert!((2_600..3_400).contains(&seen), "{letter}: {seen}");
        }
    }
}
