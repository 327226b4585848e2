//! Containers: made, started, stopped, and what is known of them.

use crate::hub::{Hub, Key, Watched, lock};
use crate::image::{ImageFiles, ImageRoot, host_root, is_host_image};
use crate::log::Log;
use crate::node::{Events, NodeRuntime, fresh_id, machine};
use crate::output::{Ends, Output};
use crate::sandbox::{SHARED_FILES, SandboxRecord, TRUST};
use crate::{arguments, program, words};
use cri::{
    Container, ContainerId, ContainerSpec, ContainerState, Event, MountSource, RuntimeError,
    SandboxId, SandboxSpec, Spaces, Usage,
};
use kernel::container as place;
use kernel::guest::{Exit, GuestDisk};
use kernel::limits::{Group, Limit};
use nix::sys::epoll::EpollFlags;
use std::os::fd::AsFd;
use std::path::PathBuf;
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// How many descriptors a container may have, where the machine lets it.
const DESCRIPTORS: u64 = 1 << 20;
/// containerd's exit code of a container that could not be started.
const NOT_STARTED: i32 = 128;
/// How long the end of a killed container may take to be heard of.
const PATIENCE: Duration = Duration::from_secs(30);

/// A container, as it is kept.
pub(crate) struct ContainerRecord {
    pub(crate) id: ContainerId,
    pub(crate) sandbox: Arc<SandboxRecord>,
    spec: ContainerSpec,
    image: ImageRoot,
    created: SystemTime,
    /// What it wrote, until it is removed.
    disk: Mutex<Option<Arc<GuestDisk>>>,
    /// What it may use and used, from its start until it is removed.
    group: Mutex<Option<Group>>,
    life: Mutex<Life>,
    /// Told when it ended.
    changed: Condvar,
    hub: Hub,
    events: Events,
}

struct Life {
    state: ContainerState,
    starting: bool,
    running: Option<Arc<Running>>,
}

/// A container that runs.
pub(crate) struct Running {
    pub(crate) container: place::Container,
    pub(crate) output: Arc<Output>,
    key: Mutex<Option<Key>>,
}

impl ContainerRecord {
    /// As a kubelet sees it.
    pub(crate) fn shown(&self) -> Container {
        Container {
            id: self.id.clone(),
            sandbox: self.sandbox.id.clone(),
            name: self.spec.name.clone(),
            attempt: self.spec.attempt,
            image: self.spec.image.clone(),
            image_id: self.image.id.clone(),
            state: lock(&self.life).state.clone(),
            created: self.created,
            log: self.spec.log.clone(),
        }
    }

    pub(crate) fn running(&self) -> Option<Arc<Running>> {
        lock(&self.life).running.clone()
    }

    /// What it used.
    pub(crate) fn usage(&self) -> Option<Usage> {
        let used = lock(&self.group).as_ref()?.used();
        Some(Usage {
            cpu_nanoseconds: used.cpu_nanoseconds,
            memory_bytes: used.memory_bytes,
        })
    }

    /// Ends what a container left behind that shares its processes' numbers with others: nobody else
    /// does.
    fn sweep(&self, running: &Running) {
        if pids(&self.sandbox.spec) == place::Pids::Own {
            return;
        }
        // The group may be gone with its last process.
        let _ = running.container.process().signal(libc::SIGKILL);
        if let Some(group) = &*lock(&self.group)
            && let Err(error) = group.kill()
        {
            tracing::warn!(container = %self.id, %error, "some of its processes are left");
        }
    }

    fn killed_for_memory(&self) -> bool {
        let group = lock(&self.group);
        group
            .as_ref()
            .is_some_and(|group| group.killed_for_memory() > 0)
    }

    /// Asks it to end, and kills it after the grace. Returns when it has ended.
    pub(crate) fn stop(&self, grace: Duration) -> Result<(), RuntimeError> {
        let Some(running) = self.running() else {
            return Ok(());
        };
        let process = running.container.process();
        if !grace.is_zero() {
            let signal = arguments::stop_signal(&self.image.config.stop_signal);
            // It may be ending by itself.
            let _ = process.signal_alone(signal);
            if self.wait_for_end(grace) {
                return Ok(());
            }
        }
        let _ = process.signal_alone(libc::SIGKILL);
        if self.wait_for_end(PATIENCE) {
            Ok(())
        } else {
            let words = format!("container {:?} was killed and has not ended", self.id);
            Err(RuntimeError::Machine(words))
        }
    }

