//! What the runtime and the probes show of a pod.

use cri::{Container, ContainerId, ContainerState, Sandbox, SandboxId};
use std::path::PathBuf;
use std::time::SystemTime;

/// A pod's sandboxes and containers, the newest first.
#[derive(Clone, Debug, Default)]
pub(crate) struct Seen {
    pub(crate) sandboxes: Vec<Sandbox>,
    pub(crate) containers: Vec<Instance>,
}

/// A container there is.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Instance {
    pub(crate) id: ContainerId,
    pub(crate) sandbox: SandboxId,
    pub(crate) name: String,
    pub(crate) attempt: u32,
    pub(crate) image: String,
    pub(crate) image_id: String,
    pub(crate) state: ContainerState,
    pub(crate) created: SystemTime,
    pub(crate) log: Option<PathBuf>,
    /// Its last words.
    pub(crate) message: String,
}

impl From<Container> for Instance {
    fn from(container: Container) -> Self {
        let message = match &container.state {
            ContainerState::Exited { message, .. } => message.clone(),
            _ => String::new(),
        };
        Self {
            id: container.id,
            sandbox: container.sandbox,
            name: container.name,
            attempt: container.attempt,
            image: container.image,
            image_id: container.image_id,
            state: container.state,
            created: container.created,
            log: container.log,
            message,
        }
    }
}

impl Instance {
    pub(crate) fn running(&self) -> bool {
        matches!(self.state, ContainerState::Running { .. })
    }

    /// Its exit code, if it ended.
    pub(crate) fn exit_code(&self) -> Option<i32> {
        match self.state {
            ContainerState::Exited { code, .. } => Some(code),
            _ => None,
        }
    }

    /// When it ended, if it did.
    pub(crate) fn finished(&self) -> Option<SystemTime> {
        match self.state {
            ContainerState::Exited { finished, .. } => Some(finished),
            _ => None,
        }
    }
}

impl Seen {
    pub(crate) fn new(mut sandboxes: Vec<Sandbox>, mut containers: Vec<Instance>) -> Self {
        sandboxes.sort_by_key(|sandbox| std::cmp::Reverse((sandbox.attempt, sandbox.created)));
        containers
            .sort_by_key(|container| std::cmp::Reverse((container.attempt, container.created)));
        Self {
            sandboxes,
            containers,
        }
    }

    /// The instances of a name, the newest first.
    pub(crate) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Instance> + 'a {
        self.containers
            .iter()
            .filter(move |instance| instance.name == name)
    }

    /// The newest instance of a name.
    pub(crate) fn latest<'a>(&'a self, name: &'a str) -> Option<&'a Instance> {
        self.all(name).next()
    }

    /// Whether an instance runs.
    pub(crate) fn runs(&self, id: &ContainerId) -> bool {
        let mut all = self.containers.iter();
        all.any(|instance| instance.id == *id && instance.running())
    }

    /// The instances that run.
    pub(crate) fn running(&self) -> impl Iterator<Item = &Instance> {
        self.containers.iter().filter(|instance| instance.running())
    }

    /// The sandbox that containers can run in: the newest, if it is the only one that is usable.
    pub(crate) fn sandbox(&self) -> Option<&Sandbox> {
        let usable = |sandbox: &&Sandbox| sandbox.ready && sandbox.address.is_some();
        let ready = self
            .sandboxes
            .iter()
            .filter(|sandbox| sandbox.ready)
            .count();
        self.sandboxes.first().filter(usable).filter(|_| ready == 1)
    }
}

/// What probes say of a container.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Health {
    pub(crate) startup: Verdict,
    pub(crate) liveness: Verdict,
    pub(crate) readiness: Verdict,
}

/// What a probe says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Nothing yet.
    #[default]
    Unknown,
    /// All is well.
    Success,
    /// It isn't.
    Failure,
}
