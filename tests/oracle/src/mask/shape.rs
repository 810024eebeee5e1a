//! What generated and allocated values look like.

/// The alphabet of generated name suffixes (apimachinery's `rand.String`).
const ALPHABET: &[u8] = b"bcdfghjklmnpqrstvwxz2456789";

/// Whether a text is a suffix that the server generated.
pub(super) fn is_generated(suffix: &str) -> bool {
    suffix.len() == 5 && suffix.bytes().all(|b| ALPHABET.contains(&b))
}

/// Whether a text is a UUID.
pub(super) fn is_uuid(text: &str) -> bool {
    text.len() == 36
        && text.bytes().enumerate().all(|(at, b)| match at {
            8 | 13 | 18 | 23 => b == b'-',
            _ => b.is_ascii_hexdigit(),
        })
}

/// Whether a text is an address of the service range that both servers are given.
pub(super) fn is_address_of_services(text: &str) -> bool {
    text.starts_with("10.100.") && text.parse::<std::net::Ipv4Addr>().is_ok()
}

pub(super) fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit())
}

/// Whether a cell of a table is a duration such as `5s` or `2m3s`.
pub(super) fn is_age(text: &str) -> bool {
    text.ends_with(['s', 'm', 'h', 'd', 'y'])
        && text.starts_with(|c: char| c.is_ascii_digit())
        && text.chars().all(|c| c.is_ascii_digit() || "smhdy".contains(c))
}

/// Cuts a text where words of hexadecimal digits, points and hyphens begin and end.
pub(super) fn pieces(text: &str) -> Vec<&str> {
    let word = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '.';
    let mut pieces = Vec::new();
    let mut start = 0;
    let mut inside = None;
    for (at, c) in text.char_indices() {
        if inside.is_some_and(|was| was != word(c)) {
            pieces.push(&text[start..at]);
            start = at;
        }
        inside = Some(word(c));
    }
    pieces.push(&text[start..]);
    pieces
}

/// Replaces the `length` generated characters that follow `mark`.
pub(super) fn after(text: &str, mark: &str, length: usize, symbol: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(mark) {
        let (head, tail) = rest.split_at(at + mark.len());
        out.push_str(head);
        rest = match tail.get(..length).filter(|suffix| is_generated(suffix)) {
            Some(_) => {
                out.push_str(symbol);
                &tail[length..]
            }
            None => tail,
        };
    }
    out.push_str(rest);
    out
}

/// Replaces the times inside a text that are near.
pub(super) fn times(text: &str, near: impl Fn(&str) -> bool) -> String {
    const LENGTH: usize = "2020-01-02T03:04:05Z".len();
    let mut out = text.to_owned();
    let starts = text.match_indices('Z').filter_map(|(end, _)| (end + 1).checked_sub(LENGTH));
    for time in starts.filter_map(|start| text.get(start..start + LENGTH)).filter(|time| near(time)) {
        out = out.replace(time, "<time>");
    }
    out
}

/// Replaces every number that stands alone.
pub(super) fn digits(text: &str, symbol: &str) -> String {
    text.split_inclusive(' ')
        .map(|word| {
            let bare = word.trim_matches([' ', ',', '.', ';', '(', ')']);
            if is_digits(bare) { word.replace(bare, symbol) } else { word.to_owned() }
        })
        .collect()
}

/// Takes out what only a Go program prints: a comparison of two structs after the message, and a struct's dump (or an
/// object's JSON) as the bad value.
pub(super) fn without_go(mut text: String) -> String {
    // The comparing library writes blanks of either kind, by chance.
    if (text.contains(" core.") || text.contains("\u{a0}core."))
        && let Some(at) = text.find(['\n'])
    {
        let tail = text[at..].rfind("}\n").map_or(text.len(), |end| at + end + 2);
        text.replace_range(at..tail, "");
    }
    // Where in its source the scheme was made.
    if let Some(at) = text.find(" in scheme \"pkg/") {
        let end = text[at + 12..].find('"').map_or(text.len(), |more| at + 12 + more + 1);
        text.replace_range(at..end, "");
    }
    text = without_objects(text);
    for mark in ["Invalid value: ", "Duplicate value: "] {
        let mut from = 0;
        while let Some(found) = text[from..].find(mark) {
            let start = from + found + mark.len();
            from = start;
            let tail = &text[start..];
            let dumped = ["core.", "v1.", "[]v1.", "resource.", "authorization.", "{", "[{"]
                .iter()
                .any(|head| tail.starts_with(head));
            let Some(end) = closing(tail).filter(|_| dumped) else { continue };
            // A list in JSON goes on behind its first object.
            let list = tail.starts_with("[{");
            let end = if list { end + tail[end..].find(']').map_or(0, |more| more + 1) } else { end };
            text.replace_range(start..start + end, "<value>");
        }
    }
    text
}

/// Takes out whole objects that are quoted as the bad value: they carry times and revisions.
fn without_objects(mut text: String) -> String {
    let mark = "Invalid value: \"{";
    while let Some(found) = text.find(mark) {
        let start = found + mark.len() - 1;
        let mut escaped = false;
        let end = text[start..].char_indices().find_map(|(at, c)| {
            let closes = c == '"' && !escaped;
            escaped = c == '\\' && !escaped;
            closes.then_some(start + at)
        });
        let Some(end) = end else { break };
        text.replace_range(start..end, "<object>");
    }
    text
}

/// Where the first brace of a text is closed.
fn closing(text: &str) -> Option<usize> {
    let mut depth = 0_usize;
    for (at, c) in text.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth == 1 => return Some(at + 1),
            '}' => depth = depth.checked_sub(1)?,
            _ => {}
        }
    }
    None
}

/// Lists such as `[role "a" not found, role "b" not found]` in alphabetical order: upstream's is that of its cache, a map.
pub(super) fn missing_sorted(text: &str) -> String {
    let (mut out, mut rest) = (String::with_capacity(text.len()), text);
    while let Some(close) = rest.find(']') {
        let (head, tail) = rest.split_at(close);
        let (before, inside) = head.rfind('[').map_or(("", head), |open| head.split_at(open + 1));
        let mut parts: Vec<&str> = inside.split(", ").collect();
        if parts.iter().all(|part| part.ends_with(" not found")) {
            parts.sort_unstable();
        }
        out.push_str(before);
        out.push_str(&parts.join(", "));
        out.push(']');
        rest = &tail[1..];
    }
    out + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_is_in_order() {
        let sorted = |text| missing_sorted(text);
        assert_eq!(sorted("a: [z not found, b not found]]: [y, x]"), "a: [b not found, z not found]]: [y, x]");
        assert_eq!(sorted("[c, [z not found, b not found]] d"), "[c, [b not found, z not found]] d");
    }

    #[test]
    fn near_times_in_a_text_go() {
        let near = |time: &str| time.starts_with("2020");
        let text = "a: \"2020-01-02T03:04:05Z\", b: \"2010-01-02T03:04:05Z\" Z";
        assert_eq!(times(text, near), "a: \"<time>\", b: \"2010-01-02T03:04:05Z\" Z");
    }

    #[test]
    fn what_go_prints_goes_and_the_words_stay() {
        let dumped = "a: Invalid value: core.X{A:(*bool)(0x1), B:core.Y{}}: must fit, b: Invalid value: {\"a\":1}: no"
            .to_owned();
        assert_eq!(without_go(dumped), "a: Invalid value: <value>: must fit, b: Invalid value: <value>: no");
        let compared = "may not change\n  core.PodSpec{\n- a\n  }\n".to_owned();
        assert_eq!(without_go(compared), "may not change");
    }
}
