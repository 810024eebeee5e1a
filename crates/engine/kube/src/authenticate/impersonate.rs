//! `Impersonate-User` and its companions: acting as somebody else, when one may
//! (`k8s.io/apiserver/pkg/endpoints/filters/impersonation.go`).

use std::fmt::Write as _;
use std::sync::Arc;

use http::{HeaderMap, HeaderValue};
use percent_encoding::percent_decode_str;

use crate::authorize::{Attributes, refuse_unless};
use crate::caller::{ANONYMOUS, AUTHENTICATED, Caller, UNAUTHENTICATED};
use crate::door::Door;
use crate::names;
use crate::status::StatusError;
use crate::strategy::User;

const PREFIX: &str = "impersonate-";
const EXTRA: &str = "impersonate-extra-";
const AUTHENTICATION: &str = "authentication.k8s.io";

/// Why nobody is impersonated.
#[derive(Debug)]
pub enum Refused {
    /// The sender may not, or the headers cannot be read.
    Answer(StatusError),
    /// The headers make no sense; upstream answers 500 in plain text.
    Untold(String),
}

impl From<StatusError> for Refused {
    fn from(error: StatusError) -> Self {
        Self::Answer(error)
    }
}

/// One thing that the caller wants to be; each is asked for by itself.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Wish {
    User(String),
    Account { namespace: String, name: String },
    Group(String),
    Extra { key: String, value: String },
    Uid(String),
}

/// The caller that a request acts as: the one who sent it, or the one it names.
///
/// # Errors
/// Headers that name no user, or that are no text; 403 when the sender may not.
pub fn apply(door: &Door, caller: Arc<Caller>, headers: &HeaderMap) -> Result<Arc<Caller>, Refused> {
    let wishes = wishes(headers)?;
    if wishes.is_empty() {
        return Ok(caller);
    }
    for wish in &wishes {
        refuse_unless(door, &caller, &wish.asked())?;
    }
    let user = acting(wishes);
    tracing::info!(
        by = caller.user.name, by_groups = ?caller.user.groups, user = user.name, groups = ?user.groups, "impersonation"
    );
    Ok(Caller::new(user))
}

fn text(value: &HeaderValue) -> Result<String, StatusError> {
    // A header that cannot be read must not be taken for one that is not there.
    let text = String::from_utf8(value.as_bytes().to_vec());
    text.map_err(|_| StatusError::bad_request("an impersonation header is not UTF-8"))
}

fn wishes(headers: &HeaderMap) -> Result<Vec<Wish>, Refused> {
    if !headers.keys().any(|name| name.as_str().starts_with(PREFIX)) {
        return Ok(Vec::new());
    }
    let first = |name: &str| headers.get(name).map(text).transpose().map(Option::unwrap_or_default);
    let mut wishes = Vec::new();
    let name = first("impersonate-user")?;
    if !name.is_empty() {
        wishes.push(match account(&name) {
            Some((namespace, name)) => Wish::Account { namespace: namespace.to_owned(), name: name.to_owned() },
            None => Wish::User(name.clone()),
        });
    }
    for group in headers.get_all("impersonate-group") {
        wishes.push(Wish::Group(text(group)?));
    }
    for header in headers.keys() {
        let Some(key) = header.as_str().strip_prefix(EXTRA) else { continue };
        let key = unescaped(key);
        for value in headers.get_all(header) {
            wishes.push(Wish::Extra { key: key.clone(), value: text(value)? });
        }
    }
    let uid = first("impersonate-uid")?;
    if !uid.is_empty() {
        wishes.push(Wish::Uid(uid));
    }
    if name.is_empty() && !wishes.is_empty() {
        return Err(Refused::Untold(format!("requested {} without impersonating a user", shown(&wishes))));
    }
    Ok(wishes)
}

