//! Sandboxes and containers as the lab sees them.

use super::{Mount, Pids, Root, Source};
use crate::factory::{
    ContainerRequest, ExecRequest, FactoryError, GuestFactory, Process, Request, SandboxRequest,
};
use crate::guest::{ExecError, Guest, GuestDisk};
use crate::namespace::NetNs;
use crate::program::{Directory, Program, User};
use crate::rights::Rights;
use nix::errno::Errno;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Where nodes show their sandboxes' networks; CNI plugins enter them by these paths.
const NETWORKS: &str = "/run/netns";
/// Where nodes keep what belongs to a sandbox.
const SANDBOXES: &str = "/run/skylab/sandboxes";

/// A sandbox to make.
#[derive(Clone, Debug, Default)]
pub struct SandboxSpec {
    /// Names what it shows in its node: its network is `/run/netns/cni-<name>`.
    pub name: String,
    /// Its host name; `None` shares the node's network and host name.
    pub hostname: Option<String>,
    /// Whether it shares the node's ipc.
    pub node_ipc: bool,
    /// Whether its containers can share a pid namespace.
    pub shared_pids: bool,
    /// Switches of its own network and ipc, as sysctl(8) names them.
    pub switches: Vec<(String, String)>,
}

/// Why a sandbox can't be made.
#[derive(Debug, thiserror::Error)]
pub enum SandboxError {
    /// The switch isn't the sandbox's own.
    #[error("sysctl {0:?} is not in a separate kernel namespace")]
    Switch(String),
    /// A step failed.
    #[error(transparent)]
    Factory(#[from] FactoryError),
}

/// A sandbox. Dropping it ends it.
#[derive(Debug)]
pub struct Sandbox {
    init: Process,
    node: u64,
    network: Arc<NetNs>,
    network_at: Option<PathBuf>,
    memory_at: Option<PathBuf>,
    ended: AtomicBool,
}

/// A container to start.
#[derive(Clone, Debug)]
pub struct ContainerSpec {
    /// Its files.
    pub root: Root,
    /// What it writes over them; no other container's.
    pub disk: Arc<GuestDisk>,
    /// Whether its root file system can't be written.
    pub read_only_root: bool,
    /// Whose processes it sees.
    pub pids: Pids,
    /// What is mounted, in this order.
    pub mounts: Vec<Mount>,
    /// The program and its arguments; a program without a slash is looked up in the environment's `PATH`.
    pub arguments: Vec<String>,
    /// The environment.
    pub environment: Vec<(String, String)>,
    /// The working directory, made where it isn't there.
    pub directory: String,
    /// As whom it runs.
    pub user: User,
    /// What it may do.
    pub rights: Rights,
    /// How early it is killed when memory is short, -1000 to 1000.
    pub oom_score: i32,
    /// How many descriptors it may have.
    pub descriptors: u64,
    /// The lists of processes (`cgroup.procs`) of the control groups that it joins.
    pub groups: Vec<PathBuf>,
}

/// A running container.
#[derive(Debug)]
pub struct Container {
    process: Process,
    program: Program,
    groups: Vec<PathBuf>,
}

impl Guest {
    /// Makes a sandbox in this guest.
    ///
    /// # Errors
    /// A switch isn't the sandbox's, or a step fails.
    pub fn sandbox(&self, spec: &SandboxSpec) -> Result<Sandbox, SandboxError> {
        let own_network = spec.hostname.is_some();
        let network_at =
            own_network.then(|| Path::new(NETWORKS).join(format!("cni-{}", spec.name)));
        let memory_at = (!spec.node_ipc).then(|| Path::new(SANDBOXES).join(&spec.name).join("shm"));
        let request = SandboxRequest {
            node: self.first_process().number(),
            hostname: spec.hostname.clone(),
            node_ipc: spec.node_ipc,
            shared_pids: spec.shared_pids,
            switches: switches(spec)?,
            network_at: network_at.clone(),
            memory_at: memory_at.clone(),
        };
        let asked = self.factory().bring_up(&Request::Sandbox(request), &[]);
        let (init, mut fds) = asked?;
        let network = fds.pop().ok_or(FactoryError::Silent(Errno::EPROTO))?;
        Ok(Sandbox {
            init,
            node: self.first_process().number(),
            network: Arc::new(NetNs::from_fd(network)),
            network_at,
            memory_at,
            ended: AtomicBool::new(false),
        })
    }
}

/// The switches as paths below `/proc/sys`; only those of namespaces that are the sandbox's own.
fn switches(spec: &SandboxSpec) -> Result<Vec<(PathBuf, String)>, SandboxError> {
    let each = |(name, value): &(String, String)| {
        let refused = || SandboxError::Switch(name.clone());
        let path = switch_path(name).ok_or_else(refused)?;
        let of_network = path.starts_with("net");
        let of_ipc = path.starts_with("fs/mqueue")
            || path.strip_prefix("kernel").is_ok_and(|rest| {
                let rest = rest.to_string_lossy();
                rest == "sem" || rest.starts_with("shm") || rest.starts_with("msg")
            });
        let own = (of_network && spec.hostname.is_some()) || (of_ipc && !spec.node_ipc);
        if own {
            Ok((path, value.clone()))
        } else {
            Err(refused())
        }
    };
    spec.switches.iter().map(each).collect()
}

/// A switch's path: dots part its name, or slashes do, and then dots are part of a link's name.
fn switch_path(name: &str) -> Option<PathBuf> {
    let slashed = name
        .find(['.', '/'])
        .map(|at| name[at..].starts_with('/'))?;
    let parts: Vec<String> = if slashed {
        name.split('/').map(str::to_owned).collect()
    } else {
        // A slash stands for a dot in a link's name.
        name.split('.').map(|part| part.replace('/', ".")).collect()
    };
    let plain = |part: &String| !part.is_empty() && part != "." && part != "..";
    parts.iter().all(plain).then(|| parts.iter().collect())
}

impl Sandbox {
    /// Its first process. When it ends, the sandbox has ended.
    pub fn first_process(&self) -> &Process {
        &self.init
    }

