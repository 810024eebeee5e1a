//! User and group names of a cluster, and what is filled into them: read by the same rules where they are saved and
//! where they are filled.

/// Beginnings of user and group names that are not the user's to give.
pub const RESERVED: &[&str] = &["system:", "eks:", "aws:", "amazon:", "iam:"];

/// What every node is called: after the instance that its session's credentials were given to.
pub const NODE_USERNAME: &str = "system:node:{{EC2PrivateDNSName}}";

/// Whether a user or group name is not the user's to give. What is filled in is judged again when it is.
#[must_use]
pub fn is_reserved(name: &str) -> bool {
    RESERVED.iter().any(|beginning| name.starts_with(beginning))
}

/// A part of a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Piece<'a> {
    /// As it is.
    Fixed(&'a str),
    /// `{{…}}`: the word between the braces.
    Filled(&'a str),
}

/// The parts of a name; `None` where braces do not match, so that nobody reads it another way.
#[must_use]
pub fn pieces(name: &str) -> Option<Vec<Piece<'_>>> {
    let fixed = |text: &str| !text.contains("}}");
    let (mut found, mut rest) = (Vec::new(), name);
    while let Some((before, after)) = rest.split_once("{{") {
        let (word, tail) = after.split_once("}}")?;
        if word.contains(['{', '}']) || !fixed(before) {
            return None;
        }
        found.extend([Piece::Fixed(before), Piece::Filled(word)]);
        rest = tail;
    }
    fixed(rest).then_some(())?;
    found.push(Piece::Fixed(rest));
    Some(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_read_in_one_way_or_none() {
        let read = |name| pieces(name).map(|pieces| format!("{pieces:?}"));
        assert_eq!(pieces("a").unwrap(), [Piece::Fixed("a")]);
        let two = [Piece::Fixed("a:"), Piece::Filled("B"), Piece::Fixed("-"), Piece::Filled("C"), Piece::Fixed("")];
        assert_eq!(pieces("a:{{B}}-{{C}}").unwrap(), two);
        for bad in ["{{", "}}", "a}}b", "{{a", "{{a{{b}}c}}", "{{{a}}", "{{a}}}}", "{{}a}}"] {
            assert_eq!(read(bad), None, "{bad}");
        }
    }
}
