//! What probes and hooks do: run a command in the container, ask over HTTP or gRPC, dial, wait.
//!
//! The kubelet's process is in the instance's network namespace, so everything sent from here leaves from there.

mod grpc;

use std::collections::HashMap;
use std::fmt;
use std::fs::File;
use std::time::Duration;

use http::Request;
use k8s_openapi::api::core::v1::{
    Container as Wanted, GRPCAction, HTTPGetAction, LifecycleHandler, Probe, TCPSocketAction,
};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use tokio::io::AsyncReadExt;
use tokio::net::unix::pipe;

use crate::runtime::{Container, ExecIo};
use crate::web::{self, Body};

const ANSWER_MAX: usize = 10 << 10;
/// How long a command that has ended may still be heard.
const LAST_WORDS: Duration = Duration::from_millis(200);
/// Port of a hook whose `port` is an empty text.
const HTTP: u16 = 80;

/// Whom to ask.
#[derive(Debug, Clone)]
pub(crate) struct Target {
    pub(crate) container: String,
    pub(crate) id: String,
    pub(crate) handle: Container,
    pub(crate) address: String,
    pub(crate) ports: HashMap<String, u16>,
}

/// What to do.
#[derive(Debug, Clone)]
pub(crate) enum Action {
    Exec(Vec<String>),
    Get(HTTPGetAction),
    Dial(TCPSocketAction),
    Grpc(GRPCAction),
    Sleep(Duration),
    /// Nothing that is known here.
    Unknown,
}

impl From<&Probe> for Action {
    fn from(probe: &Probe) -> Self {
        match probe {
            Probe { exec: Some(exec), .. } => Self::Exec(exec.command.clone().unwrap_or_default()),
            Probe { http_get: Some(get), .. } => Self::Get(get.clone()),
            Probe { tcp_socket: Some(tcp), .. } => Self::Dial(tcp.clone()),
            Probe { grpc: Some(grpc), .. } => Self::Grpc(grpc.clone()),
            _ => Self::Unknown,
        }
    }
}

impl From<&LifecycleHandler> for Action {
    fn from(handler: &LifecycleHandler) -> Self {
        match handler {
            LifecycleHandler { exec: Some(exec), .. } => Self::Exec(exec.command.clone().unwrap_or_default()),
            LifecycleHandler { http_get: Some(get), .. } => Self::Get(get.clone()),
            LifecycleHandler { sleep: Some(sleep), .. } => {
                Self::Sleep(Duration::from_secs(sleep.seconds.max(0).cast_unsigned()))
            }
            // A hook cannot dial: the field is there for old clients, and such a hook fails (API reference).
            _ => Self::Unknown,
        }
    }
}

/// How a command failed.
#[derive(Debug)]
pub(crate) struct CommandFailed {
    /// Its exit code; none when it did not run.
    pub(crate) code: Option<i32>,
    /// The beginning of what it wrote, or why it did not run.
    pub(crate) said: String,
}

/// What a command says: all of it is read, the beginning kept.
struct Said {
    from: pipe::Receiver,
    kept: Vec<u8>,
}

impl Said {
    /// Until nobody can say anything more.
    async fn listen(&mut self) {
        let mut buffer = [0; 4096];
        while let Ok(count @ 1..) = self.from.read(&mut buffer).await {
            let room = ANSWER_MAX.saturating_sub(self.kept.len());
            self.kept.extend_from_slice(&buffer[..count.min(room)]);
        }
    }
}

impl Target {
    /// A container as it was started, with the address of its pod.
    pub(crate) fn new(wanted: &Wanted, id: &str, handle: &Container, address: &str) -> Self {
        let ports = wanted.ports.iter().flatten();
        Self {
            container: wanted.name.clone(),
            id: id.to_owned(),
            handle: handle.clone(),
            address: address.to_owned(),
            ports: ports
                .filter_map(|port| Some((port.name.clone()?, u16::try_from(port.container_port).ok()?)))
                .collect(),
        }
    }

