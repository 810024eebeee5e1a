//! The instances that this site hosts.
//!
//! A worker is a system container with processes of its own (see [`crate::instance`]). A member of a control plane is
//! an address: its namespace is all there is of it, and the cluster's control plane listens inside.

mod starts;
mod stops;

use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
    time::Instant,
};

use eksile_ec2::instance_types;
use eksile_ec2::records::{Instance, InstanceRole, InstanceState, ObservedInstance, Vpc, WantedInstanceState};
use eksile_linux::{Error as LinuxError, IdRange, Namespace, process::Identity};
use eksile_store::{RecordError, Scope, View};

use crate::{
    Outcome,
    host::Host,
    instance::{self, InstanceError},
    outbox::{Outbox, OutboxError},
    removals::Removals,
    services::resolver,
    troubles::Troubles,
};
use starts::{Started, Starts};
use stops::Stops;

/// Why an instance could not be brought where it should be; tried again soon.
#[derive(Debug, thiserror::Error)]
pub enum InstancesError {
    /// A record cannot be read.
    #[error(transparent)]
    Record(#[from] RecordError),
    /// An observation cannot be written.
    #[error(transparent)]
    Outbox(#[from] OutboxError),
    /// A process.
    #[error(transparent)]
    Linux(#[from] LinuxError),
    /// An instance that cannot be started.
    #[error(transparent)]
    Start(#[from] InstanceError),
    /// A folder that cannot be removed.
    #[error("{0}: {1}")]
    Folder(PathBuf, std::io::Error),
    /// A type whose limits nobody knows.
    #[error("instance type {0} is not known, and so are its limits")]
    Type(String),
    /// Control groups that cannot be removed.
    #[error("control groups: {0}")]
    Groups(std::io::Error),
    /// Its users' ids.
    #[error("ids of this machine for the instance: {0}")]
    Ids(std::io::Error),
}

/// What is there of an instance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Seen {
    /// Its namespace, with its interfaces.
    place: bool,
    /// Its first process.
    process: Process,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Process {
    /// Not started since the world began.
    None,
    Alive(Identity),
    /// Told to shut down; runs still.
    Stopping,
    /// Started, and ended by itself.
    Ended,
}

/// What to do about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    /// Wait for its interfaces.
    Wait,
    Start,
    /// As [`Step::Start`], and say that it ended by itself.
    StartAgain,
    Stop(Identity),
    /// Remove what it kept.
    Remove,
    Report(InstanceState),
}

fn plan(instance: &Instance, seen: Seen) -> Vec<Step> {
    use InstanceState::{Running, Stopped, Terminated};
    let member = matches!(instance.role, InstanceRole::ControlPlane { .. });
    match (instance.wanted, seen.process) {
        // Its end calls for another pass; what is wanted by then is done then.
        (_, Process::Stopping) => vec![],
        (WantedInstanceState::Running, _) if !seen.place => vec![Step::Wait],
        (WantedInstanceState::Running, _) if member => vec![Step::Report(Running)],
        (WantedInstanceState::Running, Process::Alive(_)) => vec![Step::Report(Running)],
        (WantedInstanceState::Running, Process::None) => vec![Step::Start, Step::Report(Running)],
        (WantedInstanceState::Running, Process::Ended) => vec![Step::StartAgain],
        (_, Process::Alive(process)) => vec![Step::Stop(process)],
        (WantedInstanceState::Stopped, _) => vec![Step::Report(Stopped)],
        (WantedInstanceState::Terminated, _) => vec![Step::Remove, Step::Report(Terminated)],
    }
}

/// What is remembered from pass to pass.
#[derive(Debug, Default)]
pub struct Progress {
    starts: Starts,
    stops: Stops,
    removals: Removals,
    troubles: Troubles,
}

/// Hosts instances.
pub struct Instances<'a> {
    /// Whose.
    pub host: &'a Host,
    /// Observations.
    pub outbox: &'a Outbox,
}

impl Instances<'_> {
    /// Ids of the instances of `site` whose first process runs. One of which that cannot be known counts: what it has
    /// is not taken from it.
    #[must_use]
    pub fn alive(&self, view: &View, site: &str) -> BTreeSet<String> {
        let mut alive = BTreeSet::new();
        for (_, instance) in readable(view).into_iter().filter(|(_, instance)| instance.site == site) {
            let runs = Identity::read(&self.pid_file(&instance)).map(|found| found.is_some_and(Identity::is_alive));
            match runs {
                Ok(false) => continue,
                Ok(true) => {}
                Err(error) => tracing::warn!(%error, instance.instance_id, "whether it runs is not known"),
            }
            alive.insert(instance.instance_id);
        }
        alive
    }

    /// Brings what is `known` of the ids of this machine that workers have up to date; a worker of `site` that is to run
    /// gets them now. Answers what failed, which leaves its instance without, and whether all that have some are known.
    #[must_use]
    pub fn ids(&self, view: &View, site: &str, known: &mut BTreeMap<String, IdRange>) -> (Vec<String>, bool) {
        let instances = readable(view);
        let wanted = instances.iter().map(|(_, instance)| instance).filter(|instance| {
            instance.site == site
                && instance.role == InstanceRole::Worker
                && instance.wanted == WantedInstanceState::Running
        });
        self.host.ids.refresh(known, wanted.map(|instance| instance.instance_id.as_str()))
    }

    /// Brings every instance of `site` closer to what is wanted, each whatever becomes of the others.
    pub async fn reconcile(&self, view: &View, site: &str, progress: &mut Progress) -> Outcome {
        let mut outcome = Outcome::default();
        let now = Instant::now();
        let (mut known, mut unreadable) = (BTreeSet::new(), BTreeSet::new());
        for each in view.each_record::<Instance>() {
            let (scope, instance) = match each {
                Ok(read) => read,
                Err(error) => {
                    let why = error.to_string();
                    if progress.troubles.note(&why, "", "", now) {
                        tracing::warn!(why, "an instance's record cannot be read");
                    }
                    outcome.failed = true;
                    unreadable.insert(why);
                    continue;
                }
            };
            if instance.site != site {
                continue;
            }
            let (id, wanted) = (&instance.instance_id, format!("{:?}", instance.wanted));
            known.insert(id.clone());
            if progress.troubles.rests(id, &wanted, now) {
                outcome.rests(progress.troubles.again(id));
                continue;
            }
            match self.bring(view, &scope, &instance, progress, &mut outcome).await {
                Ok(()) => progress.troubles.over(id),
                Err(error) => {
                    let why = error.to_string();
                    if progress.troubles.note(id, &wanted, &why, now) {
                        self.tell(&instance, &why).await;
                    }
                    outcome.rests(progress.troubles.again(id));
                }
            }
        }
        progress.troubles.keep(|id| known.contains(id) || unreadable.contains(id));
        progress.starts.keep(|id| known.contains(id));
        outcome
    }

    async fn bring(
        &self,
        view: &View,
        scope: &Scope,
        instance: &Instance,
        progress: &mut Progress,
        outcome: &mut Outcome,
    ) -> Result<(), InstancesError> {
        match progress.starts.take(&instance.instance_id).await {
            // What is wanted by the time it has started is done then.
            Started::UnderWay => {
                outcome.waiting = true;
                return Ok(());
            }
            Started::Failed(error) => return Err(error.into()),
            Started::Again => {
                let reason = "Server.InternalError: the instance's first process ended and was started again";
                self.report(instance, InstanceState::Running, Some(reason)).await?;
            }
            Started::Nothing => {}
        }
        let process = match Identity::read(&self.pid_file(instance))? {
            None => Process::None,
            Some(identity) if !identity.is_alive() => Process::Ended,
            Some(identity) if progress.stops.have(identity) => Process::Stopping,
            Some(identity) => Process::Alive(identity),
        };
        let seen = Seen { place: Namespace::named(&instance.instance_id).exists(), process };
        for step in plan(instance, seen) {
            // What has just ended still has its interfaces; the next pass takes them.
            outcome.waiting |= step == Step::Wait || (step == Step::Remove && seen.place);
            if step == Step::StartAgain
                && let Some(again) = progress.starts.pause(&instance.instance_id)
            {
                outcome.rests(Some(again));
                break;
            }
            if !self.apply(view, scope, instance, step, progress).await? {
                outcome.waiting = true;
                break;
            }
        }
        outcome.running.extend(Identity::read(&self.pid_file(instance))?.filter(|pid| pid.is_alive()));
        Ok(())
    }

    /// Says what is wrong with an instance, here and where its owner asks.
    async fn tell(&self, of: &Instance, why: &str) {
        tracing::warn!(of.instance_id, why, "an instance fails; it is tried again, and the others go on");
        let reported = async {
            let known = self.outbox.observed::<ObservedInstance>(&of.instance_id)?;
            let state = known.map_or(InstanceState::Pending, |known| known.state);
            self.report(of, state, Some(&format!("Server.InternalError: {why}"))).await
        };
        if let Err(error) = reported.await {
            tracing::warn!(%error, of.instance_id, "that was not reported");
        }
    }

    fn pid_file(&self, instance: &Instance) -> PathBuf {
        self.host.run.join(format!("{}.pid", instance.instance_id))
    }

    fn folder(&self, instance: &Instance) -> PathBuf {
        self.host.dir.join("instances").join(&instance.instance_id)
    }

    /// The instance's control group, a path inside each hierarchy.
    fn cgroup(&self, instance: &Instance) -> String {
        format!("{}/{}", self.host.cgroup, instance.instance_id)
    }

    /// False: not done yet, and what comes after must wait.
    async fn apply(
        &self,
        view: &View,
        scope: &Scope,
        of: &Instance,
        step: Step,
        progress: &mut Progress,
    ) -> Result<bool, InstancesError> {
        match step {
            Step::Wait => self.report(of, InstanceState::Pending, None).await?,
            Step::Start | Step::StartAgain => {
                let spec = self.spec(view, scope, of)?;
                progress.starts.begin(spec, step == Step::StartAgain);
                return Ok(false);
            }
            Step::Stop(process) => progress.stops.begin(process, self.cgroup(of))?,
            Step::Remove => return self.remove(of, &mut progress.removals).await,
            Step::Report(state) => self.report(of, state, None).await?,
        }
        Ok(true)
    }

    fn spec(&self, view: &View, scope: &Scope, of: &Instance) -> Result<instance::Spec, InstancesError> {
        let kind =
            instance_types::find(&of.instance_type).ok_or_else(|| InstancesError::Type(of.instance_type.clone()))?;
        let vpc: Option<Vpc> = view.record(scope, &of.vpc_id)?;
        Ok(instance::Spec {
            id: of.instance_id.clone(),
            dir: self.folder(of),
            netns: Namespace::named(&of.instance_id).path().to_owned(),
            pid_file: self.pid_file(of),
            hostname: of.private_dns_name.clone(),
            region: scope.region.clone(),
            resolver: vpc.and_then(|vpc| resolver(&vpc.cidr_block)),
            user_data: of.user_data.clone(),
            cgroup_parent: self.cgroup(of),
            program: self.host.program.clone(),
            trusted_ca: self.host.public_ca.clone(),
            machine: instance::Machine { vcpus: kind.vcpus, memory_mib: kind.memory_mib },
            ids: self.host.ids.take(&of.instance_id).map_err(InstancesError::Ids)?,
        })
    }

    /// Its ids come last: others may have them only when nothing is left that belongs to them.
    async fn remove(&self, of: &Instance, removals: &mut Removals) -> Result<bool, InstancesError> {
        let folder = self.folder(of);
        if !removals.remove(&folder).await.map_err(|error| InstancesError::Folder(folder, error))? {
            return Ok(false);
        }
        let groups = self.cgroup(of);
        let name = PathBuf::from(&groups);
        let forget = move || instance::forget(&groups).map_err(std::io::Error::other);
        if !removals.run(&name, forget).await.map_err(InstancesError::Groups)? {
            return Ok(false);
        }
        self.host.ids.give_back(&of.instance_id).map_err(InstancesError::Ids)?;
        Ok(true)
    }

    /// Reports a state. Without a new reason the last one stays while the state does.
    async fn report(&self, of: &Instance, state: InstanceState, reason: Option<&str>) -> Result<(), InstancesError> {
        let known = self.outbox.observed::<ObservedInstance>(&of.instance_id)?;
        let unchanged = known.as_ref().is_some_and(|known| known.state == state);
        // An instance that was never up has no interface to wait for once more.
        let settled = known.as_ref().is_some_and(|known| known.state != InstanceState::Pending);
        if reason.is_none() && (unchanged || (state == InstanceState::Pending && settled)) {
            return Ok(());
        }
        let since = self.host.clock.now_wall().as_second();
        let (instance_id, reason) = (of.instance_id.clone(), reason.map(str::to_owned));
        Ok(self.outbox.report(&ObservedInstance { instance_id, state, reason, since }).await?)
    }
}

/// The instances whose records can be read; [`Instances::reconcile`] tells of the others.
fn readable(view: &View) -> Vec<(Scope, Instance)> {
    view.each_record::<Instance>().into_iter().filter_map(Result::ok).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn instance(wanted: WantedInstanceState, role: InstanceRole) -> Instance {
        let text = |text: &str| text.to_owned();
        Instance {
            instance_id: text("i-1"),
            reservation_id: text("r-1"),
            image_id: text("ami-1"),
            instance_type: text("m5.large"),
            site: text("op-1"),
            subnet_id: text("subnet-1"),
            vpc_id: text("vpc-1"),
            private_ip: text("10.0.1.5"),
            private_dns_name: text("ip-10-0-1-5.us-west-2.compute.internal"),
            network_interface_ids: vec![],
            key_name: None,
            instance_profile: None,
            user_data: None,
            role,
            wanted,
            launch_time: 0,
            ami_launch_index: 0,
            metadata_options: eksile_ec2::records::MetadataOptions::default(),
            client_token: None,
            tags: std::collections::BTreeMap::new(),
        }
    }

    #[test]
    fn what_is_done_follows_from_what_is_wanted_and_seen() {
        use InstanceState::{Running, Terminated};
        let worker = |wanted| instance(wanted, InstanceRole::Worker);
        let (want, gone) = (worker(WantedInstanceState::Running), worker(WantedInstanceState::Terminated));
        let alive = Process::Alive(Identity { pid: 7, start: 1 });
        let seen = |place, process| Seen { place, process };
        assert_eq!(plan(&want, seen(false, Process::None)), [Step::Wait]);
        assert_eq!(plan(&want, seen(true, Process::None)), [Step::Start, Step::Report(Running)]);
        assert_eq!(plan(&want, seen(true, alive)), [Step::Report(Running)]);
        assert_eq!(plan(&want, seen(true, Process::Ended)), [Step::StartAgain]);
        let stop = Step::Stop(Identity { pid: 7, start: 1 });
        assert_eq!(plan(&gone, seen(true, alive)), [stop]);
        assert_eq!(plan(&gone, seen(true, Process::Stopping)), []);
        assert_eq!(plan(&gone, seen(true, Process::Ended)), [Step::Remove, Step::Report(Terminated)]);
        assert_eq!(plan(&gone, seen(false, Process::None)), [Step::Remove, Step::Report(Terminated)]);
        let role = InstanceRole::ControlPlane { cluster_id: "id".to_owned() };
        let member = instance(WantedInstanceState::Running, role);
        assert_eq!(plan(&member, seen(true, Process::None)), [Step::Report(Running)]);
    }
}
