//! `#[shape(...)]`, read into plain values.

use syn::{Attribute, LitStr, Result};

/// What was written on one field or variant.
#[derive(Default)]
pub(crate) struct Attributes {
    pub(crate) name: Option<String>,
    pub(crate) input: Option<String>,
    pub(crate) output: Option<String>,
    pub(crate) item: Option<String>,
    pub(crate) flattened: bool,
    pub(crate) default: bool,
}

impl Attributes {
    pub(crate) fn read(attributes: &[Attribute]) -> Result<Self> {
        let mut read = Self::default();
        for attribute in attributes.iter().filter(|a| a.path().is_ident("shape")) {
            attribute.parse_nested_meta(|meta| {
                let target = match meta.path.get_ident().map(ToString::to_string).as_deref() {
                    Some("name") => &mut read.name,
                    Some("input") => &mut read.input,
                    Some("output") => &mut read.output,
                    Some("item") => &mut read.item,
                    Some("flattened") => {
                        read.flattened = true;
                        return Ok(());
                    }
                    Some("default") => {
                        read.default = true;
                        return Ok(());
                    }
                    _ => return Err(meta.error("unknown shape attribute")),
                };
                *target = Some(meta.value()?.parse::<LitStr>()?.value());
                Ok(())
            })?;
        }
        Ok(read)
    }
}
