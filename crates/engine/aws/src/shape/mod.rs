//! Structures of the AWS APIs: one snake_case struct, every protocol.
//!
//! A request of any protocol is first parsed to a [`Tree`]; a shape decodes itself from that, and
//! encodes itself to a [`Value`], which the protocol's codec writes. Case and list style belong to
//! the codec. Derive it: `#[derive(Shape)]` (attributes: see `eksile-shape`).

mod error;
mod scalars;
mod tree;
mod value;

pub use error::{DecodeError, Problem};
pub use scalars::Blob;
pub use tree::{Members, Tree, within};
pub use value::Value;

/// A structure, scalar or collection of an AWS API.
pub trait Shape: Sized {
    /// The struct's name, which for an input is the operation's; empty for scalars and collections.
    const NAME: &'static str = "";

    /// Reads it from a parsed request. Members that it does not have are left to [`Shape::unread`].
    ///
    /// # Errors
    /// A member is missing or of the wrong type.
    fn decode(tree: &Tree, case: Case) -> Result<Self, DecodeError>;

    /// What stands for a member that is not in the request: nothing, unless it is optional.
    #[must_use]
    fn absent() -> Option<Self> {
        None
    }

    /// Adds the paths of what the request says and this shape does not read; `at` is the path so far, to which lists and
    /// maps add nothing.
    fn unread(_tree: &Tree, _case: Case, _at: &str, _found: &mut Vec<String>) {}

    /// As a value that a codec can write.
    fn encode(self) -> Value;
}

/// How a protocol (or a service within it) spells member names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Case {
    /// `VpcId`.
    Pascal,
    /// `vpcId`.
    Camel,
}

/// The wire names of one member, made at compile time by the derive; indexed by [`Case`].
#[derive(Debug, PartialEq, Eq)]
pub struct Names {
    /// In requests: Pascal, camel.
    pub input: [&'static str; 2],
    /// In responses: Pascal, camel.
    pub output: [&'static str; 2],
    /// Name of a list's items in XML, where it is not the protocol's own.
    pub item: Option<&'static str>,
    /// A list without a wrapping element in XML.
    pub flattened: bool,
}

impl Names {
    /// The name in requests.
    #[must_use]
    pub fn read(&self, case: Case) -> &'static str {
        self.input[case as usize]
    }

    /// The name in responses.
    #[must_use]
    pub fn write(&self, case: Case) -> &'static str {
        self.output[case as usize]
    }
}
