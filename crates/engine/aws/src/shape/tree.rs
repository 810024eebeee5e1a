//! A request, parsed but not yet typed.

use std::collections::BTreeMap;

use super::{Case, DecodeError, Names, Shape};

/// A request's members before a shape gives them types.
#[derive(Debug, Clone, PartialEq, Default)]
pub enum Tree {
    /// JSON null: as if the member were not there.
    #[default]
    Null,
    /// JSON only.
    Bool(bool),
    /// JSON only.
    Number(serde_json::Number),
    /// A JSON string.
    Text(String),
    /// A JSON array.
    List(Vec<Tree>),
    /// Named members.
    Map(BTreeMap<String, Tree>),
    /// A form, query-string or path value: text that may stand for any scalar.
    Raw(String),
    /// Named members of a form, whose lists are members named by numbers.
    Form(BTreeMap<String, Tree>),
}

impl Tree {
    /// The member of that exact wire name, if there.
    #[must_use]
    pub fn member(&self, name: &str) -> Option<&Tree> {
        match self {
            Self::Map(members) | Self::Form(members) => members.get(name),
            _ => None,
        }
    }

    /// A string.
    ///
    /// # Errors
    /// It is something else.
    pub fn text(&self) -> Result<&str, DecodeError> {
        match self {
            Self::Text(text) | Self::Raw(text) => Ok(text),
            other => Err(DecodeError::wrong_type("string", other.shown())),
        }
    }

    /// The items of a list, in order.
    ///
    /// # Errors
    /// It is not a list.
    pub fn items(&self) -> Result<Vec<&Tree>, DecodeError> {
        match self {
            Self::List(items) => Ok(items.iter().collect()),
            Self::Form(members) => numbered(members).ok_or_else(|| DecodeError::wrong_type("list", "")),
            // `Names=` in a form is an empty list, `tagKeys=a` in a query string a list of one.
            Self::Raw(text) if text.is_empty() => Ok(Vec::new()),
            Self::Raw(_) => Ok(vec![self]),
            other => Err(DecodeError::wrong_type("list", other.shown())),
        }
    }

    /// Keys and values of a map.
    ///
    /// # Errors
    /// It is not a map.
    pub fn pairs(&self) -> Result<Vec<(String, &Tree)>, DecodeError> {
        match self {
            Self::Map(members) => Ok(members.iter().map(|(key, value)| (key.clone(), value)).collect()),
            Self::Form(_) => self.items()?.into_iter().map(entry).collect(),
            Self::Raw(text) if text.is_empty() => Ok(Vec::new()),
            other => Err(DecodeError::wrong_type("map", other.shown())),
        }
    }

    /// Whether it asks for nothing: false, nought, an empty text, and what holds nothing else. Some clients send such
    /// members always.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        match self {
            Self::Null => true,
            Self::Bool(value) => !value,
            Self::Number(number) => number.as_f64() == Some(0.0),
            Self::Text(text) => text.is_empty(),
            Self::Raw(text) => matches!(text.as_str(), "" | "0") || text.eq_ignore_ascii_case("false"),
            Self::List(items) => items.iter().all(Self::is_idle),
            Self::Map(members) | Self::Form(members) => members.values().all(Self::is_idle),
        }
    }

    /// Members of a structure that are not among `read`, with their paths. For derived code.
    pub fn beside(&self, read: &[&str], at: &str, found: &mut Vec<String>) {
        let (Self::Map(members) | Self::Form(members)) = self else { return };
        for (name, member) in members {
            if !read.contains(&name.as_str()) && !member.is_idle() {
                found.push(within(at, name));
            }
        }
    }

    /// A scalar as it was sent, for error messages.
    #[must_use]
    pub fn shown(&self) -> String {
        match self {
            Self::Null => "null".to_owned(),
            Self::Bool(value) => value.to_string(),
            Self::Number(number) => number.to_string(),
            Self::Text(text) | Self::Raw(text) => text.clone(),
            Self::List(_) => "a list".to_owned(),
            Self::Map(_) | Self::Form(_) => "a structure".to_owned(),
        }
    }
}

/// The path of a member.
#[must_use]
pub fn within(at: &str, name: &str) -> String {
    if at.is_empty() { name.to_owned() } else { format!("{at}.{name}") }
}

/// `X.1 X.2` or, one level down, `X.member.1 X.member.2`; order is by number, gaps are allowed.
fn numbered(members: &BTreeMap<String, Tree>) -> Option<Vec<&Tree>> {
    let mut items = Vec::with_capacity(members.len());
    for (name, item) in members {
        match name.parse::<u32>() {
            Ok(position) => items.push((position, item)),
            Err(_) => {
                return match item {
                    Tree::Form(inner) if members.len() == 1 && inner.keys().all(|k| k.parse::<u32>().is_ok()) => {
                        numbered(inner)
                    }
                    Tree::Raw(text) if members.len() == 1 && text.is_empty() => Some(Vec::new()),
                    _ => None,
                };
            }
        }
    }
    items.sort_by_key(|(position, _)| *position);
    Some(items.into_iter().map(|(_, item)| item).collect())
}

fn entry(item: &Tree) -> Result<(String, &Tree), DecodeError> {
    let key = item.member("key").or_else(|| item.member("Key")).ok_or_else(|| DecodeError::missing("key"))?;
    let value = item.member("value").or_else(|| item.member("Value")).ok_or_else(|| DecodeError::missing("value"))?;
    Ok((key.text()?.to_owned(), value))
}

/// Members of a structure while it is decoded. Used by derived code.
#[derive(Debug)]
pub struct Members<'a> {
    members: Option<&'a BTreeMap<String, Tree>>,
    case: Case,
}

impl<'a> Members<'a> {
    /// The members of a structure.
    ///
    /// # Errors
    /// It is not a structure.
    pub fn of(tree: &'a Tree, case: Case) -> Result<Self, DecodeError> {
        match tree {
            Tree::Map(members) | Tree::Form(members) => Ok(Self { members: Some(members), case }),
            // A form has no way to write an empty structure but `Name=`.
            Tree::Raw(text) if text.is_empty() => Ok(Self { members: None, case }),
            other => Err(DecodeError::wrong_type("structure", other.shown())),
        }
    }

    /// A member, or what stands for its absence.
    ///
    /// # Errors
    /// It is required and missing, or does not decode.
    pub fn field<T: Shape>(&self, names: &Names) -> Result<T, DecodeError> {
        let name = names.read(self.case);
        self.find(name)?.map_or_else(|| T::absent().ok_or_else(|| DecodeError::missing(name)), Ok)
    }

    /// A member, or its type's default.
    ///
    /// # Errors
    /// It does not decode.
    pub fn field_or_default<T: Shape + Default>(&self, names: &Names) -> Result<T, DecodeError> {
        Ok(self.find(names.read(self.case))?.unwrap_or_default())
    }

    fn find<T: Shape>(&self, name: &str) -> Result<Option<T>, DecodeError> {
        match self.members.and_then(|members| members.get(name)) {
            None | Some(Tree::Null) => Ok(None),
            Some(tree) => T::decode(tree, self.case).map(Some).map_err(|error| error.within(name)),
        }
    }
}
