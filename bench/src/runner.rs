//! Those who take part: how each is started, and when it is ready.

use std::{
    fs::{self, File},
    io::{BufRead, BufReader},
    net::{SocketAddr, TcpListener},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context, bail, ensure};
use eksile_pki::{Authority, SanName, TokenSigner};
use jiff::SignedDuration;

use crate::{
    connection::{Connection, Target},
    report::{EKSILE, FLOOR, PEER},
};

/// A running server.
pub(crate) struct Runner {
    pub(crate) name: &'static str,
    pub(crate) target: Target,
    /// From start to the first `/readyz` that says yes.
    pub(crate) ready: Duration,
    children: Vec<Child>,
}

impl Runner {
    pub(crate) fn pids(&self) -> Vec<u32> {
        self.children.iter().map(Child::id).collect()
    }
}

impl Drop for Runner {
    fn drop(&mut self) {
        for child in &mut self.children {
            // It may have ended by itself; either way it is gone after this.
            if child.kill().is_ok() {
                drop(child.wait());
            }
        }
    }
}

/// The user that sends the load: a cluster administrator, by bearer token.
const TOKEN: &str = "race-token";
const TOKENS: &str = "race-token,race,race,\"system:masters\"\n";

/// Keys and certificates for the servers that do not make their own.
pub(crate) struct Pki {
    folder: PathBuf,
    ca_pem: String,
}

impl Pki {
    pub(crate) fn make(folder: PathBuf) -> anyhow::Result<Pki> {
        let authority = Authority::create("race", 1)?;
        let names = [SanName::Ip("127.0.0.1".parse()?), SanName::Dns("localhost".to_owned())];
        let server = authority.issue_server(&names, SignedDuration::from_hours(24))?;
        eksile_pki::write_key_pair(&folder, "server", &server)?;
        authority.save(&folder)?;
        TokenSigner::create()?.save(&folder)?;
        fs::write(folder.join("tokens.csv"), TOKENS)?;
        Ok(Pki { folder, ca_pem: authority.pem().to_owned() })
    }

    fn file(&self, name: &str) -> String {
        self.folder.join(name).display().to_string()
    }

    fn target(&self, address: SocketAddr) -> anyhow::Result<Target> {
        let tls = Arc::new(eksile_pki::client_config(&self.ca_pem, None)?);
        Ok(Target { address, tls, token: Some(TOKEN.to_owned()) })
    }
}

/// Eksile's control plane by itself, on loopback.
pub(crate) async fn eksile(binary: &Path, folder: &Path, pki: &Pki) -> anyhow::Result<Runner> {
    fs::create_dir_all(folder.join("pki"))?;
    // Keys are given, as they are to the peer.
    for name in ["ca.crt", "ca.key", "sa.key", "sa.pub"] {
        fs::copy(pki.folder.join(name), folder.join("pki").join(name))?;
    }
    let (file, ready) = (folder.join("config.json"), folder.join("ready"));
    let [port] = free_ports()?;
    let address = SocketAddr::from(([127, 0, 0, 1], port));
    let config = serde_json::json!({
        "cluster": {"name": "race", "id": "race", "version": "1.33", "account": "111122223333", "region": "us-west-2"},
        "data": folder,
        "listeners": [{"address": address}],
        "service_cidr": "10.100.0.0/16",
        "static_tokens": pki.folder.join("tokens.csv"),
        "ready_file": ready,
    });
    fs::write(&file, config.to_string())?;
    let start = Instant::now();
    let child = Command::new(binary)
        .args(["control-plane", "--config"])
        .arg(file)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(File::create(folder.join("log"))?)
        .spawn()?;
    let mut runner =
        Runner { name: EKSILE, target: pki.target(address)?, ready: Duration::ZERO, children: vec![child] };
    runner.ready = until_ready(&mut runner, start).await?;
    Ok(runner)
}

