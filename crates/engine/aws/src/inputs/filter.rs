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

/// Keeps the items that every filter matches. `values_of(item, name)` answers the item's values for a
/// filter's name, or `None` when AWS knows no filter of that name; for tags, see [`super::tags`]' keys
/// (`tag:KEY`, `tag-key`, `tag-value`), which it must answer as well.
///
/// # Errors
/// `InvalidParameterValue` for a filter that AWS does not know.
pub fn filtered<T>(
    items: Vec<T>,
    filters: &[Filter],
    values_of: impl Fn(&T, &str) -> Option<Vec<String>>,
) -> Result<Vec<T>, Fault> {
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
        filtered(vec!["alpha", "beta", "a*"], filters, |item, name| (name == "name").then(|| vec![(*item).into()]))
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
        assert_eq!(named(&[filter("nam", &["x"])]).unwrap_err().code, "InvalidParameterValue");
    }
}
