//! Lists, arrows, sizes.
fn main() {}
