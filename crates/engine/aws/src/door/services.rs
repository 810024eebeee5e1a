//! The services behind the door, and those that AWS has but this door has not.

use std::collections::HashMap;

use crate::contract::{Operation, Protocol, Service};
use crate::model::Model;
use crate::shape::Case;

/// A service with its model.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) service: &'static Service,
    pub(crate) model: Model,
    pub(crate) built: HashMap<&'static str, &'static Operation>,
}

/// Every service that can be located.
#[derive(Debug)]
pub(crate) struct Services(Vec<Entry>);

impl Services {
    pub(crate) fn new(mut all: Vec<&'static Service>) -> Self {
        for absent in UNBUILT {
            if !all.iter().any(|built| built.name == absent.name && built.version == absent.version) {
                all.push(absent);
            }
        }
        Self(all.into_iter().filter_map(entry).collect())
    }

    /// The service of a signing name; the version tells apart those that share one.
    pub(crate) fn named(&self, name: &str, version: Option<&str>) -> Option<&Entry> {
        let mut named = self.0.iter().filter(|entry| entry.service.name == name);
        let first = named.next()?;
        match version {
            Some(version) if first.service.version != version => {
                Some(named.find(|entry| entry.service.version == version).unwrap_or(first))
            }
            _ => Some(first),
        }
    }
}

fn entry(service: &'static Service) -> Option<Entry> {
    let file = match (service.name, service.version) {
        ("elasticloadbalancing", "2012-06-01") => "elb",
        ("elasticloadbalancing", _) => "elbv2",
        ("monitoring", _) => "cloudwatch",
        (name, _) => name,
    };
    let Some(model) = Model::named(file) else {
        tracing::error!(service = service.name, "a service without a model is not served");
        return None;
    };
    let built = service.operations.iter().map(|operation| (operation.name, operation)).collect();
    Some(Entry { service, model, built })
}

const fn unbuilt(name: &'static str, protocol: Protocol, version: &'static str) -> Service {
    Service { name, protocol, version, global: false, invalid: "ValidationException", operations: &[] }
}

const fn json(target: &'static str) -> Protocol {
    Protocol::Json { target, case: Case::Pascal }
}

/// Services that answer every operation of theirs with "not implemented".
static UNBUILT: &[Service] = &[
    unbuilt("acm", json("CertificateManager"), "2015-12-08"),
    unbuilt("autoscaling", Protocol::Query, "2011-01-01"),
    unbuilt("cloudformation", Protocol::Query, "2010-05-15"),
    unbuilt("ec2", Protocol::Ec2, "2016-11-15"),
    unbuilt("ecr", json("AmazonEC2ContainerRegistry_V20150921"), "2015-09-21"),
    unbuilt("eks", Protocol::RestJson(Case::Camel), "2017-11-01"),
    unbuilt("eks-auth", Protocol::RestJson(Case::Camel), "2023-11-26"),
    unbuilt("elasticloadbalancing", Protocol::Query, "2015-12-01"),
    unbuilt("elasticloadbalancing", Protocol::Query, "2012-06-01"),
    unbuilt("iam", Protocol::Query, "2010-05-08"),
    unbuilt("kms", json("TrentService"), "2014-11-01"),
    unbuilt("logs", json("Logs_20140328"), "2014-03-28"),
    unbuilt("monitoring", json("GraniteServiceVersion20100801"), "2010-08-01"),
    unbuilt("outposts", Protocol::RestJson(Case::Pascal), "2019-12-03"),
    unbuilt("ssm", json("AmazonSSM"), "2014-11-06"),
    unbuilt("sts", Protocol::Query, "2011-06-15"),
];
