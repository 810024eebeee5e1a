//! The door itself: six stations, in the order in which a request meets them.
//!
//! ```text
//! locate ─► verify ─► decode ─► authorize ─► run ─► encode
//! ```

mod authorize;
mod bind;
mod claim;
mod decode;
mod dialect;
mod encode;
mod locate;
mod page;
mod region;
mod run;
mod services;
mod sigv4;
mod token;
mod verify;

use std::pin::Pin;
use std::sync::Arc;

use bytes::Bytes;
use eksile_base::Clock;
use eksile_store::Store;
use http::{Request, Response};

use crate::contract::{Fault, Mint, Service, SystemMint, Vantage};
use crate::directory::Directory;
use bind::Sent;
use encode::Reply;
use services::Services;

/// The AWS door of one Region's store.
pub struct Door {
    region: String,
    services: Services,
    store: Store,
    clock: Clock,
    directory: Arc<dyn Directory>,
    mint: Arc<dyn Mint>,
    between: Option<Between>,
}

/// What happens between a command's authorization and its transaction.
pub type Between = Arc<dyn Fn() -> Pin<Box<dyn Future<Output = ()> + Send>> + Send + Sync>;

/// Bodies beyond this many bytes are refused; the listener need not read further either.
pub const BODY_LIMIT: usize = 4 << 20;

/// Header of the answer to a caller whose credentials an instance's metadata service gave out: the instance's ARN. Who
/// asks on such a caller's behalf (a cluster's authenticator) knows by it an instance from a session that is named so.
pub const SOURCE_INSTANCE: &str = "x-eksile-source-instance";

impl Door {
    /// A door of a Region to these services. What is signed for another Region is refused.
    #[must_use]
    pub fn new(
        region: impl Into<String>,
        services: Vec<&'static Service>,
        store: Store,
        clock: Clock,
        directory: Arc<dyn Directory>,
    ) -> Self {
        let (region, services) = (region.into(), Services::new(services));
        Self { region, services, store, clock, directory, mint: Arc::new(SystemMint), between: None }
    }

    /// With another source of ids; for golden tests.
    #[must_use]
    pub fn with_mint(mut self, mint: Arc<dyn Mint>) -> Self {
        self.mint = mint;
        self
    }

    /// With something that happens between a command's authorization and its transaction; for tests, which have no other
    /// way to come between.
    #[must_use]
    pub fn with_between(mut self, between: Between) -> Self {
        self.between = Some(between);
        self
    }

    /// Answers one request. Every failure is an answer in the service's own protocol.
    pub async fn handle(&self, request: Request<Bytes>, from: Vantage) -> Response<Bytes> {
        let id = self.mint.uuid();
        let (dialect, outcome) = match locate::locate(&self.services, &request) {
            Ok(located) => {
                let dialect = located.dialect.clone();
                (dialect, self.serve(&request, located, &from).await)
            }
            Err(lost) => (lost.dialect, Err(lost.fault)),
        };
        if let Err(fault) = &outcome {
            tracing::debug!(%id, code = %fault.code, status = fault.status, "refused");
        }
        encode::response(&dialect, &outcome, &id)
    }

    async fn serve(
        &self,
        request: &Request<Bytes>,
        located: locate::Located<'_>,
        from: &Vantage,
    ) -> Result<Reply, Fault> {
        let sent = Sent::new(self, request, &located, from)?;
        let view = self.store.view();
        let state = crate::Reads::of(&view);
        let bound = sent.bind(state)?;
        let decoded = decode::decode(request, &located)?;
        bound.allow(&*decoded.input, decoded.operation.name, state)?;
        let origin = bound.caller.session().and_then(|facts| facts.origin.as_ref());
        let source_instance = origin.map(|origin| origin.instance_arn.clone());
        let mut reply = run::run(bound, decoded, &view).await?;
        reply.source_instance = source_instance;
        Ok(reply)
    }

    fn region_of(&self, request: &Request<Bytes>, located: &locate::Located<'_>) -> Result<&str, Fault> {
        let host = sigv4::host(request).unwrap_or_default();
        region::of(&self.region, located.service, &located.claim.region, host).ok_or_else(|| {
            located.dialect.distrust(dialect::Distrust::Misscoped, "Credential should be scoped to a valid region.")
        })
    }
}

impl std::fmt::Debug for Door {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Door").finish_non_exhaustive()
    }
}
