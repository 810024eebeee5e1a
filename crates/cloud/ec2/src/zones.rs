//! Regions and their Availability Zones.
//!
//! Names and ids as AWS documents them ("Regions and Zones" of the EC2 user guide). In AWS the letter that
//! an account sees for a Zone id is its own; here every account sees the same order.

/// One Availability Zone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Zone {
    /// Such as `us-west-2a`.
    pub name: String,
    /// Such as `usw2-az1`.
    pub id: String,
}

/// A Region: its name, the stem of its Zone ids, and per Zone its letter and number.
struct Region {
    name: &'static str,
    stem: &'static str,
    opted_in: bool,
    zones: &'static [(char, u8)],
}

const ABC: &[(char, u8)] = &[('a', 1), ('b', 2), ('c', 3)];

const fn region(name: &'static str, stem: &'static str, zones: &'static [(char, u8)]) -> Region {
    Region { name, stem, opted_in: false, zones }
}

const fn opt_in(name: &'static str, stem: &'static str, zones: &'static [(char, u8)]) -> Region {
    Region { name, stem, opted_in: true, zones }
}

static REGIONS: &[Region] = &[
    opt_in("af-south-1", "afs1", ABC),
    opt_in("ap-east-1", "ape1", ABC),
    region("ap-northeast-1", "apne1", &[('a', 4), ('c', 1), ('d', 2)]),
    region("ap-northeast-2", "apne2", &[('a', 1), ('b', 2), ('c', 3), ('d', 4)]),
    region("ap-northeast-3", "apne3", &[('a', 3), ('b', 1), ('c', 2)]),
    region("ap-south-1", "aps1", &[('a', 1), ('b', 3), ('c', 2)]),
    opt_in("ap-south-2", "aps2", ABC),
    region("ap-southeast-1", "apse1", ABC),
    region("ap-southeast-2", "apse2", ABC),
    opt_in("ap-southeast-3", "apse3", ABC),
    opt_in("ap-southeast-4", "apse4", ABC),
    region("ca-central-1", "cac1", &[('a', 1), ('b', 2), ('d', 4)]),
    opt_in("ca-west-1", "caw1", ABC),
    region("eu-central-1", "euc1", &[('a', 2), ('b', 3), ('c', 1)]),
    opt_in("eu-central-2", "euc2", ABC),
    region("eu-north-1", "eun1", ABC),
    opt_in("eu-south-1", "eus1", ABC),
    opt_in("eu-south-2", "eus2", ABC),
    region("eu-west-1", "euw1", ABC),
    region("eu-west-2", "euw2", ABC),
    region("eu-west-3", "euw3", ABC),
    opt_in("il-central-1", "ilc1", ABC),
    opt_in("me-central-1", "mec1", ABC),
    opt_in("me-south-1", "mes1", ABC),
    region("sa-east-1", "sae1", ABC),
    region("us-east-1", "use1", &[('a', 1), ('b', 2), ('c', 4), ('d', 6), ('e', 3), ('f', 5)]),
    region("us-east-2", "use2", ABC),
    region("us-west-1", "usw1", &[('a', 1), ('c', 3)]),
    region("us-west-2", "usw2", &[('a', 1), ('b', 2), ('c', 3), ('d', 4)]),
];

/// Names of all Regions, in order, and whether each must be opted into.
pub fn regions() -> impl Iterator<Item = (&'static str, bool)> {
    REGIONS.iter().map(|region| (region.name, region.opted_in))
}

/// The Zones of a Region, by name; none when there is no such Region.
#[must_use]
pub fn zones(region: &str) -> Vec<Zone> {
    let Some(found) = REGIONS.iter().find(|candidate| candidate.name == region) else { return Vec::new() };
    let zone = |(letter, number): &(char, u8)| Zone {
        name: format!("{}{letter}", found.name),
        id: format!("{}-az{number}", found.stem),
    };
    found.zones.iter().map(zone).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn regions_are_sorted_and_zone_ids_unique() {
        assert!(REGIONS.windows(2).all(|pair| pair[0].name < pair[1].name));
        let ids: Vec<_> = regions().flat_map(|(name, _)| zones(name)).map(|zone| zone.id).collect();
        assert_eq!(ids.iter().collect::<BTreeSet<_>>().len(), ids.len());
        assert!(regions().all(|(name, _)| zones(name).len() >= 2));
    }

    #[test]
    fn an_outpost_parent_zone_has_a_name_and_an_id() {
        let first = Zone { name: "us-west-2a".into(), id: "usw2-az1".into() };
        assert_eq!(zones("us-west-2").first(), Some(&first));
        assert!(zones("mars-north-1").is_empty());
    }
}
