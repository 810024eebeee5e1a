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
    /// The claims of a token that we signed and that holds at wall time `now`; `None` for any other token.
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
            Err(why) => Verdict::Refused(why.to_owned()),
        }
    }
}

impl Authenticator for Arc<ServiceAccounts> {
    fn authenticate<'a>(&'a self, token: &'a str) -> futures::future::BoxFuture<'a, Verdict> {
        Box::pin(std::future::ready(self.tell(token)))
    }
}

fn known(door: &Door, claims: &Value, issuer: &str) -> Result<Known, &'static str> {
    let number = |name: &str| claims.get(name).and_then(Value::as_i64);
    let now = door.clock.now_wall().as_second();
    let audience = match claims.get("aud") {
        Some(Value::Array(list)) => list.iter().any(|a| a == issuer),
        Some(Value::String(one)) => one == issuer,
        _ => false,
    };
    let expires = number("exp").ok_or("no expiry")?;
    if claims.get("iss").and_then(Value::as_str) != Some(issuer) || !audience {
        return Err("issuer or audience is another's");
    }
    if now >= expires || number("nbf").is_some_and(|t| now + 60 < t) {
        return Err("service account token has expired");
    }
    let own = claims.get("kubernetes.io").ok_or("no kubernetes.io claims")?;
    let text = |path: &str| own.pointer(path).and_then(Value::as_str).unwrap_or_default();
    let (namespace, name, uid) = (text("/namespace"), text("/serviceaccount/name"), text("/serviceaccount/uid"));
    let mut anchors = vec![anchor(door, &format!("/registry/serviceaccounts/{namespace}/{name}"), uid)?];
    let mut extra = Vec::new();
    for (kind, prefix) in
        [("pod", format!("pods/{namespace}")), ("secret", format!("secrets/{namespace}")), ("node", "nodes".to_owned())]
    {
        let (bound, uid) = (text(&format!("/{kind}/name")), text(&format!("/{kind}/uid")));
        if !uid.is_empty() {
            anchors.push(anchor(door, &format!("/registry/{prefix}/{bound}"), uid)?);
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
    Ok(Known { user, until: jiff::Timestamp::from_second(expires).ok(), anchors })
}

/// The object must exist with this uid; the answer can be kept as long as it is not made anew.
fn anchor(door: &Door, key: &str, uid: &str) -> Result<Anchor, &'static str> {
    let entry = door.store.view().get(key).ok_or("the account or object it is bound to is gone")?;
    let object: Value = serde_json::from_slice(&entry.value).map_err(|_| "unreadable object")?;
    if meta(&object, "uid") == uid {
        Ok(Anchor { key: key.to_owned(), created: entry.created })
    } else {
        Err("the account or object it is bound to was made anew")
    }
}
