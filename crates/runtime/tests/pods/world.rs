//! A node, pods on it, and what they print.

use cri::{
    Container, ContainerId, ContainerSpec, ContainerState, ExecSpec, Runtime, Sandbox, SandboxId,
    SandboxSpec, Spaces,
};
use kernel::factory::GuestFactory;
use kernel::guest::{Guest, GuestDisk, GuestSpec};
use kernel::limits::Limits;
use runtime::{Hub, ImageConfig, ImageFiles, ImageRoot, NodeOptions, NodeRuntime, RootSource};
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Read;
use std::net::Ipv4Addr;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

static FACTORY: OnceLock<GuestFactory> = OnceLock::new();
static SHELL: OnceLock<Vec<PathBuf>> = OnceLock::new();

pub(crate) fn use_factory(factory: GuestFactory) {
    FACTORY.set(factory).expect("one factory");
}

/// Finds out what the machine's shell needs to run. Called by the process that launches the tests, since
/// the lab's first one does not wait for children.
pub(crate) fn look_for_shell() {
    let libraries = std::process::Command::new("ldd").arg("/bin/sh").output();
    let libraries = libraries.map(|output| output.stdout).unwrap_or_default();
    let libraries = String::from_utf8_lossy(&libraries).into_owned();
    let named = libraries
        .split_whitespace()
        .filter(|word| word.starts_with('/'));
    let files = named.map(PathBuf::from).chain(["/bin/sh".into()]);
    SHELL.set(files.collect()).expect("called once");
    LAUNCHER.set(std::process::id()).expect("called once");
}

/// A directory of the lab's own.
pub(crate) fn directory() -> PathBuf {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let path = PathBuf::from(format!("/run/skylab/test-{number}"));
    fs::create_dir(&path).expect("a directory");
    path
}

fn hub() -> Hub {
    static HUB: OnceLock<Hub> = OnceLock::new();
    HUB.get_or_init(|| Hub::start().expect("a thread")).clone()
}

/// Control groups, where the machine lets tests make them.
pub(crate) fn limits() -> Arc<Limits> {
    static LIMITS: OnceLock<Arc<Limits>> = OnceLock::new();
    let find = || Arc::new(Limits::find(&format!("test-pods-{}", launcher())));
    LIMITS.get_or_init(find).clone()
}

/// The machine's shell and what it needs to run.
pub(crate) fn shell_files() -> &'static [PathBuf] {
    SHELL.get().expect("looked for before")
}

static LAUNCHER: OnceLock<u32> = OnceLock::new();

/// The number of the process that launched the tests: nobody else has it.
fn launcher() -> u32 {
    *LAUNCHER.get().expect("looked for")
}

/// Images by name.
#[derive(Default)]
pub(crate) struct Images(pub(crate) BTreeMap<String, ImageRoot>);

impl RootSource for Images {
    fn root(&self, reference: &str) -> Result<Option<ImageRoot>, String> {
        Ok(self.0.get(reference).cloned())
    }
}

/// An image of one layer: the machine's shell and these files.
pub(crate) fn image(config: ImageConfig, files: &[(&str, &str)]) -> ImageRoot {
    let layer = directory();
    let at = |path: &Path| {
        let target = layer.join(path.strip_prefix("/").expect("absolute"));
        fs::create_dir_all(target.parent().expect("a parent")).expect("a directory");
        target
    };
    for file in shell_files() {
        fs::copy(file, at(file)).expect("a copy");
    }
    for (path, text) in files {
        fs::write(at(Path::new(path)), text).expect("a file");
    }
    ImageRoot {
        id: "sha256:0123".to_owned(),
        files: ImageFiles::Layers(vec![layer]),
        config,
        hold: None,
    }
}

pub(crate) const ADDRESS: Ipv4Addr = Ipv4Addr::new(10, 9, 0, 7);
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// A node whose pods can only share its network.
pub(crate) fn node() -> NodeRuntime {
    node_with(Images::default())
}

pub(crate) fn node_with(images: Images) -> NodeRuntime {
    let factory = FACTORY.get().expect("inside the lab's namespaces");
    let environment = vec![("PATH".to_owned(), PATH.to_owned())];
    let spec = GuestSpec {
        hostname: "node".to_owned(),
        net: Arc::new(factory.network_namespace().expect("a network")),
        disk: Arc::new(GuestDisk::fresh().expect("a disk")),
        files: Vec::new(),
        environment: environment.clone(),
    };
    NodeRuntime::new(NodeOptions {
        guest: Arc::new(factory.boot(&spec).expect("a node")),
        address: Some(ADDRESS),
        directory: directory().join("sandboxes"),
        images: Arc::new(images),
        environment,
        hub: hub(),
        limits: limits(),
        trust: None,
        one_pod: false,
    })
}

