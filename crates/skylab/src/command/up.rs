//! `skylab up`: into namespaces, before any thread exists, then the lab.
//!
//! The process that runs the lab names its state on its command line, so `up` begins by running
//! itself again with `--state DIR` spelt out.

use crate::args::{Pace, Packets, Quotas, Up};
use crate::failure::Failure;
use kernel::launch::{self, Inside, LaunchOptions, Spawned};
use lab::cloud::Rules;
use lab::control::{self, Ports, Request};
use lab::log::Echo;
use lab::paths::StateDir;
use lab::run::{Options, RunError};
use nix::sys::signal::{SigSet, Signal, kill};
use nix::unistd::Pid;
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufRead, BufReader, IsTerminal, Read, Write};
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};
use std::thread;

/// What the lab says on its standard output when it is ready, for `--detach`.
const READY: &str = "ready";

pub(crate) fn run(state: &StateDir, up: &Up) -> Result<u8, Failure> {
    if up.detached {
        return detached(state, up);
    }
    state.create()?;
    // A lab that was just killed may still take connections, but answers none.
    if let Ok(running) = control::connect(state)
        && running.ask(&Request::Status).is_ok()
    {
        eprintln!(
            "The lab on {} is already up (process {}).",
            state.path().display(),
            running.pid()?
        );
        return Ok(0);
    }
    if up.detach {
        return detach(state, up);
    }
    if !names_state(state) {
        return Err(again(state, up).exec().into());
    }
    foreground(state, up)
}

/// A lab on a state, on free ports, apart from this command; nothing if one runs.
pub(crate) fn ensure(state: &StateDir) -> Result<(), Failure> {
    let up = Up {
        detach: true,
        ..on_free_ports()
    };
    run(state, &up).map(drop)
}

/// A lab as this command's child, on free ports, that ends when this command does.
pub(crate) fn private(state: &StateDir) -> Result<Spawned, Failure> {
    let options = options(state, &on_free_ports(), Echo::None);
    let launch_options = LaunchOptions {
        hidden: vec![state.path().to_owned()],
        die_with_parent: true,
        // Ctrl-C ends this command, and the lab with it.
        new_session: true,
    };
    let (mut told, mut tell) = io::pipe()?;
    let lab = launch::spawn(&launch_options, |inside| {
        // Nobody may be left to tell.
        live(&options, inside, |_| drop(tell.write_all(READY.as_bytes())))
    })?;
    drop(tell);
    let mut heard = [0; READY.len()];
    match told.read_exact(&mut heard) {
        Ok(()) => Ok(lab),
        // It said why on the standard error stream it shares with this command.
        Err(_) => Err(Failure::new(1, "the lab ended while it started")),
    }
}

fn on_free_ports() -> Up {
    Up {
        detach: false,
        packets: Packets::Kernel,
        aws_port: 0,
        socks_port: 0,
        socks_open: false,
        any_key: false,
        quotas: Quotas::Default,
        pace: Pace::Fast,
        gcp_port: 0,
        azure_port: 0,
        uplink: false,
        detached: false,
    }
}

/// This program again, with the state spelt out.
fn again(state: &StateDir, up: &Up) -> Command {
    // The link stays right when the file is replaced while it runs.
    let mut command = Command::new("/proc/self/exe");
    command
        .arg0("skylab")
        .arg("--state")
        .arg(state.path())
        .args(up.words());
    command
}

fn names_state(state: &StateDir) -> bool {
    let words: Vec<_> = std::env::args_os().take(3).collect();
    matches!(words.as_slice(), [_, flag, path] if flag == "--state" && path.as_os_str() == state.path())
}

fn options(state: &StateDir, up: &Up, echo: Echo) -> Options {
    Options {
        state: state.clone(),
        packets: up.packets == Packets::Kernel,
        aws_port: up.aws_port,
        socks_port: up.socks_port,
        socks_open: up.socks_open,
        any_key: up.any_key,
        rules: Rules {
            quotas: up.quotas == Quotas::Default,
            pace: match up.pace {
                Pace::Fast => aws::model::Pace::Fast,
                Pace::Real => aws::model::Pace::Real,
            },
        },
        uplink: up.uplink,
        echo,
    }
}

