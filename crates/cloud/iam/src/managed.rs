//! AWS-managed policies: they exist, by ARN, in every account.
//!
//! Documents are made from the tables of its modules: what each policy allows, of what and under which conditions, as AWS's
//! reference of managed policies has it (<https://docs.aws.amazon.com/aws-managed-policy/latest/reference/>). None is wider
//! than its original. `ReadOnlyAccess` names the services that are here, of the hundreds there.

mod auto;
mod eks;
mod general;

use std::collections::BTreeMap;
use std::sync::LazyLock;

use serde_json::{Map, Value, json};

/// One managed policy.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Managed {
    /// Before the name: empty or `service-role/`.
    pub(crate) path: &'static str,
    pub(crate) name: &'static str,
    statements: &'static [Statement],
}

/// What it allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Statement {
    /// All but these actions.
    except: bool,
    actions: &'static [&'static str],
    resources: &'static [&'static str],
    conditions: &'static [Condition],
}

/// Operator, key and values.
type Condition = (&'static str, &'static str, &'static [&'static str]);

const PREFIX: &str = "arn:aws:iam::aws:policy/";

const fn policy(name: &'static str, statements: &'static [Statement]) -> Managed {
    Managed { path: "", name, statements }
}

/// Of every resource.
const fn all(actions: &'static [&'static str]) -> Statement {
    on(&["*"], actions)
}

const fn on(resources: &'static [&'static str], actions: &'static [&'static str]) -> Statement {
    Statement { except: false, actions, resources, conditions: &[] }
}

/// Everything but these actions.
const fn all_but(actions: &'static [&'static str]) -> Statement {
    Statement { except: true, ..all(actions) }
}

impl Statement {
    const fn when(self, conditions: &'static [Condition]) -> Self {
        Self { conditions, ..self }
    }

    fn written(&self) -> Value {
        let element = if self.except { "NotAction" } else { "Action" };
        let mut statement = json!({ "Effect": "Allow", element: self.actions, "Resource": self.resources });
        let mut operators: BTreeMap<&str, Map<String, Value>> = BTreeMap::new();
        for (operator, key, values) in self.conditions {
            operators.entry(operator).or_default().insert((*key).to_owned(), json!(values));
        }
        if let Some(statement) = statement.as_object_mut().filter(|_| !operators.is_empty()) {
            statement.insert("Condition".to_owned(), json!(operators));
        }
        statement
    }
}

impl Managed {
    /// The policy of an ARN.
    pub(crate) fn by_arn(arn: &str) -> Option<&'static Self> {
        let path_and_name = arn.strip_prefix(PREFIX)?;
        Self::all().find(|policy| path_and_name.strip_prefix(policy.path).is_some_and(|name| name == policy.name))
    }

    pub(crate) fn all() -> impl Iterator<Item = &'static Self> {
        general::TABLE.iter().chain(eks::TABLE).chain(auto::TABLE)
    }

    pub(crate) fn arn(&self) -> String {
        format!("{PREFIX}{}{}", self.path, self.name)
    }

    /// Made from the name, so that it is the same everywhere and always.
    pub(crate) fn id(&self) -> String {
        const ALPHABET: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
        // FNV-1a, spread over the seventeen letters.
        let mut state = self
            .name
            .bytes()
            .fold(0xcbf2_9ce4_8422_2325_u64, |state, byte| (state ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
        let letter = |_| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            char::from(ALPHABET[usize::try_from(state >> 59).unwrap_or(0)])
        };
        format!("ANPA{}", (0..17).map(letter).collect::<String>())
    }

    /// The document; made once of each policy.
    pub(crate) fn text(&'static self) -> &'static str {
        static TEXTS: LazyLock<BTreeMap<&'static str, String>> =
            LazyLock::new(|| Managed::all().map(|policy| (policy.name, policy.written())).collect());
        TEXTS.get(self.name).map_or("", String::as_str)
    }

    fn written(&self) -> String {
        let statements: Vec<Value> = self.statements.iter().map(Statement::written).collect();
        json!({ "Version": "2012-10-17", "Statement": statements }).to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_is_a_policy_found_by_its_arn() {
        for policy in Managed::all() {
            if let Err(error) = eksile_aws::policy::Document::identity(policy.text()) {
                panic!("{}: {error:?}", policy.name);
            }
            assert_eq!(Managed::by_arn(&policy.arn()).unwrap(), policy);
            // Of two conditions on one key by one operator, one would be lost.
            for statement in policy.statements {
                let keys: std::collections::BTreeSet<_> = statement.conditions.iter().map(|(o, k, _)| (o, k)).collect();
                assert_eq!(keys.len(), statement.conditions.len(), "{}", policy.name);
            }
        }
        assert!(Managed::by_arn("arn:aws:iam::aws:policy/AmazonEBSCSIDriverPolicy").is_none());
    }
}
