//! A VPC with a public and a private subnet in a Zone and one on an Outpost.

use std::collections::{BTreeMap, BTreeSet};

use eksile_ec2::records::*;
use eksile_linux::IdRange;

use super::super::Records;

pub(super) const REGION: &str = "us-west-2";
pub(super) const OUTPOST: &str = "op-0a0a0a0a0a0a0a0a0";
pub(super) const VPC: &str = "vpc-0123456789abcdef0";

const MAIN: &str = "rtb-00000000000000001";
const PUBLIC: &str = "rtb-00000000000000002";
const EDGE: &str = "rtb-00000000000000003";
pub(super) const IGW: &str = "igw-0000000000000000a";
pub(super) const NAT: &str = "nat-0000000000000000b";

/// What differs between instances: suffix, subnet, address, group.
pub(super) struct Machine {
    pub(super) suffix: &'static str,
    pub(super) subnet: &'static str,
    pub(super) ip: &'static str,
    pub(super) group: &'static str,
}

pub(super) const WEB: Machine = Machine { suffix: "a1", subnet: "public", ip: "10.0.1.10", group: "sg-web" };
pub(super) const APP: Machine = Machine { suffix: "b1", subnet: "private", ip: "10.0.2.10", group: "sg-app" };
pub(super) const EDGE_ONE: Machine = Machine { suffix: "c1", subnet: "edge", ip: "10.0.9.10", group: "sg-app" };
pub(super) const EDGE_TWO: Machine = Machine { suffix: "c2", subnet: "edge", ip: "10.0.9.11", group: "sg-db" };

impl Machine {
    pub(super) fn id(&self) -> String {
        format!("i-000000000000000{}", self.suffix)
    }

    pub(super) fn interface(&self) -> String {
        format!("eni-000000000000000{}", self.suffix)
    }
}

/// Everything, with the instances of both sites.
pub(super) fn records() -> Records {
    let mut records = Records {
        vpcs: vec![vpc(VPC, "10.0.0.0/16")],
        subnets: vec![
            subnet("public", "10.0.1.0/24", None),
            subnet("private", "10.0.2.0/24", None),
            subnet("edge", "10.0.9.0/24", Some(OUTPOST)),
        ],
        route_tables: tables(),
        internet_gateways: vec![InternetGateway {
            internet_gateway_id: IGW.into(),
            vpc_id: Some(VPC.into()),
            tags: Tags::new(),
        }],
        nat_gateways: vec![NatGateway {
            nat_gateway_id: NAT.into(),
            subnet_id: "public".into(),
            vpc_id: VPC.into(),
            allocation_id: "eipalloc-nat".into(),
            network_interface_id: "eni-000000000000000ff".into(),
            state: NatGatewayState::Available,
            create_time: 0,
            delete_time: None,
            tags: Tags::new(),
        }],
        addresses: vec![
            address("eipalloc-nat", "198.19.0.1", "eni-000000000000000ff"),
            address("eipalloc-web", "198.19.0.2", &WEB.interface()),
        ],
        security_groups: groups(),
        interfaces: vec![interface("eni-000000000000000ff", "public", "10.0.1.5", 0xff)],
        instances: Vec::new(),
        alive: BTreeSet::new(),
        ids: BTreeMap::new(),
        incomplete: false,
    };
    records.interfaces[0].interface_type = "nat_gateway".into();
    for machine in [&WEB, &APP, &EDGE_ONE, &EDGE_TWO] {
        add(&mut records, machine);
    }
    records
}

