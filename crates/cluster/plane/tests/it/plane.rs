//! A control plane of its own for each test.

use std::path::Path;
use std::sync::mpsc;
use std::time::Duration;

use eksile_plane::{Config, Ready};
use serde_json::{Value, json};

/// A running control plane; ends with the value.
pub struct Plane {
    /// Its folder.
    pub folder: tempfile::TempDir,
    /// What it said when it served.
    pub ready: Ready,
    _runtime: tokio::runtime::Runtime,
}

impl Plane {
    /// Starts one with two static tokens: `admin-token` in system:masters, `joe-token` without groups.
    pub fn start() -> Self {
        Self::with(|_, _| {})
    }

    /// Starts one whose configuration was changed; the folder is there already.
    pub fn with(change: impl FnOnce(&Path, &mut Value)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let tokens = folder.path().join("tokens.csv");
        std::fs::write(&tokens, "admin-token,admin,1,\"system:masters\"\njoe-token,joe,2\n").unwrap();
        let mut config = json!({
            "cluster": { "name": "c", "id": "11111111-2222-4333-8444-555555555555", "version": "1.33",
                         "account": "111122223333", "region": "us-west-2" },
            "data": folder.path(), "listeners": [{ "address": "127.0.0.1:0" }], "service_cidr": "10.100.0.0/16",
            "static_tokens": tokens, "ready_file": folder.path().join("ready.json")
        });
        change(folder.path(), &mut config);
        let config: Config = serde_json::from_value(config).unwrap();
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let (said, heard) = mpsc::channel();
        runtime.spawn(async move {
            let ready = said.clone();
            let ended = eksile_plane::run_with(config, move |r| ready.send(Ok(r.clone())).unwrap()).await;
            let Err(error) = ended;
            let _ = said.send(Err(error.to_string()));
        });
        let ready = heard.recv_timeout(Duration::from_secs(60)).expect("it starts").expect("it serves");
        Self { folder, ready, _runtime: runtime }
    }

    /// `https://…`.
    pub fn url(&self) -> String {
        format!("https://{}", self.ready.listeners[0])
    }

    /// PEM of the CA.
    pub fn ca(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("pki/ca.crt")).unwrap()
    }
}
