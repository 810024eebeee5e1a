//! Forms: `A.B.1=x` to a tree.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use super::{DEPTH, PARTS, SyntaxError};
use crate::shape::Tree;

/// Names and values of a form or query string, decoded, in order.
pub(crate) type Pairs<'a> = Vec<(Cow<'a, str>, Cow<'a, str>)>;

/// Reads names and values.
///
/// # Errors
/// Not UTF-8.
pub(crate) fn pairs(text: &[u8]) -> Result<Pairs<'_>, SyntaxError> {
    text.split(|byte| *byte == b'&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| {
            let (name, value) = match pair.iter().position(|byte| *byte == b'=') {
                Some(at) => (&pair[..at], &pair[at + 1..]),
                None => (pair, &pair[..0]),
            };
            Ok((decoded(name)?, decoded(value)?))
        })
        .collect()
}

/// A form's text decoded: `+` is a space. Strict about UTF-8, unlike the usual parser: what was signed
/// is what is read.
fn decoded(raw: &[u8]) -> Result<Cow<'_, str>, SyntaxError> {
    if !raw.iter().any(|byte| matches!(byte, b'+' | b'%')) {
        return std::str::from_utf8(raw).map(Cow::Borrowed).map_err(|_| SyntaxError::Encoding);
    }
    let spaced: Vec<u8> = raw.iter().map(|byte| if *byte == b'+' { b' ' } else { *byte }).collect();
    let bytes: Vec<u8> = percent_encoding::percent_decode(&spaced).collect();
    String::from_utf8(bytes).map(Cow::Owned).map_err(|_| SyntaxError::Encoding)
}

/// The tree of dotted names.
///
/// # Errors
/// A name is repeated, empty or too deep.
pub(crate) fn tree<'a>(pairs: impl IntoIterator<Item = (Cow<'a, str>, Cow<'a, str>)>) -> Result<Tree, SyntaxError> {
    let mut members = BTreeMap::new();
    let mut parts = 0;
    for (name, value) in pairs {
        let depth = name.split('.').count();
        if depth > DEPTH {
            return Err(SyntaxError::Depth);
        }
        parts += depth;
        if parts > PARTS {
            return Err(SyntaxError::Parts);
        }
        insert(&mut members, &name, &name, value.into_owned())?;
    }
    Ok(Tree::Form(members))
}

fn insert(members: &mut BTreeMap<String, Tree>, rest: &str, whole: &str, value: String) -> Result<(), SyntaxError> {
    let (first, deeper) = match rest.split_once('.') {
        Some((first, deeper)) => (first, Some(deeper)),
        None => (rest, None),
    };
    if first.is_empty() {
        return Err(SyntaxError::Name(whole.to_owned()));
    }
    let repeated = || SyntaxError::Repeated(whole.to_owned());
    match (members.entry(first.to_owned()), deeper) {
        (Entry::Vacant(slot), None) => {
            slot.insert(Tree::Raw(value));
            Ok(())
        }
        (Entry::Occupied(_), None) => Err(repeated()),
        (Entry::Vacant(slot), Some(deeper)) => {
            let mut inner = BTreeMap::new();
            insert(&mut inner, deeper, whole, value)?;
            slot.insert(Tree::Form(inner));
            Ok(())
        }
        (Entry::Occupied(mut slot), Some(deeper)) => match slot.get_mut() {
            Tree::Form(inner) => insert(inner, deeper, whole, value),
            // `X=` beside `X.1=a`: an empty list that is not empty.
            _ => Err(repeated()),
        },
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parsed(text: &str) -> Result<Tree, SyntaxError> {
        tree(pairs(text.as_bytes())?)
    }

    #[test]
    fn lists_come_in_the_order_of_their_numbers() {
        let form = parsed("Name.10=c&Name.2=b&Name.1=a+b%21&Other.member.1=x&Empty=").unwrap();
        let items = |name| -> Vec<String> {
            form.member(name).unwrap().items().unwrap().iter().map(|item| item.shown()).collect()
        };
        assert_eq!(items("Name"), ["a b!", "b", "c"]);
        assert_eq!(items("Other"), ["x"]);
        assert_eq!(items("Empty"), Vec::<String>::new());
    }

    #[test]
    fn contradictions_are_refused() {
        for text in ["A=1&A=2", "A=1&A.B=2", "A.B=2&A=1", "A..B=1", ".=1", "%ff=1", "A=%ff"] {
            assert!(parsed(text).is_err(), "{text}");
        }
        assert_eq!(parsed(&format!("{}=1", vec!["a"; 33].join("."))), Err(SyntaxError::Depth));
    }

    #[test]
    fn a_form_of_very_many_structures_is_refused() {
        let form: Vec<String> = (0..2000).map(|n| format!("A{n}{}=1", ".b".repeat(30))).collect();
        assert_eq!(parsed(&form.join("&")), Err(SyntaxError::Parts));
    }

    proptest! {
        #[test]
        fn garbage_never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = pairs(&bytes).and_then(tree);
        }

        #[test]
        fn near_forms_never_panic(text in "([A-Z]{1,2}(\\.[a-z0-9]{0,2}){0,4}=[%+a-f0-9]{0,4}&?){0,6}") {
            if let Ok(tree) = parsed(&text) {
                for name in ["A", "AB"] {
                    let _ = tree.member(name).map(|member| (member.items().is_ok(), member.pairs().is_ok()));
                }
            }
        }
    }
}