    fn wait_for_end(&self, patience: Duration) -> bool {
        let by = Instant::now() + patience;
        let mut life = lock(&self.life);
        while life.running.is_some() {
            let left = by.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return false;
            }
            let waited = self.changed.wait_timeout(life, left);
            life = waited.unwrap_or_else(std::sync::PoisonError::into_inner).0;
        }
        true
    }

    /// Gives its disk back, and its control groups.
    pub(crate) fn discard(&self) {
        *lock(&self.disk) = None;
        *lock(&self.group) = None;
    }

    /// It has ended; `None` where nobody knows how.
    fn ended(&self, running: &Running, exit: Option<Exit>) {
        if let Some(key) = lock(&running.key).take() {
            let process = running.container.process();
            self.hub.forget(process.as_fd(), key);
        }
        running.output.finish();
        self.sweep(running);
        let failed = exit != Some(Exit::Code(0));
        let reason = match exit {
            None => "Unknown",
            Some(_) if failed && self.killed_for_memory() => "OOMKilled",
            Some(_) if failed => "Error",
            Some(_) => "Completed",
        };
        let mut life = lock(&self.life);
        let started = match life.state {
            ContainerState::Running { started } => started,
            _ => UNIX_EPOCH,
        };
        life.state = ContainerState::Exited {
            started,
            finished: SystemTime::now(),
            code: exit.map_or(255, Exit::code),
            reason: reason.to_owned(),
            message: String::new(),
        };
        life.running = None;
        drop(life);
        self.changed.notify_all();
        self.events.tell(&Event::ContainerEnded(self.id.clone()));
    }

    fn not_started(&self, error: &RuntimeError) {
        let mut life = lock(&self.life);
        life.starting = false;
        life.running = None;
        life.state = ContainerState::Exited {
            started: UNIX_EPOCH,
            finished: SystemTime::now(),
            code: NOT_STARTED,
            reason: "StartError".to_owned(),
            message: error.to_string(),
        };
    }
}

impl Watched for ContainerRecord {
    fn ready(self: Arc<Self>, _: u64, _: EpollFlags) {
        let Some(running) = self.running() else {
            return;
        };
        match running.container.process().look() {
            Ok(None) => {}
            Ok(Some(exit)) => self.ended(&running, Some(exit)),
            Err(error) => {
                tracing::error!(container = %self.id, %error, "nobody knows how it ended");
                self.ended(&running, None);
            }
        }
    }
}

impl NodeRuntime {
    pub(crate) fn make_container(
        &self,
        sandbox: &SandboxId,
        spec: &ContainerSpec,
    ) -> Result<ContainerId, RuntimeError> {
        let sandbox = self
            .sandbox_record(sandbox)
            .ok_or_else(|| RuntimeError::NoSandbox(sandbox.clone()))?;
        let image = self.image(&spec.image)?;
        // What is asked for has to make sense before it is taken on.
        arguments::arguments(spec, &image.config)?;
        arguments::rights(spec)?;
        let disk = GuestDisk::fresh().map_err(machine("a container's disk"))?;
        let record = Arc::new(ContainerRecord {
            id: ContainerId(fresh_id()?),
            sandbox,
            spec: spec.clone(),
            image,
            created: SystemTime::now(),
            disk: Mutex::new(Some(Arc::new(disk))),
            group: Mutex::new(None),
            life: Mutex::new(Life {
                state: ContainerState::Created,
                starting: false,
                running: None,
            }),
            changed: Condvar::new(),
            hub: self.options.hub.clone(),
            events: self.events.clone(),
        });
        let id = record.id.clone();
        lock(&self.containers).insert(id.clone(), record);
        Ok(id)
    }

    fn image(&self, reference: &str) -> Result<ImageRoot, RuntimeError> {
        if is_host_image(reference) {
            return Ok(host_root(&self.options.environment));
        }
        let found = self.options.images.root(reference);
        found
            .map_err(RuntimeError::Machine)?
            .ok_or_else(|| RuntimeError::NoImage(reference.to_owned()))
    }

    pub(crate) fn start(&self, record: &Arc<ContainerRecord>) -> Result<(), RuntimeError> {
        {
            let mut life = lock(&record.life);
            if life.starting || life.state != ContainerState::Created {
                let words = format!("container {:?} was started before", record.id);
                return Err(RuntimeError::Machine(words));
            }
            life.starting = true;
        }
        let started = self.bring_up(record);
        if let Err(error) = &started {
            record.not_started(error);
        }
        started
    }

    fn bring_up(&self, record: &Arc<ContainerRecord>) -> Result<(), RuntimeError> {
        let gone = || {
            let sandbox = &record.sandbox.id;
            RuntimeError::Machine(format!("sandbox container {sandbox:?} is not running"))
        };
        let sandbox = lock(&record.sandbox.place).clone().ok_or_else(gone)?;
        let group = self
            .options
            .limits
            .group(&record.id.0, &limit(&record.spec));
        let group = group.map_err(machine("a container's control groups"))?;
        let mut spec = asked(record, &sandbox)?;
        spec.groups = group.as_ref().map(Group::lists).unwrap_or_default();
        *lock(&record.group) = group;
        let log = record.spec.log.clone().map(Log::open).transpose();
        let log = log.map_err(machine("a container's log"))?;
        let refused = |error| {
            RuntimeError::CannotRun(format!("runc create failed: {}", words::of_start(&error)))
        };
        let (container, ends) = if record.spec.terminal {
            let (container, terminal) = sandbox.start_on_terminal(&spec).map_err(refused)?;
            let ends = Ends {
                terminal: Some(terminal),
                ..Ends::default()
            };
            (container, ends)
        } else {
            let streams = program::streams(record.spec.stdin);
            let (inner, outer) = streams.map_err(machine("a container's streams"))?;
            let container = sandbox.start(&spec, inner).map_err(refused)?;
            let ends = Ends {
                input: outer.stdin,
                output: outer.stdout,
                errors: outer.stderr,
                terminal: None,
                input_once: record.spec.stdin_once,
            };
            (container, ends)
        };
        let output = Output::follow(&record.hub, ends, log);
        let running = Arc::new(Running {
            container,
            output: output.map_err(machine("watching a container"))?,
            key: Mutex::new(None),
        });
        record.runs(running)
    }
}

