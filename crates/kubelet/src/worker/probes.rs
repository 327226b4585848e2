//! The probes of a pod's containers: a task each, as long as it has something to ask.

use super::hooks::request;
use crate::exec::{self, ExecError};
use crate::http::dial;
use crate::lifecycle::{Event, Health, Instance, Lifecycle, Seen, Verdict};
use crate::pod::{Container, Pod, Probe, Role};
use crate::probe::{Answer, Kind, Tracker, grpc};
use crate::shared::Shared;
use cri::{ContainerId, ContainerState};
use std::collections::{BTreeMap, HashMap};
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use tokio::sync::mpsc;
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::timeout;

/// What kubelets call themselves where they ask.
const AGENT: &str = "kube-probe/1.32";
/// A probe that couldn't be carried out is tried again so often at once.
const TRIES: u32 = 3;

/// What a probe says of a container.
#[derive(Clone, Debug)]
pub(super) struct Result {
    pub(super) container: ContainerId,
    pub(super) kind: Kind,
    pub(super) verdict: Verdict,
}

/// A pod's probes.
#[derive(Debug)]
pub(super) struct Probes {
    shared: Arc<Shared>,
    results: mpsc::UnboundedSender<Result>,
    running: HashMap<(ContainerId, Kind), AbortHandle>,
    tasks: JoinSet<()>,
}

impl Probes {
    pub(super) fn new(shared: Arc<Shared>) -> (Self, mpsc::UnboundedReceiver<Result>) {
        let (results, heard) = mpsc::unbounded_channel();
        let probes = Self {
            shared,
            results,
            running: HashMap::new(),
            tasks: JoinSet::new(),
        };
        (probes, heard)
    }

    /// Begins those that are due, and ends those that aren't any more.
    pub(super) fn tend(
        &mut self,
        pod: &Arc<Pod>,
        seen: &Seen,
        health: &BTreeMap<ContainerId, Health>,
        life: &Lifecycle,
    ) {
        while self.tasks.try_join_next().is_some() {}
        let mut wanted = Vec::new();
        for (role, container) in pod.containers() {
            let Some(instance) = seen.latest(&container.name) else {
                continue;
            };
            let asked = matches!(role, Role::Main | Role::Sidecar) && instance.running();
            if asked && life.settled(&container.name, &instance.id) {
                let health = health.get(&instance.id).copied().unwrap_or_default();
                let kinds = due(container, health, life.ending());
                wanted.extend(kinds.map(|kind| (role, container, instance, kind)));
            }
        }
        self.running.retain(|key, task| {
            let kept = wanted
                .iter()
                .any(|(_, _, instance, kind)| instance.id == key.0 && *kind == key.1);
            if !kept {
                task.abort();
            }
            kept
        });
        let address = seen.sandbox().and_then(|sandbox| sandbox.address);
        for (role, container, instance, kind) in wanted {
            let key = (instance.id.clone(), kind);
            if !self.running.contains_key(&key) {
                let task = self.begin(pod, role, container, instance, kind, address);
                self.running.insert(key, task);
            }
        }
    }

    fn begin(
        &mut self,
        pod: &Arc<Pod>,
        role: Role,
        container: &Container,
        instance: &Instance,
        kind: Kind,
        address: Option<Ipv4Addr>,
    ) -> AbortHandle {
        let asking = Asking {
            shared: self.shared.clone(),
            pod: pod.clone(),
            role,
            container: container.clone(),
            id: instance.id.clone(),
            kind,
            address,
        };
        let started = match instance.state {
            ContainerState::Running { started } => started,
            _ => instance.created,
        };
        let results = self.results.clone();
        self.tasks.spawn(asking.run(started, results))
    }
}

/// The probes that a container is due for.
fn due(container: &Container, health: Health, ending: bool) -> impl Iterator<Item = Kind> + use<> {
    let started = container.startup_probe.is_none() || health.startup == Verdict::Success;
    let startup =
        container.startup_probe.is_some() && health.startup == Verdict::Unknown && !ending;
    let live = health.liveness != Verdict::Failure && !ending;
    [
        startup.then_some(Kind::Startup),
        (container.liveness_probe.is_some() && started && live).then_some(Kind::Liveness),
        (container.readiness_probe.is_some() && started).then_some(Kind::Readiness),
    ]
    .into_iter()
    .flatten()
}

/// One probe at work.
struct Asking {
    shared: Arc<Shared>,
    pod: Arc<Pod>,
    role: Role,
    container: Container,
    id: ContainerId,
    kind: Kind,
    address: Option<Ipv4Addr>,
}

