//! Crates depend downwards only.

use std::{collections::BTreeMap, process::Command};

use anyhow::{Context, Result, bail};
use serde_json::Value;

/// Folder of a crate, and the folders (or single crates) it may use.
const MAY_USE: &[(&str, &[&str])] = &[
    ("crates/engine", &["crates/engine"]),
    ("crates/cloud", &["crates/engine", "crates/cloud"]),
    ("crates/cluster", &["crates/engine", "crates/cluster", "crates/cloud/eks"]),
    ("crates/site", &["crates/engine", "crates/cloud"]),
    ("crates/console", &["crates/engine", "crates/cloud"]),
    ("crates/app", &["crates"]),
    ("crates/kit", &["crates/engine", "crates/cloud"]),
    ("tests", &["crates"]),
    ("bench", &["crates"]),
    ("xtask", &[]),
];

/// Crates of the engine that may use no other than these: the bottom of the house.
const BOTTOM: &[(&str, &[&str])] = &[
    ("crates/engine/base", &[]),
    ("crates/engine/gate", &[]),
    ("crates/engine/shape", &[]),
    ("crates/engine/apimachinery", &[]),
    ("crates/engine/linux", &["crates/engine/base"]),
    ("crates/engine/store", &["crates/engine/base"]),
    ("crates/engine/pki", &["crates/engine/base"]),
    ("crates/engine/yaml", &[]),
];

pub(crate) fn run() -> Result<()> {
    let output = Command::new(std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned()))
        .args(["metadata", "--no-deps", "--format-version", "1"])
        .output()
        .context("running cargo metadata")?;
    let metadata: Value = serde_json::from_slice(&output.stdout).context("reading cargo metadata")?;
    let root = metadata["workspace_root"].as_str().unwrap_or_default().to_owned();
    let packages = metadata["packages"].as_array().cloned().unwrap_or_default();
    let folders: BTreeMap<String, String> = packages
        .iter()
        .filter_map(|package| {
            let manifest = package["manifest_path"].as_str()?.strip_prefix(&root)?.trim_start_matches('/');
            Some((package["name"].as_str()?.to_owned(), manifest.trim_end_matches("/Cargo.toml").to_owned()))
        })
        .collect();
    let mut wrong = Vec::new();
    for package in &packages {
        let name = package["name"].as_str().unwrap_or_default();
        let Some(folder) = folders.get(name) else { continue };
        for dependency in package["dependencies"].as_array().into_iter().flatten() {
            let used = dependency["name"].as_str().unwrap_or_default();
            let development = dependency["kind"].as_str() == Some("dev");
            let Some(target) = folders.get(used) else { continue };
            if !development && !may_use(folder, target) {
                wrong.push(format!("{folder} -> {target}"));
            }
        }
    }
    if !wrong.is_empty() {
        bail!("arrows that must not be:\n  {}", wrong.join("\n  "));
    }
    println!("arrows: {} crates, all point down", packages.len());
    Ok(())
}

fn may_use(folder: &str, target: &str) -> bool {
    if let Some((_, allowed)) = BOTTOM.iter().find(|(bottom, _)| *bottom == folder) {
        return allowed.contains(&target);
    }
    MAY_USE
        .iter()
        .find(|(prefix, _)| folder.starts_with(prefix))
        .is_some_and(|(_, allowed)| allowed.iter().any(|prefix| target.starts_with(prefix)))
}
