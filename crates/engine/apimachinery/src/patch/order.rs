//! The order of a merged list: that of the patch, then that of the live list.

use std::cmp::Ordering;

use serde_json::Value;

/// Sorts `patched` by `patch_order` and `server_only` by `server_order` and interleaves them by `server_order`.
/// `key` tells structs apart; `None` for scalars.
pub(super) fn interleave(
    mut patched: Vec<Value>,
    mut server_only: Vec<Value>,
    patch_order: &[Value],
    server_order: &[Value],
    key: Option<&str>,
) -> Vec<Value> {
    sort(&mut patched, patch_order, key);
    sort(&mut server_only, server_order, key);
    let mut out = Vec::with_capacity(patched.len() + server_only.len());
    let mut left = server_only.into_iter().peekable();
    let mut right = patched.into_iter().peekable();
    while let (Some(l), Some(r)) = (left.peek(), right.peek()) {
        let earlier = match (index(server_order, l, key), index(server_order, r, key)) {
            (Some(l), Some(r)) => l < r,
            _ => false,
        };
        out.extend(if earlier { left.next() } else { right.next() });
    }
    out.extend(left);
    out.extend(right);
    out
}

/// Elements that `order` does not know stay where they are.
fn sort(items: &mut [Value], order: &[Value], key: Option<&str>) {
    items.sort_by(|a, b| match (index(order, a, key), index(order, b, key)) {
        (Some(a), Some(b)) => a.cmp(&b),
        (Some(_), None) => Ordering::Less,
        (None, Some(_)) => Ordering::Greater,
        (None, None) => Ordering::Equal,
    });
}

fn index(order: &[Value], item: &Value, key: Option<&str>) -> Option<usize> {
    order.iter().position(|other| same(other, item, key))
}

/// Whether two elements are the same one.
pub(super) fn same(a: &Value, b: &Value, key: Option<&str>) -> bool {
    match key {
        Some(key) => a.get(key) == b.get(key),
        None => a == b,
    }
}
