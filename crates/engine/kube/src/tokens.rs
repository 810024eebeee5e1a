//! Service-account tokens: what they say, who signs them, and how they are told.
//!
//! Claims as `k8s.io/kubernetes/pkg/serviceaccount/claims.go` writes them.

use std::sync::{Arc, Weak};

use parking_lot::RwLock;
use serde_json::{Value, json};

use crate::authenticate::{Anchor, Authenticator, Known, Verdict};
use crate::door::Door;
use crate::object::meta;
use crate::strategy::User;

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
    let number = |name: &str| claims.get(name).and_then(Value::as_i64);
    let now = door.clock.now_wall().as_second();
    let audiences = match claims.get("aud") {
        Some(Value::Array(list)) => list.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
        Some(Value::String(one)) => vec![one.clone()],
        _ => Vec::new(),
    };
    let expires = number("exp").ok_or_else(|| "no expiry".to_owned())?;
    if claims.get("iss").and_then(Value::as_str) != Some(issuer) {
        return Err("the issuer is another".to_owned());
    }
    if now >= expires || number("nbf").is_some_and(|t| now + 60 < t) {
        return Err("service account token has expired".to_owned());
    }
    let own = claims.get("kubernetes.io").ok_or_else(|| "no kubernetes.io claims".to_owned())?;
    let text = |path: &str| own.pointer(path).and_then(Value::as_str).unwrap_or_default();
    let (namespace, name, uid) = (text("/namespace"), text("/serviceaccount/name"), text("/serviceaccount/uid"));
    let mut anchors = vec![match anchor(door, &format!("/registry/serviceaccounts/{namespace}/{name}"), uid)? {
        Held::By(anchor) => anchor,
        Held::Gone => return Err(format!("serviceaccounts {name:?} not found")),
        Held::Other(own) => return Err(format!("service account UID ({own}) does not match claim ({uid})")),
    }];
    let mut extra = Vec::new();
    for (kind, prefix) in
        [("pod", format!("pods/{namespace}")), ("secret", format!("secrets/{namespace}")), ("node", "nodes".to_owned())]
    {
        let (bound, uid) = (text(&format!("/{kind}/name")), text(&format!("/{kind}/uid")));
        if !uid.is_empty() {
            anchors.push(match anchor(door, &format!("/registry/{prefix}/{bound}"), uid)? {
                Held::By(anchor) => anchor,
                Held::Gone => return Err("service account token has been invalidated".to_owned()),
                Held::Other(own) => {
                    let why = format!("{kind} UID ({own}) does not match service account {kind} ref claim ({uid})");
                    return Err(why);
                }
            });
        }
        if !bound.is_empty() && kind != "secret" {
            extra.push((format!("authentication.kubernetes.io/{kind}-name"), vec![bound.to_owned()]));
        }
        if !uid.is_empty() && kind != "secret" {
            extra.push((format!("authentication.kubernetes.io/{kind}-uid"), vec![uid.to_owned()]));
        }
    }
    if let Some(id) = claims.get("jti").and_then(Value::as_str) {
        extra.push(("authentication.kubernetes.io/credential-id".to_owned(), vec![format!("JTI={id}")]));
    }
    extra.sort();
    let groups = vec!["system:serviceaccounts".to_owned(), format!("system:serviceaccounts:{namespace}")];
    let user = User { name: format!("system:serviceaccount:{namespace}:{name}"), uid: uid.to_owned(), groups, extra };
    let until = jiff::Timestamp::from_second(expires).ok();
    Ok(Known { user, until, anchors, audiences: Some(audiences) })
}

/// What holds a token.
enum Held {
    /// The object with the uid that the token names; the answer can be kept as long as it is not made anew.
    By(Anchor),
    /// There is no object of the name.
    Gone,
    /// It has this uid, another than the token says.
    Other(String),
}

fn anchor(door: &Door, key: &str, uid: &str) -> Result<Held, String> {
    let Some(entry) = door.store.view().get(key) else { return Ok(Held::Gone) };
    let object: Value = serde_json::from_slice(&entry.value).map_err(|error| {
        tracing::error!(key, %error, "unreadable object");
        "unreadable object".to_owned()
    })?;
    let own = meta(&object, "uid");
    if own != uid {
        return Ok(Held::Other(own.to_owned()));
    }
    Ok(Held::By(Anchor { key: key.to_owned(), created: entry.created }))
}
