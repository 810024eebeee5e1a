//! Who sends a request and what binds them, as the records have it at one moment.
//!
//! Bound when the request comes, and again inside a command's transaction, by the same function: whatever of it a record
//! says (whether the key or the session is still there and active, whose it is, their policies and tags) may have changed.

use std::sync::Arc;

use bytes::Bytes;
use eksile_store::Scope;
use http::Request;
use jiff::Timestamp;

use super::locate::Located;
use super::{Door, sigv4, verify};
use crate::contract::{Call, Caller, Fault, Reads, Vantage};
use crate::directory::Policies;
use crate::policy::Context;

/// A request, with what no record changes of it.
pub(crate) struct Sent<'a> {
    pub(crate) door: &'a Door,
    pub(crate) request: &'a Request<Bytes>,
    pub(crate) located: &'a Located<'a>,
    from: &'a Vantage,
    region: &'a str,
    /// The hash that was signed for the body.
    pub(crate) payload: String,
    /// Product time at which it came.
    now: Timestamp,
    /// Wall time at which it came.
    pub(crate) wall: Timestamp,
}

/// Who sends it, and what binds them.
pub(crate) struct Bound<'a> {
    pub(crate) sent: &'a Sent<'a>,
    pub(crate) caller: Caller,
    pub(crate) policies: Policies,
    context: Arc<Context>,
}

impl<'a> Sent<'a> {
    /// A request that says what it must; who sends it is not known yet.
    pub(crate) fn new(
        door: &'a Door,
        request: &'a Request<Bytes>,
        located: &'a Located<'a>,
        from: &'a Vantage,
    ) -> Result<Self, Fault> {
        let region = door.region_of(request, located)?;
        let payload = verify::payload(request, located, from)?;
        let (now, wall) = (door.clock.now(), door.clock.now_wall());
        Ok(Self { door, request, located, from, region, payload, now, wall })
    }

    /// The caller, proven, and all that binds them: the one way to know either.
    pub(crate) fn bind(&'a self, state: Reads<'_>) -> Result<Bound<'a>, Fault> {
        let caller = verify::verify(self, state)?;
        let policies = self.door.directory.policies(state, &caller)?;
        let mut context = caller.context(&policies.tags);
        self.from.tell(self.request.headers(), self.region, self.wall, &mut context);
        Ok(Bound { sent: self, caller, policies, context: Arc::new(context) })
    }
}

impl Bound<'_> {
    /// What the operation knows.
    pub(crate) fn call(&self) -> Call<'_> {
        let sent = self.sent;
        let scope = if sent.located.service.global { "global" } else { sent.region };
        Call {
            caller: &self.caller,
            scope: Scope { account: self.caller.account.clone(), region: scope.to_owned() },
            region: sent.region,
            now: sent.now,
            wall: sent.wall,
            vantage: sent.from,
            host: sigv4::host(sent.request).unwrap_or_default(),
            mint: &*sent.door.mint,
            context: self.context.clone(),
        }
    }
}