/// Namespace and name of a service account's user.
fn account(user: &str) -> Option<(&str, &str)> {
    let (namespace, name) = user.strip_prefix("system:serviceaccount:")?.split_once(':')?;
    (names::label(namespace).is_empty() && names::subdomain(name).is_empty()).then_some((namespace, name))
}

/// A key as it is meant; one that is badly escaped counts as it stands.
fn unescaped(key: &str) -> String {
    let bytes = key.as_bytes();
    let hex = |at: usize| bytes.get(at).is_some_and(u8::is_ascii_hexdigit);
    if bytes.iter().enumerate().any(|(at, byte)| *byte == b'%' && !(hex(at + 1) && hex(at + 2))) {
        return key.to_owned();
    }
    percent_decode_str(key).decode_utf8_lossy().into_owned()
}

/// Upstream's debug form of a list of object references.
fn shown(wishes: &[Wish]) -> String {
    let mut out = String::from("[");
    for (at, wish) in wishes.iter().enumerate() {
        let (kind, version, name, path) = match wish {
            Wish::User(name) => ("User", "", name, ""),
            Wish::Account { name, .. } => ("ServiceAccount", "", name, ""),
            Wish::Group(name) => ("Group", "", name, ""),
            Wish::Extra { key, value } => ("UserExtra", "authentication.k8s.io/v1", value, key.as_str()),
            Wish::Uid(uid) => ("UID", "authentication.k8s.io/v1", uid, ""),
        };
        let blank = if at == 0 { "" } else { " " };
        // Writing to a string does not fail.
        let _ = write!(out, "{blank}{{{kind}  {name}  {version}  {path}}}");
    }
    out.push(']');
    out
}

impl Wish {
    /// What the sender must be allowed for it.
    fn asked(&self) -> Attributes<'_> {
        let base = Attributes { verb: "impersonate", ..Attributes::default() };
        match self {
            Self::User(name) => Attributes { plural: "users", name, ..base },
            Self::Account { namespace, name } => Attributes { plural: "serviceaccounts", namespace, name, ..base },
            Self::Group(name) => Attributes { plural: "groups", name, ..base },
            Self::Extra { key, value } => {
                Attributes { group: AUTHENTICATION, plural: "userextras", sub: key, name: value, ..base }
            }
            Self::Uid(uid) => Attributes { group: AUTHENTICATION, plural: "uids", name: uid, ..base },
        }
    }
}

/// The user that all wishes together make.
fn acting(wishes: Vec<Wish>) -> User {
    let mut user = User::default();
    let grouped = wishes.iter().any(|wish| matches!(wish, Wish::Group(_)));
    for wish in wishes {
        match wish {
            Wish::User(name) => user.name = name,
            Wish::Account { namespace, name } => {
                user.name = format!("system:serviceaccount:{namespace}:{name}");
                if !grouped {
                    user.groups =
                        vec!["system:serviceaccounts".to_owned(), format!("system:serviceaccounts:{namespace}")];
                }
            }
            Wish::Group(group) => user.groups.push(group),
            Wish::Extra { key, value } => match user.extra.iter_mut().find(|(known, _)| *known == key) {
                Some((_, values)) => values.push(value),
                None => user.extra.push((key, vec![value])),
            },
            Wish::Uid(uid) => user.uid = uid,
        }
    }
    user.extra.sort();
    let has = |group: &str| user.groups.iter().any(|g| g == group);
    let implied = if user.name == ANONYMOUS {
        (!has(UNAUTHENTICATED)).then_some(UNAUTHENTICATED)
    } else {
        (!has(AUTHENTICATED) && !has(UNAUTHENTICATED)).then_some(AUTHENTICATED)
    };
    user.groups.extend(implied.map(str::to_owned));
    user
}

#[cfg(test)]
mod tests {
    use http::HeaderName;

    use super::*;

    fn headers(pairs: &[(&str, &str)]) -> HeaderMap {
        let mut out = HeaderMap::new();
        for (name, value) in pairs {
            let value = HeaderValue::from_bytes(value.as_bytes()).unwrap();
            out.append(name.parse::<HeaderName>().unwrap(), value);
        }
        out
    }

