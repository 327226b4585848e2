//! The streams, driven by clients that others wrote: every kubectl that is installed, and Python's.
#![allow(clippy::unwrap_used)]

mod port_forward;
mod python;
mod server;

use server::Server;
use std::fs;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::Duration;
use streams::Ended;

/// Where Google's command line installs releases beside each other.
const RELEASES: &str = "/usr/lib/google-cloud-sdk/bin";

/// What a client is made to speak.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Carrier {
    WebSocket,
    Spdy,
}

/// A kubectl against a server, in a directory of its own.
struct Client {
    kubectl: PathBuf,
    carrier: Carrier,
    server: Server,
    home: PathBuf,
}

impl Client {
    fn new(kubectl: &Path, carrier: Carrier) -> Self {
        let server = Server::start();
        let home = std::env::temp_dir().join(format!(
            "skylab-streams-{}-{}",
            std::process::id(),
            server.address.port()
        ));
        fs::create_dir_all(&home).unwrap();
        let config = format!(
            "{{apiVersion: v1, kind: Config, current-context: c, \
             contexts: [{{name: c, context: {{cluster: c, user: u}}}}], users: [{{name: u, user: {{token: t}}}}], \
             clusters: [{{name: c, cluster: {{server: 'http://{}'}}}}]}}",
            server.address
        );
        fs::write(home.join("config"), config).unwrap();
        Self {
            kubectl: kubectl.to_owned(),
            carrier,
            server,
            home,
        }
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let websocket = (self.carrier == Carrier::WebSocket).to_string();
        let mut command = Command::new(&self.kubectl);
        command
            .args(arguments)
            .env("HOME", &self.home)
            .env("KUBECONFIG", self.home.join("config"))
            .env("KUBECTL_REMOTE_COMMAND_WEBSOCKETS", &websocket)
            .env("KUBECTL_PORT_FORWARD_WEBSOCKETS", &websocket)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }

    fn run_with_input(&self, arguments: &[&str], input: &[u8]) -> Output {
        let mut child = self
            .command(arguments)
            .stdin(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stdin = child.stdin.take().unwrap();
        let input = input.to_vec();
        let writer = std::thread::spawn(move || stdin.write_all(&input));
        let output = child.wait_with_output().unwrap();
        writer.join().unwrap().unwrap();
        output
    }

    /// What the session spoke is what this client was made to speak.
    fn assert_spoken(&self, websocket: &str, spdy: &str) {
        let spoken = self.server.spoken.recv_timeout(PATIENCE).unwrap();
        let expected = match self.carrier {
            Carrier::WebSocket => websocket,
            Carrier::Spdy => spdy,
        };
        assert_eq!(spoken, expected, "{}", self.kubectl.display());
    }

    fn assert_ended(&self) {
        let ended = self.server.ended.recv_timeout(PATIENCE).unwrap();
        assert_eq!(ended, Ended::Finished, "{}", self.kubectl.display());
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.home);
    }
}

const PATIENCE: Duration = Duration::from_secs(30);

/// The minor releases that are installed.
fn releases() -> Vec<u32> {
    let found: Vec<_> = (26..40).filter(|minor| release(*minor).exists()).collect();
    if found.is_empty() {
        eprintln!("skipped: no kubectl in {RELEASES}");
    }
    found
}

fn release(minor: u32) -> PathBuf {
    Path::new(RELEASES).join(format!("kubectl.1.{minor}"))
}

