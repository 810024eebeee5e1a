use anyhow::Result;
use serde_json::{Map, Value};

use super::running;
use crate::{cli::Output, credentials, layout::Layout, world_config::WorldConfig};

/// `eksile env`: what the aws CLI and the SDKs read, for a shell to evaluate.
pub(crate) fn env(layout: &Layout, output: Output) -> Result<()> {
    let config = WorldConfig::load(layout)?;
    let listen = running(layout)?.listen;
    let exports = credentials::admin(layout)?.exports(&config, listen);
    match output {
        Output::Text => {
            for (name, value) in exports {
                println!("export {name}='{value}'");
            }
        }
        Output::Json => {
            let map: Map<String, Value> =
                exports.into_iter().map(|(name, value)| (name.to_owned(), value.into())).collect();
            println!("{}", serde_json::to_string_pretty(&map)?);
        }
    }
    Ok(())
}