/// Runs the lab as this command's child and passes on what it is told.
fn foreground(state: &StateDir, up: &Up) -> Result<u8, Failure> {
    let options = options(state, up, Echo::Stderr);
    let launch_options = LaunchOptions {
        hidden: vec![state.path().to_owned()],
        die_with_parent: true,
        // The terminal's Ctrl-C comes here only, and ends the lab in order.
        new_session: true,
    };
    let lab = launch::spawn(&launch_options, |inside| {
        live(&options, inside, |ports| greet(&options, ports))
    })?;
    let pid = Pid::from_raw(lab.pid());
    let told: SigSet = [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP]
        .into_iter()
        .collect();
    told.thread_block().map_err(io::Error::from)?;
    thread::Builder::new().spawn(move || {
        let code = lab.wait().unwrap_or(1);
        std::process::exit(code);
    })?;
    loop {
        told.wait().map_err(io::Error::from)?;
        // It may be ending already.
        let _ = kill(pid, Signal::SIGTERM);
    }
}

fn greet(options: &Options, ports: Ports) {
    if !io::stderr().is_terminal() {
        return;
    }
    eprintln!(
        "The lab is up: AWS's API on http://127.0.0.1:{}, state in {}.\n\
         In another terminal:  eval \"$(skylab env --state {})\"\n\
         Ctrl-C ends it.",
        ports.aws,
        options.state.path().display(),
        options.state.path().display(),
    );
}

/// The lab itself, as pid 1. Its result is the exit code.
fn live(options: &Options, inside: Inside, ready: impl FnOnce(Ports)) -> i32 {
    match lab::run::run(options, inside, ready) {
        Ok(()) => 0,
        Err(error) => {
            eprintln!("skylab: {error}");
            match error {
                RunError::Lock(lab::lock::LockError::Held) => HELD,
                _ => 1,
            }
        }
    }
}

/// The lab's exit code when another one has the state.
const HELD: i32 = 75;

/// Starts the lab apart from this command and waits until it is ready.
fn detach(state: &StateDir, up: &Up) -> Result<u8, Failure> {
    let mut child = again(state, up)
        .arg("--detached")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?;
    let mut line = String::new();
    if let Some(stdout) = child.stdout.take() {
        BufReader::new(stdout).read_line(&mut line)?;
    }
    if line.trim_end() == READY {
        child.wait()?;
        return Ok(0);
    }
    let mut said = String::new();
    if let Some(mut stderr) = child.stderr.take() {
        stderr.read_to_string(&mut said)?;
    }
    child.wait()?;
    // Another `up` may have been quicker.
    if control::connect(state).is_ok() {
        return Ok(0);
    }
    let said = said.trim_end().trim_start_matches("skylab: ");
    let words = if said.is_empty() {
        format!(
            "the lab ended while it started; see {}",
            state.log().display()
        )
    } else {
        said.to_owned()
    };
    Err(Failure::new(1, words))
}

/// The second half of `--detach`: a process with no descriptor of the caller's launches the lab and
/// goes.
fn detached(state: &StateDir, up: &Up) -> Result<u8, Failure> {
    close_inherited()?;
    std::env::set_current_dir("/")?;
    let options = options(state, up, Echo::None);
    let launch_options = LaunchOptions {
        hidden: vec![state.path().to_owned()],
        die_with_parent: false,
        new_session: true,
    };
    launch::spawn(&launch_options, |inside| {
        live(&options, inside, |_| tell_ready())
    })?;
    Ok(0)
}

/// Closes whatever the caller left open, but the standard streams, which are `--detach`'s own.
fn close_inherited() -> io::Result<()> {
    let open: Vec<i32> = fs::read_dir("/proc/self/fd")?
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .filter(|descriptor| *descriptor > 2)
        .collect();
    for descriptor in open {
        // The directory's own is closed already.
        let _ = nix::unistd::close(descriptor);
    }
    Ok(())
}

/// Tells the waiting command, then lets go of it.
fn tell_ready() {
    println!("{READY}");
    // The command may have been interrupted; the lab runs on.
    let _ = io::stdout().flush();
    let null = OpenOptions::new().read(true).write(true).open("/dev/null");
    let quiet = null.and_then(|null: File| {
        nix::unistd::dup2_stdout(&null)?;
        nix::unistd::dup2_stderr(&null)?;
        Ok(())
    });
    if let Err(error) = quiet {
        eprintln!("skylab: the standard streams stay open: {error}");
    }
}
