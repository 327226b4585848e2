//! Calling a plugin: a program of the node's, with words in its environment and on its standard input.

use super::answer;
use kernel::guest::{ExecError, Exit, Guest, GuestCommand, GuestProcess};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::memfd::{MFdFlags, memfd_create};
use std::fs::File;
use std::io::{self, Read, Seek, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::time::{Duration, Instant};

/// Where nodes keep plugins.
pub(crate) const DIRECTORY: &str = "/opt/cni/bin";
/// How long a plugin may take.
const PATIENCE: Duration = Duration::from_secs(120);

/// Whatever calls plugins.
pub(crate) trait Plugins {
    /// Calls one, and gives what it printed.
    ///
    /// # Errors
    /// Why it failed, in words.
    fn call(
        &self,
        plugin: &str,
        environment: Vec<(String, String)>,
        request: &[u8],
    ) -> Result<Vec<u8>, String>;
}

impl Plugins for Guest {
    fn call(
        &self,
        plugin: &str,
        mut environment: Vec<(String, String)>,
        request: &[u8],
    ) -> Result<Vec<u8>, String> {
        environment.push(("CNI_PATH".to_owned(), DIRECTORY.to_owned()));
        let command = GuestCommand {
            arguments: vec![format!("{DIRECTORY}/{plugin}")],
            environment,
            directory: "/".to_owned(),
        };
        // Files in memory: nobody has to write and read at the same time.
        let words = |error: io::Error| error.to_string();
        let (mut input, mut output, mut errors) = (
            memory().map_err(words)?,
            memory().map_err(words)?,
            memory().map_err(words)?,
        );
        input.write_all(request).map_err(words)?;
        input.rewind().map_err(words)?;
        let other = |file: &File| file.try_clone().map(OwnedFd::from);
        let streams = [
            input.into(),
            other(&output).map_err(words)?,
            other(&errors).map_err(words)?,
        ];
        let process = self
            .exec_plugin(&command, streams)
            .map_err(|error| match error {
                ExecError::NotFound { .. } => {
                    format!("failed to find plugin {plugin:?} in path [{DIRECTORY}]")
                }
                error => error.to_string(),
            })?;
        let exit = end(&process).map_err(words)?;
        let (output, errors) = (
            read(&mut output).map_err(words)?,
            read(&mut errors).map_err(words)?,
        );
        match exit {
            Some(Exit::Code(0)) => Ok(output),
            Some(exit) => Err(answer::refusal(exit.code(), &output, &errors)),
            None => Err("netplugin failed: it did not end in time".to_owned()),
        }
    }
}

fn memory() -> io::Result<File> {
    Ok(memfd_create("plugin", MFdFlags::MFD_CLOEXEC)?.into())
}

fn read(file: &mut File) -> io::Result<Vec<u8>> {
    let mut text = Vec::new();
    file.rewind()?;
    file.read_to_end(&mut text)?;
    Ok(text)
}

/// How it ended; nothing if it had to be ended.
fn end(process: &GuestProcess) -> io::Result<Option<Exit>> {
    let by = Instant::now() + PATIENCE;
    loop {
        let left = by.saturating_duration_since(Instant::now());
        let timeout = PollTimeout::try_from(left).unwrap_or(PollTimeout::MAX);
        let mut watched = [PollFd::new(process.as_fd(), PollFlags::POLLIN)];
        match poll(&mut watched, timeout) {
            Ok(0) => {
                // It may just have ended.
                let _ = process.signal(libc::SIGKILL);
                process.wait().map_err(io::Error::other)?;
                return Ok(None);
            }
            Ok(_) => return process.wait().map(Some).map_err(io::Error::other),
            Err(nix::errno::Errno::EINTR) => {}
            Err(errno) => return Err(errno.into()),
        }
    }
}
