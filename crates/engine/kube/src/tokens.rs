//! Service-account tokens: what they say, who signs them, and how they are told.
//!
//! Claims as `k8s.io/kubernetes/pkg/serviceaccount/claims.go` writes them.

use std::sync::{Arc, Weak};

use parking_lot::RwLock;
use serde_json::{Value, json};

use crate::authenticate::{Anchor, Authenticator, Known, Verdict};
use crate::door::Door;
use crate::object::meta;
use crate::references::text;
use crate::strategy::User;

/// By how much clocks may differ, and for how long what was deleted still counts.
const LEEWAY: jiff::SignedDuration = jiff::SignedDuration::from_mins(1);
/// How long a bearer is remembered at most, as upstream's cache.
const REMEMBERED: jiff::SignedDuration = jiff::SignedDuration::from_secs(10);

/// The object that a token is bound to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bound {
    /// `Pod`, `Secret` or `Node`.
    pub kind: String,
    /// Its name.
    pub name: String,
    /// Its uid.
    pub uid: String,
    /// The node of a pod; may be empty.
    pub node: String,
    /// Its uid, when it is there.
    pub node_uid: String,
}

/// What a token says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claims {
    /// Namespace of the service account.
    pub namespace: String,
    /// Its name.
    pub account: String,
    /// Its uid.
    pub account_uid: String,
    /// Audiences.
    pub audiences: Vec<String>,
    /// Seconds since the epoch.
    pub issued: i64,
    /// Seconds since the epoch.
    pub expires: i64,
    /// What it is bound to.
    pub bound: Option<Bound>,
}

impl Claims {
    /// The JSON of a token.
    #[must_use]
    pub fn json(&self, issuer: &str) -> Value {
        let mut kubernetes = json!({
            "namespace": self.namespace,
            "serviceaccount": { "name": self.account, "uid": self.account_uid }
        });
        if let Some(bound) = &self.bound {
            kubernetes[bound.kind.to_lowercase()] = json!({ "name": bound.name, "uid": bound.uid });
            if bound.kind == "Pod" && !bound.node.is_empty() {
                kubernetes["node"] = json!({ "name": bound.node });
                if !bound.node_uid.is_empty() {
                    kubernetes["node"]["uid"] = bound.node_uid.as_str().into();
                }
            }
        }
        json!({
            "aud": self.audiences, "exp": self.expires, "iat": self.issued, "nbf": self.issued, "iss": issuer,
            "jti": eksile_base::ids::uuid(), "kubernetes.io": kubernetes,
            "sub": format!("system:serviceaccount:{}:{}", self.namespace, self.account)
        })
    }
}

/// Signs tokens.
pub trait TokenIssuer: Send + Sync {
    /// A signed token.
    ///
    /// # Errors
    /// A message when signing fails.
    fn issue(&self, issuer: &str, claims: &Claims) -> Result<String, String>;

    /// The public keys as a JSON Web Key Set, for `/openid/v1/jwks`.
    ///
    /// # Errors
    /// A message when they cannot be shown.
    fn keys(&self) -> Result<Value, String>;
}

/// Verifies signatures of tokens; gives the claims.
pub trait TokenVerifier: Send + Sync {
    /// The claims of a token that we signed, for whatever audience, and that holds at wall time `now`; `None` for any other
    /// token.
    fn verify(&self, token: &str, now: jiff::Timestamp) -> Option<Value>;
}

/// Tells the bearers of service-account tokens.
pub struct ServiceAccounts {
    verifier: Arc<dyn TokenVerifier>,
    issuer: String,
    door: RwLock<Weak<Door>>,
}

impl ServiceAccounts {
    /// Tokens of this issuer. [`ServiceAccounts::attach`] must follow before it can tell anybody.
    #[must_use]
    pub fn new(verifier: Arc<dyn TokenVerifier>, issuer: String) -> Arc<Self> {
        Arc::new(Self { verifier, issuer, door: RwLock::new(Weak::new()) })
    }

    /// Where it looks for the accounts and the objects that tokens are bound to.
    pub fn attach(&self, door: &Arc<Door>) {
        *self.door.write() = Arc::downgrade(door);
    }

    fn tell(&self, token: &str) -> Verdict {
        if token.split('.').count() != 3 {
            return Verdict::NotMine;
        }
        let Some(door) = self.door.read().upgrade() else { return Verdict::NotMine };
        let Some(claims) = self.verifier.verify(token, door.clock.now_wall()) else { return Verdict::NotMine };
        match known(&door, &claims, &self.issuer) {
            Ok(known) => Verdict::Known(known),
            Err(why) => Verdict::Refused(why),
        }
    }
}

impl Authenticator for Arc<ServiceAccounts> {
    fn authenticate<'a>(&'a self, token: &'a str) -> futures::future::BoxFuture<'a, Verdict> {
        Box::pin(std::future::ready(self.tell(token)))
    }
}

