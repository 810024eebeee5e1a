//! `metav1.ListOptions`: what lists and watches read from the query.

use super::list::Filter;
use crate::call::Call;
use crate::field::FieldErrors;
use crate::negotiate::{self, Wanted};
use crate::query::Query;
use crate::status::StatusError;

/// The options of a list or watch, judged in upstream's order: numbers, selectors, what goes with what, the form of the
/// answer, the fields by which the kind is selected.
pub(super) struct ListOptions {
    pub(super) filter: Filter,
    pub(super) limit: Option<i64>,
    /// Seconds.
    pub(super) timeout: Option<i64>,
    pub(super) wanted: Wanted,
}

impl ListOptions {
    /// Reads and checks them.
    ///
    /// # Errors
    /// 400, 406 or 422.
    pub(super) fn read(call: &Call<'_>) -> Result<Self, StatusError> {
        let timeout = call.query.number("timeoutSeconds")?;
        let limit = call.query.number("limit")?;
        let filter = Filter::of(call.at)?;
        let mut errors = FieldErrors::new();
        // The old paths of watches do not say `watch`, and are checked as lists.
        if call.query.flag("watch") {
            check_watch(call.query, &mut errors);
        } else {
            check_list(call.query, &mut errors);
        }
        if !errors.is_empty() {
            return Err(StatusError::invalid("meta.k8s.io", "ListOptions", "", &errors));
        }
        let wanted = negotiate::wanted(call.head.accept)?;
        filter.check(call.resource)?;
        let filter = filter.confined(&call.at.name)?;
        Ok(Self { filter, limit, timeout, wanted })
    }
}

const MATCH: &str = "resourceVersionMatch";
const INITIAL: &str = "sendInitialEvents";

fn check_list(query: &Query<'_>, errors: &mut FieldErrors) {
    let (version, matching) = (query.get("resourceVersion"), query.get(MATCH));
    if !matching.is_empty() {
        if version.is_empty() {
            errors.forbidden(MATCH, "resourceVersionMatch is forbidden unless resourceVersion is provided");
        }
        if !query.get("continue").is_empty() {
            errors.forbidden(MATCH, "resourceVersionMatch is forbidden when continue is provided");
        }
        if !matches!(matching, "Exact" | "NotOlderThan") {
            errors.not_supported(MATCH, &matching.into(), &["Exact", "NotOlderThan", ""]);
        }
        if matching == "Exact" && version == "0" {
            errors.forbidden(MATCH, "resourceVersionMatch \"exact\" is forbidden for resourceVersion \"0\"");
        }
    }
    if query.has(INITIAL) {
        errors.forbidden(INITIAL, "sendInitialEvents is forbidden for list");
    }
}

/// Watches that send what is there first are a feature of upstream's that 1.33 has turned off (the gate `WatchList`).
fn check_watch(query: &Query<'_>, errors: &mut FieldErrors) {
    let matching = query.get(MATCH);
    let initial = query.has(INITIAL);
    if initial {
        if matching != "NotOlderThan" {
            errors.forbidden(MATCH, "sendInitialEvents requires setting resourceVersionMatch to NotOlderThan");
        }
        let why = "sendInitialEvents is forbidden for watch unless the WatchList feature gate is enabled";
        errors.forbidden(INITIAL, why);
    }
    if matching.is_empty() {
        return;
    }
    if !initial {
        let why = "resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided";
        errors.forbidden(MATCH, why);
    }
    if matching != "NotOlderThan" {
        errors.not_supported(MATCH, &matching.into(), &["NotOlderThan"]);
    }
    if !query.get("continue").is_empty() {
        errors.forbidden(MATCH, "resourceVersionMatch is forbidden when continue is provided");
    }
}
