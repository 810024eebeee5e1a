use std::{collections::HashMap, fs, io};

use anyhow::{Context as _, Result};

use super::{outpost::on_host, running};
use crate::{
    cli::Output,
    control::{self, Request, WorldStatus},
    layout::Layout,
};

/// `eksile status`.
pub(crate) async fn status(layout: &Layout, output: Output) -> Result<()> {
    let running = running(layout)?;
    let mut status: WorldStatus = control::ask(&layout.world_socket(), &Request::Status).await?;
    let pids = host_pids(running.world).context("looking for the installation's processes")?;
    for process in &mut status.processes {
        process.pid = process.pid.and_then(|pid| pids.get(&pid).copied());
    }
    for link in &mut status.links {
        link.namespace = on_host(running.world, &link.namespace);
    }
    if output == Output::Json {
        println!("{}", serde_json::to_string_pretty(&status)?);
        return Ok(());
    }
    println!("eksile up (pid {}) serves http://{}", running.pid, running.listen);
    for process in &status.processes {
        let pid = process.pid.map_or_else(|| "not running".to_owned(), |pid| format!("pid {pid}"));
        println!("  {:<24} {pid}, started again {} times", process.role, process.restarts);
    }
    for listener in &status.listeners {
        println!("  {:<24} https://127.0.0.1:{}", listener.name, listener.port);
    }
    for link in &status.links {
        println!("  {:<24} service link {}", link.outpost, if link.cut { "cut" } else { "open" });
    }
    Ok(())
}

/// Pids inside the world's PID namespace, and what the host calls them: `NSpid` of `/proc/PID/status`, proc(5).
fn host_pids(world: i32) -> io::Result<HashMap<u32, u32>> {
    let namespace = fs::read_link(format!("/proc/{world}/ns/pid"))?;
    let processes = fs::read_dir("/proc")?;
    let named = processes.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<u32>().ok());
    // Others come and go while this looks: what cannot be read has gone.
    let found = named
        .filter(|pid| fs::read_link(format!("/proc/{pid}/ns/pid")).is_ok_and(|link| link == namespace))
        .filter_map(|pid| {
            let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
            let line = status.lines().find_map(|line| line.strip_prefix("NSpid:"))?;
            Some((line.split_whitespace().last()?.parse().ok()?, pid))
        })
        .collect();
    Ok(found)
}
