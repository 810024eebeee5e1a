//! Probes: a container is asked how it is, and the answers are counted.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use http::Request;
use k8s_openapi::api::core::v1::{Container as Wanted, Probe};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use tokio::sync::mpsc;

use super::slot::Slot;
use super::worker::Happened;
use crate::runtime::{Container, ExecIo};
use crate::web::{self, Body};

const ANSWER_MAX: usize = 10 << 10;

/// Which question.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Kind {
    Startup,
    Readiness,
    Liveness,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Startup => "startup",
            Self::Readiness => "readiness",
            Self::Liveness => "liveness",
        })
    }
}

/// Whom to ask.
#[derive(Debug, Clone)]
pub(crate) struct Target {
    pub(crate) container: String,
    pub(crate) id: String,
    pub(crate) handle: Container,
    pub(crate) address: String,
}

/// One answer.
#[derive(Debug)]
pub(crate) struct Finding {
    pub(crate) container: String,
    pub(crate) id: String,
    pub(crate) kind: Kind,
    /// Or what was wrong.
    pub(crate) outcome: Result<(), String>,
}

/// A failure to be told.
pub(crate) struct Failure {
    pub(crate) message: String,
    pub(crate) kill: bool,
}

struct State {
    task: tokio::task::JoinHandle<()>,
    good: bool,
    row: (bool, i32),
    needed: (i32, i32),
}

impl Drop for State {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// The probes of a pod's containers.
#[derive(Default)]
pub(crate) struct Probes(HashMap<(String, Kind), State>);

impl Probes {
    /// Starts the probes of a container, unless they run.
    pub(crate) fn start(&mut self, wanted: &Wanted, target: &Target, sender: &mpsc::Sender<Happened>) {
        let started = !self.0.contains_key(&(target.id.clone(), Kind::Startup));
        let held = wanted.startup_probe.is_some() && started;
        let kinds = [
            (Kind::Startup, &wanted.startup_probe),
            (Kind::Readiness, &wanted.readiness_probe),
            (Kind::Liveness, &wanted.liveness_probe),
        ];
        for (kind, probe) in kinds {
            let Some(probe) = probe.clone() else { continue };
            let key = (target.id.clone(), kind);
            if self.0.contains_key(&key) {
                continue;
            }
            let needed = (probe.success_threshold.unwrap_or(1), probe.failure_threshold.unwrap_or(3));
            let ports = ports(wanted);
            let task = tokio::spawn(ask(kind, probe, ports, target.clone(), sender.clone()));
            // Readiness is bad until it is good; liveness good until it is bad.
            let good = kind == Kind::Liveness;
            self.0.insert(key, State { task, good, row: (good, 0), needed });
        }
        if held {
            tracing::debug!(container = target.container, "held back by its startup probe");
        }
    }

    /// The container has ended.
    pub(crate) fn stop(&mut self, id: &str) {
        self.0.retain(|(one, _), _| one != id);
    }

    /// Counts an answer. A failure says whether the container must go.
    pub(crate) fn found(&mut self, finding: &Finding) -> Option<Failure> {
        let up = self.started(&finding.id);
        let state = self.0.get_mut(&(finding.id.clone(), finding.kind))?;
        // Until a container has started, only its startup probe counts; afterwards that one no more.
        if up == (finding.kind == Kind::Startup) {
            return None;
        }
        let good = finding.outcome.is_ok();
        state.row = if state.row.0 == good { (good, state.row.1 + 1) } else { (good, 1) };
        let enough = state.row.1 >= if good { state.needed.0 } else { state.needed.1 };
        if enough {
            state.good = good;
        }
        let reason = finding.outcome.as_ref().err()?;
        let name = finding.kind.to_string();
        let name = format!("{}{}", name[..1].to_uppercase(), &name[1..]);
        let kill = enough && finding.kind != Kind::Readiness;
        Some(Failure { message: format!("{name} probe failed: {reason}"), kill })
    }

    fn started(&self, id: &str) -> bool {
        self.0.get(&(id.to_owned(), Kind::Startup)).is_none_or(|state| state.good)
    }

