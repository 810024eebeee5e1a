//! The door of one cluster: what all requests share, and the way through the stations.

use std::collections::HashMap;
use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use eksile_base::Clock;
use eksile_store::Store;
use http::Method;
use serde_json::Value;

use crate::answer::Answer;
use crate::authenticate::{Authenticator, Tokens};
use crate::authorize::{self, Attributes, node::Graph, rbac::Rbac};
use crate::call::{Call, Head, Warnings};
use crate::caller::Caller;
use crate::connect::KubeletDialer;
use crate::discovery::Discovery;
use crate::flight::Flights;
use crate::locate::{Located, Lost, ResourceRequest, locate};
use crate::openapi::{Descriptions, Source};
use crate::query::Query;
use crate::resources::Resources;
use crate::route::{self, Handler};
use crate::status::StatusError;
use crate::strategy::{Cluster, Held, PolicyRule, User};
use crate::{negotiate, plain, verbs};
use eksile_apimachinery::schema::{Schema, Schemas};

/// What `/version` says.
#[derive(Debug, Clone)]
pub struct Version {
    /// `1`.
    pub major: String,
    /// Such as `33`.
    pub minor: String,
    /// Such as `v1.33.0-eks-…`.
    pub git: String,
}

/// What a cluster decides about its door.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The version it says it is.
    pub version: Version,
    /// Service CIDRs.
    pub service_cidrs: Vec<String>,
    /// Issuer of service-account tokens, and their default audience.
    pub issuer: String,
    /// Longest life of a service-account token, seconds; `None` for what the API takes, 2^32.
    pub longest_token: Option<i64>,
}

/// The parts of a door.
pub struct Parts {
    /// Where the cluster's objects are.
    pub store: Store,
    /// Its kinds.
    pub resources: Resources,
    /// Their types.
    pub schemas: Arc<Schemas>,
    /// Reads what the types are for, whenever somebody asks.
    pub descriptions: fn() -> Descriptions<'static>,
    /// Its clock.
    pub clock: Clock,
    /// What it decides.
    pub settings: Settings,
    /// Who can tell a bearer of a token, asked in this order.
    pub authenticators: Vec<Box<dyn Authenticator>>,
    /// Who may have something against a write that is otherwise right, in the order of asking.
    pub validators: Vec<Box<dyn crate::validating::Validator>>,
    /// The way to the kubelets; without one logs and exec answer 503.
    pub kubelets: Option<Arc<dyn KubeletDialer>>,
    /// Signs service-account tokens; without one TokenRequest answers 501.
    pub issuer: Option<Arc<dyn crate::tokens::TokenIssuer>>,
}

/// The door of one cluster.
pub struct Door {
    pub(crate) store: Store,
    pub(crate) resources: Resources,
    pub(crate) schemas: Arc<Schemas>,
    shapes: HashMap<Arc<str>, Schema>,
    pub(crate) clock: Clock,
    pub(crate) settings: Settings,
    pub(crate) tokens: Tokens,
    pub(crate) rbac: Rbac,
    pub(crate) validators: Vec<Box<dyn crate::validating::Validator>>,
    pub(crate) graph: Graph,
    pub(crate) kubelets: Option<Arc<dyn KubeletDialer>>,
    pub(crate) issuer: Option<Arc<dyn crate::tokens::TokenIssuer>>,
    pub(crate) discovery: Discovery,
    pub(crate) flights: Flights,
    descriptions: fn() -> Descriptions<'static>,
    openapi: OnceLock<Bytes>,
}

impl Door {
    /// Opens a door and starts to follow the cluster's RBAC objects and pods. To be called inside a runtime.
    #[must_use]
    pub fn open(parts: Parts) -> Arc<Self> {
        let shapes =
            parts.resources.iter().filter_map(|r| Some((r.schema.clone(), parts.schemas.schema(&r.schema)?))).collect();
        let door = Arc::new(Self {
            rbac: Rbac::load(&parts.store),
            graph: Graph::load(&parts.store),
            discovery: Discovery::new(&parts.resources),
            descriptions: parts.descriptions,
            flights: Flights::default(),
            openapi: OnceLock::new(),
            store: parts.store,
            resources: parts.resources,
            schemas: parts.schemas,
            shapes,
            clock: parts.clock,
            tokens: Tokens::new(parts.authenticators, parts.settings.issuer.clone()),
            settings: parts.settings,
            validators: parts.validators,
            kubelets: parts.kubelets,
            issuer: parts.issuer,
        });
        door.tell_unreadable();
        let following = door.clone();
        tokio::spawn(async move { following.rbac.follow(&following.store).await });
        let following = door.clone();
        tokio::spawn(async move { following.graph.follow(&following.store).await });
        door
    }

    /// Tells of every stored object that nobody can read, by its key: lists pass over it, and reading it is a 500.
    fn tell_unreadable(&self) {
        for entry in self.store.view().scan("/registry/", None, usize::MAX) {
            if let Err(error) = serde_json::from_slice::<serde::de::IgnoredAny>(&entry.value) {
                tracing::error!(key = &*entry.key, %error, "a stored object is damaged: put a copy of the store back, or delete the row");
            }
        }
    }

    /// The schema of this name.
    ///
    /// # Errors
    /// 500 when the table lacks it.
    pub fn schema(&self, name: &str) -> Result<&Schema, StatusError> {
        self.shapes.get(name).ok_or_else(|| StatusError::internal(format!("no schema named {name}")))
    }

