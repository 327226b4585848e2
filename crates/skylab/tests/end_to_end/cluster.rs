//! A cluster of a test's own, and the `kubectl` that meets it.

use crate::lab::{Lab, text};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// The oldest `kubectl` that is tried: 1.30.
const OLDEST: u64 = 30;

/// A `kubectl` of this machine that is new enough; without one the tests say so and pass. Google's SDK
/// calls a dispatcher `kubectl`, so its own are looked at first.
pub(crate) fn kubectl() -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let on_path: Vec<PathBuf> = std::env::split_paths(&path)
        .map(|folder| folder.join("kubectl"))
        .collect();
    let sdk = PathBuf::from("/usr/lib/google-cloud-sdk/bin/kubectl.1.32");
    let mut known = std::iter::once(sdk)
        .chain(on_path)
        .filter(|path| path.exists());
    let found = known.find(|path| minor(path).is_some_and(|minor| minor >= OLDEST));
    if found.is_none() {
        eprintln!("skipped: this machine has no kubectl 1.{OLDEST} or newer");
    }
    found
}

/// The minor version of a `kubectl`.
fn minor(kubectl: &Path) -> Option<u64> {
    let words = ["version", "--client", "--output=json"];
    let output = Command::new(kubectl).args(words).output().ok()?;
    let told: serde_json::Value = serde_json::from_slice(&output.stdout).ok()?;
    let minor = told["clientVersion"]["minor"].as_str()?;
    minor.trim_end_matches('+').parse().ok()
}

pub(crate) struct Cluster {
    pub(crate) lab: Lab,
    kubectl: PathBuf,
    pub(crate) folder: PathBuf,
}

impl Cluster {
    /// A control plane without nodes.
    pub(crate) fn start() -> Option<Self> {
        Self::start_with(&[], 0)
    }

    /// A cluster with so many nodes.
    pub(crate) fn with_nodes(nodes: usize) -> Option<Self> {
        Self::start_with(&[], nodes)
    }

    pub(crate) fn start_with(flags: &[&str], nodes: usize) -> Option<Self> {
        let kubectl = kubectl()?;
        Some(Self::of(Lab::start(flags)?, kubectl).created(nodes))
    }

    /// A cluster with nodes in an ordinary user's lab.
    pub(crate) fn of_ordinary_user(nodes: usize) -> Option<Self> {
        let kubectl = kubectl()?;
        let lab = Lab::start_as_ordinary_user(&[])?;
        Some(Self::of(lab, kubectl).created(nodes))
    }

    fn created(self, nodes: usize) -> Self {
        let cluster = self;
        let file = cluster.folder.join("config");
        let file = file.to_str().unwrap();
        let nodes = nodes.to_string();
        let create = ["kube", "create", "dev", "--nodes", &nodes];
        cluster
            .lab
            .ok(&[&create[..], &["--kubeconfig", file]].concat());
        cluster
    }

    /// A lab's cluster that a kubectl will meet by the file `config` in the folder.
    pub(crate) fn of(lab: Lab, kubectl: PathBuf) -> Self {
        let folder = lab.state().join("test");
        std::fs::create_dir_all(&folder).unwrap();
        // Whoever the lab is, it writes its files here.
        let all = std::os::unix::fs::PermissionsExt::from_mode(0o777);
        std::fs::set_permissions(&folder, all).unwrap();
        Self {
            lab,
            kubectl,
            folder,
        }
    }

    /// A `kubectl` that is to be run.
    pub(crate) fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(&self.kubectl);
        command
            .arg("--cache-dir")
            .arg(self.folder.join("cache"))
            .args(words)
            .env("KUBECONFIG", self.folder.join("config"))
            .env("KUBE_EDITOR", self.folder.join("editor"));
        command
    }

    pub(crate) fn run(&self, words: &[&str], input: &str) -> Output {
        let mut child = self
            .command(words)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        child
            .stdin
            .take()
            .unwrap()
            .write_all(input.as_bytes())
            .unwrap();
        child.wait_with_output().unwrap()
    }

    pub(crate) fn ok(&self, words: &[&str], input: &str) -> String {
        let output = self.run(words, input);
        assert!(
            output.status.success(),
            "{words:?}: {}",
            text(&output.stderr)
        );
        text(&output.stdout)
    }

    pub(crate) fn refused(&self, words: &[&str], input: &str) -> String {
        let output = self.run(words, input);
        assert!(
            !output.status.success(),
            "{words:?}: {}",
            text(&output.stdout)
        );
        text(&output.stderr)
    }
}
