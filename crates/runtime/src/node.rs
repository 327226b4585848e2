//! One node's sandboxes and containers.

use crate::container::ContainerRecord;
use crate::hub::{Hub, lock};
use crate::image::RootSource;
use crate::sandbox::SandboxRecord;
use crate::{cni, container, program};
use cri::{
    Container, ContainerId, ContainerSpec, Event, ExecSpec, Process, Runtime, RuntimeError,
    Sandbox, SandboxId, SandboxSpec, Streams, Usage,
};
use kernel::guest::Guest;
use kernel::limits::Limits;
use kernel::namespace::NetNs;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::PathBuf;
use std::sync::atomic::AtomicBool;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// How long a connection to a sandbox's port may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// A node to run containers on.
#[derive(Clone)]
pub struct NodeOptions {
    /// The guest that is the node.
    pub guest: Arc<Guest>,
    /// The node's own address, for sandboxes that share its network.
    pub address: Option<Ipv4Addr>,
    /// A directory of the lab's for small files of this node's sandboxes; made if it isn't there.
    pub directory: PathBuf,
    /// Knows the images.
    pub images: Arc<dyn RootSource>,
    /// The environment that containers of the built-in image begin with.
    pub environment: Vec<(String, String)>,
    /// Watches the containers.
    pub hub: Hub,
    /// Limits what containers use.
    pub limits: Arc<Limits>,
    /// The lab's file of certificates that containers' programs trust, in the place of their image's.
    pub trust: Option<PathBuf>,
    /// Whether the node has one pod alone, which has the node's network for its own.
    pub one_pod: bool,
}

/// A node's container runtime.
pub struct NodeRuntime {
    pub(crate) options: NodeOptions,
    pub(crate) sandboxes: Mutex<BTreeMap<SandboxId, Arc<SandboxRecord>>>,
    pub(crate) containers: Mutex<BTreeMap<ContainerId, Arc<ContainerRecord>>>,
    pub(crate) events: Events,
    /// Whether plugins were told that what they remember of earlier sandboxes can go.
    pub(crate) collected: AtomicBool,
}

/// Who hears of what happens.
#[derive(Clone, Debug, Default)]
pub(crate) struct Events(Arc<Mutex<Vec<Sender<Event>>>>);

impl Events {
    pub(crate) fn tell(&self, event: &Event) {
        lock(&self.0).retain(|listener| listener.send(event.clone()).is_ok());
    }

    fn listen(&self) -> Receiver<Event> {
        let (sender, receiver) = channel();
        lock(&self.0).push(sender);
        receiver
    }
}

