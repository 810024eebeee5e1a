//! Station 4: may the caller?

use bytes::Bytes;
use http::Request;

use super::Door;
use super::decode::Decoded;
use super::locate::Located;
use crate::contract::{Call, Fault, Guard, Reads};
use crate::policy::{Context, Decision, decide};

/// Every resource that the call acts on must be allowed, and every role that it passes.
pub(crate) fn authorize(
    door: &Door,
    call: &Call<'_>,
    decoded: &Decoded<'_>,
    located: &Located<'_>,
    request: &Request<Bytes>,
    state: Reads<'_>,
) -> Result<(), Fault> {
    let guard = decoded.input.guard(call, state);
    if guard == Guard::Open || call.caller.is_root() {
        return Ok(());
    }
    let policies = door.directory.policies(state, call.caller)?;
    let mut context = call.context();
    if let Some(agent) = request.headers().get(http::header::USER_AGENT).and_then(|agent| agent.to_str().ok()) {
        context.set("aws:UserAgent", agent);
    }
    for (key, values) in decoded.input.conditions(call) {
        context.set_all(&key, values);
    }
    let check = |action: &str, resource: &str, context: &Context, granted: bool| match decide(
        &policies, action, resource, context, granted,
    ) {
        Decision::Allowed => Ok(()),
        Decision::Denied(why) => Err(located.dialect.denied(&call.caller.arn, action, resource, why)),
    };
    let action = format!("{}:{}", located.service.name, decoded.operation.name);
    for resource in decoded.input.resources(call, state) {
        check(&action, &resource, &context, guard == Guard::Granted)?;
    }
    for passed in decoded.input.passes(call, state) {
        let mut context = context.clone();
        context.set("iam:PassedToService", passed.to_service);
        check("iam:PassRole", &passed.role_arn, &context, false)?;
    }
    Ok(())
}
