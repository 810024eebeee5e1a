//! The service link of an Outpost: where it is, and how it is cut.

use eksile_linux::{Namespace, action};

use super::{FabricError, names};

/// Table of the management stream's routes in the link's namespace.
pub(super) const MANAGEMENT_TABLE: u32 = 1;

/// nftables table that drops everything; there while the link is cut by command.
const CUT: &str = "table inet eksile_cut {
\tchain forward { type filter hook forward priority -300; policy drop; }
\tchain input { type filter hook input priority -300; policy drop; }
\tchain output { type filter hook output priority -300; policy drop; }
}
";

/// The namespace that every packet between an Outpost and its Region passes.
#[must_use]
pub fn namespace(outpost: &str) -> Namespace {
    Namespace::named(&place(outpost))
}

/// The name of [`namespace`].
pub(super) fn place(outpost: &str) -> String {
    format!("link-{outpost}")
}

/// The name of the namespace where the Region listens for the Outpost's management stream.
#[must_use]
pub fn region_end(outpost: &str) -> String {
    format!("region-{outpost}")
}

/// The name of the namespace from which the Outpost dials the Region.
#[must_use]
pub fn site_end(outpost: &str) -> String {
    format!("site-{outpost}")
}

/// Table of the routes towards the Outpost for a VPC, in the link's namespace.
pub(super) fn table_down(vpc_id: &str) -> u32 {
    names::number(&format!("{vpc_id}/down"))
}

/// Table of the routes towards the Region for a VPC, in the link's namespace.
pub(super) fn table_up(vpc_id: &str) -> u32 {
    names::number(&format!("{vpc_id}/up"))
}

/// Cuts the link: every packet on it is dropped in silence, until [`reconnect`].
///
/// # Errors
/// When there is no such link, or nftables refuses.
pub fn disconnect(outpost: &str) -> Result<(), FabricError> {
    // Declaring it first makes the deletion valid whether or not it is there.
    let script = format!("table inet eksile_cut\ndelete table inet eksile_cut\n{CUT}");
    Ok(action::filter(&namespace(outpost), &script)?)
}

/// Heals what [`disconnect`] cut. Connections that outlived the cut go on.
///
/// # Errors
/// When there is no such link, or nftables refuses.
pub fn reconnect(outpost: &str) -> Result<(), FabricError> {
    Ok(action::filter(&namespace(outpost), "table inet eksile_cut\ndelete table inet eksile_cut\n")?)
}

/// Whether [`disconnect`] cut it. A cut by somebody else's rules is not seen here.
///
/// # Errors
/// When there is no such link, or nftables refuses.
pub fn is_cut(outpost: &str) -> Result<bool, FabricError> {
    let tables = action::nft(&namespace(outpost), &["list", "tables", "inet"], "")?;
    Ok(tables.lines().any(|line| line.trim() == "table inet eksile_cut"))
}