/// Runs a shell's words on a node, and gives what they print.
pub(crate) fn on(node: &Guest, words: &str) -> String {
    let command = kernel::guest::GuestCommand {
        arguments: ["/bin/sh", "-c", words].map(str::to_owned).to_vec(),
        ..kernel::guest::GuestCommand::default()
    };
    let (reader, writer) = std::io::pipe().expect("a pipe");
    let errors = writer.try_clone().expect("a descriptor");
    let null = File::open("/dev/null").expect("nothing");
    let streams = [null.into(), writer.into(), errors.into()];
    let process = node.exec(&command, streams).expect("a program");
    let text = read(OwnedFd::from(reader));
    process.wait().expect("an end");
    text
}

pub(crate) fn read(end: OwnedFd) -> String {
    let mut text = Vec::new();
    // A terminal whose program ended can't be read.
    let _ = File::from(end).read_to_end(&mut text);
    String::from_utf8_lossy(&text).into_owned()
}

/// A pod's sandbox on the node's network.
pub(crate) fn on_host_network(name: &str) -> SandboxSpec {
    SandboxSpec {
        spaces: Spaces {
            host_network: true,
            ..Spaces::default()
        },
        ..pod(name)
    }
}

/// A pod's sandbox.
pub(crate) fn pod(name: &str) -> SandboxSpec {
    SandboxSpec {
        namespace: "default".to_owned(),
        name: name.to_owned(),
        uid: format!("uid-of-{name}"),
        hostname: name.to_owned(),
        ..SandboxSpec::default()
    }
}

/// A container of the built-in image that runs a shell's words.
pub(crate) fn shell(words: &str) -> ContainerSpec {
    ContainerSpec {
        name: "main".to_owned(),
        image: format!("{}:latest", runtime::HOST_IMAGE),
        command: ["/bin/sh", "-c", words].map(str::to_owned).to_vec(),
        log: Some(directory().join("0.log")),
        ..ContainerSpec::default()
    }
}

/// Makes and starts a container.
pub(crate) fn start(node: &NodeRuntime, sandbox: &SandboxId, spec: &ContainerSpec) -> ContainerId {
    let id = node.create_container(sandbox, spec).expect("a container");
    node.start_container(&id).expect("a start");
    id
}

/// Waits until a look shows something.
pub(crate) fn wait_for<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    for _ in 0..2000 {
        if let Some(found) = look() {
            return found;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    panic!("never: {what}");
}

/// How a container ended.
pub(crate) fn ended(node: &NodeRuntime, id: &ContainerId) -> (i32, String) {
    wait_for("the container's end", || match node.container(id)?.state {
        ContainerState::Exited { code, reason, .. } => Some((code, reason)),
        _ => None,
    })
}

/// The lines that a container's log has, without their times.
pub(crate) fn log(container: &Container) -> Vec<String> {
    let text = fs::read_to_string(container.log.as_ref().expect("a log")).expect("a log");
    text.lines()
        .map(|line| line.split_once(' ').map_or("", |(_, rest)| rest).to_owned())
        .collect()
}

/// Runs a container to its end and gives what it printed.
pub(crate) fn run(node: &NodeRuntime, sandbox: &Sandbox, spec: &ContainerSpec) -> Vec<String> {
    let id = start(node, &sandbox.id, spec);
    let (code, reason) = ended(node, &id);
    let lines = log(&node.container(&id).expect("it is known"));
    assert_eq!((code, reason.as_str()), (0, "Completed"), "{lines:?}");
    lines
}

/// Runs a shell's words in a container, and gives its exit code and what it printed.
pub(crate) fn exec(node: &NodeRuntime, id: &ContainerId, words: &str) -> (i32, String) {
    let spec = ExecSpec {
        command: ["/bin/sh", "-c", words].map(str::to_owned).to_vec(),
        ..ExecSpec::default()
    };
    let (process, streams) = node.exec(id, &spec).expect("a program");
    let text = read(streams.stdout.expect("an output"));
    (process.wait().expect("an end"), text)
}
