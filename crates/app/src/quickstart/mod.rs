//! `eksile quickstart`: from nothing to a container's log, through the public APIs and with the real clients.
//!
//! Every step prints the command that it runs, so that a reader can do the same by hand.

mod cluster;
mod network;
mod node;
mod roles;
mod shell;

use anyhow::{Context, Result};

use crate::{
    cli::{QuickstartArgs, UpArgs},
    credentials,
    layout::Layout,
    up,
    world_config::WorldConfig,
};
use shell::Shell;

/// Runs it all.
pub(crate) fn run(layout: &Layout, arguments: &QuickstartArgs) -> Result<()> {
    let running = match up::Running::find(layout)? {
        Some(running) => {
            println!("eksile runs already in {}", layout.root().display());
            running
        }
        None => {
            println!("Starting eksile in {}", layout.root().display());
            up::detach(layout, &UpArgs { detach: true, ..arguments.up.clone() })?;
            up::Running::find(layout)?.context("eksile ended again")?
        }
    };
    let config = WorldConfig::load(layout)?;
    let key = credentials::admin(layout)?;
    let shell = Shell::new(layout, arguments, &config, running.listen, &key)?;
    let account = config.account.as_str();

    shell.heading("Who am I?");
    shell.aws("sts get-caller-identity", &[])?;
    let outpost = shell.text("outposts list-outposts", &["--query", "Outposts[0].[OutpostArn,AvailabilityZone]"])?;
    let (outpost_arn, zone) = outpost.split_once('\t').context("list-outposts showed no Outpost")?;

    let network = network::make(&shell, outpost_arn, zone)?;
    let roles = roles::make(&shell, account)?;
    let cluster = cluster::make(&shell, &arguments.name, &network, &roles, outpost_arn)?;
    let image = node::push_image(&shell, layout)?;
    let instance = node::launch(&shell, &arguments.name, &network, &roles, &cluster)?;
    node::wait_until_ready(&shell)?;
    node::run_pod(&shell, &image)?;
    try_next(layout, arguments, &config, &instance);
    Ok(())
}

fn try_next(layout: &Layout, arguments: &QuickstartArgs, config: &WorldConfig, instance: &str) {
    let data = layout.root().display();
    let program = std::env::current_exe().map_or_else(|_| "eksile".to_owned(), |path| path.display().to_string());
    let outpost = config.outposts.first().map_or("", String::as_str);
    let name = &arguments.name;
    let heading = shell::styled(shell::BOLD, "It stands. Try next:");
    println!(
        "\n{heading}

  # the aws CLI, and kubectl as the cluster's creator
  eval \"$({program} --data {data} env)\"
  export KUBECONFIG={data}/kubeconfig
  kubectl get nodes -o wide
  kubectl exec hello -- uname -n

  # cut the service link; IAM tokens stop working, the pod goes on
  {program} --data {data} outpost disconnect {outpost}
  kubectl get pods                                   # Unauthorized: the token cannot be checked
  {program} --data {data} outpost reconnect {outpost}

  # a client certificate that works while cut off: docs/disconnected.md

  aws ec2 terminate-instances --instance-ids {instance}
  aws eks delete-cluster --name {name}
  {program} --data {data} down"
    );
}
