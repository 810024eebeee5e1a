//! The block that a cluster's services get their addresses from.

use std::net::Ipv4Addr;

use eksile_ec2::block::{Block, NotABlock};

/// Why a block cannot be the service block (EKS API reference, `KubernetesNetworkConfigRequest`).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unfit {
    /// No IPv4 block at all.
    #[error(transparent)]
    Malformed(#[from] NotABlock),
    /// Outside of 10/8, 172.16/12 and 192.168/16.
    #[error("the service CIDR {0} must be within 10.0.0.0/8, 172.16.0.0/12 or 192.168.0.0/16")]
    NotPrivate(Block),
    /// Larger than /12 or smaller than /24.
    #[error("the service CIDR {0} must be between /24 and /12")]
    WrongSize(Block),
    /// Shares addresses with the VPC.
    #[error("the service CIDR {0} overlaps the VPC's {1}")]
    Overlaps(Block, Block),
}

/// The default: 10.100.0.0/16, or 172.20.0.0/16 where the VPC has addresses of 10/8.
#[must_use]
pub fn default_for(vpc: Option<Block>) -> Block {
    let ten = Block::around(Ipv4Addr::new(10, 0, 0, 0), 8);
    if vpc.is_some_and(|vpc| vpc.overlaps(ten)) {
        Block::around(Ipv4Addr::new(172, 20, 0, 0), 16)
    } else {
        Block::around(Ipv4Addr::new(10, 100, 0, 0), 16)
    }
}

/// Reads a block that the caller chose.
///
/// # Errors
/// [`Unfit`] says why it cannot be used.
pub fn chosen(text: &str, vpc: Option<Block>) -> Result<Block, Unfit> {
    let block: Block = text.parse()?;
    let private = [
        Block::around(Ipv4Addr::new(10, 0, 0, 0), 8),
        Block::around(Ipv4Addr::new(172, 16, 0, 0), 12),
        Block::around(Ipv4Addr::new(192, 168, 0, 0), 16),
    ];
    if !private.iter().any(|range| range.contains(block)) {
        return Err(Unfit::NotPrivate(block));
    }
    if !(12..=24).contains(&block.prefix()) {
        return Err(Unfit::WrongSize(block));
    }
    match vpc {
        Some(vpc) if vpc.overlaps(block) => Err(Unfit::Overlaps(block, vpc)),
        _ => Ok(block),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn block(text: &str) -> Block {
        text.parse().unwrap()
    }

    #[test]
    fn the_default_avoids_the_vpc() {
        assert_eq!(default_for(Some(block("10.0.0.0/16"))).to_string(), "172.20.0.0/16");
        assert_eq!(default_for(Some(block("192.168.0.0/16"))).to_string(), "10.100.0.0/16");
        assert_eq!(default_for(None).to_string(), "10.100.0.0/16");
    }

    #[test]
    fn bounds() {
        let vpc = Some(block("10.0.0.0/16"));
        assert_eq!(chosen("10.1.0.0/16", vpc), Ok(block("10.1.0.0/16")));
        assert!(matches!(chosen("10.0.8.0/24", vpc), Err(Unfit::Overlaps(..))));
        assert!(matches!(chosen("10.1.0.0/25", vpc), Err(Unfit::WrongSize(_))));
        assert!(matches!(chosen("10.0.0.0/11", None), Err(Unfit::WrongSize(_))));
        assert!(matches!(chosen("8.8.0.0/16", None), Err(Unfit::NotPrivate(_))));
        assert!(matches!(chosen("ten", None), Err(Unfit::Malformed(_))));
    }
}
