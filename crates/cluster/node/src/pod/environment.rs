//! The environment and command line of a container.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{Container, EnvVarSource, Pod, ResourceFieldSelector};

use super::admit::Room;
use super::source::Sources;
use crate::quantity;

/// A container cannot be configured: `CreateContainerConfigError` and its text.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct ConfigError(pub(crate) String);

/// Facts that only the node knows.
#[derive(Debug, Clone)]
pub(crate) struct Facts {
    pub(crate) pod: String,
    pub(crate) host: String,
    /// What the node's pods may have together.
    pub(crate) room: Room,
}

/// Replaces `$(NAME)` by the variable's value; an unknown one stays, `$$` becomes `$` (Kubernetes documentation,
/// "Define dependent environment variables").
pub(crate) fn expand(text: &str, variables: &BTreeMap<String, String>) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(position) = rest.find('$') {
        out.push_str(&rest[..position]);
        rest = &rest[position..];
        if let Some(after) = rest.strip_prefix("$$") {
            out.push('$');
            rest = after;
        } else if let Some((name, after)) = rest.strip_prefix("$(").and_then(|inner| inner.split_once(')')) {
            match variables.get(name) {
                Some(value) => out.push_str(value),
                None => out.push_str(&rest[..name.len() + 3]),
            }
            rest = after;
        } else {
            out.push('$');
            rest = &rest[1..];
        }
    }
    out.push_str(rest);
    out
}

/// The variables a pod gives a container, in order of precedence: service facts, `envFrom`, `env`.
pub(crate) async fn variables(
    sources: &Sources<'_>,
    pod: &Pod,
    container: &Container,
    facts: &Facts,
) -> Result<BTreeMap<String, String>, ConfigError> {
    let links = pod.spec.as_ref().and_then(|spec| spec.enable_service_links).unwrap_or(true);
    let mut found = sources.services(links).await?;
    for from in container.env_from.iter().flatten() {
        let prefix = from.prefix.clone().unwrap_or_default();
        let data = if let Some(map) = &from.config_map_ref {
            sources.config_map(&map.name, map.optional).await?
        } else if let Some(secret) = &from.secret_ref {
            sources.secret(&secret.name, secret.optional).await?
        } else {
            None
        };
        for (key, value) in data.unwrap_or_default() {
            found.insert(format!("{prefix}{key}"), String::from_utf8_lossy(&value).into_owned());
        }
    }
    for variable in container.env.iter().flatten() {
        let value = match (&variable.value, &variable.value_from) {
            (Some(value), _) => Some(expand(value, &found)),
            (None, Some(from)) => from_source(sources, pod, container, facts, from).await?,
            (None, None) => Some(String::new()),
        };
        if let Some(value) = value {
            found.insert(variable.name.clone(), value);
        }
    }
    Ok(found)
}

async fn from_source(
    sources: &Sources<'_>,
    pod: &Pod,
    container: &Container,
    facts: &Facts,
    from: &EnvVarSource,
) -> Result<Option<String>, ConfigError> {
    if let Some(field) = &from.field_ref {
        return field_value(pod, facts, &field.field_path).map(Some);
    }
    if let Some(resource) = &from.resource_field_ref {
        return resource_value(pod, Some(container), resource, &facts.room).map(Some);
    }
    let (data, kind, name, key, optional) = if let Some(map) = &from.config_map_key_ref {
        (sources.config_map(&map.name, map.optional).await?, "ConfigMap", &map.name, &map.key, map.optional)
    } else if let Some(secret) = &from.secret_key_ref {
        (sources.secret(&secret.name, secret.optional).await?, "Secret", &secret.name, &secret.key, secret.optional)
    } else {
        return Err(ConfigError("a variable's source is not supported".to_owned()));
    };
    match data.and_then(|mut data| data.remove(key)) {
        Some(value) => Ok(Some(String::from_utf8_lossy(&value).into_owned())),
        None if optional == Some(true) => Ok(None),
        None => {
            let namespace = pod.metadata.namespace.as_deref().unwrap_or_default();
            Err(ConfigError(format!("couldn't find key {key} in {kind} {namespace}/{name}")))
        }
    }
}

