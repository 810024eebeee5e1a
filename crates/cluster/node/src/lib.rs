//! The kubelet of a node, its container runtime, and the shim that stands beside each container.

pub mod api;
pub mod aws;
mod beneath;
pub mod cgroup;
pub mod config;
mod context;
pub mod identity;
pub mod images;
pub mod kubelet;
pub mod pod;
mod quantity;
pub mod runtime;
pub mod server;
pub mod shim;
pub mod web;

use std::process::ExitCode;

/// `eksile node ARGUMENTS`: the kubelet. Ends only when told to, or when it cannot start.
#[must_use]
pub fn main(arguments: &[String]) -> ExitCode {
    let outcome = config::Config::from_arguments(arguments).map_err(kubelet::KubeletError::from).and_then(|config| {
        // Few threads: a node waits much and works little.
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
        let runtime = runtime.map_err(|source| kubelet::KubeletError::Io { what: "start the runtime", source })?;
        runtime.block_on(kubelet::run(config))
    });
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eksile_base::stderr::say(&format!("E kubelet: {error}"));
            ExitCode::FAILURE
        }
    }
}