/// The same again in another VPC: same blocks, same private addresses, other ids and public ones;
/// it does not route on premises, where only one of the two could be known.
pub(super) fn twin(records: &Records) -> Records {
    let mut twin = Records {
        vpcs: renamed(&records.vpcs),
        subnets: renamed(&records.subnets),
        route_tables: renamed(&records.route_tables),
        internet_gateways: renamed(&records.internet_gateways),
        nat_gateways: renamed(&records.nat_gateways),
        addresses: renamed(&records.addresses),
        security_groups: renamed(&records.security_groups),
        interfaces: renamed(&records.interfaces),
        instances: renamed(&records.instances),
        alive: BTreeSet::new(),
        ids: records.ids.iter().map(|(id, ids)| (other(id), IdRange { base: ids.base + (1 << 24) })).collect(),
        incomplete: false,
    };
    for table in &mut twin.route_tables {
        table.routes.retain(|r| !matches!(r.target, RouteTarget::LocalGateway(_)));
    }
    twin
}

/// The twin's name for an id.
pub(super) fn other(id: &str) -> String {
    id.replace("000000000000000", "000000000000111")
}

fn renamed<R: serde::Serialize + serde::de::DeserializeOwned>(records: &[R]) -> Vec<R> {
    let mut text = other(&serde_json::to_string(records).unwrap());
    for (from, to) in [
        (VPC, "vpc-fedcba98765432100"),
        ("\"public\"", "\"public-twin\""),
        ("\"private\"", "\"private-twin\""),
        ("\"edge\"", "\"edge-twin\""),
        ("sg-", "sg-twin-"),
        ("eipalloc-", "eipalloc-twin-"),
        ("198.19.0.", "198.19.1."),
    ] {
        text = text.replace(from, to);
    }
    serde_json::from_str(&text).unwrap()
}

/// Everything of both.
pub(super) fn join(mut a: Records, b: Records) -> Records {
    a.vpcs.extend(b.vpcs);
    a.subnets.extend(b.subnets);
    a.route_tables.extend(b.route_tables);
    a.internet_gateways.extend(b.internet_gateways);
    a.nat_gateways.extend(b.nat_gateways);
    a.addresses.extend(b.addresses);
    a.security_groups.extend(b.security_groups);
    a.interfaces.extend(b.interfaces);
    a.instances.extend(b.instances);
    a.ids.extend(b.ids);
    a
}

/// Adds an instance with its interface.
pub(super) fn add(records: &mut Records, machine: &Machine) {
    let last = u8::from_str_radix(machine.suffix, 16).unwrap();
    let mut eni = interface(&machine.interface(), machine.subnet, machine.ip, last);
    eni.groups = vec![machine.group.into()];
    eni.attachment = Some(Attachment {
        attachment_id: "eni-attach-1".into(),
        instance_id: machine.id(),
        device_index: 0,
        delete_on_termination: true,
        attach_time: 0,
    });
    records.interfaces.push(eni);
    records.ids.insert(machine.id(), IdRange { base: 0x7000_0000 + u32::from(last) * IdRange::LENGTH });
    records.instances.push(Instance {
        instance_id: machine.id(),
        reservation_id: "r-1".into(),
        image_id: "ami-1".into(),
        instance_type: "m5.large".into(),
        site: if machine.subnet == "edge" { OUTPOST.into() } else { REGION.into() },
        subnet_id: machine.subnet.into(),
        vpc_id: VPC.into(),
        private_ip: machine.ip.into(),
        private_dns_name: String::new(),
        network_interface_ids: vec![machine.interface()],
        key_name: None,
        instance_profile: None,
        user_data: None,
        role: InstanceRole::Worker,
        wanted: WantedInstanceState::Running,
        launch_time: 0,
        ami_launch_index: 0,
        metadata_options: eksile_ec2::records::MetadataOptions::default(),
        client_token: None,
        tags: Tags::new(),
    });
}

fn vpc(id: &str, block: &str) -> Vpc {
    Vpc {
        vpc_id: id.into(),
        cidr_block: block.into(),
        dhcp_options_id: "dopt-1".into(),
        is_default: false,
        enable_dns_support: true,
        enable_dns_hostnames: true,
        tags: Tags::new(),
    }
}