/// A field of the pod (Kubernetes documentation, "Downward API").
pub(crate) fn field_value(pod: &Pod, facts: &Facts, path: &str) -> Result<String, ConfigError> {
    let meta = &pod.metadata;
    let subscript = |prefix: &str| path.strip_prefix(prefix)?.strip_suffix("']");
    if let Some(key) = subscript("metadata.labels['") {
        return Ok(meta.labels.as_ref().and_then(|all| all.get(key)).cloned().unwrap_or_default());
    }
    if let Some(key) = subscript("metadata.annotations['") {
        return Ok(meta.annotations.as_ref().and_then(|all| all.get(key)).cloned().unwrap_or_default());
    }
    let lines = |map: &Option<BTreeMap<String, String>>| {
        let lines: Vec<_> = map.iter().flatten().map(|(key, value)| format!("{key}={value:?}")).collect();
        lines.join("\n")
    };
    let spec = pod.spec.as_ref();
    Ok(match path {
        "metadata.name" => meta.name.clone().unwrap_or_default(),
        "metadata.namespace" => meta.namespace.clone().unwrap_or_default(),
        "metadata.uid" => meta.uid.clone().unwrap_or_default(),
        "metadata.labels" => lines(&meta.labels),
        "metadata.annotations" => lines(&meta.annotations),
        "spec.nodeName" => spec.and_then(|spec| spec.node_name.clone()).unwrap_or_default(),
        "spec.serviceAccountName" => spec.and_then(|spec| spec.service_account_name.clone()).unwrap_or_default(),
        "status.hostIP" | "status.hostIPs" => facts.host.clone(),
        "status.podIP" | "status.podIPs" => facts.pod.clone(),
        _ => return Err(ConfigError(format!("unsupported fieldPath: {path}"))),
    })
}

/// A container's limit or request, in units of the divisor, rounded up. Without a limit it is what the node's pods may
/// have together. `own` is meant where no container is named.
pub(crate) fn resource_value(
    pod: &Pod,
    own: Option<&Container>,
    field: &ResourceFieldSelector,
    room: &Room,
) -> Result<String, ConfigError> {
    let bad = || ConfigError(format!("unsupported container resource : {}", field.resource));
    let (which, name) = field.resource.split_once('.').ok_or_else(bad)?;
    let named = field.container_name.as_deref().filter(|name| !name.is_empty());
    let mut all = pod.spec.iter().flat_map(|spec| spec.containers.iter().chain(spec.init_containers.iter().flatten()));
    let container = named.map_or(own, |name| all.find(|one| one.name == name));
    let container =
        container.ok_or_else(|| ConfigError(format!("container {} not found", named.unwrap_or_default())))?;
    let resources = container.resources.as_ref();
    let (table, default) = match which {
        "limits" => (resources.and_then(|resources| resources.limits.as_ref()), room.milli(name)),
        "requests" => (resources.and_then(|resources| resources.requests.as_ref()), 0),
        _ => return Err(bad()),
    };
    let value = table.and_then(|table| table.get(name)).and_then(|value| quantity::milli(&value.0)).unwrap_or(default);
    let divisor = field.divisor.as_ref().and_then(|divisor| quantity::milli(&divisor.0)).filter(|d| *d > 0);
    let divisor = divisor.unwrap_or(1000);
    Ok((value / divisor + i64::from(value % divisor > 0)).to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_are_expanded() {
        let variables = BTreeMap::from([("A".to_owned(), "1".to_owned()), ("B".to_owned(), "$(A)".to_owned())]);
        for (text, expected) in [
            ("$(A)", "1"),
            ("x$(A)y$(A)", "x1y1"),
            ("$(NO)", "$(NO)"),
            ("$$(A)", "$(A)"),
            ("$(B)", "$(A)"),
            ("$A $", "$A $"),
            ("$(A", "$(A"),
            ("é$(A)", "é1"),
        ] {
            assert_eq!(expand(text, &variables), expected, "{text}");
        }
    }

    #[test]
    fn a_limit_that_is_not_set_is_the_nodes() {
        let pod: Pod = serde_json::from_value(serde_json::json!({"metadata": {}, "spec": {"containers": [
            {"name": "a", "resources": {"limits": {"cpu": "1500m"}, "requests": {"memory": "1500"}}}, {"name": "b"},
        ]}}))
        .unwrap();
        let room = Room { cpu: 1930, memory: 3 << 30, storage: 1, pods: 1 };
        let own = &pod.spec.as_ref().unwrap().containers[0];
        let value = |container: &str, resource: &str, divisor: &str| {
            let field = serde_json::json!({"containerName": container, "resource": resource, "divisor": divisor});
            resource_value(&pod, Some(own), &serde_json::from_value(field).unwrap(), &room).map_err(|error| error.0)
        };
        for (container, resource, divisor, expected) in [
            ("", "limits.cpu", "0", "2"),
            ("a", "limits.cpu", "1m", "1500"),
            ("", "requests.memory", "1k", "2"),
            ("b", "limits.cpu", "1m", "1930"),
            ("b", "limits.memory", "1Gi", "3"),
            ("b", "requests.memory", "1", "0"),
        ] {
            assert_eq!(value(container, resource, divisor).as_deref(), Ok(expected), "{container} {resource}");
        }
        assert!(value("c", "limits.cpu", "1").is_err());
        assert!(value("a", "cpu", "1").is_err());
    }
}
