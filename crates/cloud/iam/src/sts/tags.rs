//! Session tags and source identities, and how they go from session to session.
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/id_session-tags.html>

use eksile_aws::inputs::{Tag, TagRules, merge_tags};
use eksile_aws::{Caller, Fault, SessionFacts};

use crate::records::Tags;

const RULES: TagRules = TagRules { invalid: "ValidationError", too_many: "ValidationError", limit: 50, folds: true };

/// What a call asks of the new session.
pub(crate) struct Asked<'a> {
    pub(crate) tags: &'a [Tag],
    pub(crate) transitive: &'a [String],
    pub(crate) source_identity: Option<&'a str>,
}

impl Asked<'_> {
    /// Whether the caller must be allowed to tag sessions: for tags given, and for those that its own session hands on.
    pub(crate) fn tags_session(&self, caller: &Caller) -> bool {
        !self.tags.is_empty() || caller.session().is_some_and(|facts| !facts.transitive.is_empty())
    }

    /// Whether the caller must be allowed to set a source identity: for the one given, and for its own, which stays.
    pub(crate) fn sets_identity(&self, caller: &Caller) -> bool {
        self.source_identity.is_some() || caller.session().is_some_and(|facts| facts.source_identity.is_some())
    }

    /// What the new session will be.
    ///
    /// # Errors
    /// Tags against the rules; one that the caller's session has handed on and nobody may change; another source identity
    /// than the caller's.
    pub(crate) fn facts(&self, caller: &Caller) -> Result<SessionFacts, Fault> {
        let mut given = Tags::new();
        merge_tags(&mut given, self.tags.to_vec(), RULES)?;
        let (tags, transitive) = self.inherited(given, caller.session())?;
        let source_identity = self.identity(caller.session())?;
        Ok(SessionFacts { tags, transitive, source_identity, ..SessionFacts::default() })
    }

    fn inherited(&self, given: Tags, own: Option<&SessionFacts>) -> Result<(Tags, Vec<String>), Fault> {
        let named = |tags: &Tags, key: &str| tags.keys().find(|other| RULES.same(other, key)).cloned();
        let mut transitive = Vec::new();
        for key in self.transitive {
            let Some(key) = named(&given, key) else {
                return Err(invalid("The specified transitive tag key must be included in the requested tags."));
            };
            transitive.push(key);
        }
        let mut tags = given;
        for key in own.map_or(&[][..], |facts| &facts.transitive) {
            if named(&tags, key).is_some() {
                let message = format!(
                    "One of the specified transitive tag keys can't be set because it conflicts with a \
                                       transitive tag key from the calling session: {key}."
                );
                return Err(Fault::client("InvalidParameterValue", 400, message));
            }
            if let Some(value) = own.and_then(|facts| facts.tags.get(key)) {
                tags.insert(key.clone(), value.clone());
                transitive.push(key.clone());
            }
        }
        if tags.len() > RULES.limit {
            return Err(invalid("A session has at most 50 tags, those taken over included."));
        }
        Ok((tags, transitive))
    }

    fn identity(&self, own: Option<&SessionFacts>) -> Result<Option<String>, Fault> {
        let own = own.and_then(|facts| facts.source_identity.as_deref());
        let Some(given) = self.source_identity else { return Ok(own.map(str::to_owned)) };
        if own.is_some_and(|own| own != given) {
            return Err(Fault::client("AccessDenied", 403, "The source identity of a session cannot be changed."));
        }
        let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"_+=,.@-".contains(&byte);
        if !(2..=64).contains(&given.len()) || !given.bytes().all(fits) || given.starts_with("aws:") {
            let message = r"Value at 'sourceIdentity' failed to satisfy constraint: Member must have length between 2 and 64 and satisfy regular expression pattern: [\w+=,.@-]*";
            return Err(invalid(message));
        }
        Ok(Some(given.to_owned()))
    }
}

fn invalid(message: impl Into<String>) -> Fault {
    Fault::client("ValidationError", 400, message)
}
