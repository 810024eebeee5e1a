use std::net::{IpAddr, Ipv4Addr};

use eksile_ec2::records::{Instance, Vpc};
use eksile_eks::records::Cluster;
use eksile_store::{Record, Scope, Store, View};

/// Services whose names lead to the Region's endpoints.
const SERVICES: &[&str] = &[
    "api.ecr",
    "autoscaling",
    "cloudformation",
    "ec2",
    "ec2messages",
    "ecr",
    "eks",
    "eks-auth",
    "elasticloadbalancing",
    "iam",
    "logs",
    "monitoring",
    "outposts",
    "route53",
    "s3",
    "secretsmanager",
    "ssm",
    "ssmmessages",
    "sts",
];

/// What a name leads to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    /// These addresses.
    Addresses(Vec<Ipv4Addr>),
    /// There is no such name.
    Nothing,
    /// None of the records that can be read has it, and some cannot; the site tells of those.
    Unknown,
    /// The VPC's `enableDnsSupport` is off: no answer at all.
    Silence,
}

/// The names that instances of one VPC can resolve, read from the site's store at each question.
#[derive(Clone)]
pub struct Zone {
    /// The site's store.
    pub store: Store,
    /// The VPC whose instances ask.
    pub vpc_id: String,
    /// The Region's name.
    pub region: String,
    /// Where the Region's public endpoints answer.
    pub endpoints: Ipv4Addr,
}

impl Zone {
    /// Looks a name up; case does not matter, and a final dot neither.
    #[must_use]
    pub fn resolve(&self, name: &str) -> Found {
        let name = name.trim_end_matches('.').to_ascii_lowercase();
        let view = self.store.view();
        let mut vpcs = view.each_record::<Vpc>().into_iter().flatten();
        if !vpcs.any(|(_, vpc)| vpc.vpc_id == self.vpc_id && vpc.enable_dns_support) {
            return Found::Silence;
        }
        if self.is_endpoint(&name) {
            return Found::Addresses(vec![self.endpoints]);
        }
        let mut unreadable = false;
        let named = readable::<Instance>(&view, &mut unreadable).find(|(_, instance)| {
            instance.vpc_id == self.vpc_id && instance.private_dns_name.eq_ignore_ascii_case(&name)
        });
        if let Some((_, instance)) = named {
            return addresses([&instance.private_ip]);
        }
        // Public resolvers know a local cluster's endpoint too, and answer its private addresses.
        let cluster = readable::<Cluster>(&view, &mut unreadable)
            .find(|(_, cluster)| cluster.endpoint_name.eq_ignore_ascii_case(&name));
        match cluster {
            Some((_, cluster)) => addresses(cluster.members.iter().map(|m| &m.private_ip)),
            None if unreadable => Found::Unknown,
            None => Found::Nothing,
        }
    }

    fn is_endpoint(&self, name: &str) -> bool {
        let Some(host) = name.strip_suffix(".amazonaws.com") else { return false };
        let service = host.strip_suffix(&format!(".{}", self.region)).unwrap_or(host);
        let registry = service.strip_suffix(".dkr.ecr").is_some_and(|account| account.len() == 12);
        registry || SERVICES.contains(&service)
    }
}

/// The records that can be read; whether there are others is noted as far as they are gone through.
fn readable<R: Record>(view: &View, unreadable: &mut bool) -> impl Iterator<Item = (Scope, R)> {
    view.each_record::<R>().into_iter().filter_map(move |each| {
        *unreadable |= each.is_err();
        each.ok()
    })
}

