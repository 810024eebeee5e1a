//! The site's loop: whenever something changed, bring fabric, instances, control planes and services closer to what
//! the replica says, in this order, since each needs what comes before it.

use std::{net::SocketAddr, path::PathBuf, pin::Pin, sync::Arc, time::Duration};

use eksile_base::Clock;
use eksile_linux::process::Identity;
use eksile_store::{Store, WatchItem};
use tokio::{task::JoinSet, time::sleep};

use crate::{
    control_plane::{self, ControlPlanes, Loopback},
    fabric::{self, Fabric, Records},
    ids::Ids,
    instances::{Instances, Progress},
    link::{LinkClient, Question},
    metadata::Credentials,
    services::Services,
};

/// Pause before something unfinished is looked at again.
const SOON: Duration = Duration::from_millis(20);
/// Pause before something that failed is tried again.
const RETRY: Duration = Duration::from_millis(500);
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

/// Whether everything is as wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Pass {
    Settled,
    Unfinished,
    Failed,
}

impl Host {
    /// Runs for ever. `ready` is called once, after the first pass.
    pub async fn run(self, ready: impl AsyncFnOnce()) {
        let credentials: Arc<dyn Credentials> = Arc::new(OverTheLink(self.link.clone()));
        let std::net::IpAddr::V4(endpoints) = self.endpoints.ip() else { return };
        let mut services = Services::new(self.store.clone(), self.region.clone(), endpoints, credentials);
        let mut fabric = Fabric::new(&self.site, &self.region, &self.dir.join("fabric"));
        let mut ready = Some(ready);
        let mut watched = Vec::new();
        let (mut progress, mut planes) = (Progress::default(), control_plane::Progress::default());
        let mut ends = JoinSet::new();
        loop {
            let seen = self.store.revision();
            let (pass, running) = self.pass(&mut fabric, &mut services, (&mut progress, &mut planes)).await;
            if let Some(ready) = ready.take() {
                ready().await;
            }
            for identity in running {
                if !watched.contains(&identity) {
                    watched.push(identity);
                    ends.spawn(async move { (identity, identity.ended().await) });
                }
            }
            let pause = match pass {
                Pass::Settled => RESYNC,
                Pass::Unfinished => SOON,
                Pass::Failed => RETRY,
            };
            tokio::select! {
                () = sleep(pause) => {}
                () = self.changed(seen) => {}
                Some(ended) = ends.join_next() => {
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

    async fn pass(
        &self,
        fabric: &mut Fabric,
        services: &mut Services,
        (progress, planes): (&mut Progress, &mut control_plane::Progress),
    ) -> (Pass, Vec<Identity>) {
        let mut pass = Pass::Settled;
        let view = self.store.view();
        let instances = Instances { host: self, outbox: self.link.outbox() };
        let (alive, ids) = (instances.alive(&view, &self.site), instances.ids(&view, &self.site));
        let built = Records::read(&view, alive, ids)
            .map_err(|error| error.to_string())
            .and_then(|records| tokio::task::block_in_place(|| fabric.reconcile(&records)).map_err(|e| e.to_string()));
        match built {
            Ok(report) if report.pending.is_empty() && report.failed.is_empty() => {}
            Ok(report) => {
                tracing::debug!(site = self.site, pending = ?report.pending, "the fabric waits");
                pass = Pass::Failed;
                for failure in report.failed {
                    self.failed("fabric", &failure);
                }
            }
            Err(error) => pass = self.failed("fabric", &error),
        }
        match services.reconcile(|vpc| fabric::router(vpc, &self.site, &self.region)) {
            Ok(failed) => {
                for failure in failed {
                    pass = self.failed("services", &failure);
                }
            }
            Err(error) => pass = self.failed("services", &error.to_string()),
        }
        let mut running = Vec::new();
        let outcomes = [
            instances.reconcile(&view, &self.site, progress).await,
            self.control_planes().reconcile(&view, &self.site, planes).await,
        ];
        for outcome in outcomes {
            running.extend(outcome.running);
            pass = match pass {
                // What failed has been told.
                Pass::Settled | Pass::Unfinished if outcome.failed => Pass::Failed,
                Pass::Settled if outcome.waiting => Pass::Unfinished,
                pass => pass,
            };
        }
        (pass, running)
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

    fn failed(&self, what: &str, error: &str) -> Pass {
        tracing::warn!(site = self.site, error, "{what}: tried again soon");
        Pass::Failed
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
