//! Services as values.

use super::Operation;
use crate::shape::Case;

/// A service of AWS, as far as it is built.
#[derive(Debug)]
pub struct Service {
    /// The signing name in the credential scope, which is also the prefix of its actions in policies.
    pub name: &'static str,
    /// How its requests and responses are written.
    pub protocol: Protocol,
    /// The API version: `Version` of query protocols.
    pub version: &'static str,
    /// Whether its records have no Region (scope `global`), as IAM's.
    pub global: bool,
    /// Code of the fault for a missing or unfitting member, where the protocol has no code of its own.
    pub invalid: &'static str,
    /// What is built, written by `cargo xtask lists`.
    pub operations: &'static [Operation],
}

impl Service {
    /// Paths of all members that an operation's input has in AWS, lists and maps on the way left out.
    #[must_use]
    pub fn members(&self, operation: &str) -> Vec<&'static str> {
        let model = crate::model::Model::named(self.name);
        let facts = model.as_ref().and_then(|model| model.operation(operation));
        facts.map(|facts| facts.members().collect()).unwrap_or_default()
    }
}

/// The protocols.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    /// Form in, XML out: sts, iam.
    Query,
    /// EC2's variant of it.
    Ec2,
    /// JSON with paths and methods.
    RestJson(Case),
    /// JSON with `X-Amz-Target: PREFIX.Operation`.
    Json {
        /// The target's prefix.
        target: &'static str,
        /// Of member names.
        case: Case,
    },
}

impl Protocol {
    /// Spelling of request members.
    #[must_use]
    pub const fn input_case(self) -> Case {
        match self {
            Self::Query | Self::Ec2 => Case::Pascal,
            Self::RestJson(case) | Self::Json { case, .. } => case,
        }
    }

    /// Spelling of response members.
    #[must_use]
    pub const fn output_case(self) -> Case {
        match self {
            Self::Query => Case::Pascal,
            Self::Ec2 => Case::Camel,
            Self::RestJson(case) | Self::Json { case, .. } => case,
        }
    }
}