    fn port(&self, port: &IntOrString) -> Result<u16, String> {
        match port {
            IntOrString::Int(number) => u16::try_from(*number).map_err(|_| format!("invalid port {number}")),
            IntOrString::String(name) if name.is_empty() => Ok(HTTP),
            IntOrString::String(name) => match self.ports.get(name) {
                Some(number) => Ok(*number),
                None => name.parse().map_err(|_| format!("invalid port {name}")),
            },
        }
    }

    fn host(&self, own: Option<&String>) -> String {
        own.filter(|host| !host.is_empty()).unwrap_or(&self.address).clone()
    }

    /// Runs a command and waits for it.
    pub(crate) async fn command(&self, command: Vec<String>) -> Result<(), CommandFailed> {
        let failed = |error: &dyn fmt::Display| CommandFailed { code: None, said: error.to_string() };
        let process = super::exec_process(&self.handle, command, false).map_err(|error| failed(&error))?;
        let nothing = File::open("/dev/null").map_err(|error| failed(&error))?;
        let (reader, writer) = std::io::pipe().map_err(|error| failed(&error))?;
        let errors = writer.try_clone().map_err(|error| failed(&error))?;
        let io = ExecIo::Streams { stdin: nothing.into(), stdout: writer.into(), stderr: errors.into() };
        let exec = self.handle.exec(process, io).await.map_err(|error| failed(&error))?;
        let reader = pipe::Receiver::from_owned_fd(reader.into()).map_err(|error| failed(&error))?;
        let mut said = Said { from: reader, kept: Vec::new() };
        // Whatever it says, it is heard, so that it goes on; how it ends is what counts.
        let mut ended = std::pin::pin!(exec.wait());
        let code = tokio::select! {
            code = &mut ended => code,
            () = said.listen() => ended.await,
        };
        match code.map_err(|error| failed(&error))? {
            0 => Ok(()),
            code => {
                // Its last words; something that it left behind may go on for ever.
                let _ = tokio::time::timeout(LAST_WORDS, said.listen()).await;
                Err(CommandFailed { code: Some(code), said: String::from_utf8_lossy(&said.kept).into_owned() })
            }
        }
    }

    /// Asks over HTTP, or HTTPS with whatever certificate. Returns the status of the answer.
    pub(crate) async fn get(&self, get: &HTTPGetAction, agent: &str) -> Result<u16, String> {
        let (host, port) = (self.host(get.host.as_ref()), self.port(&get.port)?);
        let scheme = if get.scheme.as_deref() == Some("HTTPS") { "https" } else { "http" };
        let path = get.path.as_deref().unwrap_or("/").trim_start_matches('/');
        let url = format!("{scheme}://{host}:{port}/{path}");
        let failed = |error: &dyn fmt::Display| format!("Get \"{url}\": {error}");
        let mut request = Request::get(&url).header("user-agent", agent).header("accept", "*/*");
        for header in get.http_headers.iter().flatten() {
            // What the pod says replaces what is sent by itself.
            if let Some(ours) = request.headers_mut() {
                ours.remove(&header.name);
            }
            request = request.header(&header.name, &header.value);
        }
        let request = request.body(Body::default()).map_err(|error| failed(&error))?;
        let tls = web::tls_unverified().map_err(|error| failed(&error))?;
        let response = web::once(&tls, request).await.map_err(|error| failed(&error))?;
        let status = response.status().as_u16();
        // Read, so that the server sees a client that listens to the end.
        let _ = web::read(response, ANSWER_MAX).await;
        Ok(status)
    }

    /// Opens a connection and closes it.
    pub(crate) async fn dial(&self, tcp: &TCPSocketAction) -> Result<(), String> {
        let (host, port) = (self.host(tcp.host.as_ref()), self.port(&tcp.port)?);
        let dialed = tokio::net::TcpStream::connect((host.as_str(), port)).await;
        dialed.map(drop).map_err(|error| format!("dial tcp {host}:{port}: {error}"))
    }

