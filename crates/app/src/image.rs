//! Images made out of files of this machine.

use std::{
    io::Read as _,
    path::{Component, Path},
};

use anyhow::{Context, Result, bail};
use flate2::{Compression, write::GzEncoder};
use oci_client::{
    Reference,
    client::{Client, ClientConfig, ClientProtocol, Config, ImageLayer},
    manifest::{IMAGE_CONFIG_MEDIA_TYPE, IMAGE_LAYER_GZIP_MEDIA_TYPE},
    secrets::RegistryAuth,
};
use serde_json::json;

use crate::cli::PushArgs;

/// Makes the image and stores it; returns where the manifest lies.
pub(crate) fn push(arguments: &PushArgs, plain_http: bool) -> Result<String> {
    let reference: Reference = arguments.reference.parse().context("the image's name")?;
    let layer = layer(arguments)?;
    let diff_id = digest(&layer);
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    std::io::Write::write_all(&mut encoder, &layer)?;
    let layer = ImageLayer::new(encoder.finish()?, IMAGE_LAYER_GZIP_MEDIA_TYPE.to_owned(), None);
    let architecture = if cfg!(target_arch = "aarch64") { "arm64" } else { "amd64" };
    let config = json!({
        "architecture": architecture,
        "os": "linux",
        "config": { "Entrypoint": arguments.entrypoint, "Env": ["PATH=/bin:/usr/bin:/sbin:/usr/sbin"] },
        "rootfs": { "type": "layers", "diff_ids": [diff_id] },
    });
    let config = Config::new(serde_json::to_vec(&config)?, IMAGE_CONFIG_MEDIA_TYPE.to_owned(), None);
    let protocol = if plain_http { ClientProtocol::Http } else { ClientProtocol::Https };
    let client = Client::new(ClientConfig { protocol, ..ClientConfig::default() });
    let auth = RegistryAuth::Basic("AWS".to_owned(), password(&arguments.password_file)?);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let pushed = runtime
        .block_on(client.push(&reference, &[layer], config, &auth, None))
        .with_context(|| format!("pushing {reference}"))?;
    Ok(pushed.manifest_url)
}

fn password(file: &Path) -> Result<String> {
    let mut text = String::new();
    if file == Path::new("-") {
        std::io::stdin().read_to_string(&mut text)?;
    } else {
        text = std::fs::read_to_string(file).with_context(|| format!("reading {}", file.display()))?;
    }
    Ok(text.trim_end().to_owned())
}

/// The layer's tar: its folders, the files, the links, and what every program expects to find.
fn layer(arguments: &PushArgs) -> Result<Vec<u8>> {
    let mut tar = tar::Builder::new(Vec::new());
    tar.mode(tar::HeaderMode::Deterministic);
    for folder in ["tmp", "etc", "proc", "sys", "dev", "var"] {
        entry(&mut tar, tar::EntryType::Directory, folder, if folder == "tmp" { 0o1777 } else { 0o755 }, &[])?;
    }
    entry(&mut tar, tar::EntryType::Regular, "etc/passwd", 0o644, b"root:x:0:0:root:/root:/bin/sh\n")?;
    entry(&mut tar, tar::EntryType::Regular, "etc/group", 0o644, b"root:x:0:\n")?;
    for pair in &arguments.files {
        let (source, destination) = pair.split_once(':').context("--file must be SOURCE:DESTINATION")?;
        let content = std::fs::read(source).with_context(|| format!("reading {source}"))?;
        entry(&mut tar, tar::EntryType::Regular, inside(destination)?, 0o755, &content)?;
    }
    for pair in &arguments.links {
        let (path, target) = pair.split_once('=').context("--link must be PATH=TARGET")?;
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(tar::EntryType::Symlink);
        header.set_size(0);
        header.set_mode(0o777);
        tar.append_link(&mut header, inside(path)?, target)?;
    }
    Ok(tar.into_inner()?)
}

fn entry(tar: &mut tar::Builder<Vec<u8>>, kind: tar::EntryType, path: &str, mode: u32, content: &[u8]) -> Result<()> {
    let mut header = tar::Header::new_gnu();
    header.set_entry_type(kind);
    header.set_mode(mode);
    header.set_size(content.len() as u64);
    Ok(tar.append_data(&mut header, path, content)?)
}

/// A path in the image, without its leading slash.
fn inside(path: &str) -> Result<&str> {
    let relative = path.trim_start_matches('/');
    if relative.is_empty() || Path::new(relative).components().any(|part| !matches!(part, Component::Normal(_))) {
        bail!("{path}: not a plain path in the image");
    }
    Ok(relative)
}

fn digest(content: &[u8]) -> String {
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, content);
    format!("sha256:{}", hex::encode(digest))
}
