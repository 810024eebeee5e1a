//! A control plane by itself, on loopback: `control-plane DIR [PORT]` keeps everything in DIR, prints its URL, and
//! takes the tokens in `DIR/tokens.csv` (made when missing: `admin-token` is in system:masters).
//! With `EKSILE_CONTROLLERS=off` in the environment no controllers run, only the API server.
//! `control-plane --config FILE` takes a whole configuration.

use std::path::{Path, PathBuf};

use eksile_plane::Config;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    tracing_subscriber::fmt().with_writer(std::io::stderr).with_env_filter(filter()).init();
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let mut endpoint = None;
    let config = match &arguments[..] {
        [flag, file] if flag == "--config" => Config::read(Path::new(file))?,
        [folder] => standalone(Path::new(folder), "0", &mut endpoint)?,
        [folder, port] => standalone(Path::new(folder), port, &mut endpoint)?,
        _ => return Err("usage: control-plane DIR [PORT] | --config FILE".into()),
    };
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(eksile_plane::run_with(
        config,
        |ready| {
            let url = format!("https://{}", ready.listeners[0]);
            println!("{url}");
            if let Some(path) = endpoint {
                std::fs::write(path, format!("{url}\n")).expect("the folder was just made");
            }
        },
    ))?;
    Ok(())
}

fn filter() -> tracing_subscriber::EnvFilter {
    tracing_subscriber::EnvFilter::try_from_default_env().unwrap_or_else(|_| "info".into())
}

fn standalone(folder: &Path, port: &str, endpoint: &mut Option<PathBuf>) -> Result<Config, Box<dyn std::error::Error>> {
    std::fs::create_dir_all(folder)?;
    let folder: PathBuf = folder.canonicalize()?;
    *endpoint = Some(folder.join("endpoint"));
    let tokens = folder.join("tokens.csv");
    if !tokens.exists() {
        std::fs::write(&tokens, "admin-token,admin,admin,\"system:masters\"\n")?;
    }
    let text = serde_json::json!({
        "cluster": { "name": "local", "id": "00000000-0000-4000-8000-000000000000", "version": "1.33",
                     "account": "111122223333", "region": "us-west-2" },
        "data": folder, "listeners": [{ "address": format!("127.0.0.1:{port}") }], "serving_names": ["localhost"],
        "service_cidr": "10.100.0.0/16", "static_tokens": tokens,
        "controllers": std::env::var("EKSILE_CONTROLLERS").as_deref() != Ok("off"), "ready_file": folder.join("ready.json")
    });
    Ok(serde_json::from_value(text)?)
}
