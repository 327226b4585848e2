//! Against programs that nobody here wrote: skopeo, umoci and docker's registry. Where one isn't
//! installed (`apt-get install skopeo umoci docker-registry`) its tests say *skipped*.

#![allow(clippy::unwrap_used)]

mod formats;
mod registry;
mod trees;

use image::{ImageBuilder, ImageStore, Reference};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

/// A directory for a test, gone when the test ends.
struct Scratch(PathBuf);

impl Scratch {
    fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("skylab-tools-{}-{count}", std::process::id());
        let path = std::env::temp_dir().join(name);
        fs::create_dir(&path).unwrap();
        Self(path)
    }

    fn join(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    fn text(&self, name: &str) -> String {
        self.join(name).display().to_string()
    }

    fn store(&self) -> ImageStore {
        ImageStore::open(self.join("store")).unwrap()
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = Command::new("chmod")
            .args(["-R", "u+rwx"])
            .arg(&self.0)
            .output();
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Whether a program is here; says so if it isn't.
fn has(program: &str) -> bool {
    let here = Command::new(program).arg("--version").output().is_ok();
    if !here {
        eprintln!("skipped: {program} is not installed");
    }
    here
}

/// Runs a program that has to succeed; gives what it printed.
fn run(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output().unwrap();
    let complaint = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(
        output.status.success(),
        "{program} {arguments:?}: {complaint}"
    );
    String::from_utf8(output.stdout).unwrap()
}

fn skopeo(arguments: &[&str]) -> String {
    run("skopeo", &[&["--insecure-policy"], arguments].concat())
}

fn umoci(arguments: &[&str]) -> String {
    run("umoci", arguments)
}

/// What unpacking needs where one isn't root.
fn rootless() -> &'static [&'static str] {
    let root = run("id", &["-u"]).trim() == "0";
    if root { &[] } else { &["--rootless"] }
}

fn name(text: &str) -> Reference {
    Reference::parse(text).unwrap()
}

/// An image with something of everything.
fn sample() -> ImageBuilder {
    let mut builder = ImageBuilder::new();
    let long = "long/".repeat(40) + "name";
    builder
        .directory("bin", 0o755)
        .file("bin/su", 0o4755, "su")
        .directory("tmp", 0o1777)
        .directory("etc", 0o755)
        .file("etc/passwd", 0o644, "root:x:0:0:root:/root:/bin/sh\n")
        .file("etc/motd", 0o600, "welcome")
        .directory("var", 0o755)
        .directory("var/cache", 0o700)
        .file("var/cache/old", 0o644, "old")
        .directory("var/lib", 0o755)
        .directory("var/lib/app", 0o755)
        .file("var/lib/app/one", 0o644, "1")
        .directory("var/lib/app/deep", 0o755)
        .file("var/lib/app/deep/two", 0o644, "2")
        .symlink("sbin", "bin")
        .file(&long, 0o644, "long")
        .layer()
        .remove("etc/motd")
        .file("var/cache/new", 0o640, "new")
        .directory("var/lib/app", 0o750)
        .empty("var/lib/app")
        .file("var/lib/app/three", 0o644, "3")
        .layer()
        .remove("sbin")
        .directory("sbin", 0o755)
        .file("sbin/init", 0o755, "init");
    builder.config.entrypoint = vec!["/sbin/init".to_owned()];
    builder.config.cmd = vec!["--help".to_owned()];
    builder.config.env = vec![("PATH".to_owned(), "/bin".to_owned())];
    builder.config.working_dir = "/tmp".to_owned();
    builder.config.user = "7:8".to_owned();
    builder.config.exposed_ports = vec!["80/tcp".to_owned()];
    builder.config.volumes = vec!["/data".to_owned()];
    builder.config.stop_signal = "SIGQUIT".to_owned();
    builder.config.labels.insert("a".to_owned(), "b".to_owned());
    builder
}

/// Lists a tree: paths, kinds, permissions, links, times, and the files' contents.
const LIST: &str = "find . -mindepth 1 \\( -type d -printf '%P %y %m\\n' \\) \
     -o \\( -type f -printf '%P %y %m %Ts\\n' \\) -o -printf '%P %y %l\\n' | LC_ALL=C sort; \
     find . -type f -print0 | LC_ALL=C sort -z | xargs -0 sha256sum";

fn listed(directory: &Path) -> String {
    let script = format!("cd {} && {LIST}", directory.display());
    run("sh", &["-c", &script])
}

/// The layers of an image as overlayfs merges them; none where mounting is forbidden.
fn mounted(scratch: &Scratch, layers: &[PathBuf]) -> Option<String> {
    for directory in ["upper", "work", "merged"] {
        fs::create_dir_all(scratch.join(directory)).unwrap();
    }
    let lower: Vec<_> = layers
        .iter()
        .map(|layer| layer.display().to_string())
        .collect();
    let script = format!(
        "cd {} && mount -t overlay overlay -o lowerdir={},upperdir=upper,workdir=work,userxattr merged \
         && cd merged && {LIST}",
        scratch.0.display(),
        lower.join(":")
    );
    let output = Command::new("unshare")
        .args(["-Urm", "sh", "-c", &script])
        .output();
    match output {
        Ok(output) if output.status.success() => Some(String::from_utf8(output.stdout).unwrap()),
        Ok(output) => {
            let why = String::from_utf8_lossy(&output.stderr).into_owned();
            eprintln!("skipped: no overlay can be mounted here: {why}");
            None
        }
        Err(error) => {
            eprintln!("skipped: unshare: {error}");
            None
        }
    }
}
