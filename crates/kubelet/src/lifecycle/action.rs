//! What a pod's life asks for, and what comes of it.

use crate::pod::Role;
use cri::{ContainerId, Image, Sandbox, SandboxId};
use std::time::{Duration, SystemTime};

/// What to do next.
#[derive(Debug)]
pub(crate) struct Step {
    /// What to tell, before anything is done.
    pub(crate) events: Vec<Event>,
    /// What to do.
    pub(crate) todo: Todo,
}

/// Something to do, or nothing for now.
#[derive(Debug)]
pub(crate) enum Todo {
    /// Carry this out and note what came of it.
    Act(Action),
    /// Wait for something to change, and look again at this time at the latest.
    Wait(Option<SystemTime>),
    /// The pod is no more.
    Gone,
}

impl Step {
    pub(super) fn act(action: Action) -> Self {
        Self {
            events: Vec::new(),
            todo: Todo::Act(action),
        }
    }

    pub(super) fn wait(until: Option<SystemTime>) -> Self {
        Self {
            events: Vec::new(),
            todo: Todo::Wait(until),
        }
    }

    pub(super) fn gone() -> Self {
        Self {
            events: Vec::new(),
            todo: Todo::Gone,
        }
    }

    pub(super) fn telling(mut self, event: Event) -> Self {
        self.events.push(event);
        self
    }
}

/// Something to do.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Action {
    /// Make the pod's volumes, or bring them up to date.
    Mount,
    /// Make a sandbox.
    MakeSandbox {
        /// How many the pod had before.
        attempt: u32,
    },
    /// End a sandbox and take its network away.
    StopSandbox(SandboxId),
    /// Look whether a container's image is there.
    Inspect {
        /// The container.
        container: String,
    },
    /// Pull a container's image.
    Pull {
        /// The container.
        container: String,
    },
    /// Make a container and start it.
    Start {
        /// The container.
        container: String,
        /// How many of its name the pod had before.
        attempt: u32,
        /// The image it runs.
        image: Image,
        /// The sandbox it runs in.
        sandbox: SandboxId,
    },
    /// Run a container's hook after its start.
    PostStart {
        /// The container.
        container: String,
        /// The instance.
        id: ContainerId,
    },
    /// End containers, at once or in their order.
    Kill(Vec<Victim>),
    /// Forget ended containers and their logs.
    Remove(Vec<ContainerId>),
    /// Forget a sandbox.
    RemoveSandbox(SandboxId),
    /// Take the pod's volumes away.
    Unmount,
    /// Tell the API that the pod has ended, so that it forgets it.
    Delete,
    /// Forget all that the node has of the pod.
    Forget,
}

/// A container to end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Victim {
    /// The instance.
    pub(crate) id: ContainerId,
    /// Its name.
    pub(crate) name: String,
    /// How long it has.
    pub(crate) grace: Duration,
    /// The containers whose end it waits for within that time.
    pub(crate) after: Vec<String>,
}

/// What came of an action.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// Of [`Action::Mount`]: what failed, in the words of an event.
    Mounted(Vec<String>),
    /// Of [`Action::MakeSandbox`].
    Sandbox(Result<Sandbox, SandboxFailure>),
    /// Of [`Action::StopSandbox`].
    SandboxStopped(SandboxId, Result<(), String>),
    /// Of [`Action::Inspect`]: the image, if it is there.
    Inspected(String, Option<Image>),
    /// Of [`Action::Pull`].
    Pulled(String, Result<Pulled, cri::ImageError>),
    /// Of [`Action::Start`].
    Started(String, Result<ContainerId, StartFailure>),
    /// Of [`Action::PostStart`]: what the hook's failure says.
    Hooked(String, ContainerId, Result<(), String>),
    /// Of [`Action::Forget`].
    Forgotten,
    /// Of [`Action::Unmount`].
    Unmounted,
    /// Of any other, and of any that failed with nothing to tell: to be looked at again.
    Done,
    /// Of any other: it failed, with what the log shall say.
    Failed(String),
}

/// An image that was pulled.
#[derive(Clone, Debug)]
pub(crate) struct Pulled {
    /// The image.
    pub(crate) image: Image,
    /// How long the pull took.
    pub(crate) took: Duration,
    /// And with the wait for those before.
    pub(crate) in_all: Duration,
}

/// Why a sandbox can't be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SandboxFailure(pub(crate) String);

/// Why a container isn't started.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum StartFailure {
    /// What it shall be can't be told: `CreateContainerConfigError`.
    Config(String),
    /// It can't be made: `CreateContainerError`.
    Create(String),
    /// Its program can't be run: `RunContainerError`.
    Run(String),
}

/// Something to tell of a pod or of a container of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Event {
    pub(crate) kind: EventKind,
    pub(crate) reason: String,
    pub(crate) message: String,
    /// The part of the pod that it is about, `spec.containers{web}`.
    pub(crate) field: Option<String>,
}

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum EventKind {
    /// Information only.
    Normal,
    /// Something may need attention.
    Warning,
}

impl EventKind {
    /// The value of the event's `type`.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Normal => "Normal",
            Self::Warning => "Warning",
        }
    }
}

impl Event {
    pub(crate) fn normal(reason: &str, message: impl Into<String>) -> Self {
        Self {
            kind: EventKind::Normal,
            reason: reason.to_owned(),
            message: message.into(),
            field: None,
        }
    }

    pub(crate) fn warning(reason: &str, message: impl Into<String>) -> Self {
        Self {
            kind: EventKind::Warning,
            ..Self::normal(reason, message)
        }
    }

    /// About a container.
    pub(crate) fn of(mut self, role: Role, container: &str) -> Self {
        self.field = Some(format!("spec.{}{{{container}}}", role.field()));
        self
    }
}