fn subnet(id: &str, block: &str, outpost: Option<&str>) -> Subnet {
    Subnet {
        subnet_id: id.into(),
        vpc_id: VPC.into(),
        cidr_block: block.into(),
        availability_zone: "us-west-2a".into(),
        availability_zone_id: "usw2-az1".into(),
        outpost_arn: outpost.map(|id| format!("arn:aws:outposts:us-west-2:111122223333:outpost/{id}")),
        map_public_ip_on_launch: false,
        default_for_az: false,
        tags: Tags::new(),
    }
}

fn tables() -> Vec<RouteTable> {
    let local = || route("10.0.0.0/16", RouteTarget::Local);
    let table = |id: &str, main: bool, subnet: Option<&str>, routes| RouteTable {
        route_table_id: id.into(),
        vpc_id: VPC.into(),
        main_association_id: main.then(|| "rtbassoc-main".into()),
        associations: subnet
            .map(|s| Association { association_id: format!("rtbassoc-{s}"), subnet_id: s.into() })
            .into_iter()
            .collect(),
        routes,
        tags: Tags::new(),
    };
    let nat = || route("0.0.0.0/0", RouteTarget::NatGateway(NAT.into()));
    let local_gateway = route("172.16.0.0/16", RouteTarget::LocalGateway("lgw-1".into()));
    let internet = route("0.0.0.0/0", RouteTarget::InternetGateway(IGW.into()));
    vec![
        table(MAIN, true, None, vec![local(), nat()]),
        table(PUBLIC, false, Some("public"), vec![local(), internet]),
        table(EDGE, false, Some("edge"), vec![local(), nat(), local_gateway]),
    ]
}

fn route(to: &str, target: RouteTarget) -> Route {
    Route { destination_cidr_block: to.into(), target }
}

fn address(id: &str, public: &str, interface: &str) -> Address {
    Address {
        allocation_id: id.into(),
        public_ip: public.into(),
        association_id: Some(format!("eipassoc-{id}")),
        network_interface_id: Some(interface.into()),
        tags: BTreeMap::new(),
    }
}

fn groups() -> Vec<SecurityGroup> {
    let all = || rule("-1", None, Peer::Cidr("0.0.0.0/0".into()));
    let group = |id: &str, ingress, egress| SecurityGroup {
        group_id: id.into(),
        group_name: id.into(),
        description: String::new(),
        vpc_id: VPC.into(),
        ingress,
        egress,
        tags: Tags::new(),
    };
    let anywhere = || Peer::Cidr("0.0.0.0/0".into());
    let onprem = || Peer::Cidr("172.16.0.0/16".into());
    let members = |id: &str| Peer::Group(id.into());
    vec![
        group("sg-web", vec![rule("tcp", Some((80, 80)), anywhere())], vec![all()]),
        group(
            "sg-app",
            vec![
                rule("-1", None, members("sg-app")),
                rule("tcp", Some((443, 443)), onprem()),
                rule("icmp", Some((8, -1)), onprem()),
                rule("udp", Some((53, 60)), members("sg-web")),
            ],
            vec![all()],
        ),
        group("sg-db", vec![rule("tcp", Some((5432, 5432)), members("sg-app"))], vec![]),
    ]
}

fn rule(protocol: &str, ports: Option<(i32, i32)>, peer: Peer) -> Rule {
    Rule {
        rule_id: "sgr-1".into(),
        ip_protocol: protocol.into(),
        from_port: ports.map(|p| p.0),
        to_port: ports.map(|p| p.1),
        peer,
        description: None,
    }
}

fn interface(id: &str, subnet: &str, ip: &str, last: u8) -> NetworkInterface {
    NetworkInterface {
        network_interface_id: id.into(),
        subnet_id: subnet.into(),
        vpc_id: VPC.into(),
        private_ip: ip.into(),
        secondary_private_ips: Vec::new(),
        mac_address: format!("02:00:00:00:00:{last:02x}"),
        groups: Vec::new(),
        description: String::new(),
        interface_type: "interface".into(),
        requester_managed: false,
        source_dest_check: true,
        attachment: None,
        tags: Tags::new(),
    }
}
