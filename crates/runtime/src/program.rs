//! Programs beside a container's own.

use crate::words;
use cri::{ExecSpec, Process, RuntimeError, Streams};
use kernel::container::Container;
use std::fs::File;
use std::io::{self, pipe};
use std::os::fd::OwnedFd;

/// A program that runs in a container.
#[derive(Debug)]
struct Running(kernel::factory::Process);

impl Process for Running {
    fn wait(&self) -> io::Result<i32> {
        let exit = self.0.wait().map_err(io::Error::other)?;
        Ok(exit.code())
    }

    fn signal(&self, signal: i32) -> io::Result<()> {
        self.0.signal(signal).map_err(io::Error::other)
    }
}

/// The two ends of a stream: the program's, and the one of whoever reads or writes.
fn stream() -> io::Result<(OwnedFd, OwnedFd)> {
    let (reader, writer) = pipe()?;
    Ok((reader.into(), writer.into()))
}

/// The inner ends of a program's streams, and the outer ones.
pub(crate) fn streams(input: bool) -> io::Result<([OwnedFd; 3], Streams)> {
    let mut outer = Streams::default();
    let inner_input = if input {
        let (inner, writer) = stream()?;
        outer.stdin = Some(writer);
        inner
    } else {
        File::open("/dev/null")?.into()
    };
    let (output, inner_output) = stream()?;
    let (errors, inner_errors) = stream()?;
    outer.stdout = Some(output);
    outer.stderr = Some(errors);
    Ok(([inner_input, inner_output, inner_errors], outer))
}

/// Runs a program beside a container's own.
pub(crate) fn exec(
    container: &Container,
    spec: &ExecSpec,
    id: String,
) -> Result<(Box<dyn Process>, Streams), RuntimeError> {
    let refused = |error| RuntimeError::CannotExec {
        id: id.clone(),
        words: words::of_start(&error),
    };
    let (process, streams) = if spec.terminal {
        let started = container.exec_on_terminal(&spec.command);
        let (process, terminal) = started.map_err(refused)?;
        let streams = Streams {
            terminal: Some(terminal),
            ..Streams::default()
        };
        (process, streams)
    } else {
        let (inner, outer) =
            streams(spec.stdin).map_err(|error| RuntimeError::Machine(error.to_string()))?;
        let process = container.exec(&spec.command, inner).map_err(refused)?;
        (process, outer)
    };
    Ok((Box::new(Running(process)), streams))
}
