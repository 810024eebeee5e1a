//! IPv4 blocks (RFC 4632) as EC2 reads them.

use std::fmt;
use std::net::Ipv4Addr;
use std::str::FromStr;

/// An IPv4 block in canonical form: no host bits set.
///
/// EC2 rewrites a block with host bits to its canonical form instead of refusing it
/// (EC2 API reference, `CreateVpc`, `CidrBlock`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Block {
    first: u32,
    prefix: u8,
}

/// A text that is no IPv4 block.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0} is not a valid IPv4 block")]
pub struct NotABlock(String);

impl Block {
    /// Every IPv4 address.
    pub const ALL: Self = Self { first: 0, prefix: 0 };

    /// The block of `prefix` bits (0 to 32; more counts as 32) that holds `address`.
    #[must_use]
    pub fn around(address: Ipv4Addr, prefix: u8) -> Self {
        let prefix = prefix.min(32);
        Self { first: u32::from(address) & mask(prefix), prefix }
    }

    /// Number of leading bits that are fixed.
    #[must_use]
    pub fn prefix(self) -> u8 {
        self.prefix
    }

    /// The first address.
    #[must_use]
    pub fn first(self) -> Ipv4Addr {
        Ipv4Addr::from(self.first)
    }

    /// The last address.
    #[must_use]
    pub fn last(self) -> Ipv4Addr {
        Ipv4Addr::from(self.first | !mask(self.prefix))
    }

    /// How many addresses it spans.
    #[must_use]
    pub fn size(self) -> u64 {
        1 << (32 - self.prefix)
    }

    /// Whether `address` lies inside.
    #[must_use]
    pub fn holds(self, address: Ipv4Addr) -> bool {
        u32::from(address) & mask(self.prefix) == self.first
    }

    /// Whether all of `other` lies inside.
    #[must_use]
    pub fn contains(self, other: Self) -> bool {
        self.prefix <= other.prefix && self.holds(other.first())
    }

    /// Whether the two share an address.
    #[must_use]
    pub fn overlaps(self, other: Self) -> bool {
        self.contains(other) || other.contains(self)
    }

    /// The address `offset` places after the first, if still inside.
    #[must_use]
    pub fn nth(self, offset: u32) -> Option<Ipv4Addr> {
        (u64::from(offset) < self.size()).then(|| Ipv4Addr::from(self.first + offset))
    }

    /// The `index`th of the equal parts of `prefix` bits, if there is one.
    #[must_use]
    pub fn part(self, prefix: u8, index: u32) -> Option<Self> {
        let inside = (self.prefix..=32).contains(&prefix) && u64::from(index) < 1 << (prefix - self.prefix);
        inside.then(|| Self { first: self.first + (u64::from(index) << (32 - prefix)) as u32, prefix })
    }
}

fn mask(prefix: u8) -> u32 {
    u32::MAX.checked_shl(32 - u32::from(prefix)).unwrap_or(0)
}

impl FromStr for Block {
    type Err = NotABlock;

    fn from_str(text: &str) -> Result<Self, NotABlock> {
        let refused = || NotABlock(text.to_owned());
        let (address, prefix) = text.split_once('/').ok_or_else(refused)?;
        let digits = !prefix.is_empty() && prefix.len() <= 2 && prefix.bytes().all(|b| b.is_ascii_digit());
        let prefix: u8 = if digits { prefix.parse().map_err(|_| refused())? } else { return Err(refused()) };
        let address: Ipv4Addr = address.parse().map_err(|_| refused())?;
        if prefix > 32 { Err(refused()) } else { Ok(Self::around(address, prefix)) }
    }
}

impl fmt::Display for Block {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.first(), self.prefix)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn block(text: &str) -> Block {
        text.parse().unwrap()
    }

    #[test]
    fn host_bits_are_cleared() {
        assert_eq!(block("100.68.0.18/18").to_string(), "100.68.0.0/18");
        assert_eq!(block("1.2.3.4/0"), Block::ALL);
        assert_eq!(block("1.2.3.4/32").to_string(), "1.2.3.4/32");
    }

    #[test]
    fn bad_texts_are_refused() {
        for text in
            ["", "/", "10.0.0.0", "10.0.0.0/", "10.0.0.0/33", "10.0.0/8", "10.0.0.0/+8", "a/8", "10.0.0.0/8/8", "::/0"]
        {
            assert!(text.parse::<Block>().is_err(), "{text}");
        }
    }

    #[test]
    fn overlap_is_containment_one_way_or_the_other() {
        assert!(block("10.0.0.0/16").overlaps(block("10.0.4.0/24")));
        assert!(block("10.0.4.0/24").overlaps(block("10.0.0.0/16")));
        assert!(!block("10.0.4.0/24").overlaps(block("10.0.5.0/24")));
        assert!(!block("10.0.4.0/24").contains(block("10.0.0.0/16")));
    }

    #[test]
    fn parts_and_places() {
        assert_eq!(block("172.31.0.0/16").part(20, 3), Some(block("172.31.48.0/20")));
        assert_eq!(block("172.31.0.0/16").part(20, 16), None);
        assert_eq!(block("10.0.0.0/24").nth(5), Some(Ipv4Addr::new(10, 0, 0, 5)));
        assert_eq!(block("10.0.0.0/30").nth(4), None);
        assert_eq!(block("10.0.0.0/30").last(), Ipv4Addr::new(10, 0, 0, 3));
    }

    proptest! {
        #[test]
        fn any_text_is_taken(text in ".*") {
            let _ = text.parse::<Block>();
        }

        #[test]
        fn what_it_prints_it_reads(address: u32, prefix in 0u8..=32) {
            let block = Block::around(Ipv4Addr::from(address), prefix);
            prop_assert_eq!(block.to_string().parse::<Block>().unwrap(), block);
            prop_assert!(block.holds(block.first()) && block.holds(block.last()));
            prop_assert_eq!(u64::from(u32::from(block.last()) - u32::from(block.first())) + 1, block.size());
        }
    }
}
