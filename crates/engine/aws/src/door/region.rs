//! At which Region a request is: what the door knows, whatever the signature says.
//!
//! A door is one Region's. What is signed for another Region is refused, as by AWS's endpoints. IAM is in us-east-1 in
//! all of AWS; but clients that are given an endpoint (`--endpoint-url`, `AWS_ENDPOINT_URL`) sign it for the Region that
//! they are set to: that scope is taken, too, and says nothing about where the request is. STS has two endpoints, the
//! Region's and the global one, which is in us-east-1: both are here, and the scope (or the Region's own address) tells
//! which is called.

use crate::contract::Service;

/// Where IAM is, and the global endpoint of STS.
const GLOBAL: &str = "us-east-1";

/// The Region of a request to a service, signed for `claimed`, at a door of the Region `home`; `None`: there is no such
/// endpoint here.
pub(crate) fn of<'a>(home: &'a str, service: &Service, claimed: &str, host: &str) -> Option<&'a str> {
    let (at_home, global) = (claimed == home, claimed == GLOBAL);
    if service.name == "sts" {
        let name = host.split(':').next().unwrap_or(host);
        let regional = name.eq_ignore_ascii_case(&format!("sts.{home}.amazonaws.com"));
        return if at_home { Some(home) } else { (global && !regional).then_some(GLOBAL) };
    }
    if service.global {
        return (at_home || global).then_some(GLOBAL);
    }
    at_home.then_some(home)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contract::Protocol;

    fn service(name: &'static str, global: bool) -> Service {
        Service { name, protocol: Protocol::Query, version: "", global, invalid: "", operations: &[] }
    }

    #[test]
    fn regions_are_the_doors() {
        let at = |name, global, claimed, host| of("us-west-2", &service(name, global), claimed, host);
        assert_eq!(at("ec2", false, "us-west-2", ""), Some("us-west-2"));
        assert_eq!(at("ec2", false, "us-east-1", ""), None);
        assert_eq!(at("iam", true, "us-west-2", ""), Some("us-east-1"));
        assert_eq!(at("iam", true, "us-east-1", ""), Some("us-east-1"));
        assert_eq!(at("iam", true, "eu-west-1", ""), None);
        assert_eq!(at("sts", true, "us-west-2", "sts.us-west-2.amazonaws.com:443"), Some("us-west-2"));
        assert_eq!(at("sts", true, "us-east-1", "127.0.0.1:4566"), Some("us-east-1"));
        assert_eq!(at("sts", true, "us-east-1", "sts.amazonaws.com"), Some("us-east-1"));
        assert_eq!(at("sts", true, "us-east-1", "sts.us-west-2.amazonaws.com"), None);
        assert_eq!(at("sts", true, "mars", ""), None);
    }
}
