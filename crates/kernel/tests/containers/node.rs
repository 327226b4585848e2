//! A node to run containers in, and what they print.

use kernel::container::{
    Capabilities, Container, ContainerSpec, Pids, Rights, Root, Sandbox, SandboxSpec, User,
};
use kernel::factory::GuestFactory;
use kernel::guest::{Exit, Guest, GuestCommand, GuestDisk, GuestProcess, GuestSpec};
use std::fs::File;
use std::io::{Read, pipe};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

static FACTORY: OnceLock<GuestFactory> = OnceLock::new();

pub(crate) fn use_factory(factory: GuestFactory) {
    FACTORY.set(factory).expect("one factory");
}

pub(crate) fn factory() -> &'static GuestFactory {
    FACTORY.get().expect("inside the lab's namespaces")
}

static KEYS: OnceLock<PathBuf> = OnceLock::new();

/// What is in the lab's keys.
pub(crate) const SECRET: &str = "the lab's secret";

/// Puts the lab's keys in a directory that the view of the machine's files would show, were it not
/// hidden. Called by the process that launches the tests.
pub(crate) fn make_keys() -> std::io::Result<PathBuf> {
    let keys = Path::new("/var/tmp").join(format!("skylab-keys-{}", std::process::id()));
    std::fs::create_dir_all(&keys)?;
    std::fs::write(keys.join("key"), SECRET)?;
    Ok(KEYS.get_or_init(|| keys).clone())
}

static SHELL: OnceLock<Vec<PathBuf>> = OnceLock::new();

/// Finds out what the machine's shell needs to run. Called by the process that launches the tests, since
/// the lab's first one does not wait for children.
pub(crate) fn look_for_shell() -> std::io::Result<()> {
    let libraries = std::process::Command::new("ldd").arg("/bin/sh").output()?;
    let libraries = String::from_utf8_lossy(&libraries.stdout).into_owned();
    let named = libraries
        .split_whitespace()
        .filter(|word| word.starts_with('/'));
    SHELL.get_or_init(|| named.map(PathBuf::from).chain(["/bin/sh".into()]).collect());
    Ok(())
}

/// The machine's shell and what it needs to run.
pub(crate) fn shell_files() -> &'static [PathBuf] {
    SHELL.get().expect("looked for before")
}

/// Whether there are users beside root: an ordinary user without subordinate ids has no others.
pub(crate) fn has_users() -> bool {
    let map = std::fs::read_to_string("/proc/self/uid_map").expect("a map");
    let counts = map
        .lines()
        .filter_map(|line| line.split_whitespace().nth(2));
    counts
        .filter_map(|count| count.parse::<u64>().ok())
        .sum::<u64>()
        > 60_000
}

/// Where they are.
pub(crate) fn keys() -> &'static Path {
    KEYS.get().expect("made before")
}

pub(crate) fn remove_keys() {
    std::fs::remove_dir_all(keys()).expect("the keys' directory");
}

/// A node without a network.
pub(crate) fn node() -> Guest {
    node_on(Arc::new(GuestDisk::fresh().expect("a disk")))
}

/// A node on a disk.
pub(crate) fn node_on(disk: Arc<GuestDisk>) -> Guest {
    let spec = GuestSpec {
        hostname: "node".to_owned(),
        net: Arc::new(factory().network_namespace().expect("a network")),
        disk,
        files: Vec::new(),
        environment: vec![("PATH".to_owned(), PATH.to_owned())],
    };
    factory().boot(&spec).expect("a node")
}

pub(crate) const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// A pod's sandbox of this name.
pub(crate) fn sandbox(node: &Guest, name: &str) -> Sandbox {
    let spec = SandboxSpec {
        name: name.to_owned(),
        hostname: Some(name.to_owned()),
        ..SandboxSpec::default()
    };
    node.sandbox(&spec).expect("a sandbox")
}

/// A container over the machine's files that runs a shell's words.
pub(crate) fn shell(words: &str) -> ContainerSpec {
    ContainerSpec {
        root: Root::Machine,
        disk: Arc::new(GuestDisk::fresh().expect("a disk")),
        read_only_root: false,
        pids: Pids::Own,
        mounts: Vec::new(),
        arguments: ["/bin/sh", "-c", words].map(str::to_owned).to_vec(),
        environment: vec![("PATH".to_owned(), PATH.to_owned())],
        directory: "/".to_owned(),
        user: User::default(),
        rights: Rights {
            capabilities: Capabilities::of_containers(),
            no_new_privileges: false,
        },
        oom_score: 0,
        descriptors: 1 << 20,
        groups: Vec::new(),
    }
}

/// The inner ends of a program's streams, and where to read what it prints.
pub(crate) fn streams() -> ([OwnedFd; 3], impl Read) {
    let (reader, writer) = pipe().expect("a pipe");
    let errors = writer.try_clone().expect("a descriptor");
    let null = File::open("/dev/null").expect("nothing");
    ([null.into(), writer.into(), errors.into()], reader)
}

fn finish(process: &GuestProcess, mut output: impl Read) -> (Exit, String) {
    let mut text = String::new();
    output.read_to_string(&mut text).expect("text");
    (process.wait().expect("an end"), text)
}

/// Runs a container to its end.
pub(crate) fn run(sandbox: &Sandbox, spec: &ContainerSpec) -> (Exit, String) {
    let (streams, output) = streams();
    let container = sandbox.start(spec, streams).expect("a container");
    finish(container.process(), output)
}

/// A container that runs on, after it said so.
pub(crate) fn start(sandbox: &Sandbox, spec: &ContainerSpec) -> Container {
    let (streams, mut output) = streams();
    let container = sandbox.start(spec, streams).expect("a container");
    output.read_exact(&mut [0]).expect("a word");
    container
}

/// Runs a shell's words beside a container's program.
pub(crate) fn exec(container: &Container, words: &str) -> (Exit, String) {
    let (streams, output) = streams();
    let arguments = ["/bin/sh", "-c", words].map(str::to_owned);
    let process = container.exec(&arguments, streams).expect("a program");
    finish(&process, output)
}

/// Runs a shell's words on a node, as its own programs do.
pub(crate) fn on(node: &Guest, words: &str) -> (Exit, String) {
    let (streams, output) = streams();
    let process = node.exec(&command(words), streams).expect("a program");
    finish(&process, output)
}

/// Runs a shell's words on a node, as a network plugin.
pub(crate) fn as_plugin(node: &Guest, words: &str) -> (Exit, String) {
    let (streams, output) = streams();
    let process = node
        .exec_plugin(&command(words), streams)
        .expect("a program");
    finish(&process, output)
}

fn command(words: &str) -> GuestCommand {
    GuestCommand {
        arguments: ["/bin/sh", "-c", words].map(str::to_owned).to_vec(),
        ..GuestCommand::default()
    }
}
