//! `Filters` of describe operations.
//!
//! Values within one filter are alternatives, filters add up, `*` and `?` are wildcards, `\` escapes.
//! <https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/Using_Filtering.html>

use crate::contract::Fault;
use crate::pattern;

/// One filter. In ec2 inputs: `#[shape(input = "Filter")] filters: Vec<Filter>`.
#[derive(Debug, Clone, PartialEq, Eq, eksile_shape::Shape)]
pub struct Filter {
    /// Such as `vpc-id`, `tag:Name`, `tag-key`.
    pub name: Option<String>,
    /// Alternatives.
    #[shape(input = "Value", output = "valueSet")]
    pub values: Vec<String>,
}

/// Keeps the items that every filter matches. `known(name)` says whether AWS knows a filter of that name, items or none;
/// `values_of(item, name)` answers an item's values for it, `None` for a filter that is unknown after all. Make both with
/// [`filters!`](crate::filters). For tags there are `tag:KEY`, `tag-key`, `tag-value`, which they must answer as well.
///
/// # Errors
/// `InvalidParameterValue` for a filter that AWS does not know.
pub fn filtered<T>(
    items: Vec<T>,
    filters: &[Filter],
    known: impl Fn(&str) -> bool,
    values_of: impl Fn(&T, &str) -> Option<Vec<String>>,
) -> Result<Vec<T>, Fault> {
    let name = |filter: &Filter| filter.name.clone().unwrap_or_default();
    if let Some(filter) = filters.iter().find(|filter| !known(&name(filter))) {
        return Err(unknown(&name(filter)));
    }
    let mut kept = Vec::with_capacity(items.len());
    for item in items {
        let mut all = true;
        for filter in filters {
            let name = filter.name.as_deref().unwrap_or_default();
            let values = values_of(&item, name).ok_or_else(|| unknown(name))?;
            all &= filter.values.iter().any(|wanted| values.iter().any(|value| pattern::escaped(wanted, value)));
        }
        if all {
            kept.push(item);
        }
    }
    Ok(kept)
}

/// The filters of a describe operation, each with an item's values for it (text, an option or a list of texts), in one
/// table; so that the names cannot be other than those that are answered.
///
/// Writes `const NAMES: &[&str]` and `fn values(…, name: &str) -> Option<Vec<String>>`, under the names given:
///
/// ```
/// struct Zone { id: String, group: Option<String> }
/// eksile_aws::filters! {
///     const NAMES, fn values(zone: &Zone) {
///         "zone-id" | "id" => zone.id.clone(),
///         "group-name" => zone.group.clone(),
///     }
/// }
/// let zone = Zone { id: "use1-az1".to_owned(), group: None };
/// assert_eq!(NAMES, ["zone-id", "id", "group-name"]);
/// assert_eq!(values(&zone, "id"), Some(vec!["use1-az1".to_owned()]));
/// assert_eq!(values(&zone, "group-name"), Some(vec![]));
/// assert_eq!(values(&zone, "name"), None);
/// ```
#[macro_export]
macro_rules! filters {
    ($(#[$doc:meta])* $vis:vis const $names:ident, fn $values:ident($($argument:ident: $type:ty),* $(,)?) {
        $($($name:literal)|+ => $value:expr),+ $(,)?
    }) => {
        /// The names of the filters.
        $vis const $names: &[&str] = &[$($($name),+),+];

        $(#[$doc])*
        $vis fn $values($($argument: $type,)* name: &str) -> ::core::option::Option<::std::vec::Vec<String>> {
            match name {
                $($($name)|+ => ::core::option::Option::Some($crate::inputs::Values::values($value)),)+
                _ => ::core::option::Option::None,
            }
        }
    };
}

/// What can stand for a filter's values in [`filters!`](crate::filters).
pub trait Values {
    /// As a list.
    fn values(self) -> Vec<String>;
}

impl Values for String {
    fn values(self) -> Vec<String> {
        vec![self]
    }
}

impl Values for &str {
    fn values(self) -> Vec<String> {
        vec![self.to_owned()]
    }
}

impl Values for Option<String> {
    fn values(self) -> Vec<String> {
        self.into_iter().collect()
    }
}

impl Values for Vec<String> {
    fn values(self) -> Vec<String> {
        self
    }
}

fn unknown(name: &str) -> Fault {
    Fault::client("InvalidParameterValue", 400, format!("The filter '{name}' is invalid"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filter(name: &str, values: &[&str]) -> Filter {
        Filter { name: Some(name.into()), values: values.iter().map(|&v| v.into()).collect() }
    }

    fn named(filters: &[Filter]) -> Result<Vec<&'static str>, Fault> {
        of(vec!["alpha", "beta", "a*"], filters)
    }

    crate::filters! {
        const NAMES, fn values(item: &str) {
            "name" => item,
        }
    }

    fn of(items: Vec<&'static str>, filters: &[Filter]) -> Result<Vec<&'static str>, Fault> {
        filtered(items, filters, |name| NAMES.contains(&name), |item, name| values(item, name))
    }

    #[test]
    fn values_are_alternatives_and_filters_add_up() {
        assert_eq!(named(&[filter("name", &["alpha", "beta"])]).unwrap(), ["alpha", "beta"]);
        assert_eq!(named(&[filter("name", &["a*"]), filter("name", &["?????"])]).unwrap(), ["alpha"]);
        assert_eq!(named(&[filter("name", &[r"a\*"])]).unwrap(), ["a*"]);
        assert_eq!(named(&[filter("name", &[])]).unwrap(), Vec::<&str>::new());
    }

    #[test]
    fn unknown_filters_are_refused() {
        let refused = |items| of(items, &[filter("name", &["x"]), filter("nam", &["x"])]).unwrap_err();
        assert_eq!(refused(vec!["alpha"]).code, "InvalidParameterValue");
        assert_eq!(refused(Vec::new()).message, "The filter 'nam' is invalid");
    }
}
