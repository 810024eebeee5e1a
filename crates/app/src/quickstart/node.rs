use std::{path::Path, time::Duration};

use anyhow::{Result, bail};

use super::{cluster::Cluster, network::Network, roles::Roles, shell::Shell};
use crate::{
    cli::PushArgs,
    image,
    layout::{self, Layout},
};

const REPOSITORY: &str = "busybox";
/// Where Debian's busybox-static has it, and where others do.
const BUSYBOX: [&str; 3] = ["/bin/busybox", "/usr/bin/busybox", "/usr/lib/busybox/busybox"];
const APPLETS: [&str; 12] =
    ["sh", "cat", "date", "echo", "env", "hostname", "httpd", "ls", "sleep", "uname", "wget", "ip"];

/// Makes an image of busybox and stores it in the Region's registry. Returns the name a pod uses.
pub(super) fn push_image(shell: &Shell, layout: &Layout) -> Result<String> {
    shell.heading("An image in the Region's registry");
    let Some(busybox) = BUSYBOX.iter().find(|path| Path::new(path).exists()) else {
        bail!("no static busybox on this machine (Debian: apt-get install busybox-static)");
    };
    let query = ["--query", "repository.repositoryUri"];
    let uri = shell.text("ecr create-repository", &[&["--repository-name", REPOSITORY][..], &query].concat())?;
    let endpoint = shell.quiet("ecr get-authorization-token", &["--query", "authorizationData[0].proxyEndpoint"])?;
    let password = shell.quiet("ecr get-login-password", &[])?;
    let reference = format!("{}/{REPOSITORY}:1", endpoint.split("://").last().unwrap_or_default());
    let arguments = PushArgs {
        reference: reference.clone(),
        files: vec![format!("{busybox}:/bin/busybox")],
        links: APPLETS.iter().map(|applet| format!("/bin/{applet}=busybox")).collect(),
        entrypoint: vec!["/bin/sh".to_owned()],
        password_file: layout.run().join("registry-password"),
    };
    layout::write(&arguments.password_file, password.as_bytes())?;
    println!("$ eksile image push {reference} --file {busybox}:/bin/busybox …");
    let digest = image::push(&arguments, endpoint.starts_with("http://"))?;
    println!("{digest}");
    Ok(format!("{uri}:1"))
}

/// A worker on the Outpost, with the user data that the EKS guide gives for local clusters.
pub(super) fn launch(shell: &Shell, name: &str, network: &Network, roles: &Roles, cluster: &Cluster) -> Result<String> {
    shell.heading("A node");
    let user_data = format!(
        "#!/bin/bash\n/etc/eks/bootstrap.sh {name} --b64-cluster-ca {} --apiserver-endpoint {} \
         --enable-local-outpost true --cluster-id {}\n",
        cluster.authority, cluster.endpoint, cluster.id
    );
    let query = "sort_by(Images,&CreationDate)[-1].ImageId";
    let filter = "Name=name,Values=amazon-eks-node-1.32-*";
    let image = shell.text("ec2 describe-images", &["--owners", "amazon", "--filters", filter, "--query", query])?;
    let profile = format!("Name={}", roles.profile);
    let tags = format!("ResourceType=instance,Tags=[{{Key=Name,Value={name}-node}}]");
    let machine = ["--image-id", &image, "--instance-type", "m5.large", "--iam-instance-profile", &profile];
    let placed = ["--subnet-id", &network.outpost_subnet, "--security-group-ids", &cluster.security_group];
    // A pod is a hop further than the node, so that no pod reads the node role's credentials.
    let metadata = ["--metadata-options", "HttpTokens=required,HttpPutResponseHopLimit=1"];
    let rest = ["--secondary-private-ip-address-count", "9", "--user-data", &user_data, "--tag-specifications", &tags];
    let query = ["--query", "Instances[0].InstanceId"];
    shell.text("ec2 run-instances", &[&machine[..], &placed, &metadata, &rest, &query].concat())
}

/// Until the node has registered and is Ready.
pub(super) fn wait_until_ready(shell: &Shell) -> Result<()> {
    let ready = |text: &str| text.lines().any(|line| line.split_whitespace().nth(1) == Some("Ready"));
    shell.wait_kubectl("get", &["nodes", "--no-headers"], Duration::from_secs(60), ready)?;
    Ok(())
}

/// A pod on that node, and its log.
pub(super) fn run_pod(shell: &Shell, image: &str) -> Result<()> {
    shell.heading("A pod, and its log");
    let node = shell.kubectl("get", &["nodes", "-o", "jsonpath={.items[0].metadata.name}"], None)?;
    println!();
    let pod = format!(
        "apiVersion: v1\nkind: Pod\nmetadata:\n  name: hello\nspec:\n  nodeName: {node}\n  containers:\n  \
         - name: hello\n    image: {image}\n    command: [\"/bin/sh\", \"-c\"]\n    \
         args: [\"echo hello from $(hostname); while true; do date; sleep 5; done\"]\n"
    );
    shell.kubectl("apply", &["-f", "-"], Some(&pod))?;
    let running = |text: &str| text.contains("hello from");
    shell.wait_kubectl("logs", &["hello"], Duration::from_secs(60), running)?;
    shell.kubectl("get", &["pods", "-o", "wide"], None)?;
    Ok(())
}