    /// Its network, or the node's.
    pub fn network(&self) -> &Arc<NetNs> {
        &self.network
    }

    /// Where its node sees its network, if it has one of its own.
    pub fn network_path(&self) -> Option<&Path> {
        self.network_at.as_deref()
    }

    /// Its shared memory, to be mounted at `/dev/shm` in its containers.
    pub fn shared_memory(&self) -> Source {
        let nodes = || PathBuf::from("/dev/shm");
        Source::Node(self.memory_at.clone().unwrap_or_else(nodes))
    }

    /// Starts a container with these streams as its standard input, output and error.
    ///
    /// # Errors
    /// A step fails, or the program doesn't exist or can't be executed.
    pub fn start(
        &self,
        spec: &ContainerSpec,
        streams: [OwnedFd; 3],
    ) -> Result<Container, ExecError> {
        self.start_with(spec, Some(&streams))
            .map(|(container, _)| container)
    }

    /// Starts a container on a terminal of its own and gives the terminal's other side.
    ///
    /// # Errors
    /// As [`Sandbox::start`].
    pub fn start_on_terminal(
        &self,
        spec: &ContainerSpec,
    ) -> Result<(Container, OwnedFd), ExecError> {
        let (container, terminal) = self.start_with(spec, None)?;
        let terminal = terminal.ok_or(FactoryError::Silent(Errno::EPROTO))?;
        Ok((container, terminal))
    }

    fn start_with(
        &self,
        spec: &ContainerSpec,
        streams: Option<&[OwnedFd; 3]>,
    ) -> Result<(Container, Option<OwnedFd>), ExecError> {
        let program = Program {
            arguments: spec.arguments.clone(),
            environment: spec.environment.clone(),
            directory: Directory::Required(spec.directory.clone()),
            terminal: streams.is_none(),
            user: Some(spec.user.clone()),
            rights: spec.rights,
            oom_score: spec.oom_score,
            descriptors: Some(spec.descriptors),
        };
        let request = ContainerRequest {
            node: self.node,
            sandbox: self.init.number(),
            disk: spec.disk.path().to_owned(),
            root: spec.root.clone(),
            read_only_root: spec.read_only_root,
            pids: spec.pids,
            switches: spec.rights.capabilities.has("SYS_ADMIN"),
            mounts: spec.mounts.clone(),
            program: program.clone(),
            groups: spec.groups.clone(),
        };
        let fds: Vec<_> = streams.into_iter().flatten().map(AsFd::as_fd).collect();
        let asked = self.factory().bring_up(&Request::Container(request), &fds);
        let (process, mut fds) = asked.map_err(|error| ExecError::of(error, &program.arguments))?;
        let container = Container {
            process,
            program,
            groups: spec.groups.clone(),
        };
        Ok((container, fds.pop()))
    }

