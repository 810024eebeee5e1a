//! What surrounds one call.

use std::net::IpAddr;
use std::sync::Arc;

use eksile_store::Scope;
use http::{HeaderMap, header};
use jiff::Timestamp;

use super::{Caller, Mint};
use crate::policy::Context;

/// What an operation knows besides its input and the records: who calls, where, when.
pub struct Call<'a> {
    /// Who.
    pub caller: &'a Caller,
    /// Whose records: the caller's account, and the Region called (`global` for services without Regions).
    pub scope: Scope,
    /// The Region called; us-east-1 where the service is global. What the caller's signature says is checked, not believed.
    pub region: &'a str,
    /// Product time: lifetimes of resources.
    pub now: Timestamp,
    /// Wall time: what foreign clients compare with their own clocks, such as the end of credentials.
    pub wall: Timestamp,
    /// From where.
    pub vantage: &'a Vantage,
    /// `HOST[:PORT]` under which the caller reached the door.
    pub host: &'a str,
    /// Ids and chance.
    pub mint: &'a dyn Mint,
    /// The condition keys that every request has: who calls, from where, when.
    pub context: Arc<Context>,
}

impl Call<'_> {
    /// A fresh `PREFIX-` id of EC2's form.
    #[must_use]
    pub fn id(&self, prefix: &str) -> String {
        self.mint.id(prefix)
    }

    /// `arn:aws:SERVICE:REGION:ACCOUNT:RESOURCE` in the call's Region and account.
    #[must_use]
    pub fn arn(&self, service: &str, resource: &str) -> String {
        format!("arn:aws:{service}:{}:{}:{resource}", self.region, self.scope.account)
    }
}

impl std::fmt::Debug for Call<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Call").field("caller", &self.caller.arn).field("scope", &self.scope).finish_non_exhaustive()
    }
}

/// Where a request came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Vantage {
    /// Which side of the loopback listener.
    pub place: Place,
    /// The peer's address, as policies see it in `aws:SourceIp`.
    pub address: Option<IpAddr>,
    /// Whether it came over TLS (`aws:SecureTransport`).
    pub tls: bool,
}

/// Which world the caller lives in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// The machine's own loopback: addresses of the fabric mean nothing there.
    Host,
    /// Inside the fabric: the internet, an instance, on premises.
    Fabric,
}

impl Vantage {
    /// Adds the condition keys of a request: where it came from, and when, and what its client says of itself.
    pub fn tell(&self, headers: &HeaderMap, region: &str, wall: Timestamp, context: &mut Context) {
        context.set("aws:RequestedRegion", region);
        context.set("aws:SecureTransport", self.tls.to_string());
        context.set("aws:CurrentTime", wall.to_string());
        context.set("aws:EpochTime", wall.as_second().to_string());
        if let Some(address) = self.address {
            context.set("aws:SourceIp", address.to_string());
        }
        for (name, key) in [(header::USER_AGENT, "aws:UserAgent"), (header::REFERER, "aws:referer")] {
            if let Some(value) = headers.get(name).and_then(|value| value.to_str().ok()) {
                context.set(key, value);
            }
        }
    }

    /// A caller on the host, over plain loopback.
    #[must_use]
    pub fn host() -> Self {
        Self { place: Place::Host, address: Some(IpAddr::from([127, 0, 0, 1])), tls: false }
    }

    /// A caller inside the fabric, over TLS.
    #[must_use]
    pub fn fabric(address: IpAddr) -> Self {
        Self { place: Place::Fabric, address: Some(address), tls: true }
    }
}