/// A new id: 64 hexadecimal digits that nobody has.
pub(crate) fn fresh_id() -> Result<String, RuntimeError> {
    let mut bytes = [0; 32];
    File::open("/dev/urandom")
        .and_then(|mut source| source.read_exact(&mut bytes))
        .map_err(machine("an id"))?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

/// Something of the machine's that failed.
pub(crate) fn machine<E: std::fmt::Display>(what: &str) -> impl FnOnce(E) -> RuntimeError {
    let what = what.to_owned();
    move |error| RuntimeError::Machine(format!("{what}: {error}"))
}

impl NodeRuntime {
    /// A node with no sandboxes yet.
    pub fn new(options: NodeOptions) -> Self {
        Self {
            options,
            sandboxes: Mutex::default(),
            containers: Mutex::default(),
            events: Events::default(),
            collected: AtomicBool::new(false),
        }
    }

    /// The guest that is the node.
    pub fn guest(&self) -> &Arc<Guest> {
        &self.options.guest
    }

    /// Why containers run without limits and nobody knows what they use; `None` where that is not so.
    pub fn unlimited(&self) -> Option<&str> {
        self.options.limits.trouble()
    }

    /// A sandbox's network namespace, or the node's where it shares that; nothing for a sandbox that is
    /// stopped or isn't there.
    pub fn network(&self, id: &SandboxId) -> Option<Arc<NetNs>> {
        let record = self.sandbox_record(id)?;
        let place = lock(&record.place);
        place.as_ref().map(|place| place.network().clone())
    }

    pub(crate) fn sandbox_record(&self, id: &SandboxId) -> Option<Arc<SandboxRecord>> {
        lock(&self.sandboxes).get(id).cloned()
    }

    pub(crate) fn container_record(
        &self,
        id: &ContainerId,
    ) -> Result<Arc<ContainerRecord>, RuntimeError> {
        let found = lock(&self.containers).get(id).cloned();
        found.ok_or_else(|| RuntimeError::NoContainer(id.clone()))
    }

    /// The containers of a sandbox.
    pub(crate) fn containers_of(&self, id: &SandboxId) -> Vec<Arc<ContainerRecord>> {
        let containers = lock(&self.containers);
        let of = containers
            .values()
            .filter(|container| container.sandbox.id == *id);
        of.cloned().collect()
    }

    fn running(&self, id: &ContainerId) -> Result<Arc<container::Running>, RuntimeError> {
        let record = self.container_record(id)?;
        record
            .running()
            .ok_or_else(|| RuntimeError::NotRunning(id.clone()))
    }
}

impl Runtime for NodeRuntime {
    fn trouble(&self) -> Option<String> {
        match self.options.guest.first_process().look() {
            Ok(None) => None,
            Ok(Some(_)) => Some("the node's first process has ended".to_owned()),
            Err(error) => Some(error.to_string()),
        }
    }

    fn network_trouble(&self) -> Option<String> {
        if self.options.one_pod {
            return None;
        }
        let guest = &*self.options.guest;
        let Some(network) = cni::network(guest) else {
            return Some(RuntimeError::NoNetwork.to_string());
        };
        let status = cni::status(guest, &network);
        status.err().map(|refused| refused.message)
    }

    fn run_sandbox(&self, spec: &SandboxSpec) -> Result<Sandbox, RuntimeError> {
        self.make_sandbox(spec)
    }

    fn stop_sandbox(&self, id: &SandboxId) -> Result<(), RuntimeError> {
        match self.sandbox_record(id) {
            Some(record) => self.end_sandbox(&record),
            None => Ok(()),
        }
    }

    fn remove_sandbox(&self, id: &SandboxId) -> Result<(), RuntimeError> {
        match self.sandbox_record(id) {
            Some(record) => self.forget_sandbox(&record),
            None => Ok(()),
        }
    }

    fn sandboxes(&self) -> Vec<Sandbox> {
        let sandboxes = lock(&self.sandboxes);
        sandboxes.values().map(|record| record.shown()).collect()
    }

    fn create_container(
        &self,
        sandbox: &SandboxId,
        spec: &ContainerSpec,
    ) -> Result<ContainerId, RuntimeError> {
        self.make_container(sandbox, spec)
    }

    fn start_container(&self, id: &ContainerId) -> Result<(), RuntimeError> {
        let record = self.container_record(id)?;
        self.start(&record)
    }

    fn stop_container(&self, id: &ContainerId, grace: Duration) -> Result<(), RuntimeError> {
        self.container_record(id)?.stop(grace)
    }

    fn remove_container(&self, id: &ContainerId) -> Result<(), RuntimeError> {
        let Ok(record) = self.container_record(id) else {
            return Ok(());
        };
        if record.running().is_some() {
            return Err(RuntimeError::Machine(format!(
                "container {id:?} is running, can't remove it"
            )));
        }
        record.discard();
        lock(&self.containers).remove(id);
        Ok(())
    }

    fn containers(&self) -> Vec<Container> {
        let containers = lock(&self.containers);
        containers.values().map(|record| record.shown()).collect()
    }

    fn container(&self, id: &ContainerId) -> Option<Container> {
        self.container_record(id).ok().map(|record| record.shown())
    }

    fn exec(
        &self,
        id: &ContainerId,
        spec: &ExecSpec,
    ) -> Result<(Box<dyn Process>, Streams), RuntimeError> {
        let running = self.running(id)?;
        program::exec(&running.container, spec, fresh_id()?)
    }

    fn attach(&self, id: &ContainerId) -> Result<Streams, RuntimeError> {
        let running = self.running(id)?;
        running.output.attach().map_err(machine("attaching"))
    }

    fn resize(&self, id: &ContainerId, columns: u16, rows: u16) -> Result<(), RuntimeError> {
        let resized = self.running(id)?.output.resize(columns, rows);
        resized.map_err(machine("resizing a terminal"))
    }

    fn reopen_log(&self, id: &ContainerId) -> Result<(), RuntimeError> {
        let reopened = self.running(id)?.output.reopen_log();
        reopened.map_err(machine("opening a log"))
    }

    fn dial(&self, id: &SandboxId, port: u16) -> io::Result<TcpStream> {
        let network = self
            .network(id)
            .ok_or_else(|| io::Error::other(RuntimeError::NoSandbox(id.clone())))?;
        let to = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        network.run(|| TcpStream::connect_timeout(&to, PATIENCE))?
    }

    fn usage(&self, id: &ContainerId) -> Option<Usage> {
        self.container_record(id).ok()?.usage()
    }

    fn events(&self) -> Receiver<Event> {
        self.events.listen()
    }
}
