//! Who comes, and what they may do: the same policies as ECR's own operations.

use std::sync::Arc;

use ::http::{HeaderMap, Request, header};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use eksile_aws::policy::Context;
use eksile_aws::{Caller, Reads, Vantage};
use eksile_store::Scope;

use super::{Problem, Registry};
use crate::records::{Login, Repository};
use crate::{names, shapes};

/// An authenticated caller, at the registry of an account in a Region.
#[derive(Debug)]
pub(crate) struct Access {
    pub(crate) scope: Scope,
    caller: Caller,
    /// The condition keys of the request, those of the caller apart.
    request: Context,
}

impl Registry {
    /// Basic authentication with the password of an authorization token.
    pub(super) fn authenticate<B>(&self, request: &Request<B>, from: &Vantage) -> Result<Access, Problem> {
        let password = password(request.headers()).ok_or(Problem::Unauthorized)?;
        let hash = names::digest_of(password.as_bytes());
        let login: Option<Login> = self.store.view().record(&Login::scope(), &hash)?;
        let now = self.clock.now_wall().as_second();
        let login = login.filter(|login| login.until > now).ok_or(Problem::Unauthorized)?;
        let host = request.headers().get(header::HOST).and_then(|host| host.to_str().ok());
        let host = host.or_else(|| request.uri().host()).unwrap_or_default();
        // A caller on the host reaches all registries under one address: theirs is meant.
        let scope = scope_of(host).unwrap_or_else(|| Scope::new(&*login.caller.account, &*login.region));
        if scope.account != login.caller.account {
            return Err(Problem::Denied("the registry is another account's".to_owned()));
        }
        let mut context = Context::default();
        from.tell(request.headers(), &scope.region, self.clock.now_wall(), &mut context);
        Ok(Access { scope, caller: login.caller, request: context })
    }

    /// Whether the caller may do `action` on a repository, which must be there.
    pub(super) fn allow(&self, access: &Access, action: &str, repository: &str) -> Result<Repository, Problem> {
        if !names::is_repository(repository) {
            return Err(Problem::NameInvalid);
        }
        let view = self.store.view();
        let (account, region) = (&access.scope.account, &access.scope.region);
        let resource = format!("arn:aws:ecr:{region}:{account}:repository/{repository}");
        let found: Option<Repository> = view.record(&access.scope, repository)?;
        let policies = self.directory.policies(Reads::of(&view), &access.caller)?;
        let mut context = access.caller.context(&policies.tags);
        context.extend(access.request.clone());
        let ask = shapes::ask_about(&resource, found.as_ref());
        if ask.decide(action, &access.caller, &policies, &Arc::new(context)).is_err() {
            let arn = &access.caller.arn;
            let message = format!("User: {arn} is not authorized to perform: {action} on resource: {resource}");
            return Err(Problem::Denied(message));
        }
        let unknown = || Problem::NameUnknown { repository: repository.to_owned(), account: account.clone() };
        found.ok_or_else(unknown)
    }
}

/// The password of `Basic base64(AWS:PASSWORD)`.
fn password(headers: &HeaderMap) -> Option<String> {
    let given = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = given.split_once(' ')?;
    let pair = String::from_utf8(STANDARD.decode(token.trim()).ok()?).ok()?;
    let password = pair.strip_prefix("AWS:")?;
    scheme.eq_ignore_ascii_case("basic").then(|| password.to_owned())
}

/// Account and Region of `A.dkr.ecr.R.amazonaws.com`.
fn scope_of(host: &str) -> Option<Scope> {
    let host = host.split(':').next().unwrap_or(host);
    let (account, region) = host.strip_suffix(".amazonaws.com")?.split_once(".dkr.ecr.")?;
    Some(Scope::new(account, region))
}