fn known(door: &Door, claims: &Value, issuer: &str) -> Result<Known, String> {
    let audiences = match claims.get("aud") {
        Some(Value::Array(list)) => list.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
        Some(Value::String(one)) => vec![one.clone()],
        _ => Vec::new(),
    };
    if claims.get("iss").and_then(Value::as_str) != Some(issuer) {
        return Err("the issuer is another".to_owned());
    }
    let now = door.clock.now_wall();
    let until = lifetime(claims, now)?;
    let own = claims.get("kubernetes.io").ok_or_else(|| "no kubernetes.io claims".to_owned())?;
    let (namespace, name, uid) =
        (text(own, "/namespace"), text(own, "/serviceaccount/name"), text(own, "/serviceaccount/uid"));
    let account = match anchor(door, &format!("/registry/serviceaccounts/{namespace}/{name}"), uid, now)? {
        Held::By(anchor) => anchor,
        Held::Gone => return Err(format!("serviceaccounts {name:?} not found")),
        Held::Ended => return Err(format!("service account {namespace}/{name} has been deleted")),
        Held::Other(own) => return Err(format!("service account UID ({own}) does not match claim ({uid})")),
    };
    let mut anchors = vec![account];
    anchors.extend(bound(door, own, now)?);
    let groups = vec!["system:serviceaccounts".to_owned(), format!("system:serviceaccounts:{namespace}")];
    let user = User {
        name: format!("system:serviceaccount:{namespace}:{name}"),
        uid: uid.to_owned(),
        groups,
        extra: extra(claims, own),
    };
    Ok(Known { user, until: Some(until), anchors, audiences: Some(audiences) })
}

/// Until when what was found out may be remembered. Times may be off by [`LEEWAY`], as upstream grants.
fn lifetime(claims: &Value, now: jiff::Timestamp) -> Result<jiff::Timestamp, String> {
    let time = |name: &str| match claims.get(name).map(Value::as_i64) {
        None => Ok(None),
        // A time that cannot be read is not one that is over, or has come.
        Some(None) => Err(format!("{name} is not a time")),
        Some(Some(seconds)) => jiff::Timestamp::from_second(seconds).map(Some).map_err(|error| error.to_string()),
    };
    let expires = time("exp")?.ok_or_else(|| "no expiry".to_owned())?;
    if now >= expires {
        return Err("service account token has expired".to_owned());
    }
    let early = now.checked_add(LEEWAY).map_err(|error| error.to_string())?;
    if time("nbf")?.is_some_and(|from| early < from) {
        return Err("service account token is not valid yet".to_owned());
    }
    if time("iat")?.is_some_and(|issued| early < issued) {
        return Err("service account token is issued in the future".to_owned());
    }
    // What a token is bound to is looked at again after a while: it may be on its way out.
    Ok(now.checked_add(REMEMBERED).map_or(expires, |soon| soon.min(expires)))
}

/// The objects that a token is bound to, which must be there. Of a token for a pod its node is told, not asked after.
fn bound(door: &Door, own: &Value, now: jiff::Timestamp) -> Result<Vec<Anchor>, String> {
    let namespace = text(own, "/namespace");
    let mut anchors = Vec::new();
    for (kind, prefix) in
        [("secret", format!("secrets/{namespace}")), ("pod", format!("pods/{namespace}")), ("node", "nodes".to_owned())]
    {
        if own.get(kind).is_none_or(Value::is_null) || (kind == "node" && own.get("pod").is_some_and(Value::is_object))
        {
            continue;
        }
        let (name, uid) = (text(own, &format!("/{kind}/name")), text(own, &format!("/{kind}/uid")));
        anchors.push(match anchor(door, &format!("/registry/{prefix}/{name}"), uid, now)? {
            Held::By(anchor) => anchor,
            Held::Gone | Held::Ended => return Err("service account token has been invalidated".to_owned()),
            Held::Other(own) => {
                return Err(match kind {
                    "secret" => format!("secret UID ({own}) does not match service account secret ref claim ({uid})"),
                    kind => format!("{kind} UID ({own}) does not match service account {kind} ref claim ({uid})"),
                });
            }
        });
    }
    Ok(anchors)
}

fn extra(claims: &Value, own: &Value) -> Vec<(String, Vec<String>)> {
    let mut extra = Vec::new();
    for kind in ["pod", "node"] {
        for part in ["name", "uid"] {
            let value = text(own, &format!("/{kind}/{part}"));
            if !value.is_empty() {
                extra.push((format!("authentication.kubernetes.io/{kind}-{part}"), vec![value.to_owned()]));
            }
        }
    }
    if let Some(id) = claims.get("jti").and_then(Value::as_str) {
        extra.push(("authentication.kubernetes.io/credential-id".to_owned(), vec![format!("JTI={id}")]));
    }
    extra.sort();
    extra
}

/// What holds a token.
enum Held {
    /// The object with the uid that the token names; the answer can be kept as long as it is not made anew.
    By(Anchor),
    /// There is no object of the name.
    Gone,
    /// It was deleted a while ago, and waits for its end.
    Ended,
    /// It has this uid, another than the token says.
    Other(String),
}

fn anchor(door: &Door, key: &str, uid: &str, now: jiff::Timestamp) -> Result<Held, String> {
    let Some(entry) = door.store.view().get(key) else { return Ok(Held::Gone) };
    let object: Value = serde_json::from_slice(&entry.value).map_err(|error| {
        tracing::error!(key, %error, "unreadable object");
        "unreadable object".to_owned()
    })?;
    let own = meta(&object, "uid");
    if own != uid || uid.is_empty() {
        return Ok(Held::Other(own.to_owned()));
    }
    let end = meta(&object, "deletionTimestamp");
    if !end.is_empty() {
        let end: jiff::Timestamp = end.parse().map_err(|_| "unreadable deletion time".to_owned())?;
        if end.checked_add(LEEWAY).is_ok_and(|end| end < now) {
            return Ok(Held::Ended);
        }
    }
    Ok(Held::By(Anchor { key: key.to_owned(), created: entry.created }))
}
