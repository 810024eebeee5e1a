//! IAM tokens: checked for form, replayed to the Region's STS, mapped to a user of the cluster.

mod identity;
mod mapping;
mod naming;
mod sts;
mod token;

use std::sync::{Arc, Weak};
use std::time::SystemTime;

use eksile_base::Clock;
use eksile_kube::Door;
use eksile_kube::authenticate::{Authenticator, Known, Verdict};
use futures::future::BoxFuture;
use jiff::SignedDuration;
use parking_lot::RwLock;

use crate::config;
use identity::Identity;
use mapping::{Access, AwsAuth};
use sts::Sts;

/// How long a verified token is remembered at most. Upstream's webhook cache has two minutes.
const REMEMBERED: SignedDuration = SignedDuration::from_mins(2);

/// The group of those who may ask for their first certificate as a node.
const BOOTSTRAPPERS: &str = "system:bootstrappers";

/// The authenticator cannot be set up.
#[derive(Debug, thiserror::Error)]
pub enum IamError {
    /// The CA of STS cannot be read.
    #[error("{0}: {1}")]
    Read(std::path::PathBuf, std::io::Error),
    /// It is not a CA.
    #[error("sts_ca: {0}")]
    Ca(#[from] eksile_pki::PkiError),
}

/// Tells the bearers of IAM tokens.
pub(crate) struct Iam {
    sts: Sts,
    settings: config::Iam,
    region: String,
    clock: Clock,
    /// The access file as last read, and its time of change.
    access: RwLock<Option<(SystemTime, Arc<Access>)>>,
    door: RwLock<Weak<Door>>,
}

impl Iam {
    pub(crate) fn new(settings: &config::Iam, region: &str, clock: Clock) -> Result<Arc<Self>, IamError> {
        let ca = std::fs::read_to_string(&settings.sts_ca).map_err(|e| IamError::Read(settings.sts_ca.clone(), e))?;
        Ok(Arc::new(Self {
            sts: Sts::new(settings, region, &ca)?,
            settings: settings.clone(),
            region: region.to_owned(),
            clock,
            access: RwLock::new(None),
            door: RwLock::new(Weak::new()),
        }))
    }

    /// Where the aws-auth ConfigMap is looked up.
    pub(crate) fn attach(&self, door: &Arc<Door>) {
        *self.door.write() = Arc::downgrade(door);
    }

    async fn tell(&self, token: &str) -> Verdict {
        if !token.starts_with(token::PREFIX) {
            return Verdict::NotMine;
        }
        match self.verify(token).await {
            Ok(known) => Verdict::Known(known),
            Err(why) => Verdict::Refused(why),
        }
    }

    async fn verify(&self, token: &str) -> Result<Known, String> {
        let now = self.clock.now_wall();
        let presigned =
            token::read(token, &self.region, &self.settings.own_endpoints, now).map_err(|e| e.to_string())?;
        let told = self.sts.replay(&presigned).await?;
        let who = Identity::read(&told.answer, told.source.as_deref(), &presigned.access_key)?;
        let access = self.access()?;
        let user = mapping::user(&access, &self.aws_auth(), &who)?;
        let mut user = user.ok_or_else(|| format!("ARN is not mapped: {}", who.canonical.to_lowercase()))?;
        self.end_bootstrap(&who, &mut user)?;
        let soon = now.checked_add(REMEMBERED).unwrap_or(presigned.until);
        Ok(Known { user, until: Some(soon.min(presigned.until)), anchors: Vec::new(), audiences: None })
    }

    /// The access file, read again when it has changed.
    fn access(&self) -> Result<Arc<Access>, String> {
        let path = &self.settings.access_file;
        let failed = |error: &dyn std::fmt::Display| format!("{}: {error}", path.display());
        let changed = std::fs::metadata(path).and_then(|m| m.modified()).map_err(|e| failed(&e))?;
        if let Some((at, access)) = &*self.access.read()
            && *at == changed
        {
            return Ok(access.clone());
        }
        let text = std::fs::read(path).map_err(|e| failed(&e))?;
        let access: Arc<Access> = Arc::new(serde_json::from_slice(&text).map_err(|e| failed(&e))?);
        *self.access.write() = Some((changed, access.clone()));
        Ok(access)
    }

    /// Who is a node already does not bootstrap any more: the group goes once the instance's Node is registered.
    fn end_bootstrap(&self, who: &Identity, user: &mut eksile_kube::User) -> Result<(), String> {
        let (Some(node), Some(instance)) = (user.name.strip_prefix("system:node:"), &who.instance) else {
            return Ok(());
        };
        let door = self.door.read().upgrade().ok_or("the control plane is not ready")?;
        let node = door.stored("/registry/nodes/", node);
        let provider = node.as_ref().and_then(|n| n.pointer("/spec/providerID")).and_then(serde_json::Value::as_str);
        if provider.and_then(|id| id.rsplit('/').next()) == Some(instance) {
            user.groups.retain(|group| group != BOOTSTRAPPERS);
        }
        Ok(())
    }

    fn aws_auth(&self) -> AwsAuth {
        let door = self.door.read().upgrade();
        let map = door.and_then(|door| door.stored("/registry/configmaps/", "kube-system/aws-auth"));
        map.map(|map| AwsAuth::read(&map)).unwrap_or_default()
    }
}

/// The site writes the cloud's instances into the access file, too.
impl eksile_control::Instances for Iam {
    fn exists(&self, instance: &str) -> Result<bool, String> {
        Ok(self.access()?.instances.contains_key(instance))
    }

    fn named(&self, node: &str) -> Result<Option<eksile_control::Machine>, String> {
        Ok(self.access()?.machine(node))
    }
}

/// The authenticator as the door holds it.
pub(crate) struct Shared(pub(crate) Arc<Iam>);

impl Authenticator for Shared {
    fn authenticate<'a>(&'a self, token: &'a str) -> BoxFuture<'a, Verdict> {
        Box::pin(self.0.tell(token))
    }
}
