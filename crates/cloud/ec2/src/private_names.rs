//! Private DNS names of instances: IP-based hostnames (EC2 user guide, "Amazon EC2 instance hostname types").

use std::net::Ipv4Addr;

/// Domain of the Region's private names: `ec2.internal` in us-east-1, `REGION.compute.internal` elsewhere.
#[must_use]
pub fn domain(region: &str) -> String {
    if region == "us-east-1" { "ec2.internal".to_owned() } else { format!("{region}.compute.internal") }
}

/// `ip-10-0-1-5.us-west-2.compute.internal` for 10.0.1.5.
#[must_use]
pub fn private_dns_name(region: &str, address: Ipv4Addr) -> String {
    format!("ip-{}.{}", dashed(address), domain(region))
}

/// `ec2-198-19-0-7.us-west-2.compute.amazonaws.com` for the elastic address 198.19.0.7.
#[must_use]
pub fn public_dns_name(region: &str, address: Ipv4Addr) -> String {
    let zone = if region == "us-east-1" { "compute-1".to_owned() } else { format!("{region}.compute") };
    format!("ec2-{}.{zone}.amazonaws.com", dashed(address))
}

fn dashed(address: Ipv4Addr) -> String {
    address.to_string().replace('.', "-")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_region_has_its_own_domain() {
        let address = Ipv4Addr::new(10, 0, 1, 5);
        assert_eq!(private_dns_name("us-west-2", address), "ip-10-0-1-5.us-west-2.compute.internal");
        assert_eq!(private_dns_name("us-east-1", address), "ip-10-0-1-5.ec2.internal");
        assert_eq!(public_dns_name("us-east-1", address), "ec2-10-0-1-5.compute-1.amazonaws.com");
        assert_eq!(public_dns_name("us-west-2", address), "ec2-10-0-1-5.us-west-2.compute.amazonaws.com");
    }
}
