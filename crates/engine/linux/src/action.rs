//! Effects on the network as values: written down, recorded, done.

use std::collections::BTreeSet;
use std::fmt;
use std::fs;
use std::io::Write;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::netlink::{Cidr, Neighbour, Netlink, Route, RouteKind, Rule, Selector, Veth};
use crate::{Error, IdRange, Namespace};

/// How long an interface may take to carry packets; it usually takes less than a millisecond.
const CARRIES: Duration = Duration::from_secs(2);

/// One effect in one place. Places are named namespaces (see [`Namespace::named`]).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Action {
    /// The place.
    pub place: String,
    /// What happens there.
    pub what: What,
}

/// What an [`Action`] does. Each may be done twice: the second time changes nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum What {
    /// Makes the place, its `lo` up.
    Create,
    /// As [`What::Create`], owned by a new user namespace with these ids: for programs that nobody vouches for.
    CreateOwned(IdRange),
    /// Removes the place.
    Delete,
    /// Writes a file under `/proc/sys/net/`.
    Set(String, String),
    /// Makes a veth pair to another place and brings this end up.
    Veth(Veth, String),
    /// Brings an interface up.
    Up(String),
    /// Waits until an interface carries packets, which the kernel decides a moment after both ends
    /// of a cable are up; an ARP request lost before that is repeated only after a second.
    Await(String),
    /// Removes an interface.
    Unlink(String),
    /// Gives an interface an address.
    Address(String, Cidr),
    /// Takes an address away.
    Unaddress(String, Cidr),
    /// Adds or replaces a route.
    Route(Route),
    /// Removes a route.
    Unroute(Route),
    /// Adds a routing rule.
    Rule(Rule),
    /// Removes a routing rule.
    Unrule(Rule),
    /// Adds or replaces a permanent neighbour.
    Neighbour(Neighbour),
    /// Gives an nftables script to the place, which takes all of it or nothing.
    Filter(String),
}

/// What could not be done.
#[derive(Debug, thiserror::Error)]
#[error("[{place}] {error}")]
pub struct Failure {
    /// Where.
    pub place: String,
    /// Why.
    pub error: Error,
}

/// Who performs actions.
pub trait Effects {
    /// Performs them in order. One that fails keeps none from the rest but those in a place that could not be made, set
    /// or filtered: such a place is left alone, and not connected to others. Answers the first failure of each place.
    fn perform(&mut self, actions: &[Action]) -> Vec<Failure>;
}

/// Performs nothing and writes down everything, one action a line.
#[derive(Debug, Default)]
pub struct Script {
    /// What would have been done.
    pub lines: Vec<String>,
}

impl Effects for Script {
    fn perform(&mut self, actions: &[Action]) -> Vec<Failure> {
        self.lines.extend(actions.iter().map(ToString::to_string));
        Vec::new()
    }
}

/// Performs actions on this machine.
#[derive(Debug, Default)]
pub struct Host;

impl Effects for Host {
    fn perform(&mut self, actions: &[Action]) -> Vec<Failure> {
        let mut failures: Vec<Failure> = Vec::new();
        let mut shunned = BTreeSet::new();
        // One netlink socket for a run of actions in the same place; none is kept, because a
        // socket keeps its namespace alive.
        for run in actions.chunk_by(|a, b| a.place == b.place) {
            let place = Namespace::named(&run[0].place);
            let mut open = None;
            for action in run {
                if action.touches(&shunned) {
                    continue;
                }
                let Err(error) = perform(&place, &mut open, &action.what) else { continue };
                if action.what.is_ground(&error) {
                    shunned.insert(action.place.clone());
                }
                if failures.iter().all(|other| other.place != action.place) {
                    failures.push(Failure { place: action.place.clone(), error });
                }
            }
        }
        failures
    }
}

impl Action {
    fn touches(&self, places: &BTreeSet<String>) -> bool {
        // Taking away is always right.
        let takes = matches!(self.what, What::Delete | What::Unlink(_));
        let far = matches!(&self.what, What::Veth(_, far) if places.contains(far));
        !takes && (far || places.contains(&self.place))
    }
}

impl What {
    /// Whether a place is no place, or an open one, when this has failed. The settings of an interface that is not there
    /// are no matter of the place.
    fn is_ground(&self, error: &Error) -> bool {
        match self {
            Self::Create | Self::CreateOwned(_) | Self::Filter(_) => true,
            Self::Set(..) => !error.is_absent(),
            _ => false,
        }
    }
}

fn perform(place: &Namespace, open: &mut Option<Netlink>, what: &What) -> Result<(), Error> {
    match what {
        What::Create => return place.create(),
        What::CreateOwned(ids) => return place.create_owned(*ids),
        What::Delete => {
            *open = None;
            return place.delete();
        }
        What::Set(key, value) => return set(place, key, value),
        What::Filter(script) => return filter(place, script),
        _ => {}
    }
    let netlink = match open {
        Some(netlink) => netlink,
        None => open.insert(Netlink::open(place)?),
    };
    match what {
        What::Veth(veth, far) => {
            present(netlink.add_veth(veth, &Namespace::named(far)))?;
            netlink.set_up(&veth.near.name)
        }
        What::Up(name) => netlink.set_up(name),
        What::Await(name) => carries(netlink, name),
        What::Unlink(name) => absent(netlink.delete_link(name)),
        What::Address(name, address) => netlink.index(name).and_then(|i| netlink.add_address(i, *address)),
        What::Unaddress(name, address) => {
            absent(netlink.index(name).and_then(|index| netlink.delete_address(index, *address)))
        }
        What::Route(route) => {
            let index = device(netlink, route)?;
            netlink.replace_route(route, index)
        }
        What::Unroute(route) => absent(device(netlink, route).and_then(|index| netlink.delete_route(route, index))),
        What::Rule(rule) => netlink.add_rule(rule),
        What::Unrule(rule) => absent(netlink.delete_rule(rule)),
        What::Neighbour(neighbour) => {
            let index = netlink.index(&neighbour.device)?;
            netlink.replace_neighbour(neighbour, index)
        }
        What::Create | What::CreateOwned(_) | What::Delete | What::Set(..) | What::Filter(_) => Ok(()),
    }
}

