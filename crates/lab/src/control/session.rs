//! A program that a command runs at a place, as long as it runs.

use super::frame;
use super::protocol::{Exec, Refusal, RefusalKind, Reply, Request};
use super::running::{InPod, Running};
use super::server::{Service, refuse};
use crate::clusters::ClusterError;
use crate::place::PlaceName;
use cri::ExecSpec;
use kernel::guest::{ExecError, Guest, GuestCommand};
use std::io;
use std::net::Shutdown;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

/// What runs where no program is named.
const SHELL: [&str; 3] = ["/bin/sh", "-c", "exec \"$(command -v bash || echo sh)\" -i"];

/// How long a program whose command went away has, after each reminder.
const MERCY: Duration = Duration::from_secs(2);

/// Runs a program for a command: says that it started, passes signals on, says how it ended.
pub(super) fn run(
    service: &Service,
    stream: &UnixStream,
    exec: Exec,
    descriptors: Vec<OwnedFd>,
) -> io::Result<()> {
    let (process, terminal) = match started(service, exec, descriptors) {
        Ok(started) => started,
        Err(refusal) => return frame::send(stream, &Reply::from(refusal), &[]),
    };
    let passed: Vec<_> = terminal.iter().map(AsFd::as_fd).collect();
    frame::send(stream, &Reply::Started, &passed)?;
    drop(terminal);
    let process = Arc::new(process);
    let waiting = {
        let (process, stream) = (process.clone(), stream.try_clone()?);
        thread::Builder::new().spawn(move || {
            let ended = match process.wait() {
                Ok(ended) => Reply::Ended(ended),
                Err(error) => refuse(RefusalKind::Failed, error).into(),
            };
            // The command may have gone; its end of the socket wakes the reader below either way.
            let _ = frame::send(&stream, &ended, &[]);
            let _ = stream.shutdown(Shutdown::Both);
        })?
    };
    while let Ok(Some((request, _))) = frame::receive::<Request>(stream) {
        if let Request::Signal(number) = request {
            // It may just have ended.
            let _ = process.signal(number);
        }
    }
    put_down(&process, || waiting.is_finished());
    Ok(())
}

/// Ends a program whose command has gone, first politely.
fn put_down(process: &Running, ended: impl Fn() -> bool) {
    for signal in [libc::SIGHUP, libc::SIGTERM, libc::SIGKILL] {
        if ended() || process.signal(signal).is_err() {
            return;
        }
        let step = MERCY / 40;
        let mut waited = Duration::ZERO;
        while !ended() && waited < MERCY {
            thread::sleep(step);
            waited += step;
        }
    }
}

/// Starts the program in the guest or the container at its place.
fn started(
    service: &Service,
    exec: Exec,
    descriptors: Vec<OwnedFd>,
) -> Result<(Running, Option<OwnedFd>), Refusal> {
    let name = service.place(&exec.place)?;
    if let PlaceName::Pod(namespace, pod) = &name {
        return start_in_pod(service, namespace, pod, exec, descriptors);
    }
    let snapshot = service.seen(exec.cluster.as_deref(), name.in_cluster())?;
    let found = name.find(&snapshot);
    let host = found
        .and_then(|place| place.host().cloned())
        .map_err(|error| refuse(RefusalKind::Place, error))?;
    let guest = service
        .guests
        .guest(&host)
        .map_err(|error| refuse(RefusalKind::Failed, error))?;
    start(&guest, exec, descriptors)
}

fn arguments(exec: &Exec) -> Vec<String> {
    if exec.arguments.is_empty() {
        SHELL.map(str::to_owned).to_vec()
    } else {
        exec.arguments.clone()
    }
}

fn streams(descriptors: Vec<OwnedFd>) -> Result<[OwnedFd; 3], Refusal> {
    descriptors.try_into().map_err(|_| {
        let missing = "standard input, output and error did not come along";
        refuse(RefusalKind::Failed, missing)
    })
}

fn start_in_pod(
    service: &Service,
    namespace: &str,
    pod: &str,
    exec: Exec,
    descriptors: Vec<OwnedFd>,
) -> Result<(Running, Option<OwnedFd>), Refusal> {
    let spec = ExecSpec {
        command: arguments(&exec),
        terminal: exec.terminal,
        stdin: true,
    };
    let cluster = exec.cluster.as_deref();
    let (process, mut outer) = service
        .clusters
        .exec(cluster, namespace, pod, &spec)
        .map_err(|error| {
            let kind = match error {
                ClusterError::Exec(_) => RefusalKind::NotExecutable,
                _ => RefusalKind::Place,
            };
            refuse(kind, error)
        })?;
    if let Some(terminal) = outer.terminal.take() {
        return Ok((Running::Pod(InPod::on_terminal(process)), Some(terminal)));
    }
    let joined = InPod::joined(process, outer, streams(descriptors)?);
    let joined = joined.map_err(|error| refuse(RefusalKind::Failed, error))?;
    Ok((Running::Pod(joined), None))
}

fn start(
    guest: &Guest,
    exec: Exec,
    descriptors: Vec<OwnedFd>,
) -> Result<(Running, Option<OwnedFd>), Refusal> {
    let command = GuestCommand {
        arguments: arguments(&exec),
        environment: exec.environment,
        ..GuestCommand::default()
    };
    let started = if exec.terminal {
        guest
            .exec_on_terminal(&command)
            .map(|(process, terminal)| (process, Some(terminal)))
    } else {
        let streams = streams(descriptors)?;
        guest.exec(&command, streams).map(|process| (process, None))
    };
    let started = started.map(|(process, terminal)| (Running::Guest(process), terminal));
    started.map_err(|error| match error {
        ExecError::NotFound { .. } => refuse(RefusalKind::NotFound, error),
        ExecError::NotExecutable { .. } => refuse(RefusalKind::NotExecutable, error),
        ExecError::Factory(_) => refuse(RefusalKind::Failed, error),
    })
}