/// kube-apiserver with etcd.
pub(crate) async fn peer(apiserver: &Path, etcd: &Path, folder: &Path, pki: &Pki) -> anyhow::Result<Runner> {
    fs::create_dir_all(folder)?;
    let [client, members, api] = free_ports()?;
    let start = Instant::now();
    let client = format!("http://127.0.0.1:{client}");
    let members = format!("http://127.0.0.1:{members}");
    let etcd = Command::new(etcd)
        .arg("--data-dir")
        .arg(folder.join("etcd"))
        .args(["--listen-client-urls", &client, "--advertise-client-urls", &client])
        .args(["--listen-peer-urls", &members, "--initial-advertise-peer-urls", &members])
        .args(["--initial-cluster", &format!("default={members}")])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(File::create(folder.join("etcd.log"))?)
        .spawn()
        .context("etcd")?;
    let mut runner = Runner {
        name: PEER,
        target: pki.target(SocketAddr::from(([127, 0, 0, 1], api)))?,
        ready: Duration::ZERO,
        children: vec![etcd],
    };
    let apiserver = Command::new(apiserver)
        .args(["--etcd-servers", &client, "--secure-port", &api.to_string()])
        .args(["--bind-address=127.0.0.1", "--advertise-address=127.0.0.1", "--endpoint-reconciler-type=none"])
        .args(["--tls-cert-file", &pki.file("server.crt"), "--tls-private-key-file", &pki.file("server.key")])
        .args(["--client-ca-file", &pki.file("ca.crt"), "--service-account-key-file", &pki.file("sa.pub")])
        .args(["--service-account-signing-key-file", &pki.file("sa.key")])
        .args(["--service-account-issuer=https://kubernetes.default.svc", "--authorization-mode=Node,RBAC"])
        .args(["--service-cluster-ip-range=10.100.0.0/16", "--token-auth-file", &pki.file("tokens.csv")])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(File::create(folder.join("apiserver.log"))?)
        .spawn()
        .context("kube-apiserver")?;
    runner.children.push(apiserver);
    runner.ready = until_ready(&mut runner, start).await?;
    Ok(runner)
}

/// The floor, for answers as long as somebody else's.
pub(crate) fn floor(sizes: [usize; 3], pki: &Pki) -> anyhow::Result<Runner> {
    let start = Instant::now();
    let [config_map, pod, list] = sizes.map(|size| size.to_string());
    let mut child = Command::new(std::env::current_exe()?)
        .args(["floor", "--pki", &pki.folder.display().to_string()])
        .args(["--config-map", &config_map, "--pod", &pod, "--list", &list])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()?;
    let mut line = String::new();
    BufReader::new(child.stdout.take().context("its output is ours")?).read_line(&mut line)?;
    let mut runner = Runner {
        name: FLOOR,
        target: pki.target(SocketAddr::from(([127, 0, 0, 1], 0)))?,
        ready: start.elapsed(),
        children: vec![child],
    };
    runner.target.address = line.trim().parse().context("the floor did not start")?;
    Ok(runner)
}

async fn until_ready(runner: &mut Runner, start: Instant) -> anyhow::Result<Duration> {
    while start.elapsed() < Duration::from_secs(60) {
        if let Some(ended) = runner.children.iter_mut().find_map(|child| child.try_wait().transpose()) {
            bail!("{} ended: {}", runner.name, ended?);
        }
        if ask(&runner.target, "/readyz").await.is_ok() {
            return Ok(start.elapsed());
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    bail!("{} does not become ready", runner.name)
}

async fn ask(target: &Target, path: &str) -> anyhow::Result<()> {
    let (status, _) = Connection::open(target).await?.exchange("GET", path, &[]).await?;
    ensure!(status == 200, "{path}: {status}");
    Ok(())
}

fn free_ports<const N: usize>() -> anyhow::Result<[u16; N]> {
    let mut held = Vec::new();
    let mut ports = [0; N];
    for port in &mut ports {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        *port = listener.local_addr()?.port();
        held.push(listener);
    }
    Ok(ports)
}

/// Makes what the loads need: namespaces, and in each the service account that pods are made under, which is a
/// controller's work where one runs.
pub(crate) async fn furnish(target: &Target, namespaces: &[&str]) -> anyhow::Result<()> {
    let mut connection = Connection::open(target).await?;
    for namespace in namespaces {
        let namespace_path = "/api/v1/namespaces";
        let body = format!(r#"{{"apiVersion":"v1","kind":"Namespace","metadata":{{"name":"{namespace}"}}}}"#);
        let accounts = format!("{namespace_path}/{namespace}/serviceaccounts");
        let account = r#"{"apiVersion":"v1","kind":"ServiceAccount","metadata":{"name":"default"}}"#;
        for (path, body) in [(namespace_path, &*body), (&accounts, account)] {
            let mut answer = Vec::new();
            let status = connection.exchange_with("POST", path, body.as_bytes(), |part| answer.extend(part)).await?;
            ensure!(matches!(status, 201 | 409), "{path}: {status} {}", String::from_utf8_lossy(&answer));
        }
    }
    Ok(())
}
