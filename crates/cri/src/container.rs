//! Containers: programs in sandboxes.

use crate::sandbox::SandboxId;
use std::fmt;
use std::path::PathBuf;
use std::time::SystemTime;

/// A container's id: 64 hexadecimal digits, as containerd's.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ContainerId(pub String);

impl fmt::Display for ContainerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A container to make.
#[derive(Clone, Debug, Default)]
pub struct ContainerSpec {
    /// Its name in the pod.
    pub name: String,
    /// How many containers of this name the pod had before.
    pub attempt: u32,
    /// The image, as it was pulled: a reference that [`crate::Images::find`] knows.
    pub image: String,
    /// In place of the image's entry point, where not empty.
    pub command: Vec<String>,
    /// In place of the image's arguments, where not empty (or where `command` is given).
    pub args: Vec<String>,
    /// In place of the image's working directory.
    pub working_dir: Option<String>,
    /// Over the image's environment.
    pub env: Vec<(String, String)>,
    /// What is mounted.
    pub mounts: Vec<Mount>,
    /// In place of the image's user.
    pub user: RunAs,
    /// With every right that the node's own processes have.
    pub privileged: bool,
    /// Capabilities beside or without the runtime's defaults, `NET_ADMIN` (without `CAP_`), or `ALL`.
    pub capabilities: Capabilities,
    /// Whether its root file system can't be written.
    pub read_only_root: bool,
    /// Whether its programs can't get more rights than it began with.
    pub no_new_privileges: bool,
    /// What it may use.
    pub resources: Resources,
    /// Whether it has a standard input that stays open.
    pub stdin: bool,
    /// Whether that input ends with the first caller who attached.
    pub stdin_once: bool,
    /// Whether it runs on a terminal.
    pub terminal: bool,
    /// Where its output goes, in CRI's log format.
    pub log: Option<PathBuf>,
}

/// A file or directory that a container sees.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mount {
    /// Where it is.
    pub source: MountSource,
    /// Where the container sees it; absolute.
    pub target: PathBuf,
    /// Whether it can't be written there.
    pub read_only: bool,
    /// Whether later mounts pass.
    pub propagation: Propagation,
}

/// Where something to mount is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MountSource {
    /// On the kubelet's own side: volumes that it keeps for pods. No program of the node's can have
    /// put a link in this path.
    Kubelet(PathBuf),
    /// Among the node's files, as the node sees them (`hostPath`).
    Node(PathBuf),
    /// A fresh file system in memory, of so many bytes at most if given.
    Memory(Option<u64>),
}

/// Whether mounts made later pass between a container and its node.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Propagation {
    /// They don't.
    #[default]
    Private,
    /// From the node into the container.
    FromNode,
    /// Both ways.
    Both,
}

/// As whom a container runs; what isn't said is the image's.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RunAs {
    /// The user's number.
    pub uid: Option<u32>,
    /// The group's number.
    pub gid: Option<u32>,
    /// Further groups.
    pub groups: Vec<u32>,
    /// Whether it must not be root (`runAsNonRoot`).
    pub not_root: bool,
}

/// Capabilities beside the defaults.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Capabilities {
    /// To have.
    pub add: Vec<String>,
    /// Not to have.
    pub drop: Vec<String>,
}

/// What a container may use.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Resources {
    /// Its weight among others: 1024 a CPU.
    pub cpu_shares: Option<u64>,
    /// Thousandths of a CPU that it gets at most.
    pub cpu_limit_millis: Option<u64>,
    /// Bytes of memory that it gets at most.
    pub memory_limit: Option<u64>,
    /// How early it is killed when memory is short, -1000 to 1000.
    pub oom_score: i32,
}

/// A container there is.
#[derive(Clone, Debug)]
pub struct Container {
    /// Its id.
    pub id: ContainerId,
    /// Its sandbox.
    pub sandbox: SandboxId,
    /// Its name in the pod.
    pub name: String,
    /// How many containers of this name the pod had before.
    pub attempt: u32,
    /// The image that was asked for.
    pub image: String,
    /// The image's id, `sha256:…`.
    pub image_id: String,
    /// What it is doing.
    pub state: ContainerState,
    /// When it was made.
    pub created: SystemTime,
    /// Where its output goes.
    pub log: Option<PathBuf>,
}

/// What a container is doing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ContainerState {
    /// It was made and not started.
    Created,
    /// It runs.
    Running {
        /// Since when.
        started: SystemTime,
    },
    /// It ended.
    Exited {
        /// Since when it ran.
        started: SystemTime,
        /// When it ended.
        finished: SystemTime,
        /// Its exit code; 128 and the signal's number after a signal.
        code: i32,
        /// `Completed`, `Error`, `OOMKilled`, `ContainerCannotRun` or `StartError`.
        reason: String,
        /// What there is to say.
        message: String,
    },
}

/// What a container used.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// CPU time since its start, in nanoseconds.
    pub cpu_nanoseconds: u64,
    /// Memory that can't be given back at once (its working set), in bytes.
    pub memory_bytes: u64,
}
