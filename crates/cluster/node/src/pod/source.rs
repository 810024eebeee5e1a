//! What pods take from the API: config maps, secrets, tokens, the address of the API itself.

use std::collections::BTreeMap;
use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use k8s_openapi::List;
use k8s_openapi::api::core::v1::{ConfigMap, Pod, Service};
use serde_json::{Value, json};

use super::environment::ConfigError;
use crate::api::{Api, ApiError};

/// Files or variables by key.
pub(crate) type Data = BTreeMap<String, Vec<u8>>;

/// The API, on behalf of one pod.
pub(crate) struct Sources<'a> {
    pub(crate) api: &'a Api,
    pub(crate) namespace: &'a str,
}

impl Sources<'_> {
    fn path(&self, plural: &str, name: &str) -> String {
        format!("/api/v1/namespaces/{}/{plural}/{name}", self.namespace)
    }

    /// The content of a config map; none when it is optional and not there.
    pub(crate) async fn config_map(&self, name: &str, optional: Option<bool>) -> Result<Option<Data>, ConfigError> {
        let got = self.api.get::<ConfigMap>(&self.path("configmaps", name)).await;
        let Some(map) = present(got, optional)? else { return Ok(None) };
        let mut data: Data = map.data.into_iter().flatten().map(|(key, text)| (key, text.into_bytes())).collect();
        data.extend(map.binary_data.into_iter().flatten().map(|(key, bytes)| (key, bytes.0)));
        Ok(Some(data))
    }

    /// The content of a secret; none when it is optional and not there.
    pub(crate) async fn secret(&self, name: &str, optional: Option<bool>) -> Result<Option<Data>, ConfigError> {
        let got = self.api.get::<Value>(&self.path("secrets", name)).await;
        let Some(secret) = present(got, optional)? else { return Ok(None) };
        let mut data = Data::new();
        for (key, value) in secret["data"].as_object().into_iter().flatten() {
            let bytes = STANDARD.decode(value.as_str().unwrap_or_default());
            data.insert(key.clone(), bytes.map_err(|error| ConfigError(format!("secret {name}: {key}: {error}")))?);
        }
        Ok(Some(data))
    }

    /// A token of the pod's service account, bound to the pod, and how long it is good for.
    pub(crate) async fn token(
        &self,
        pod: &Pod,
        audience: Option<&str>,
        seconds: i64,
    ) -> Result<(String, i64), ConfigError> {
        let account = pod.spec.as_ref().and_then(|spec| spec.service_account_name.as_deref()).unwrap_or("default");
        let bound = json!({
            "kind": "Pod", "apiVersion": "v1", "name": pod.metadata.name, "uid": pod.metadata.uid,
        });
        let mut spec = json!({"expirationSeconds": seconds, "boundObjectRef": bound});
        if let Some(audience) = audience.filter(|audience| !audience.is_empty()) {
            spec["audiences"] = json!([audience]);
        }
        let body = json!({"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": spec});
        let path = format!("{}/token", self.path("serviceaccounts", account));
        let answer: Value = self
            .api
            .post(&path, &body)
            .await
            .map_err(|error| ConfigError(format!("failed to fetch token: {error}")))?;
        let token = answer["status"]["token"].as_str().unwrap_or_default().to_owned();
        let granted = answer["spec"]["expirationSeconds"].as_i64().unwrap_or(seconds);
        Ok((token, granted))
    }

    /// The variables by which a container finds the API and, with `links`, the services of its own namespace
    /// (`enableServiceLinks`). A pod that wants links waits for them.
    pub(crate) async fn services(&self, links: bool) -> Result<BTreeMap<String, String>, ConfigError> {
        let unread = |error: ApiError| ConfigError(format!("services have not yet been read at least once: {error}"));
        let api: Service = self.api.get("/api/v1/namespaces/default/services/kubernetes").await.map_err(unread)?;
        let mut found = super::links::variables(&api);
        if links {
            let path = format!("/api/v1/namespaces/{}/services", self.namespace);
            let all: List<Service> = self.api.get(&path).await.map_err(unread)?;
            found.extend(all.items.iter().flat_map(super::links::variables));
        }
        Ok(found)
    }

    /// Name and password for a registry from the pod's pull secrets.
    pub(crate) async fn pull_secret(&self, pod: &Pod, registry: &str) -> Option<String> {
        let spec = pod.spec.as_ref()?;
        for reference in spec.image_pull_secrets.iter().flatten() {
            let unusable =
                |error: &dyn fmt::Display| tracing::warn!(%error, secret = reference.name, "no use for pulling images");
            let found = self.secret(&reference.name, Some(true)).await.inspect_err(|error| unusable(error));
            let Ok(Some(mut data)) = found else { continue };
            let Some(text) = data.remove(".dockerconfigjson") else { continue };
            let read = serde_json::from_slice::<Value>(&text).inspect_err(|error| unusable(error));
            let Ok(config) = read else { continue };
            let entry = &config["auths"][registry];
            if let Some(auth) = entry["auth"].as_str() {
                match STANDARD.decode(auth).map(String::from_utf8) {
                    Ok(Ok(pair)) => return Some(pair),
                    Ok(Err(error)) => unusable(&error),
                    Err(error) => unusable(&error),
                }
                continue;
            }
            if let (Some(user), Some(password)) = (entry["username"].as_str(), entry["password"].as_str()) {
                return Some(format!("{user}:{password}"));
            }
        }
        None
    }
}

fn present<T>(got: Result<T, ApiError>, optional: Option<bool>) -> Result<Option<T>, ConfigError> {
    match got {
        Ok(object) => Ok(Some(object)),
        Err(error) if error.is_not_found() && optional == Some(true) => Ok(None),
        Err(error) => Err(ConfigError(error.to_string())),
    }
}
