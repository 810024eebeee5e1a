//! The schema table of the built-in kinds.

use std::sync::{Arc, OnceLock};

use eksile_apimachinery::schema::Schemas;

/// The types of Kubernetes 1.33, read once from the table that `xtask/schema/generate` writes.
#[must_use]
pub fn builtin() -> &'static Arc<Schemas> {
    static TABLE: OnceLock<Arc<Schemas>> = OnceLock::new();
    TABLE.get_or_init(|| {
        Arc::new(
            Schemas::parse(include_str!("../data/schema.txt")).expect("the table is generated, and a test reads it"),
        )
    })
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_table_is_well_formed() {
        assert!(super::builtin().kind("v1", "Pod").is_some());
    }
}
