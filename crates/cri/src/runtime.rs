//! What a runtime does.

use crate::container::{Container, ContainerId, ContainerSpec, Usage};
use crate::sandbox::{Sandbox, SandboxId, SandboxSpec};
use std::fmt;
use std::io;
use std::net::TcpStream;
use std::os::fd::OwnedFd;
use std::sync::mpsc::Receiver;
use std::time::Duration;

/// Why a runtime refuses. The words are those that `kubectl describe pod` shows.
#[derive(Debug, thiserror::Error)]
pub enum RuntimeError {
    /// No such sandbox.
    #[error("sandbox {0:?} not found")]
    NoSandbox(SandboxId),
    /// No such container.
    #[error("container {0:?} not found")]
    NoContainer(ContainerId),
    /// It doesn't run.
    #[error("container {0:?} is not running")]
    NotRunning(ContainerId),
    /// There is no network configuration yet.
    #[error("cni plugin not initialized")]
    NoNetwork,
    /// The network plugin refused.
    #[error(
        "failed to setup network for sandbox {sandbox:?}: plugin type={plugin:?} failed ({command}): {message}"
    )]
    Network {
        /// The sandbox.
        sandbox: String,
        /// The plugin.
        plugin: String,
        /// `add` or `delete`.
        command: &'static str,
        /// What it said.
        message: String,
    },
    /// The image isn't there.
    #[error("image {0:?} not found")]
    NoImage(String),
    /// The program can't be run.
    #[error(
        "failed to create containerd task: failed to create shim task: OCI runtime create failed: {0}"
    )]
    CannotRun(String),
    /// A program can't be run beside a container's own.
    #[error(
        "failed to exec in container: failed to start exec {id:?}: OCI runtime exec failed: exec failed: {words}"
    )]
    CannotExec {
        /// The attempt's id.
        id: String,
        /// What the machine said.
        words: String,
    },
    /// Something of the machine's failed.
    #[error("{0}")]
    Machine(String),
}

/// A program to run in a container beside its own.
#[derive(Clone, Debug, Default)]
pub struct ExecSpec {
    /// The program and its arguments.
    pub command: Vec<String>,
    /// Whether it gets a terminal.
    pub terminal: bool,
    /// Whether it gets a standard input.
    pub stdin: bool,
}

/// The outer ends of a program's streams. With a terminal there is just that: reading and writing.
#[derive(Debug, Default)]
pub struct Streams {
    /// Its standard input, to write to.
    pub stdin: Option<OwnedFd>,
    /// Its standard output, to read from.
    pub stdout: Option<OwnedFd>,
    /// Its standard error, to read from.
    pub stderr: Option<OwnedFd>,
    /// Its terminal, to read from and write to.
    pub terminal: Option<OwnedFd>,
}

/// A program that runs in a container.
pub trait Process: Send + Sync + fmt::Debug {
    /// Waits for its end; gives its exit code, 128 and the signal's number after a signal. Blocks.
    ///
    /// # Errors
    /// The runtime lost it.
    fn wait(&self) -> io::Result<i32>;

    /// Sends a signal to it and what it started.
    ///
    /// # Errors
    /// It ended.
    fn signal(&self, signal: i32) -> io::Result<()>;
}

/// Something that happened by itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A container ended.
    ContainerEnded(ContainerId),
    /// A sandbox ended.
    SandboxEnded(SandboxId),
}

/// Runs sandboxes and containers on one node. Calls block.
pub trait Runtime: Send + Sync {
    /// Whether containers can run: `None`, or why not.
    fn trouble(&self) -> Option<String>;

    /// Whether sandboxes can have a network: `None`, or why not, in containerd's words
    /// (`cni plugin not initialized`).
    fn network_trouble(&self) -> Option<String>;

    /// Makes a sandbox with its network.
    ///
    /// # Errors
    /// As [`RuntimeError`] says; nothing is left then.
    fn run_sandbox(&self, spec: &SandboxSpec) -> Result<Sandbox, RuntimeError>;

    /// Ends a sandbox: its containers, then its network. A sandbox that isn't there is fine.
    ///
    /// # Errors
    /// The network plugin refuses; to be tried again.
    fn stop_sandbox(&self, id: &SandboxId) -> Result<(), RuntimeError>;

    /// Forgets a sandbox, stopped before if it wasn't. A sandbox that isn't there is fine.
    ///
    /// # Errors
    /// As [`Runtime::stop_sandbox`].
    fn remove_sandbox(&self, id: &SandboxId) -> Result<(), RuntimeError>;

    /// The sandboxes there are.
    fn sandboxes(&self) -> Vec<Sandbox>;

    /// Makes a container; it doesn't run yet.
    ///
    /// # Errors
    /// As [`RuntimeError`] says.
    fn create_container(
        &self,
        sandbox: &SandboxId,
        spec: &ContainerSpec,
    ) -> Result<ContainerId, RuntimeError>;

    /// Starts it.
    ///
    /// # Errors
    /// Its program can't be run.
    fn start_container(&self, id: &ContainerId) -> Result<(), RuntimeError>;

    /// Asks it to end by its image's stop signal, and kills it when the grace is over. Returns when it
    /// has ended.
    ///
    /// # Errors
    /// There is none.
    fn stop_container(&self, id: &ContainerId, grace: Duration) -> Result<(), RuntimeError>;

    /// Forgets an ended container and its disk. A container that isn't there is fine.
    ///
    /// # Errors
    /// It runs.
    fn remove_container(&self, id: &ContainerId) -> Result<(), RuntimeError>;

    /// The containers there are.
    fn containers(&self) -> Vec<Container>;

    /// One of them.
    fn container(&self, id: &ContainerId) -> Option<Container>;

    /// Runs a program beside a container's own.
    ///
    /// # Errors
    /// It isn't running, or the program can't be run.
    fn exec(
        &self,
        id: &ContainerId,
        spec: &ExecSpec,
    ) -> Result<(Box<dyn Process>, Streams), RuntimeError>;

    /// Joins a container's own streams: what it prints from now on, and its input if it has one.
    ///
    /// # Errors
    /// It isn't running.
    fn attach(&self, id: &ContainerId) -> Result<Streams, RuntimeError>;

    /// Tells a container's terminal its new size: columns and rows.
    ///
    /// # Errors
    /// It isn't running.
    fn resize(&self, id: &ContainerId, columns: u16, rows: u16) -> Result<(), RuntimeError>;

    /// Begins a new log file where the old one was moved away.
    ///
    /// # Errors
    /// It isn't running, or the file can't be made.
    fn reopen_log(&self, id: &ContainerId) -> Result<(), RuntimeError>;

    /// A connection to a port of a sandbox's loopback address.
    ///
    /// # Errors
    /// Nobody listens, or there is no such sandbox.
    fn dial(&self, id: &SandboxId, port: u16) -> io::Result<TcpStream>;

    /// What a container used.
    fn usage(&self, id: &ContainerId) -> Option<Usage>;

    /// What happens by itself from now on. Each call gives a receiver of its own.
    fn events(&self) -> Receiver<Event>;
}
