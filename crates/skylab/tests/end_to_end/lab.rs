//! A lab of a test's own: its state is a fresh directory, its ports are free ones.

use crate::api::Api;
use std::os::unix::fs::DirBuilderExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

/// A running lab; it ends with the test.
pub(crate) struct Lab {
    state: PathBuf,
    /// Whose it is, if not the tests': a user without any rights, and the program where they may read it.
    user: Option<(u32, PathBuf)>,
}

/// A user that no machine gives rights.
const NOBODY: u32 = 65_534;

impl Lab {
    /// Starts one; `None` where the machine forbids namespaces.
    pub(crate) fn start(flags: &[&str]) -> Option<Self> {
        let state = Self::fresh();
        Self { state, user: None }.started(flags)
    }

    /// Starts one of an ordinary user: root's tests make themselves nobody, all others are ordinary already.
    pub(crate) fn start_as_ordinary_user(flags: &[&str]) -> Option<Self> {
        if !nix::unistd::geteuid().is_root() {
            return Self::start(flags);
        }
        let state = Self::fresh();
        std::fs::DirBuilder::new()
            .mode(0o700)
            .create(&state)
            .unwrap();
        let program = state.join("skylab");
        std::fs::copy(env!("CARGO_BIN_EXE_skylab"), &program).unwrap();
        let user = nix::unistd::Uid::from_raw(NOBODY);
        nix::unistd::chown(&state, Some(user), None).unwrap();
        let user = Some((NOBODY, program));
        Self { state, user }.started(flags)
    }

    fn fresh() -> PathBuf {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("skylab-test-{}-{number}", std::process::id());
        std::env::temp_dir().join(name)
    }

    fn started(self, flags: &[&str]) -> Option<Self> {
        let lab = self;
        let up = lab.up(flags);
        if up.status.success() {
            return Some(lab);
        }
        let said = text(&up.stderr);
        let forbidden = said.contains("does not let an ordinary process make namespaces");
        assert!(
            forbidden && std::env::var_os("SKYLAB_REQUIRE_NAMESPACES").is_none(),
            "up failed: {said}"
        );
        eprintln!("skipped: {said}");
        None
    }

    /// `skylab up --detach` on this lab's state.
    pub(crate) fn up(&self, flags: &[&str]) -> Output {
        let mut words = vec!["up", "--detach", "--aws-port", "0", "--socks-port", "0"];
        words.extend(flags);
        self.run(&words)
    }

    pub(crate) fn state(&self) -> &Path {
        &self.state
    }

    /// A command on this lab's state.
    pub(crate) fn command(&self, words: &[&str]) -> Command {
        let mut command = match &self.user {
            None => Command::new(env!("CARGO_BIN_EXE_skylab")),
            Some((user, program)) => {
                let mut command = Command::new(program);
                command.uid(*user).gid(*user).current_dir(&self.state);
                command.env("HOME", &self.state).env("TMPDIR", &self.state);
                command
            }
        };
        command
            .arg("--state")
            .arg(&self.state)
            .args(words)
            .stdin(Stdio::null());
        command
    }

    /// Runs a command and gives what it said.
    pub(crate) fn run(&self, words: &[&str]) -> Output {
        self.command(words).output().unwrap()
    }

    /// Runs a command that must succeed, and gives its standard output.
    pub(crate) fn ok(&self, words: &[&str]) -> String {
        let output = self.run(words);
        assert!(
            output.status.success(),
            "{words:?}: {}\n{}",
            output.status,
            text(&output.stderr)
        );
        text(&output.stdout)
    }

    /// The lab's `status --json`.
    pub(crate) fn status(&self) -> serde_json::Value {
        serde_json::from_str(&self.ok(&["status", "--json"])).unwrap()
    }

    /// The lab's own variables.
    pub(crate) fn variables(&self) -> serde_json::Value {
        serde_json::from_str(&self.ok(&["env", "--format", "json"])).unwrap()
    }

    /// A client of the lab's API.
    pub(crate) fn api(&self) -> Api {
        Api::new(&self.variables())
    }

    /// Kills the lab's process, as nobody can refuse.
    pub(crate) fn kill(&self) {
        let pid = self.status()["pid"].as_i64().unwrap();
        let pid = nix::unistd::Pid::from_raw(i32::try_from(pid).unwrap());
        nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGKILL).unwrap();
    }

    /// Whether a place can exchange TCP packets with an address: nothing listens on the port, so
    /// being refused is proof of both ways.
    pub(crate) fn reaches(&self, place: &str, address: &str) -> bool {
        let attempt = format!("timeout 2 bash -c ': </dev/tcp/{address}/9'");
        let output = self.run(&["exec", place, "--", "sh", "-c", &attempt]);
        text(&output.stderr).contains("refused")
    }

    /// Waits until a killed lab's processes are gone: the kernel ends them when the first one dies.
    pub(crate) fn gone(&self) {
        while !self.processes().is_empty() {
            std::thread::sleep(std::time::Duration::from_millis(1));
        }
    }

    /// The processes that name this lab's state on their command line.
    pub(crate) fn processes(&self) -> Vec<String> {
        let state = self.state.to_str().unwrap();
        std::fs::read_dir("/proc")
            .unwrap()
            .filter_map(|entry| std::fs::read_to_string(entry.ok()?.path().join("cmdline")).ok())
            .filter(|line| line.contains(state))
            .collect()
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        let _ = self.run(&["down"]);
        let _ = std::fs::remove_dir_all(&self.state);
    }
}

pub(crate) fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
