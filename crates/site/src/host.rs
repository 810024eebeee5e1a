//! The site's loop: whenever something changed, bring fabric, instances, control planes and services closer to what
//! the replica says, in this order, since each needs what comes before it.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::SocketAddr,
    path::PathBuf,
    pin::Pin,
    sync::Arc,
    time::{Duration, Instant},
};

use eksile_base::Clock;
use eksile_linux::{IdRange, process::Identity};
use eksile_store::{Store, WatchItem};
use tokio::{task::JoinSet, time::sleep};

use crate::{
    control_plane::{self, ControlPlanes, Loopback},
    fabric::{self, Fabric, Records},
    ids::Ids,
    instances::{Instances, Progress},
    link::{LinkClient, Question},
    metadata::Credentials,
    pace::Pace,
    services::Services,
    troubles::Troubles,
};

/// Pauses before something unfinished is looked at again, ever longer while it is.
const SOON: (Duration, Duration) = (Duration::from_millis(20), Duration::from_millis(500));
/// The same of what waits for others.
const OTHERS: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(5));
/// Everything is looked at this often, whether or not anything seems to have changed.
const RESYNC: Duration = Duration::from_secs(10);

/// What a site is and has.
pub struct Host {
    /// Its name: an Outpost's id, or the Region's name.
    pub site: String,
    /// The Region.
    pub region: String,
    /// Replica, observations, outbox.
    pub store: Store,
    /// Its folder.
    pub dir: PathBuf,
    /// Pid files of this run.
    pub run: PathBuf,
    /// Control group below which the instances' lie, as a path inside each hierarchy.
    pub cgroup: String,
    /// Which ids of this machine instances have.
    pub ids: Ids,
    /// Time.
    pub clock: Clock,
    /// This program.
    pub program: PathBuf,
    /// The way to the Region.
    pub link: LinkClient,
    /// The way for callers on the host.
    pub loopback: Arc<dyn Loopback>,
    /// Authority of the Region's endpoints, PEM.
    pub public_ca: PathBuf,
    /// Address of the Region's endpoints inside the fabric.
    pub endpoints: SocketAddr,
}

/// What a pass has left to do.
#[derive(Debug, Default)]
struct Pass {
    /// Something has been started and is not there yet.
    waiting: bool,
    /// Something waits for other sites.
    others: bool,
    /// When what failed is tried again.
    again: Option<Instant>,
    /// Processes whose end calls for another pass.
    running: Vec<Identity>,
}

impl Pass {
    fn again(&mut self, when: Option<Instant>) {
        self.again = self.again.into_iter().chain(when).min();
    }
}

/// What is remembered from pass to pass.
struct Memory {
    fabric: Fabric,
    ids: BTreeMap<String, IdRange>,
    services: Services,
    instances: Progress,
    planes: control_plane::Progress,
    troubles: Troubles,
    soon: Pace,
    others: Pace,
}

impl Memory {
    /// How long nothing needs to be looked at.
    fn pause(&mut self, pass: &Pass) -> Duration {
        let failed = pass.again.map(|again| again.saturating_duration_since(Instant::now()));
        let pauses = [self.soon.next(pass.waiting), self.others.next(pass.others), failed];
        // What is due by now is done in the next pass, and a pass takes its time.
        pauses.into_iter().flatten().min().unwrap_or(RESYNC).clamp(SOON.0, RESYNC)
    }

    /// Something has changed: what waited for it may not wait any more.
    fn begin_anew(&mut self) {
        self.soon.begin_anew();
        self.others.begin_anew();
    }

    /// Notes what failed of one kind; nothing: all is well. Told when it is news, and tried again ever more seldom.
    fn judge(&mut self, site: &str, what: &str, failures: &BTreeSet<String>, pass: &mut Pass) {
        let (now, prefix) = (Instant::now(), format!("{what}: "));
        for failure in failures {
            let id = format!("{prefix}{failure}");
            if !self.troubles.rests(&id, "", now) && self.troubles.note(&id, "", "", now) {
                tracing::warn!(site, failure, "{what} fails; it is tried again, and the rest goes on");
            }
            pass.again(self.troubles.again(&id));
        }
        let fails = |id: &str| id.strip_prefix(&prefix).is_none_or(|failure| failures.contains(failure));
        self.troubles.keep(fails);
    }
}