/// The newest release, by each carrier.
fn newest() -> Vec<Client> {
    let newest = releases().into_iter().max();
    let carriers = [Carrier::WebSocket, Carrier::Spdy];
    newest
        .into_iter()
        .flat_map(|minor| carriers.map(|carrier| Client::new(&release(minor), carrier)))
        .collect()
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

/// Bytes that don't repeat soon.
fn noise(length: usize) -> Vec<u8> {
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let mut bytes = Vec::with_capacity(length + 8);
    while bytes.len() < length {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend(state.to_le_bytes());
    }
    bytes.truncate(length);
    bytes
}

/// K8S-RUN: exec's output, errors, input and exit code, by every release that is installed.
#[test]
fn exec() {
    for minor in releases() {
        for carrier in [Carrier::WebSocket, Carrier::Spdy] {
            let client = Client::new(&release(minor), carrier);
            let script = "echo out; echo err >&2; exit 3";
            let output = client.run(&["exec", "p", "--", "sh", "-c", script]);
            assert_eq!(text(&output.stdout), "out\n", "1.{minor} {carrier:?}");
            let errors = text(&output.stderr);
            assert!(errors.starts_with("err\n"), "{errors}");
            assert!(
                errors.contains("command terminated with exit code 3"),
                "{errors}"
            );
            assert_eq!(output.status.code(), Some(3));
            // Before 1.29 there was nothing but SPDY.
            let websocket = match minor {
                29.. => "WebSocket(V5, Binary)",
                _ => "Spdy(V4)",
            };
            let spdy = if minor < 29 { "Spdy(V4)" } else { "Spdy(V5)" };
            client.assert_spoken(websocket, spdy);
            client.assert_ended();

            let output =
                client.run_with_input(&["exec", "-i", "p", "--", "tr", "a-z", "A-Z"], b"hello");
            assert_eq!(text(&output.stdout), "HELLO", "1.{minor} {carrier:?}");
            assert!(output.status.success());
        }
    }
}

/// K8S-RUN: a command that can't be started is an error, and not silence.
#[test]
fn a_command_that_does_not_exist() {
    for client in newest() {
        let output = client.run(&["exec", "p", "--", "/no/such/command"]);
        assert_eq!(output.status.code(), Some(1));
        let errors = text(&output.stderr);
        let expected =
            "Internal error occurred: error executing command in container: No such file";
        assert!(errors.contains(expected), "{errors}");
    }
}

/// K8S-RUN: much input and output at once, neither lost nor held up.
#[test]
fn much_through_a_pipe() {
    let input = noise(64 * 1024 * 1024);
    for client in newest() {
        let output = client.run_with_input(&["exec", "-i", "p", "--", "cat"], &input);
        assert!(output.status.success(), "{}", text(&output.stderr));
        assert!(output.stdout == input, "{} bytes came", output.stdout.len());
    }
}

/// K8S-RUN: a command that takes no input and a client that sends much end all the same.
#[test]
fn input_that_nobody_takes() {
    for client in newest() {
        let mut child = client
            .command(&[
                "exec",
                "-i",
                "p",
                "--",
                "sh",
                "-c",
                "exec <&-; sleep 1; echo done",
            ])
            .stdin(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stdin = child.stdin.take().unwrap();
        // It breaks when kubectl ends.
        std::thread::spawn(move || stdin.write_all(&noise(16 * 1024 * 1024)));
        let output = child.wait_with_output().unwrap();
        assert_eq!(text(&output.stdout), "done\n");
        assert!(output.status.success());
    }
}

/// K8S-RUN: a file goes into a pod and comes back.
#[test]
fn cp() {
    for client in newest() {
        let file = client.home.join("file");
        let there = client.home.join("there");
        let back = client.home.join("back");
        fs::create_dir(&there).unwrap();
        let contents = noise(64 * 1024 * 1024);
        fs::write(&file, &contents).unwrap();
        let remote = format!("p:{}/file", there.display());
        for (from, to) in [
            (file.to_str().unwrap(), remote.as_str()),
            (remote.as_str(), back.to_str().unwrap()),
        ] {
            let output = client.run(&["cp", "--retries=0", from, to]);
            assert!(output.status.success(), "{}", text(&output.stderr));
        }
        assert!(fs::read(&back).unwrap() == contents, "{:?}", client.carrier);
    }
}

/// K8S-RUN: a terminal has the client's size, and what is typed is read.
#[test]
fn a_terminal() {
    for client in newest() {
        let size = nix::pty::Winsize {
            ws_row: 30,
            ws_col: 100,
            ws_xpixel: 0,
            ws_ypixel: 0,
        };
        let terminal = nix::pty::openpty(Some(&size), None).unwrap();
        let user = || Stdio::from(terminal.slave.try_clone().unwrap());
        // The first size may come after the command's start.
        let script = "while [ \"$(stty size)\" = '0 0' ]; do sleep 0.1; done; stty size; read line; echo \"<$line>\"; exit 4";
        let mut child = client
            .command(&["exec", "-it", "p", "--", "sh", "-c", script])
            .stdin(user())
            .stdout(user())
            .stderr(user())
            .spawn()
            .unwrap();
        drop(terminal.slave);
        let mut master = fs::File::from(terminal.master);
        let mut screen = String::new();
        read_until(&mut master, &mut screen, "30 100");
        master.write_all(b"typed\r").unwrap();
        read_until(&mut master, &mut screen, "<typed>");
        assert_eq!(child.wait().unwrap().code(), Some(4), "{screen}");
    }
}

fn read_until(terminal: &mut fs::File, screen: &mut String, expected: &str) {
    let mut buffer = [0; 1024];
    while !screen.contains(expected) {
        let read = terminal.read(&mut buffer).unwrap();
        assert!(read > 0, "{screen}");
        screen.push_str(text(&buffer[..read]));
    }
}

/// K8S-RUN: attach has a container's output and input, and its end is a success.
#[test]
fn attach() {
    for client in newest() {
        let output = client.run_with_input(&["attach", "-i", "p"], b"typed\n");
        assert!(output.status.success(), "{}", text(&output.stderr));
        assert_eq!(text(&output.stdout), "attached\ntyped\n");
        client.assert_ended();
    }
}

/// K8S-RUN: a client that is killed is noticed, and its session ends.
#[test]
fn a_client_that_goes() {
    for client in newest() {
        let mut child = client
            .command(&["exec", "p", "--", "sleep", "30"])
            .spawn()
            .unwrap();
        client.server.spoken.recv_timeout(PATIENCE).unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
        let ended = client.server.ended.recv_timeout(PATIENCE).unwrap();
        assert_eq!(ended, Ended::ClientGone);
    }
}
