//! A program that a command runs at a place, as long as it runs.

use super::frame;
use super::protocol::{Ended, Exec, Refusal, RefusalKind, Reply, Request};
use super::server::{Service, refuse};
use kernel::guest::{ExecError, Exit, Guest, GuestCommand, GuestProcess};
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
    let started = guest(service, &exec.place).and_then(|guest| start(&guest, exec, descriptors));
    let (process, terminal) = match started {
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
                Ok(Exit::Code(code)) => Reply::Ended(Ended::Code(code)),
                Ok(Exit::Signal(signal)) => Reply::Ended(Ended::Signal(signal)),
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
fn put_down(process: &GuestProcess, ended: impl Fn() -> bool) {
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

fn guest(service: &Service, place: &str) -> Result<Arc<Guest>, Refusal> {
    let name = service.place(place)?;
    let snapshot = service.cloud.snapshot();
    let found = name.find(&snapshot);
    let host = found
        .and_then(|place| place.host().cloned())
        .map_err(|error| refuse(RefusalKind::Place, error))?;
    service
        .guests
        .guest(&host)
        .map_err(|error| refuse(RefusalKind::Failed, error))
}

fn start(
    guest: &Guest,
    exec: Exec,
    descriptors: Vec<OwnedFd>,
) -> Result<(GuestProcess, Option<OwnedFd>), Refusal> {
    let arguments = if exec.arguments.is_empty() {
        SHELL.map(str::to_owned).to_vec()
    } else {
        exec.arguments
    };
    let command = GuestCommand {
        arguments,
        environment: exec.environment,
        ..GuestCommand::default()
    };
    let started = if exec.terminal {
        guest
            .exec_on_terminal(&command)
            .map(|(process, terminal)| (process, Some(terminal)))
    } else {
        let streams: [OwnedFd; 3] = descriptors.try_into().map_err(|_| {
            let missing = "standard input, output and error did not come along";
            refuse(RefusalKind::Failed, missing)
        })?;
        guest.exec(&command, streams).map(|process| (process, None))
    };
    started.map_err(|error| match error {
        ExecError::NotFound { .. } => refuse(RefusalKind::NotFound, error),
        ExecError::NotExecutable { .. } => refuse(RefusalKind::NotExecutable, error),
        ExecError::Factory(_) => refuse(RefusalKind::Failed, error),
    })
}