impl ContainerRecord {
    /// It runs, and its end is waited for.
    fn runs(self: &Arc<Self>, running: Arc<Running>) -> Result<(), RuntimeError> {
        {
            let mut life = lock(&self.life);
            life.starting = false;
            life.state = ContainerState::Running {
                started: SystemTime::now(),
            };
            life.running = Some(running.clone());
        }
        // Held so that an end that is told at once finds the key.
        let mut key = lock(&running.key);
        let process = running.container.process();
        let interest = EpollFlags::EPOLLIN;
        match self.hub.watch(process.as_fd(), interest, self.clone(), 0) {
            Ok(watched) => *key = Some(watched),
            Err(error) => {
                // Nobody would hear of its end.
                let _ = process.signal_alone(libc::SIGKILL);
                return Err(machine("watching a container")(error));
            }
        }
        Ok(())
    }
}

/// What the machine is asked for.
fn asked(
    record: &ContainerRecord,
    sandbox: &place::Sandbox,
) -> Result<place::ContainerSpec, RuntimeError> {
    let (spec, config) = (&record.spec, &record.image.config);
    let sandboxes = &record.sandbox.spec;
    let disk = lock(&record.disk).clone();
    let removed = || RuntimeError::NoContainer(record.id.clone());
    Ok(place::ContainerSpec {
        root: match &record.image.files {
            ImageFiles::Machine => place::Root::Machine,
            ImageFiles::Layers(layers) => place::Root::Layers(layers.clone()),
        },
        disk: disk.ok_or_else(removed)?,
        read_only_root: spec.read_only_root,
        pids: pids(sandboxes),
        mounts: mounts(record, sandbox),
        arguments: arguments::arguments(spec, config)?,
        environment: arguments::environment(spec, config, &sandboxes.hostname),
        directory: arguments::directory(spec, config),
        user: arguments::user(spec, config),
        rights: arguments::rights(spec)?,
        oom_score: spec.resources.oom_score,
        descriptors: DESCRIPTORS,
        groups: Vec::new(),
    })
}

/// Whose processes a sandbox's containers see.
fn pids(sandbox: &SandboxSpec) -> place::Pids {
    match sandbox.spaces {
        Spaces { host_pid: true, .. } => place::Pids::Node,
        Spaces {
            shared_pid: true, ..
        } => place::Pids::Sandbox,
        _ => place::Pids::Own,
    }
}

fn limit(spec: &ContainerSpec) -> Limit {
    let resources = spec.resources;
    Limit {
        memory: resources.memory_limit,
        cpu_shares: resources.cpu_shares,
        cpu_millis: resources.cpu_limit_millis,
        processes: None,
    }
}

/// The sandbox's shared memory and files, the certificates to trust, then what the pod mounts.
fn mounts(record: &ContainerRecord, sandbox: &place::Sandbox) -> Vec<place::Mount> {
    let taken = |target: &str| {
        let mut mounts = record.spec.mounts.iter();
        mounts.any(|mount| mount.target.as_os_str() == target)
    };
    let mut all = Vec::new();
    if !taken("/dev/shm") {
        all.push(place::Mount {
            source: sandbox.shared_memory(),
            target: PathBuf::from("/dev/shm"),
            read_only: false,
        });
    }
    for (name, target) in SHARED_FILES {
        if !taken(target) {
            all.push(place::Mount {
                source: place::Source::Lab(record.sandbox.directory.join(name)),
                target: PathBuf::from(target),
                read_only: record.spec.read_only_root,
            });
        }
    }
    if let Some(trust) = record.sandbox.trust.as_ref().filter(|_| !taken(TRUST)) {
        all.push(place::Mount {
            source: place::Source::Lab(trust.clone()),
            target: PathBuf::from(TRUST),
            read_only: true,
        });
    }
    all.extend(record.spec.mounts.iter().map(|mount| place::Mount {
        source: source(&mount.source),
        target: mount.target.clone(),
        read_only: mount.read_only,
    }));
    all
}

fn source(source: &MountSource) -> place::Source {
    match source {
        MountSource::Kubelet(path) => place::Source::Lab(path.clone()),
        MountSource::Node(path) => place::Source::Node(path.clone()),
        MountSource::Memory(size) => place::Source::Memory(*size),
    }
}
