//! Tests of a site's parts.

mod control_plane;
mod link;
