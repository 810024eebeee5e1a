use anyhow::Result;

use super::shell::Shell;

/// What later steps need of the network.
pub(super) struct Network {
    /// The subnet on the Outpost.
    pub outpost_subnet: String,
}

/// The network beside the Outpost, where callers on the host come from.
pub(super) const PREMISES: &str = "172.16.0.0/16";

/// A VPC with a public subnet in the Outpost's parent Zone, and a private one on the Outpost whose way out is a
/// NAT gateway in the former: sufficient for a local cluster. The local gateway leads to the premises.
pub(super) fn make(shell: &Shell, outpost_arn: &str, zone: &str) -> Result<Network> {
    shell.heading("A VPC with a subnet on the Outpost and a way out");
    let vpc = shell.text("ec2 create-vpc", &["--cidr-block", "10.0.0.0/16", "--query", "Vpc.VpcId"])?;
    shell.aws("ec2 modify-vpc-attribute", &["--vpc-id", &vpc, "--enable-dns-hostnames"])?;
    let gateway = shell.text("ec2 create-internet-gateway", &["--query", "InternetGateway.InternetGatewayId"])?;
    shell.aws("ec2 attach-internet-gateway", &["--internet-gateway-id", &gateway, "--vpc-id", &vpc])?;
    let id = ["--query", "Subnet.SubnetId"];
    let subnet = |block: &str, outpost: &[&str]| {
        let placed = ["--vpc-id", &vpc, "--cidr-block", block, "--availability-zone", zone];
        shell.text("ec2 create-subnet", &[&placed[..], outpost, &id[..]].concat())
    };
    let public = subnet("10.0.0.0/24", &[])?;
    let outpost_subnet = subnet("10.0.1.0/24", &["--outpost-arn", outpost_arn])?;
    let address = shell.text("ec2 allocate-address", &["--domain", "vpc", "--query", "AllocationId"])?;
    let nat = shell.text(
        "ec2 create-nat-gateway",
        &["--subnet-id", &public, "--allocation-id", &address, "--query", "NatGateway.NatGatewayId"],
    )?;
    route(shell, &vpc, &public, &["--gateway-id", &gateway])?;
    let table = route(shell, &vpc, &outpost_subnet, &["--nat-gateway-id", &nat])?;
    let query = ["--query", "LocalGateways[0].LocalGatewayId"];
    let local = shell.text("ec2 describe-local-gateways", &query)?;
    let premises = ["--destination-cidr-block", PREMISES, "--local-gateway-id", &local];
    shell.aws("ec2 create-route", &[&["--route-table-id", table.as_str()][..], &premises].concat())?;
    Ok(Network { outpost_subnet })
}

/// A route table with a default route, for one subnet.
fn route(shell: &Shell, vpc: &str, subnet: &str, target: &[&str]) -> Result<String> {
    let table = shell.text("ec2 create-route-table", &["--vpc-id", vpc, "--query", "RouteTable.RouteTableId"])?;
    let default = ["--route-table-id", table.as_str(), "--destination-cidr-block", "0.0.0.0/0"];
    shell.aws("ec2 create-route", &[&default[..], target].concat())?;
    shell.aws("ec2 associate-route-table", &["--route-table-id", &table, "--subnet-id", subnet])?;
    Ok(table)
}