fn addresses<'a>(texts: impl IntoIterator<Item = &'a String>) -> Found {
    let parsed = texts.into_iter().filter_map(|text| match text.parse() {
        Ok(IpAddr::V4(address)) => Some(address),
        _ => None,
    });
    Found::Addresses(parsed.collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use eksile_ec2::records::{InstanceRole, MetadataOptions, Tags, WantedInstanceState};

    fn vpc(id: &str, dns: bool) -> Vpc {
        Vpc {
            vpc_id: id.into(),
            cidr_block: "10.0.0.0/16".into(),
            dhcp_options_id: "dopt-1".into(),
            is_default: false,
            enable_dns_support: dns,
            enable_dns_hostnames: true,
            tags: Tags::new(),
        }
    }

    fn instance(id: &str, vpc: &str, ip: &str) -> Instance {
        Instance {
            instance_id: id.into(),
            reservation_id: "r-1".into(),
            image_id: "ami-1".into(),
            instance_type: "m5.large".into(),
            site: "op-1".into(),
            subnet_id: "subnet-1".into(),
            vpc_id: vpc.into(),
            private_ip: ip.into(),
            private_dns_name: format!("ip-{}.us-west-2.compute.internal", ip.replace('.', "-")),
            network_interface_ids: vec![],
            key_name: None,
            instance_profile: None,
            user_data: None,
            role: InstanceRole::Worker,
            wanted: WantedInstanceState::Running,
            launch_time: 0,
            ami_launch_index: 0,
            metadata_options: MetadataOptions::default(),
            client_token: None,
            tags: Tags::new(),
        }
    }

    /// The VPCs of two accounts, and one whose resolver is off; an instance in each.
    async fn zones() -> impl Fn(&str) -> Zone {
        let store = Store::in_memory();
        for (account, id, ip, dns) in [
            ("111122223333", "vpc-1", "10.0.0.5", true),
            ("999988887777", "vpc-2", "10.0.0.6", true),
            ("1", "vpc-3", "10.0.0.7", false),
        ] {
            let written = store.write(|txn| {
                let scope = Scope::new(account, "us-west-2");
                txn.put_record(&scope, &vpc(id, dns))?;
                txn.put_record(&scope, &instance(&format!("i-{id}"), id, ip))
            });
            written.await.unwrap();
        }
        move |vpc| Zone {
            store: store.clone(),
            vpc_id: vpc.to_owned(),
            region: "us-west-2".to_owned(),
            endpoints: Ipv4Addr::new(198, 18, 0, 10),
        }
    }

    #[tokio::test]
    async fn a_vpc_is_told_its_own_instances_names_alone() {
        let zone = zones().await;
        let own = "ip-10-0-0-5.us-west-2.compute.internal";
        let others = "IP-10-0-0-6.us-west-2.compute.internal.";
        assert_eq!(zone("vpc-1").resolve(own), Found::Addresses(vec![Ipv4Addr::new(10, 0, 0, 5)]));
        assert_eq!(zone("vpc-1").resolve(others), Found::Nothing, "another account's VPC");
        assert_eq!(zone("vpc-2").resolve(own), Found::Nothing);
        for name in
            ["", ".", "localhost", "compute.internal", "ip-10-0-0-7.us-west-2.compute.internal", &"a.".repeat(127)]
        {
            assert_eq!(zone("vpc-1").resolve(name), Found::Nothing, "{name}");
        }
    }

    #[tokio::test]
    async fn a_resolver_that_is_off_and_one_of_no_vpc_say_nothing() {
        let zone = zones().await;
        for vpc in ["vpc-3", "vpc-gone"] {
            assert_eq!(zone(vpc).resolve("sts.amazonaws.com"), Found::Silence);
        }
    }

    /// One of a later release, or damaged.
    #[tokio::test]
    async fn a_record_that_cannot_be_read_hides_no_other() {
        let zone = zones().await;
        let zone = zone("vpc-1");
        let scope = Scope::new("0", "us-west-2");
        let bad = [scope.prefix::<Instance>(), scope.prefix::<Vpc>(), scope.prefix::<Cluster>()];
        let written = zone.store.write(|txn| {
            // A scope is known by what is in it.
            txn.put_record(&scope, &vpc("vpc-9", true))?;
            bad.iter().for_each(|prefix| txn.put(&format!("{prefix}bad"), "not a record"));
            Ok::<(), eksile_store::RecordError>(())
        });
        written.await.unwrap();
        let own = zone.resolve("ip-10-0-0-5.us-west-2.compute.internal");
        assert_eq!(own, Found::Addresses(vec![Ipv4Addr::new(10, 0, 0, 5)]));
        assert!(matches!(zone.resolve("sts.us-west-2.amazonaws.com"), Found::Addresses(_)));
        assert_eq!(zone.resolve("ip-10-0-0-9.us-west-2.compute.internal"), Found::Unknown, "not that there is none");
    }
}