    /// First station.
    ///
    /// # Errors
    /// A path that cannot be taken apart.
    pub fn locate(&self, method: &Method, path: &str, query: &Query<'_>) -> Result<Located, Lost> {
        locate(&self.resources, method, path, query)
    }

    /// Third station.
    ///
    /// # Errors
    /// 403.
    pub fn authorize(&self, caller: &Caller, at: &Located) -> Result<(), StatusError> {
        authorize::refuse_unless(self, caller, &at.attributes())
    }

    /// The pod that a request opens a stream to; `None` when it asks for something else.
    #[must_use]
    pub fn stream<'a>(&self, at: &'a Located) -> Option<&'a ResourceRequest> {
        let Located::Resource(at) = at else { return None };
        let resource = at.resource.as_deref()?;
        let served = route::handler(at, resource).is_ok_and(|handler| handler == Handler::Connect);
        let pods = resource.group.is_empty() && &*resource.plural == "pods";
        (served && pods && matches!(at.sub.as_str(), "exec" | "attach" | "portforward")).then_some(at)
    }

    /// Fourth and fifth station: what a request that may be made does.
    ///
    /// # Errors
    /// The `Status` to answer.
    pub async fn run(self: &Arc<Self>, request: Run<'_>) -> Result<Answer, StatusError> {
        let accept = request.head.accept;
        // The documents of discovery have a form in YAML, those about the server itself have not.
        let formed = match request.at {
            Located::Resource(_) => true,
            Located::Path(at) => at.path.starts_with("/api"),
        };
        let answer = self.answer(request).await?;
        if formed && accept.is_some() && negotiate::wanted(accept).is_ok_and(|wanted| wanted.yaml) {
            return answer.in_yaml();
        }
        Ok(answer)
    }

    async fn answer(self: &Arc<Self>, request: Run<'_>) -> Result<Answer, StatusError> {
        let at = match request.at {
            Located::Resource(at) => at,
            Located::Path(at) => return plain::answer(self, at, &request).await,
        };
        let Some(resource) = at.resource.as_ref().filter(|_| at.form.rooted) else {
            return plain::no_such_resource(&self.resources, at);
        };
        let handler = route::handler(at, resource)?;
        let warnings = Warnings::default();
        let call = Call {
            door: self,
            caller: request.caller,
            resource,
            at,
            query: request.query,
            head: request.head,
            body: request.body,
            warnings: &warnings,
            now: self.clock.now_wall(),
        };
        let answer = verbs::run(handler, &call).await;
        match (answer, warnings.take()) {
            (answer, said) if said.is_empty() => answer,
            (Ok(answer), said) => Ok(answer.warned(said)),
            (Err(error), said) => Ok(Answer::failure(&error).warned(said)),
        }
    }

    /// The object of this key, parsed; `None` where there is none.
    ///
    /// # Errors
    /// When there is one and it cannot be read: that is not to be taken for none.
    pub fn stored(&self, prefix: &str, rest: &str) -> Result<Option<Value>, StatusError> {
        let Some(entry) = self.store.view().get(&format!("{prefix}{rest}")) else { return Ok(None) };
        let read = serde_json::from_slice(&entry.value);
        read.map(Some).map_err(|error| StatusError::internal(format!("{prefix}{rest} cannot be read: {error}")))
    }

    /// The index of the OpenAPI documents, made when it is first asked for: most clusters' clients never do.
    pub(crate) fn openapi_index(&self) -> Bytes {
        self.openapi.get_or_init(|| self.openapi(|source| source.index())).clone()
    }

    /// Something made from what the OpenAPI documents are made from.
    pub(crate) fn openapi<T>(&self, make: impl FnOnce(&Source<'_>) -> T) -> T {
        let version = &self.settings.version;
        make(&Source {
            schemas: &self.schemas,
            resources: &self.resources,
            descriptions: &(self.descriptions)(),
            release: &format!("{}.{}", version.major, version.minor),
        })
    }

    /// Waits until the rules of this revision count.
    pub async fn settled(&self, revision: u64) {
        self.rbac.settled(revision).await;
    }

    /// The cluster's clock.
    #[must_use]
    pub fn clock(&self) -> &Clock {
        &self.clock
    }

    /// The cluster's store, for parts of the control plane that follow changes.
    #[must_use]
    pub fn store(&self) -> &Store {
        &self.store
    }
}

/// A request for [`Door::run`].
pub struct Run<'a> {
    /// Who asks.
    pub caller: &'a Arc<Caller>,
    /// About what.
    pub at: &'a Located,
    /// HTTP method.
    pub method: &'a Method,
    /// Parameters.
    pub query: &'a Query<'a>,
    /// Headers.
    pub head: Head<'a>,
    /// Body.
    pub body: Bytes,
}

impl Cluster for Door {
    fn allowed(&self, user: &User, verb: &str, group: &str, plural: &str, namespace: &str, name: &str) -> bool {
        let caller = Caller::new(user.clone());
        let (plural, sub) = plural.split_once('/').unwrap_or((plural, ""));
        let asked = Attributes { verb, group, plural, sub, namespace, name, ..Attributes::default() };
        authorize::allowed(self, &caller, &asked).is_ok()
    }

    fn rules(&self, user: &User, namespace: &str) -> Held {
        self.rbac.rules(user, namespace)
    }

    fn role_rules(&self, kind: &str, namespace: &str, name: &str) -> Option<Vec<PolicyRule>> {
        self.rbac.role(kind, namespace, name)
    }

    fn service_cidrs(&self) -> &[String] {
        &self.settings.service_cidrs
    }
}
