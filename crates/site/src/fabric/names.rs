//! Names and numbers that follow from ids alone: nothing needs to be remembered over a restart.

use eksile_linux::netlink::Mac;

/// The namespace of a VPC's router: `VPC` for the Region's Zones, `VPC-OUTPOST` on an Outpost.
#[must_use]
pub fn router(vpc_id: &str, site: &str, region: &str) -> String {
    if site == region { vpc_id.to_owned() } else { format!("{vpc_id}-{site}") }
}

/// An interface's name: a prefix and the end of an id. An interface's name has at most 15
/// characters (`IFNAMSIZ`), an id has more; 48 of its 68 random bits remain.
pub(super) fn device(prefix: char, id: &str) -> String {
    format!("{prefix}{}", tail(id, 12))
}

/// The name, at the on-premises end, of the cable from an Outpost's part of a VPC. It begins with
/// [`onprem_prefix`], by which the Outpost's site knows its own.
pub(super) fn onprem_device(vpc_id: &str, outpost: &str) -> String {
    format!("{}{}", onprem_prefix(outpost), tail(vpc_id, 8))
}

/// See [`onprem_device`].
pub(super) fn onprem_prefix(outpost: &str) -> String {
    format!("v{}", tail(outpost, 6))
}

fn tail(id: &str, length: usize) -> &str {
    id.len().checked_sub(length).and_then(|at| id.get(at..)).unwrap_or(id)
}

/// A number for marks, tables and device groups: 31 bits of the id, the highest bit set, so that it
/// never meets one that the kernel or a base place uses.
pub(super) fn number(id: &str) -> u32 {
    u32::try_from(hash(id) & 0x7fff_ffff).unwrap_or_default() | 0x8000_0000
}

/// The hardware address of an end of a cable that has no record of its own: locally administered.
pub(super) fn mac(place: &str, device: &str) -> Mac {
    let [_, _, _, a, b, c, d, e] = hash(&format!("{place}/{device}")).to_be_bytes();
    Mac([0x02, a, b, c, d, e])
}

/// FNV-1a, 64 bits (draft-eastlake-fnv): stable over versions, which the standard library's is not.
fn hash(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |h, byte| (h ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_fit() {
        let id = "eni-0123456789abcdef0";
        assert_eq!(device('e', id), "e56789abcdef0");
        assert!(onprem_device("vpc-0123456789abcdef0", "op-0123456789abcdef0").len() <= 15);
        assert_eq!(device('e', "eni-1"), "eeni-1");
    }

    #[test]
    fn numbers_are_stable_and_apart() {
        assert_eq!(number("subnet-0123456789abcdef0"), number("subnet-0123456789abcdef0"));
        assert_ne!(number("subnet-0123456789abcdef0"), number("subnet-0123456789abcdef1"));
        assert!(number("") >= 0x8000_0000);
    }
}