    fn user(pairs: &[(&str, &str)]) -> User {
        acting(wishes(&headers(pairs)).unwrap())
    }

    #[test]
    fn every_header_is_a_wish_of_its_own() {
        let asked = headers(&[
            ("Impersonate-User", "j\u{fc}rgen"),
            ("Impersonate-User", "second"),
            ("Impersonate-Group", "a"),
            ("Impersonate-Group", ""),
            ("Impersonate-Extra-Acme.com%2FScopes", "x"),
            ("Impersonate-Extra-acme.com%2fscopes", "y"),
            ("Impersonate-Extra-odd%zz", "z"),
            ("Impersonate-Uid", "u"),
        ]);
        let text = str::to_owned;
        let extra = |key: &str, value: &str| Wish::Extra { key: text(key), value: text(value) };
        assert_eq!(
            wishes(&asked).unwrap(),
            [
                Wish::User(text("j\u{fc}rgen")),
                Wish::Group(text("a")),
                Wish::Group(text("")),
                extra("acme.com/scopes", "x"),
                extra("acme.com/scopes", "y"),
                extra("odd%zz", "z"),
                Wish::Uid(text("u")),
            ]
        );
    }

    #[test]
    fn an_extra_is_asked_for_by_its_key() {
        let wish = Wish::Extra { key: "acme.com/scopes".to_owned(), value: "x".to_owned() };
        let asked = wish.asked();
        assert_eq!(
            (asked.verb, asked.group, asked.plural, asked.sub, asked.name),
            ("impersonate", AUTHENTICATION, "userextras", "acme.com/scopes", "x")
        );
    }

    #[test]
    fn nothing_is_impersonated_without_a_user() {
        for alone in [("Impersonate-Group", "g"), ("Impersonate-Uid", "u"), ("Impersonate-Extra-k", "v")] {
            let refused = wishes(&headers(&[alone, ("Impersonate-User", "")]));
            assert!(matches!(refused, Err(Refused::Untold(_))), "{alone:?}");
        }
        assert!(wishes(&headers(&[("Impersonate-User", "")])).unwrap().is_empty());
        let group = Wish::Group("x".to_owned());
        assert_eq!(shown(&[group.clone(), group]), "[{Group  x    } {Group  x    }]");
    }

    #[test]
    fn a_header_that_is_no_text_is_refused() {
        let mut bad = HeaderMap::new();
        bad.insert("impersonate-user", HeaderValue::from_bytes(b"\xff").unwrap());
        assert!(matches!(wishes(&bad), Err(Refused::Answer(error)) if error.code() == 400));
    }

    #[test]
    fn groups_tell_whether_a_user_is_authenticated() {
        let groups = |pairs: &[(&str, &str)]| user(pairs).groups;
        let name = |name| ("Impersonate-User", name);
        let group = |group| ("Impersonate-Group", group);
        assert_eq!(groups(&[name("u")]), [AUTHENTICATED]);
        assert_eq!(groups(&[name("u"), group("g")]), ["g", AUTHENTICATED]);
        assert_eq!(groups(&[name("u"), group(UNAUTHENTICATED)]), [UNAUTHENTICATED]);
        assert_eq!(groups(&[name(ANONYMOUS)]), [UNAUTHENTICATED]);
        assert_eq!(groups(&[name(ANONYMOUS), group(AUTHENTICATED)]), [AUTHENTICATED, UNAUTHENTICATED]);
        let account = name("system:serviceaccount:a:b");
        let own = ["system:serviceaccounts", "system:serviceaccounts:a", AUTHENTICATED];
        assert_eq!(groups(&[account]), own);
        assert_eq!(groups(&[account, group("g")]), ["g", AUTHENTICATED]);
        // It looks like an account and is none.
        assert_eq!(groups(&[name("system:serviceaccount:a")]), [AUTHENTICATED]);
    }
}
