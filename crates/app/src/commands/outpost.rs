use anyhow::{Context, Result};

use super::running;
use crate::{
    cli::Output,
    control::{self, LinkStatus, LinkTurn, Request},
    layout::Layout,
    world_config::WorldConfig,
};

/// `eksile outpost disconnect | reconnect | status`.
pub(crate) async fn outpost(layout: &Layout, turn: LinkTurn, name: Option<String>, output: Output) -> Result<()> {
    let outpost = match name {
        Some(name) => name,
        None => {
            let mut outposts = WorldConfig::load(layout)?.outposts;
            anyhow::ensure!(outposts.len() == 1, "name one of the Outposts: {}", outposts.join(", "));
            outposts.pop().context("there is no Outpost")?
        }
    };
    let world = running(layout)?.world;
    let mut status: LinkStatus = control::ask(&layout.world_socket(), &Request::Link { outpost, turn }).await?;
    status.namespace = on_host(world, &status.namespace);
    match output {
        Output::Json => println!("{}", serde_json::to_string_pretty(&status)?),
        Output::Text => {
            let state = if status.cut { "cut" } else { "open" };
            println!("{}: service link {state}\nnamespace: {}", status.outpost, status.namespace);
        }
    }
    Ok(())
}

/// A path of the world's mount namespace, as the host reaches it.
pub(super) fn on_host(world: i32, path: &str) -> String {
    format!("/proc/{world}/root{path}")
}