impl Host {
    /// Runs for ever. `ready` is called once, after the first pass.
    pub async fn run(self, ready: impl AsyncFnOnce()) {
        let credentials: Arc<dyn Credentials> = Arc::new(OverTheLink(self.link.clone()));
        let std::net::IpAddr::V4(endpoints) = self.endpoints.ip() else { return };
        let mut memory = Memory {
            services: Services::new(self.store.clone(), self.region.clone(), endpoints, credentials),
            fabric: Fabric::new(&self.site, &self.region, &self.dir.join("fabric")),
            ids: BTreeMap::new(),
            instances: Progress::default(),
            planes: control_plane::Progress::default(),
            troubles: Troubles::default(),
            soon: Pace::new(SOON.0, SOON.1),
            others: Pace::new(OTHERS.0, OTHERS.1),
        };
        let mut ready = Some(ready);
        let mut watched = Vec::new();
        let mut ends = JoinSet::new();
        loop {
            let seen = self.store.revision();
            let pass = self.pass(&mut memory).await;
            if let Some(ready) = ready.take() {
                ready().await;
            }
            for identity in &pass.running {
                let identity = *identity;
                if !watched.contains(&identity) {
                    watched.push(identity);
                    ends.spawn(async move { (identity, identity.ended().await) });
                }
            }
            tokio::select! {
                () = sleep(memory.pause(&pass)) => {}
                () = self.changed(seen) => memory.begin_anew(),
                Some(ended) = ends.join_next() => {
                    memory.begin_anew();
                    match ended {
                        Ok((identity, end)) => {
                            if let Err(error) = end {
                                tracing::warn!(%error, pid = identity.pid, "a process cannot be watched");
                            }
                            watched.retain(|other| *other != identity);
                        }
                        Err(error) => tracing::error!(%error, "the watch over a process ended"),
                    }
                }
            }
        }
    }

    /// Until a record of the replica is other than at `seen`.
    async fn changed(&self, seen: eksile_store::Revision) {
        // So much has changed since that it is not kept: a reason to look.
        let Ok(mut watch) = self.store.watch("/", seen) else { return };
        loop {
            match watch.next().await {
                Ok(WatchItem::Change(change))
                    if !change.key.starts_with("/outbox/") && !change.key.starts_with("/replica/") =>
                {
                    return;
                }
                Ok(_) => {}
                // As above, or the store is closing.
                Err(_) => return,
            }
        }
    }

    async fn pass(&self, memory: &mut Memory) -> Pass {
        let mut pass = Pass::default();
        let view = self.store.view();
        let instances = Instances { host: self, outbox: self.link.outbox() };
        let alive = instances.alive(&view, &self.site);
        let (without, complete) = instances.ids(&view, &self.site, &mut memory.ids);
        let (mut records, unreadable) = Records::read(&view, alive, memory.ids.clone());
        // A place whose ids are not known is not planned, and must not be taken away for it.
        records.incomplete |= !complete;
        let mut failed: BTreeSet<String> = unreadable.into_iter().chain(without).collect();
        match tokio::task::block_in_place(|| memory.fabric.reconcile(&records)) {
            Ok(report) => {
                if !report.pending.is_empty() {
                    tracing::debug!(site = self.site, pending = ?report.pending, "the fabric waits");
                    pass.others = true;
                }
                failed.extend(report.failed);
            }
            Err(error) => drop(failed.insert(error.to_string())),
        }
        memory.judge(&self.site, "fabric", &failed, &mut pass);
        let failed = memory.services.reconcile(|vpc| fabric::router(vpc, &self.site, &self.region));
        memory.judge(&self.site, "services", &failed.into_iter().collect(), &mut pass);
        let outcomes = [
            instances.reconcile(&view, &self.site, &mut memory.instances).await,
            self.control_planes().reconcile(&view, &self.site, &mut memory.planes).await,
        ];
        for outcome in outcomes {
            pass.running.extend(outcome.running);
            pass.waiting |= outcome.waiting;
            pass.again(outcome.again);
        }
        pass
    }

    fn control_planes(&self) -> ControlPlanes<'_> {
        ControlPlanes {
            dir: &self.dir,
            program: &self.program,
            loopback: &*self.loopback,
            outbox: self.link.outbox(),
            public_ca: &self.public_ca,
            sts: self.endpoints,
        }
    }
}

/// How long an instance waits for its credentials before the metadata service gives up.
const PATIENCE: Duration = Duration::from_secs(5);

struct OverTheLink(LinkClient);

impl Credentials for OverTheLink {
    fn of<'a>(
        &'a self,
        instance_id: &'a str,
        delivery: &'a str,
    ) -> Pin<Box<dyn Future<Output = Result<serde_json::Value, String>> + Send + 'a>> {
        let question =
            Question::InstanceCredentials { instance_id: instance_id.to_owned(), delivery: delivery.to_owned() };
        Box::pin(self.0.ask(question, PATIENCE))
    }
}
