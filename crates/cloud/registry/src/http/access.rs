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
use crate::{names, records, shapes};

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
        let view = self.store.view();
        let login: Option<Login> = view.record(&Login::scope(), &hash)?;
        let login = login.ok_or(Problem::Unauthorized)?;
        if !self.holds(Reads::of(&view), &login)? {
            return Err(Problem::Unauthorized);
        }
        let host = request.headers().get(header::HOST).and_then(|host| host.to_str().ok());
        let host = host.or_else(|| request.uri().host()).unwrap_or_default();
        // A caller on the host reaches all registries under one address: theirs is meant. A name that is none of theirs is
        // refused and never part of a key.
        let scope = Scope::new(&*login.caller.account, &*login.region);
        if is_registry(host) && bare(host) != records::host(&scope) {
            return Err(Problem::Denied("the registry is another account's or Region's".to_owned()));
        }
        let mut context = Context::default();
        from.tell(request.headers(), &scope.region, self.clock.now_wall(), &mut context);
        Ok(Access { scope, caller: login.caller, request: context })
    }

    /// Whether a password still is one: it ends after its time, and with the key (or the session) that asked for it.
    fn holds(&self, state: Reads<'_>, login: &Login) -> Result<bool, Problem> {
        let now = self.clock.now_wall();
        let credential = self.directory.credential(state, &login.caller.access_key_id)?;
        let credential = credential.filter(|credential| credential.expires.is_none_or(|expires| now < expires));
        // A key made anew, or of a user made anew, is another's.
        let same = credential.is_some_and(|credential| credential.caller.user_id == login.caller.user_id);
        Ok(same && login.until > now.as_second())
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

/// A host without its port.
fn bare(host: &str) -> String {
    host.split(':').next().unwrap_or(host).trim_end_matches('.').to_ascii_lowercase()
}

/// Whether it is a name of some registry: `A.dkr.ecr.R.amazonaws.com`.
fn is_registry(host: &str) -> bool {
    bare(host).ends_with(".amazonaws.com")
}
