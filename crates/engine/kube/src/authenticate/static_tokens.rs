//! Tokens from a file: `token,user,uid,"group1,group2"` a line, as kube-apiserver's `--token-auth-file` has them.

use std::collections::HashMap;

use futures::future::BoxFuture;

use super::{Authenticator, Known, Verdict};
use crate::strategy::User;

/// A line that cannot be read.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {0}: expected token,user,uid[,\"groups\"]")]
pub struct LineError(pub usize);

/// The tokens of a file.
#[derive(Debug, Default)]
pub struct StaticTokens {
    users: HashMap<String, User>,
}

impl StaticTokens {
    /// Reads the text of a token file.
    ///
    /// # Errors
    /// The first line that cannot be read.
    pub fn parse(text: &str) -> Result<Self, LineError> {
        let mut users = HashMap::new();
        for (at, line) in text.lines().enumerate() {
            if line.trim().is_empty() {
                continue;
            }
            let fields = split(line);
            let [token, name, uid, rest @ ..] = &fields[..] else { return Err(LineError(at + 1)) };
            if token.is_empty() || name.is_empty() {
                return Err(LineError(at + 1));
            }
            let groups =
                rest.first().map(|g| g.split(',').map(|g| g.trim().to_owned()).filter(|g| !g.is_empty()).collect());
            let user =
                User { name: name.clone(), uid: uid.clone(), groups: groups.unwrap_or_default(), extra: Vec::new() };
            users.insert(token.clone(), user);
        }
        Ok(Self { users })
    }
}

/// Splits at commas outside quotes.
fn split(line: &str) -> Vec<String> {
    let mut fields = vec![String::new()];
    let mut quoted = false;
    for c in line.trim().chars() {
        match c {
            '"' => quoted = !quoted,
            ',' if !quoted => fields.push(String::new()),
            c => {
                if let Some(last) = fields.last_mut() {
                    last.push(c);
                }
            }
        }
    }
    fields
}

impl Authenticator for StaticTokens {
    fn authenticate<'a>(&'a self, token: &'a str) -> BoxFuture<'a, Verdict> {
        let verdict = match self.users.get(token) {
            Some(user) => {
                Verdict::Known(Known { user: user.clone(), until: None, anchors: Vec::new(), audiences: None })
            }
            None => Verdict::NotMine,
        };
        Box::pin(std::future::ready(verdict))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_may_be_quoted() {
        let tokens = StaticTokens::parse("t,admin,1,\"system:masters,dev\"\n\nu,joe,2\n").unwrap();
        assert_eq!(tokens.users["t"].groups, ["system:masters", "dev"]);
        assert!(tokens.users["u"].groups.is_empty());
        assert_eq!(StaticTokens::parse("t,admin\n").unwrap_err(), LineError(1));
    }
}
