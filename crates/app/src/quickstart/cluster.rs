use std::time::Duration;

use anyhow::{Context, Result};

use super::{
    network::{Network, PREMISES},
    roles::Roles,
    shell::Shell,
};

/// What later steps need of the cluster.
pub(super) struct Cluster {
    /// `cluster.id`: what a local cluster's tokens are bound to.
    pub id: String,
    /// The API's endpoint.
    pub endpoint: String,
    /// Its authority, PEM in base64.
    pub authority: String,
    /// `eks-cluster-sg-…`.
    pub security_group: String,
}

/// A local cluster, and a kubeconfig for its creator.
pub(super) fn make(shell: &Shell, name: &str, network: &Network, roles: &Roles, outpost_arn: &str) -> Result<Cluster> {
    shell.heading("A local cluster on the Outpost");
    let vpc_config =
        format!("subnetIds={},endpointPrivateAccess=true,endpointPublicAccess=false", network.outpost_subnet);
    let outpost_config = format!("controlPlaneInstanceType=m5.large,outpostArns={outpost_arn}");
    let named = ["--name", name, "--role-arn", &roles.cluster_arn, "--resources-vpc-config", &vpc_config];
    let placed = ["--outpost-config", &outpost_config, "--access-config", "authenticationMode=API_AND_CONFIG_MAP"];
    shell.text("eks create-cluster", &[&named[..], &placed, &["--query", "cluster.status"]].concat())?;
    let status = ["--name", name, "--query", "cluster.status"];
    shell.wait_text("eks describe-cluster", &status, Duration::from_secs(60), |text| text == "ACTIVE")?;
    let query = "cluster.[id,endpoint,certificateAuthority.data,resourcesVpcConfig.clusterSecurityGroupId]";
    let facts = shell.quiet("eks describe-cluster", &["--name", name, "--query", query])?;
    let mut facts = facts.split('\t').map(str::to_owned);
    let mut next = || facts.next().context("describe-cluster left out a fact of an ACTIVE cluster");
    let cluster = Cluster { id: next()?, endpoint: next()?, authority: next()?, security_group: next()? };
    // Hosts on the premises must be let in by the cluster's security group (EKS user guide, "Create a local cluster on an
    // Outpost").
    let rule = ["--group-id", &cluster.security_group, "--protocol", "tcp", "--port", "443", "--cidr", PREMISES];
    shell.text("ec2 authorize-security-group-ingress", &[&rule[..], &["--query", "Return"]].concat())?;
    shell.aws("eks update-kubeconfig", &["--name", name, "--kubeconfig", &shell.kubeconfig()])?;
    shell.kubectl("get", &["svc"], None)?;
    shell.heading("Let the node's role in");
    let entry = ["--cluster-name", name, "--principal-arn", &roles.node_arn, "--type", "EC2_LINUX"];
    shell.text("eks create-access-entry", &[&entry[..], &["--query", "accessEntry.username"]].concat())?;
    Ok(cluster)
}
