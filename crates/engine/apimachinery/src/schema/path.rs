//! Where a decoder is in its input, in the two ways in which upstream's errors tell it.

use super::types::Struct;

/// Where in the input we are; lives on the stack.
pub(super) struct Path<'p> {
    pub(super) up: Option<&'p Path<'p>>,
    pub(super) step: Step<'p>,
}

pub(super) enum Step<'p> {
    Root,
    Field(&'p Struct, &'p str),
    Key(&'p str),
    Index(usize),
}

impl Path<'_> {
    /// As strict errors show it: `spec.containers[0].name`.
    pub(super) fn strict(&self, out: &mut String) {
        if let Some(up) = self.up {
            up.strict(out);
        }
        match self.step {
            Step::Root => {}
            Step::Field(_, name) | Step::Key(name) => {
                if !out.is_empty() {
                    out.push('.');
                }
                out.push_str(name);
            }
            Step::Index(index) => out.push_str(&format!("[{index}]")),
        }
    }

    /// As type errors show it: the fields alone, and the innermost struct before them.
    pub(super) fn context(&self) -> (Option<&str>, String) {
        let mut innermost = None;
        let mut fields = Vec::new();
        let mut here = Some(self);
        while let Some(path) = here {
            if let Step::Field(one, name) = path.step {
                innermost = innermost.or(Some(one.go_name()));
                fields.push(name);
            }
            here = path.up;
        }
        fields.reverse();
        (innermost, fields.join("."))
    }

    pub(super) fn mismatch(&self, value: &str, go: &str) -> String {
        match self.context() {
            (Some(one), fields) => {
                format!("json: cannot unmarshal {value} into Go struct field {one}.{fields} of type {go}")
            }
            (None, _) => format!("json: cannot unmarshal {value} into Go value of type {go}"),
        }
    }

    pub(super) fn is_metadata(&self) -> bool {
        matches!((&self.step, self.up), (Step::Field(_, "metadata"), Some(Path { up: None, .. })))
    }

    /// `apiVersion` or `kind` of the object itself.
    pub(super) fn interpreted(&self) -> Option<&str> {
        match (&self.step, self.up) {
            (Step::Field(_, name @ ("apiVersion" | "kind")), Some(Path { up: None, .. })) => Some(name),
            _ => None,
        }
    }
}