impl Asking {
    async fn run(self, started: SystemTime, results: mpsc::UnboundedSender<Result>) {
        let Some(probe) = self.kind.of(&self.container) else {
            return;
        };
        let pace = self.shared.config.pace;
        let mut tracker = Tracker::new(self.kind, probe, started, pace);
        while let Some(due) = tracker.due() {
            let left = due.duration_since(SystemTime::now());
            tokio::time::sleep(left.unwrap_or_default()).await;
            let answer = self.ask(probe).await;
            self.tell(&answer);
            let verdict = tracker.take(&answer, SystemTime::now());
            let Some(verdict) = verdict else { continue };
            let result = Result {
                container: self.id.clone(),
                kind: self.kind,
                verdict,
            };
            if results.send(result).is_err() {
                return;
            }
        }
    }

    fn tell(&self, answer: &Answer) {
        let kind = self.kind.as_str();
        let event = match answer {
            Answer::Success => return,
            Answer::Warning(said) => {
                Event::warning("ProbeWarning", format!("{kind} probe warning: {said}"))
            }
            Answer::Failure(said) => {
                Event::warning("Unhealthy", format!("{kind} probe failed: {said}"))
            }
            Answer::Error(why) => Event::warning(
                "Unhealthy",
                format!("{kind} probe errored and resulted in unknown state: {why}"),
            ),
        };
        let event = event.of(self.role, &self.container.name);
        let about = self.pod.reference(None);
        self.shared.recorder.tell(about, event);
    }

    async fn ask(&self, probe: &Probe) -> Answer {
        let mut answer = self.once(probe).await;
        for _ in 1..TRIES {
            if !matches!(answer, Answer::Error(_)) {
                break;
            }
            answer = self.once(probe).await;
        }
        answer
    }

    async fn once(&self, probe: &Probe) -> Answer {
        let limit = Duration::from_secs(probe.timeout_seconds.max(1));
        let handler = &probe.handler;
        let place = &*self.shared.means.place;
        let own = self.address.map(|a| a.to_string()).unwrap_or_default();
        if let Some(exec) = &handler.exec {
            return match exec::run(&self.shared, &self.id, &exec.command, Some(limit)).await {
                Ok(ran) if ran.code == 0 => Answer::Success,
                Ok(ran) => Answer::Failure(ran.output),
                Err(error @ ExecError::TimedOut { .. }) => Answer::Failure(error.to_string()),
                Err(ExecError::Refused(why)) => Answer::Error(format!(
                    "rpc error: code = Unknown desc = failed to exec in container: {why}"
                )),
            };
        }
        if let Some(get) = &handler.http_get {
            let get = match request(&self.container, get, self.address, AGENT) {
                Ok(get) => get,
                Err(why) => return Answer::Error(why),
            };
            return match timeout(limit, get.send(place)).await {
                Ok(Ok(answer)) if answer.led_away => Answer::Warning(format!(
                    "Probe terminated redirects, Response body: {}",
                    answer.body
                )),
                Ok(Ok(answer)) if (200..400).contains(&answer.status.as_u16()) => Answer::Success,
                Ok(Ok(answer)) => Answer::Failure(format!(
                    "HTTP probe failed with statuscode: {}",
                    answer.status.as_u16()
                )),
                Ok(Err(why)) => Answer::Failure(why),
                Err(_) => Answer::Failure(format!(
                    "Get {:?}: context deadline exceeded (Client.Timeout exceeded while awaiting headers)",
                    get.url()
                )),
            };
        }
        if let Some(socket) = &handler.tcp_socket {
            let port = match self.container.port(&socket.port) {
                Ok(port) => port,
                Err(why) => return Answer::Error(why),
            };
            let host = if socket.host.is_empty() {
                own
            } else {
                socket.host.clone()
            };
            return match timeout(limit, dial(place, &host, port)).await {
                Ok(Ok(_)) => Answer::Success,
                Ok(Err(why)) => Answer::Failure(why),
                Err(_) => Answer::Failure(format!("dial tcp {host}:{port}: i/o timeout")),
            };
        }
        if let Some(call) = &handler.grpc {
            let Ok(port) = u16::try_from(call.port) else {
                return Answer::Error(format!("invalid port number: {}", call.port));
            };
            return grpc::check(place, &own, port, &call.service, limit).await;
        }
        Answer::Error("missing probe handler".to_owned())
    }
}
