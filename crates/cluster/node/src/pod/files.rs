//! The three files every container of a pod shares: hosts, resolver, name.

use std::fmt::Write as _;
use std::fs;
use std::io;
use std::path::Path;

use k8s_openapi::api::core::v1::Pod;

use super::environment::Facts;
use crate::context::Context;

/// Writes them into the pod's directory.
pub(crate) fn write(context: &Context, pod: &Pod, facts: &Facts, directory: &Path) -> io::Result<()> {
    fs::create_dir_all(directory)?;
    let spec = pod.spec.clone().unwrap_or_default();
    let on_node = spec.host_network == Some(true);
    let name = spec.hostname.clone().or_else(|| pod.metadata.name.clone()).unwrap_or_default();
    let mut hosts = if on_node {
        of_node("/etc/hosts")?
    } else {
        "# Kubernetes-managed hosts file.\n127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n".to_owned()
    };
    if !on_node {
        let domain = spec.subdomain.as_ref().map(|subdomain| {
            let namespace = pod.metadata.namespace.as_deref().unwrap_or_default();
            format!("{name}.{subdomain}.{namespace}.svc.{}\t", context.kubelet.cluster_domain)
        });
        // Writing to a String cannot fail.
        let _ = writeln!(hosts, "{}\t{}{name}", facts.pod, domain.unwrap_or_default());
    }
    for alias in spec.host_aliases.iter().flatten() {
        let names = alias.hostnames.clone().unwrap_or_default().join("\t");
        let _ = writeln!(hosts, "{}\t{names}", alias.ip);
    }
    fs::write(directory.join("etc-hosts"), hosts)?;
    let own = if on_node { context.identity.name.clone() } else { name };
    fs::write(directory.join("hostname"), format!("{own}\n"))?;
    fs::write(directory.join("resolv.conf"), resolver(context, pod)?)
}

/// A file of the node; empty where it has none.
fn of_node(path: &str) -> io::Result<String> {
    match fs::read_to_string(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(String::new()),
        read => read,
    }
}

fn resolver(context: &Context, pod: &Pod) -> io::Result<String> {
    let spec = pod.spec.clone().unwrap_or_default();
    let node = of_node("/etc/resolv.conf")?;
    let policy = spec.dns_policy.as_deref().unwrap_or("ClusterFirst");
    let on_node = spec.host_network == Some(true);
    let in_cluster = policy == "ClusterFirstWithHostNet" || policy == "ClusterFirst" && !on_node;
    // Writing to it cannot fail.
    let mut text = String::new();
    if policy == "None" {
    } else if in_cluster && !context.kubelet.cluster_dns.is_empty() {
        let namespace = pod.metadata.namespace.as_deref().unwrap_or_default();
        let domain = &context.kubelet.cluster_domain;
        let above = node.lines().find_map(|line| line.strip_prefix("search ")).unwrap_or_default();
        let _ = writeln!(text, "search {namespace}.svc.{domain} svc.{domain} {domain} {above}");
        for server in &context.kubelet.cluster_dns {
            let _ = writeln!(text, "nameserver {server}");
        }
        text.push_str("options ndots:5\n");
    } else {
        text.push_str(&node);
    }
    let dns = spec.dns_config.unwrap_or_default();
    for server in dns.nameservers.iter().flatten() {
        let _ = writeln!(text, "nameserver {server}");
    }
    if let Some(searches) = dns.searches.filter(|list| !list.is_empty()) {
        let _ = writeln!(text, "search {}", searches.join(" "));
    }
    for option in dns.options.iter().flatten() {
        let value = option.value.as_ref().map_or_else(String::new, |value| format!(":{value}"));
        let _ = writeln!(text, "options {}{value}", option.name.as_deref().unwrap_or_default());
    }
    Ok(text)
}