fn carries(netlink: &mut Netlink, name: &str) -> Result<(), Error> {
    let start = Instant::now();
    while !netlink.link(name)?.carries {
        if start.elapsed() > CARRIES {
            return Err(Error::at(format!("wait for {name}"))(std::io::Error::from(std::io::ErrorKind::TimedOut)));
        }
        thread::sleep(Duration::from_micros(200));
    }
    Ok(())
}

fn device(netlink: &mut Netlink, route: &Route) -> Result<Option<u32>, Error> {
    match &route.kind {
        RouteKind::Via { device, .. } => netlink.index(device).map(Some),
        RouteKind::Blackhole | RouteKind::Throw => Ok(None),
    }
}

fn absent(done: Result<(), Error>) -> Result<(), Error> {
    done.or_else(|e| if e.is_absent() { Ok(()) } else { Err(e) })
}

fn present(done: Result<(), Error>) -> Result<(), Error> {
    done.or_else(|e| if e.is_present() { Ok(()) } else { Err(e) })
}

/// Writes `/proc/sys/net/KEY` in `place` (the files follow whoever opens them).
fn set(place: &Namespace, key: &str, value: &str) -> Result<(), Error> {
    // `/proc/sys/net` shows the namespace of the thread that opens it.
    let path = format!("/proc/sys/net/{key}");
    match place.enter(|| fs::write(&path, value))? {
        // A kernel without IPv6 has nothing to be switched off.
        Err(e) if e.kind() == std::io::ErrorKind::NotFound && key.starts_with("ipv6/") => Ok(()),
        other => other.map_err(Error::at(path.as_str())),
    }
}

/// Gives `script` to `nft` in `place`: one transaction, so all of it or nothing (nft(8)).
///
/// # Errors
/// What `nft` wrote, when it refused; when there is no `nft`.
pub fn filter(place: &Namespace, script: &str) -> Result<(), Error> {
    nft(place, &["-f", "-"], script).map(drop)
}

/// Runs `nft` in `place` and returns what it printed.
///
/// # Errors
/// What `nft` wrote, when it refused; when there is no `nft`.
pub fn nft(place: &Namespace, args: &[&str], input: &str) -> Result<String, Error> {
    let run = || -> std::io::Result<std::process::Output> {
        // A child starts in the namespaces of the thread that makes it.
        let mut child = Command::new("nft")
            .args(args)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()?;
        let written = child.stdin.take().map(|mut stdin| stdin.write_all(input.as_bytes()));
        let output = child.wait_with_output()?;
        // A script that nft stopped reading is explained by nft's own words.
        if output.status.success() { written.transpose().map(|_| output) } else { Ok(output) }
    };
    let output = place.enter(run)?.map_err(Error::at("run nft"))?;
    if !output.status.success() {
        let message = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        return Err(Error::Program { program: "nft", message });
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[{}] {}", self.place, self.what)
    }
}

impl fmt::Display for What {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Create => write!(f, "create"),
            Self::CreateOwned(ids) => write!(f, "create for ids {ids}"),
            Self::Delete => write!(f, "delete"),
            Self::Set(key, value) => write!(f, "set {key} = {value}"),
            Self::Veth(veth, far) => {
                let (near, end) = (&veth.near, &veth.far);
                write!(f, "link {} group {:#x} mtu {}", near.name, near.group, near.mtu)?;
                write!(f, " <-> [{far}] {} mtu {}", end.name, end.mtu)
            }
            Self::Up(name) => write!(f, "up {name}"),
            Self::Await(name) => write!(f, "await {name}"),
            Self::Unlink(name) => write!(f, "unlink {name}"),
            Self::Address(name, address) => write!(f, "address {address} on {name}"),
            Self::Unaddress(name, address) => write!(f, "no address {address} on {name}"),
            Self::Route(route) => write!(f, "route {route}"),
            Self::Unroute(route) => write!(f, "no route {route}"),
            Self::Rule(rule) => write!(f, "rule {rule}"),
            Self::Unrule(rule) => write!(f, "no rule {rule}"),
            Self::Neighbour(n) => write!(f, "neighbour {} is {} on {}", n.address, n.mac, n.device),
            Self::Filter(script) => write!(f, "filter\n{script}"),
        }
    }
}

impl fmt::Display for Route {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} in {:#x}: ", self.to, self.table)?;
        match &self.kind {
            RouteKind::Via { device, gateway: None } => write!(f, "on {device}"),
            RouteKind::Via { device, gateway: Some(gateway) } => write!(f, "via {gateway} on {device}"),
            RouteKind::Blackhole => write!(f, "blackhole"),
            RouteKind::Throw => write!(f, "throw"),
        }
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.priority)?;
        match &self.selector {
            Selector::All => write!(f, "all")?,
            Selector::Mark(mark) => write!(f, "mark {mark:#x}")?,
            Selector::From(device) => write!(f, "from {device}")?,
        }
        match self.table {
            Some(table) => write!(f, " lookup {table:#x}"),
            None => write!(f, " blackhole"),
        }
    }
}
