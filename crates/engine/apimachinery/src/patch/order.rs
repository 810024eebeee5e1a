//! The order of a merged list: that of the patch, then that of the live list.

use std::cmp::Ordering;
use std::collections::HashMap;

use serde_json::Value;

/// Sorts `patched` by `patch_order` and `server_only` by `server_order` and interleaves them by `server_order`.
/// `key` tells structs apart; `None` for scalars.
pub(super) fn interleave(
    patched: Vec<Value>,
    server_only: Vec<Value>,
    patch_order: &[Value],
    server_order: &[Value],
    key: Option<&str>,
) -> Vec<Value> {
    let server = Places::of(server_order, key);
    let patched = sort(patched, &Places::of(patch_order, key), key);
    let server_only = sort(server_only, &server, key);
    let mut out = Vec::with_capacity(patched.len() + server_only.len());
    let mut left = server_only.into_iter().peekable();
    let mut right = patched.into_iter().peekable();
    while let (Some(l), Some(r)) = (left.peek(), right.peek()) {
        let earlier = match (server.find(l, key), server.find(r, key)) {
            (Some(l), Some(r)) => l < r,
            _ => false,
        };
        out.extend(if earlier { left.next() } else { right.next() });
    }
    out.extend(left);
    out.extend(right);
    out
}

/// Elements that `order` does not know stay behind those that it knows, as they were.
fn sort(items: Vec<Value>, order: &Places<'_>, key: Option<&str>) -> Vec<Value> {
    let mut placed: Vec<(Option<usize>, Value)> =
        items.into_iter().map(|item| (order.find(&item, key), item)).collect();
    placed.sort_by(|(a, _), (b, _)| match (a, b) {
        (Some(a), Some(b)) => a.cmp(b),
        (Some(_), None) => Ordering::Less,
        (None, Some(_)) => Ordering::Greater,
        (None, None) => Ordering::Equal,
    });
    placed.into_iter().map(|(_, item)| item).collect()
}

/// What tells an element of a list from the others: the value of its merge key, or all of it.
pub(super) type Mark<'v> = Option<&'v Value>;

/// The mark of an element.
pub(super) fn mark<'v>(item: &'v Value, key: Option<&str>) -> Mark<'v> {
    match key {
        Some(key) => item.get(key),
        None => Some(item),
    }
}

/// Where each element of a list is first found: hashed, since lists of a request may have tens of thousands.
pub(super) struct Places<'v>(HashMap<Mark<'v>, usize>);

impl<'v> Places<'v> {
    pub(super) fn of(items: &'v [Value], key: Option<&str>) -> Self {
        let mut places = HashMap::with_capacity(items.len());
        for (index, item) in items.iter().enumerate() {
            places.entry(mark(item, key)).or_insert(index);
        }
        Self(places)
    }

    pub(super) fn find(&self, item: &Value, key: Option<&str>) -> Option<usize> {
        self.0.get(&mark(item, key)).copied()
    }
}

/// Whether two elements are the same one.
pub(super) fn same(a: &Value, b: &Value, key: Option<&str>) -> bool {
    mark(a, key) == mark(b, key)
}
