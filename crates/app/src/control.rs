//! What the world's processes and the command line ask of the world: one JSON line each way on a Unix socket that only
//! the owner of the data folder can open.

use std::path::Path;

use anyhow::{Context, Result, anyhow};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::Value;
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::UnixStream,
};

/// A request to the world.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "act", rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) enum Request {
    /// Keep a loopback listener whose callers are let in at a place of the fabric.
    Forward {
        /// Replaces an earlier forward of the same name.
        name: String,
        /// Port wanted; another is taken when it is not free.
        port: Option<u16>,
        /// Namespace from which the targets are dialled.
        place: String,
        /// Addresses, tried in turn.
        targets: Vec<std::net::SocketAddr>,
    },
    /// End a forward.
    Unforward {
        /// Its name.
        name: String,
    },
    /// Cut, mend or look at an Outpost's service link.
    Link {
        /// The Outpost.
        outpost: String,
        /// What to do.
        turn: LinkTurn,
    },
    /// A role serves.
    Ready {
        /// `region`, `site us-west-2`, …
        role: String,
    },
    /// What runs.
    Status,
}

/// What to do with a service link.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum LinkTurn {
    /// Drop every packet.
    Disconnect,
    /// Let packets through.
    Reconnect,
    /// Only look.
    Look,
}

/// Answer to [`Request::Forward`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Forwarded {
    /// Port of the loopback listener.
    pub port: u16,
}

/// Answer to [`Request::Link`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct LinkStatus {
    /// The Outpost.
    pub outpost: String,
    /// Whether `disconnect` is in force.
    pub cut: bool,
    /// The link's network namespace, as a path on the host.
    pub namespace: String,
}

/// Answer to [`Request::Status`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct WorldStatus {
    /// Everything the world keeps running.
    pub processes: Vec<ProcessStatus>,
    /// Every loopback listener.
    pub listeners: Vec<ListenerStatus>,
    /// Every service link.
    pub links: Vec<LinkStatus>,
}

/// One process.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ProcessStatus {
    /// `region`, `site us-west-2`, …
    pub role: String,
    /// Its pid as the host sees it; absent between two lives.
    pub pid: Option<u32>,
    /// How often it was started again.
    pub restarts: u32,
}

/// One loopback listener.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ListenerStatus {
    /// What it is for.
    pub name: String,
    /// Its port on 127.0.0.1.
    pub port: u16,
}

/// What comes back: the answer, or why there is none.
pub(crate) type Reply = std::result::Result<Value, String>;

/// Asks the world.
pub(crate) async fn ask<T: DeserializeOwned>(socket: &Path, request: &Request) -> Result<T> {
    let stream = UnixStream::connect(socket)
        .await
        .with_context(|| format!("nothing answers at {} (is `eksile up` running?)", socket.display()))?;
    let (reader, mut writer) = stream.into_split();
    let mut line = serde_json::to_vec(request)?;
    line.push(b'\n');
    writer.write_all(&line).await?;
    let mut answer = String::new();
    BufReader::new(reader).read_line(&mut answer).await?;
    let reply: Reply = serde_json::from_str(&answer).context("the world's answer")?;
    let value = reply.map_err(|reason| anyhow!(reason))?;
    serde_json::from_value(value).context("the world's answer")
}
