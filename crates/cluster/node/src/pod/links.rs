//! The variables by which a container finds services (Kubernetes documentation, "Environment variables" of services).

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::Service;

/// The variables of one service; none of one without an address.
pub(crate) fn variables(service: &Service) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    let Some(spec) = &service.spec else { return found };
    let address = spec.cluster_ip.as_deref().filter(|ip| !ip.is_empty() && *ip != "None");
    let ports = spec.ports.as_deref().unwrap_or_default();
    let (Some(address), Some(first)) = (address, ports.first()) else { return found };
    let upper = |name: &str| name.to_ascii_uppercase().replace('-', "_");
    let name = upper(service.metadata.name.as_deref().unwrap_or_default());
    let host = if address.contains(':') { format!("[{address}]") } else { address.to_owned() };
    found.insert(format!("{name}_SERVICE_HOST"), address.to_owned());
    found.insert(format!("{name}_SERVICE_PORT"), first.port.to_string());
    for (index, port) in ports.iter().enumerate() {
        let protocol = port.protocol.as_deref().unwrap_or("TCP");
        let number = port.port;
        let url = format!("{}://{host}:{number}", protocol.to_ascii_lowercase());
        if let Some(own) = port.name.as_deref().filter(|own| !own.is_empty()) {
            found.insert(format!("{name}_SERVICE_PORT_{}", upper(own)), number.to_string());
        }
        if index == 0 {
            found.insert(format!("{name}_PORT"), url.clone());
        }
        let prefix = format!("{name}_PORT_{number}_{protocol}");
        found.insert(format!("{prefix}_PROTO"), protocol.to_ascii_lowercase());
        found.insert(format!("{prefix}_PORT"), number.to_string());
        found.insert(format!("{prefix}_ADDR"), address.to_owned());
        found.insert(prefix, url);
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_service_is_found_by_its_variables() {
        let service = |ip: &str| -> Service {
            let ports = json!([{"name": "web", "port": 80}, {"name": "dns-udp", "port": 53, "protocol": "UDP"}]);
            serde_json::from_value(json!({"metadata": {"name": "my-app"}, "spec": {"clusterIP": ip, "ports": ports}}))
                .unwrap()
        };
        let found = variables(&service("172.20.0.9"));
        for (name, value) in [
            ("MY_APP_SERVICE_HOST", "172.20.0.9"),
            ("MY_APP_SERVICE_PORT", "80"),
            ("MY_APP_SERVICE_PORT_DNS_UDP", "53"),
            ("MY_APP_PORT", "tcp://172.20.0.9:80"),
            ("MY_APP_PORT_80_TCP", "tcp://172.20.0.9:80"),
            ("MY_APP_PORT_53_UDP_PROTO", "udp"),
            ("MY_APP_PORT_53_UDP_ADDR", "172.20.0.9"),
        ] {
            assert_eq!(found.get(name).map(String::as_str), Some(value), "{name}");
        }
        assert!(variables(&service("None")).is_empty());
    }
}