    fn factory(&self) -> &GuestFactory {
        self.init.factory()
    }

    /// Ends it, and takes what it showed out of its node's view.
    ///
    /// # Errors
    /// The node's view can't be changed.
    pub fn end(&self) -> Result<(), FactoryError> {
        // It may have ended by itself.
        let _ = self.init.signal_alone(libc::SIGKILL);
        let paths: Vec<_> = [&self.network_at, &self.memory_at]
            .into_iter()
            .flatten()
            .cloned()
            .collect();
        let request = Request::TakeDown {
            node: self.node,
            paths,
        };
        match self.factory().ask(&request, &[]) {
            // The node's view went with the node.
            Err(FactoryError::Failed {
                errno: Errno::ESRCH,
                ..
            })
            | Ok(_) => {}
            Err(error) => return Err(error),
        }
        self.ended.store(true, Ordering::Release);
        Ok(())
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        if !self.ended.load(Ordering::Acquire) {
            // What can't be taken down goes with the node.
            let _ = self.end();
        }
    }
}

impl Container {
    /// Its program.
    pub fn process(&self) -> &Process {
        &self.process
    }

    /// Runs a program beside its own, as the same user with the same rights.
    ///
    /// # Errors
    /// The program doesn't exist or can't be executed, or the container has ended.
    pub fn exec(&self, arguments: &[String], streams: [OwnedFd; 3]) -> Result<Process, ExecError> {
        self.exec_with(arguments, Some(&streams))
            .map(|(process, _)| process)
    }

    /// Runs a program beside its own on a terminal, and gives the terminal's other side.
    ///
    /// # Errors
    /// As [`Container::exec`].
    pub fn exec_on_terminal(&self, arguments: &[String]) -> Result<(Process, OwnedFd), ExecError> {
        let (process, terminal) = self.exec_with(arguments, None)?;
        let terminal = terminal.ok_or(FactoryError::Silent(Errno::EPROTO))?;
        Ok((process, terminal))
    }

    fn exec_with(
        &self,
        arguments: &[String],
        streams: Option<&[OwnedFd; 3]>,
    ) -> Result<(Process, Option<OwnedFd>), ExecError> {
        let program = Program {
            arguments: arguments.to_vec(),
            terminal: streams.is_none(),
            ..self.program.clone()
        };
        let request = ExecRequest {
            target: self.process.number(),
            program,
            groups: self.groups.clone(),
        };
        let fds: Vec<_> = streams.into_iter().flatten().map(AsFd::as_fd).collect();
        let asked = self
            .process
            .factory()
            .bring_up(&Request::Exec(request), &fds);
        asked
            .map(|(process, mut fds)| (process, fds.pop()))
            .map_err(|error| ExecError::of(error, arguments))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec(switch: &str) -> SandboxSpec {
        SandboxSpec {
            hostname: Some("web".to_owned()),
            switches: vec![(switch.to_owned(), "1".to_owned())],
            ..SandboxSpec::default()
        }
    }

    #[test]
    fn only_switches_of_its_own_namespaces_are_a_sandboxes() {
        let path = |name| switches(&spec(name)).map(|switches| switches[0].0.clone());
        for (name, expected) in [
            ("net.ipv4.ip_forward", "net/ipv4/ip_forward"),
            (
                "net/ipv4/conf/eth0.1/forwarding",
                "net/ipv4/conf/eth0.1/forwarding",
            ),
            (
                "net.ipv4.conf.eth0/1.forwarding",
                "net/ipv4/conf/eth0.1/forwarding",
            ),
            ("kernel.shmmax", "kernel/shmmax"),
            ("fs.mqueue.msg_max", "fs/mqueue/msg_max"),
        ] {
            assert_eq!(path(name).unwrap(), Path::new(expected), "{name}");
        }
        for name in [
            "kernel.core_pattern",
            "vm.overcommit_memory",
            "net/../kernel/core_pattern",
            "net",
            "",
        ] {
            assert!(path(name).is_err(), "{name}");
        }
    }

    #[test]
    fn the_nodes_network_is_not_a_sandboxes() {
        let shared = SandboxSpec {
            hostname: None,
            ..spec("net.ipv4.ip_forward")
        };
        assert!(switches(&shared).is_err());
    }
}
