//! Which addresses of a subnet are free.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;

use crate::block::Block;
use crate::records::NetworkInterface;

/// A subnet's addresses: the first four and the last are AWS's (VPC user guide, "Subnet CIDR blocks").
#[derive(Debug, Clone)]
pub struct SubnetSpace {
    block: Block,
    used: BTreeSet<Ipv4Addr>,
}

impl SubnetSpace {
    /// The space of `block`, less what `interfaces` (those of this subnet) hold. An address that does not parse holds nothing.
    pub fn new<'a>(block: Block, interfaces: impl IntoIterator<Item = &'a NetworkInterface>) -> Self {
        let addresses = |interface: &'a NetworkInterface| {
            std::iter::once(&interface.private_ip).chain(&interface.secondary_private_ips)
        };
        let used = interfaces.into_iter().flat_map(addresses).filter_map(|text| text.parse().ok());
        Self { block, used: used.filter(|address| block.holds(*address)).collect() }
    }

    /// How many addresses can still be given out.
    #[must_use]
    pub fn free(&self) -> u64 {
        self.block.size().saturating_sub(5 + self.used.len() as u64)
    }

    /// Whether `address` is one that could be given out.
    #[must_use]
    pub fn is_free(&self, address: Ipv4Addr) -> bool {
        self.assignable(address) && !self.used.contains(&address)
    }

    /// Whether `address` lies inside and is not reserved.
    #[must_use]
    pub fn assignable(&self, address: Ipv4Addr) -> bool {
        let reserved = address == self.block.last() || (0..4).any(|n| self.block.nth(n) == Some(address));
        self.block.holds(address) && !reserved
    }

    /// Takes the lowest free address.
    pub fn take(&mut self) -> Option<Ipv4Addr> {
        let last = u32::try_from(self.block.size().saturating_sub(1)).unwrap_or(u32::MAX);
        let free = (4..last).filter_map(|n| self.block.nth(n)).find(|address| !self.used.contains(address))?;
        self.used.insert(free);
        Some(free)
    }

    /// Takes `address`; false when it was not free.
    pub fn take_exactly(&mut self, address: Ipv4Addr) -> bool {
        self.is_free(address) && self.used.insert(address)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn space(text: &str) -> SubnetSpace {
        SubnetSpace::new(text.parse().unwrap(), [])
    }

    #[test]
    fn five_addresses_are_never_given() {
        let mut smallest = space("10.0.0.0/28");
        assert_eq!(smallest.free(), 11);
        let taken: Vec<_> = std::iter::from_fn(|| smallest.take()).collect();
        assert_eq!(taken.first(), Some(&Ipv4Addr::new(10, 0, 0, 4)));
        assert_eq!(taken.last(), Some(&Ipv4Addr::new(10, 0, 0, 14)));
        assert_eq!((taken.len(), smallest.free()), (11, 0));
    }

    #[test]
    fn an_address_is_taken_once() {
        let mut space = space("10.0.1.0/24");
        assert!(space.take_exactly(Ipv4Addr::new(10, 0, 1, 4)));
        assert!(!space.take_exactly(Ipv4Addr::new(10, 0, 1, 4)));
        assert!(!space.take_exactly(Ipv4Addr::new(10, 0, 1, 3)));
        assert!(!space.take_exactly(Ipv4Addr::new(10, 0, 1, 255)));
        assert!(!space.take_exactly(Ipv4Addr::new(10, 0, 2, 9)));
        assert_eq!(space.take(), Some(Ipv4Addr::new(10, 0, 1, 5)));
        assert_eq!(space.free(), 249);
    }
}