    /// Whether a container may get traffic.
    pub(crate) fn ready(&self, slot: &Slot) -> bool {
        let Some(run) = slot.current.as_ref().filter(|_| slot.runs()) else { return false };
        let id = &run.record.id;
        let known = |kind| self.0.get(&(id.clone(), kind)).is_some_and(|state: &State| state.good);
        let asked = |probe: &Option<Probe>, kind| probe.is_none() || known(kind);
        asked(&slot.wanted.startup_probe, Kind::Startup) && asked(&slot.wanted.readiness_probe, Kind::Readiness)
    }
}

fn ports(wanted: &Wanted) -> HashMap<String, u16> {
    let ports = wanted.ports.iter().flatten();
    ports.filter_map(|port| Some((port.name.clone()?, u16::try_from(port.container_port).ok()?))).collect()
}

async fn ask(kind: Kind, probe: Probe, ports: HashMap<String, u16>, target: Target, sender: mpsc::Sender<Happened>) {
    let seconds =
        |value: Option<i32>, least: i32| Duration::from_secs(value.unwrap_or(least).max(least).cast_unsigned().into());
    tokio::time::sleep(seconds(probe.initial_delay_seconds, 0)).await;
    let period =
        if probe.period_seconds.is_some() { seconds(probe.period_seconds, 1) } else { Duration::from_secs(10) };
    let patience = seconds(probe.timeout_seconds, 1);
    let mut ticks = tokio::time::interval(period);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let outcome = tokio::time::timeout(patience, once(&probe, &ports, &target)).await;
        let outcome = outcome.unwrap_or_else(|_| Err(format!("command timed out after {}s", patience.as_secs())));
        let finding = Finding { container: target.container.clone(), id: target.id.clone(), kind, outcome };
        if sender.send(Happened::Probed(finding)).await.is_err() {
            return;
        }
    }
}

async fn once(probe: &Probe, ports: &HashMap<String, u16>, target: &Target) -> Result<(), String> {
    if let Some(exec) = &probe.exec {
        return command(target, exec.command.clone().unwrap_or_default()).await;
    }
    if let Some(tcp) = &probe.tcp_socket {
        let port = port(&tcp.port, ports)?;
        let host = tcp.host.clone().filter(|host| !host.is_empty()).unwrap_or_else(|| target.address.clone());
        let dialed = tokio::net::TcpStream::connect((host.as_str(), port)).await;
        return dialed.map(drop).map_err(|error| format!("dial tcp {host}:{port}: {error}"));
    }
    if let Some(get) = &probe.http_get {
        let port = port(&get.port, ports)?;
        let host = get.host.clone().filter(|host| !host.is_empty()).unwrap_or_else(|| target.address.clone());
        let path = get.path.clone().unwrap_or_else(|| "/".to_owned());
        if get.scheme.as_deref() == Some("HTTPS") {
            return Err("probes over HTTPS are not supported on this node".to_owned());
        }
        let url = format!("http://{host}:{port}/{}", path.trim_start_matches('/'));
        let mut request = Request::get(&url).header("user-agent", "kube-probe/1.33");
        for header in get.http_headers.iter().flatten() {
            request = request.header(&header.name, &header.value);
        }
        return http_get(&url, request).await;
    }
    Err("this kind of probe is not supported on this node".to_owned())
}

fn port(port: &IntOrString, ports: &HashMap<String, u16>) -> Result<u16, String> {
    match port {
        IntOrString::Int(number) => u16::try_from(*number).map_err(|_| format!("invalid port {number}")),
        IntOrString::String(name) => match ports.get(name) {
            Some(number) => Ok(*number),
            None => name.parse().map_err(|_| format!("invalid port {name}")),
        },
    }
}

async fn http_get(url: &str, request: http::request::Builder) -> Result<(), String> {
    let failed = |error: &dyn fmt::Display| format!("Get \"{url}\": {error}");
    let request = request.body(Body::default()).map_err(|error| failed(&error))?;
    let tls = web::tls(&[], None, &[]).map_err(|error| failed(&error))?;
    let response = web::once(&Arc::clone(&tls), request).await.map_err(|error| failed(&error))?;
    let status = response.status().as_u16();
    // Read, so that the server sees a client that listens to the end.
    let _ = web::read(response, ANSWER_MAX).await;
    if (200..400).contains(&status) { Ok(()) } else { Err(format!("HTTP probe failed with statuscode: {status}")) }
}

async fn command(target: &Target, command: Vec<String>) -> Result<(), String> {
    let failed = |error: &dyn fmt::Display| error.to_string();
    let process = super::exec_process(&target.handle, command, false).map_err(|error| failed(&error))?;
    let nothing = std::fs::File::open("/dev/null").map_err(|error| failed(&error))?;
    let (reader, writer) = std::io::pipe().map_err(|error| failed(&error))?;
    let errors = writer.try_clone().map_err(|error| failed(&error))?;
    let io = ExecIo::Streams { stdin: nothing.into(), stdout: writer.into(), stderr: errors.into() };
    let exec = target.handle.exec(process, io).await.map_err(|error| failed(&error))?;
    let said = tokio::task::spawn_blocking(move || {
        use std::io::Read;
        let mut text = Vec::new();
        let _ = reader.take(ANSWER_MAX as u64).read_to_end(&mut text);
        String::from_utf8_lossy(&text).into_owned()
    });
    let code = exec.wait().await.map_err(|error| failed(&error))?;
    if code == 0 { Ok(()) } else { Err(said.await.unwrap_or_default()) }
}
