use std::net::{IpAddr, Ipv4Addr};

use eksile_ec2::records::{Instance, Vpc};
use eksile_eks::records::Cluster;
use eksile_store::{RecordError, Store};

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
    ///
    /// # Errors
    /// When a record cannot be read.
    pub fn resolve(&self, name: &str) -> Result<Found, RecordError> {
        let name = name.trim_end_matches('.').to_ascii_lowercase();
        let view = self.store.view();
        let vpcs = view.all_records::<Vpc>()?;
        if !vpcs.iter().any(|(_, vpc)| vpc.vpc_id == self.vpc_id && vpc.enable_dns_support) {
            return Ok(Found::Silence);
        }
        if self.is_endpoint(&name) {
            return Ok(Found::Addresses(vec![self.endpoints]));
        }
        let instances = view.all_records::<Instance>()?;
        let named = instances.iter().find(|(_, instance)| {
            instance.vpc_id == self.vpc_id && instance.private_dns_name.eq_ignore_ascii_case(&name)
        });
        if let Some((_, instance)) = named {
            return Ok(addresses([&instance.private_ip]));
        }
        // Public resolvers know a local cluster's endpoint too, and answer its private addresses.
        let clusters = view.all_records::<Cluster>()?;
        let cluster = clusters.iter().find(|(_, cluster)| cluster.endpoint_name.eq_ignore_ascii_case(&name));
        Ok(cluster.map_or(Found::Nothing, |(_, cluster)| addresses(cluster.members.iter().map(|m| &m.private_ip))))
    }

    fn is_endpoint(&self, name: &str) -> bool {
        let Some(host) = name.strip_suffix(".amazonaws.com") else { return false };
        let service = host.strip_suffix(&format!(".{}", self.region)).unwrap_or(host);
        let registry = service.strip_suffix(".dkr.ecr").is_some_and(|account| account.len() == 12);
        registry || SERVICES.contains(&service)
    }
}

fn addresses<'a>(texts: impl IntoIterator<Item = &'a String>) -> Found {
    let parsed = texts.into_iter().filter_map(|text| match text.parse() {
        Ok(IpAddr::V4(address)) => Some(address),
        _ => None,
    });
    Found::Addresses(parsed.collect())
}