    /// Asks `grpc.health.v1.Health/Check`.
    pub(crate) async fn health(&self, action: &GRPCAction) -> Result<(), String> {
        let port = u16::try_from(action.port).map_err(|_| format!("invalid port {}", action.port))?;
        grpc::check(&self.address, port, action.service.as_deref().unwrap_or_default()).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target() -> Target {
        let ports = HashMap::from([("web".to_owned(), 8080)]);
        let (container, id, address) = ("c".to_owned(), "1".to_owned(), "10.0.0.9".to_owned());
        Target { container, id, handle: Container::at("/nowhere"), address, ports }
    }

    #[test]
    fn ports_are_found_by_number_and_name() {
        let name = |text: &str| IntOrString::String(text.to_owned());
        for (port, expected) in [
            (IntOrString::Int(81), Ok(81)),
            (name("web"), Ok(8080)),
            (name("82"), Ok(82)),
            (name(""), Ok(80)),
            (name("no"), Err("invalid port no".to_owned())),
            (IntOrString::Int(70_000), Err("invalid port 70000".to_owned())),
        ] {
            assert_eq!(target().port(&port), expected);
        }
    }

    #[tokio::test]
    async fn all_is_heard_and_the_beginning_kept() {
        let (reader, mut writer) = std::io::pipe().unwrap();
        let talker = std::thread::spawn(move || {
            for number in 0..300_000 {
                std::io::Write::write_all(&mut writer, format!("{number}\n").as_bytes()).unwrap();
            }
        });
        let mut said = Said { from: pipe::Receiver::from_owned_fd(reader.into()).unwrap(), kept: Vec::new() };
        said.listen().await;
        talker.join().unwrap();
        assert!(said.kept.len() == ANSWER_MAX && said.kept.starts_with(b"0\n1\n"));
    }

    #[test]
    fn a_hook_that_dials_is_not_known() {
        let dial = TCPSocketAction { host: None, port: IntOrString::Int(1) };
        let handler = LifecycleHandler { tcp_socket: Some(dial), ..LifecycleHandler::default() };
        assert!(matches!(Action::from(&handler), Action::Unknown));
    }

    /// A server on loopback that answers one request with `status`; what it was asked.
    async fn server(status: u16) -> (u16, tokio::task::JoinHandle<String>) {
        use tokio::io::{AsyncReadExt, AsyncWriteExt};
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let asked = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut text = Vec::new();
            while !text.ends_with(b"\r\n\r\n") {
                text.push(stream.read_u8().await.unwrap());
            }
            let answer = format!("HTTP/1.1 {status} X\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
            stream.write_all(answer.as_bytes()).await.unwrap();
            String::from_utf8(text).unwrap()
        });
        (port, asked)
    }

    #[tokio::test]
    async fn a_hook_is_content_with_any_answer() {
        let (port, asked) = server(500).await;
        let header = serde_json::json!([{"name": "X-Hook", "value": "yes"}, {"name": "User-Agent", "value": "own"}]);
        let get = serde_json::json!({"httpGet": {"path": "/bye", "port": port, "httpHeaders": header}});
        let handler: LifecycleHandler = serde_json::from_value(get).unwrap();
        let target = Target { address: "127.0.0.1".to_owned(), ..target() };
        let pod = k8s_openapi::api::core::v1::Pod::default();
        crate::pod::hook::run(&handler, &target, &pod).await.unwrap();
        let asked = asked.await.unwrap();
        assert!(asked.starts_with("GET /bye HTTP/1.1\r\n"), "{asked}");
        assert!(asked.contains("x-hook: yes\r\n") && asked.contains("user-agent: own\r\n"), "{asked}");
        assert!(!asked.contains("kube-lifecycle"), "{asked}");
        // Nobody is there any more.
        assert!(crate::pod::hook::run(&handler, &target, &pod).await.is_err());
    }
}
