//! Guests: processes in a place of the lab, over a copy-on-write view of the machine's files.

pub(crate) mod boot;
pub(crate) mod confine;
pub(crate) mod disk;
pub(crate) mod exec;
pub(crate) mod view;

pub use disk::GuestDisk;

use crate::factory::{Answer, ExecRequest, FactoryError, GuestFactory, Request};
use crate::namespace::NetNs;
use nix::errno::Errno;
use std::os::fd::{AsFd, OwnedFd};
use std::path::PathBuf;
use std::sync::Arc;

/// A guest to boot.
#[derive(Clone, Debug)]
pub struct GuestSpec {
    /// Its host name.
    pub hostname: String,
    /// Its network namespace, made by the factory.
    pub net: Arc<NetNs>,
    /// Its disk.
    pub disk: Arc<GuestDisk>,
    /// Files of its own, over the machine's.
    pub files: Vec<GuestFile>,
    /// Environment of every program in it.
    pub environment: Vec<(String, String)>,
}

/// A file of a guest.
#[derive(Clone, Debug)]
pub struct GuestFile {
    /// Where the guest sees it; absolute.
    pub path: PathBuf,
    /// What is in it.
    pub contents: Vec<u8>,
    /// Its permission bits.
    pub mode: u32,
}

/// A program to run in a guest.
#[derive(Clone, Debug, Default)]
pub struct GuestCommand {
    /// The program and its arguments; a program without a slash is looked up in `PATH`.
    pub arguments: Vec<String>,
    /// Environment beside the guest's own.
    pub environment: Vec<(String, String)>,
    /// The working directory; `/root` where empty.
    pub directory: String,
}

/// A booted guest. It runs until it is shut down or the lab ends.
#[derive(Debug)]
pub struct Guest {
    factory: GuestFactory,
    init: i32,
    environment: Vec<(String, String)>,
    /// The disk lives as long as the guest does.
    disk: Arc<GuestDisk>,
}

/// A program running in a guest.
#[derive(Debug)]
pub struct GuestProcess {
    factory: GuestFactory,
    pid: i32,
    ending: OwnedFd,
}

/// How a program ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// With a code.
    Code(i32),
    /// By a signal.
    Signal(i32),
}

/// A program that could not be started.
#[derive(Debug, thiserror::Error)]
pub enum ExecError {
    /// There is no such program.
    #[error("{program}: command not found")]
    NotFound {
        /// The program.
        program: String,
    },
    /// It can't be executed.
    #[error("{program}: {errno}")]
    NotExecutable {
        /// The program.
        program: String,
        /// Why.
        errno: Errno,
    },
    /// The guest or the factory failed.
    #[error(transparent)]
    Factory(#[from] FactoryError),
}

impl GuestSpec {
    pub(crate) fn write_files(&self) -> Result<(), FactoryError> {
        for file in &self.files {
            self.disk.write(file).map_err(|source| FactoryError::File {
                path: file.path.clone(),
                source,
            })?;
        }
        Ok(())
    }
}

impl Guest {
    pub(crate) fn new(factory: GuestFactory, init: i32, spec: &GuestSpec) -> Self {
        Self {
            factory,
            init,
            environment: spec.environment.clone(),
            disk: spec.disk.clone(),
        }
    }

    /// The disk it runs on; another guest may boot from it after this one was shut down.
    pub fn disk(&self) -> &Arc<GuestDisk> {
        &self.disk
    }

    /// Runs a program with these streams as its standard input, output and error.
    ///
    /// # Errors
    /// The program doesn't exist or can't be executed, or the guest is gone.
    pub fn exec(
        &self,
        command: &GuestCommand,
        streams: [OwnedFd; 3],
    ) -> Result<GuestProcess, ExecError> {
        let fds = [streams[0].as_fd(), streams[1].as_fd(), streams[2].as_fd()];
        self.start(command, false, &fds).map(|(process, _)| process)
    }

    /// Runs a program on a terminal of the guest's own and gives the terminal's other side.
    ///
    /// # Errors
    /// As [`Guest::exec`].
    pub fn exec_on_terminal(
        &self,
        command: &GuestCommand,
    ) -> Result<(GuestProcess, OwnedFd), ExecError> {
        let (process, terminal) = self.start(command, true, &[])?;
        let terminal = terminal.ok_or(FactoryError::Silent(Errno::EPROTO))?;
        Ok((process, terminal))
    }

    fn start(
        &self,
        command: &GuestCommand,
        terminal: bool,
        fds: &[std::os::fd::BorrowedFd<'_>],
    ) -> Result<(GuestProcess, Option<OwnedFd>), ExecError> {
        let environment = self
            .environment
            .iter()
            .chain(&command.environment)
            .cloned()
            .collect();
        let directory = if command.directory.is_empty() {
            "/root".to_owned()
        } else {
            command.directory.clone()
        };
        let request = ExecRequest {
            init: self.init,
            arguments: command.arguments.clone(),
            environment,
            directory,
            terminal,
        };
        let asked = self.factory.ask_on(&Request::Exec(request), fds);
        let program = || command.arguments.first().cloned().unwrap_or_default();
        match asked {
            Ok((Answer::Started { pid }, mut fds, ending)) => Ok((
                GuestProcess {
                    factory: self.factory.clone(),
                    pid,
                    ending,
                },
                fds.pop(),
            )),
            Ok(_) => Err(FactoryError::Silent(Errno::EPROTO).into()),
            Err(FactoryError::Failed {
                step,
                errno: Errno::ENOENT,
            }) if step == exec::STEP => Err(ExecError::NotFound { program: program() }),
            Err(FactoryError::Failed { step, errno }) if step == exec::STEP => {
                Err(ExecError::NotExecutable {
                    program: program(),
                    errno,
                })
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Ends all its processes.
    pub fn shut_down(&self) {
        // It may have ended by itself.
        let _ = self.factory.ask(
            &Request::Signal {
                pid: self.init,
                group: false,
                signal: libc::SIGKILL,
            },
            &[],
        );
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        self.shut_down();
    }
}

impl GuestProcess {
    /// Waits for its end. Blocks; the descriptor of [`AsFd`] is readable when it won't.
    ///
    /// # Errors
    /// The factory is gone.
    pub fn wait(&self) -> Result<Exit, FactoryError> {
        match crate::factory::receive_answer(&self.ending)? {
            Answer::Ended {
                code: Some(code), ..
            } => Ok(Exit::Code(code)),
            Answer::Ended {
                signal: Some(signal),
                ..
            } => Ok(Exit::Signal(signal)),
            _ => Err(FactoryError::Silent(Errno::EPROTO)),
        }
    }

    /// Sends a signal to its process group.
    ///
    /// # Errors
    /// It has ended.
    pub fn signal(&self, signal: i32) -> Result<(), FactoryError> {
        self.factory
            .ask(
                &Request::Signal {
                    pid: self.pid,
                    group: true,
                    signal,
                },
                &[],
            )
            .map(drop)
    }
}

impl AsFd for GuestProcess {
    fn as_fd(&self) -> std::os::fd::BorrowedFd<'_> {
        self.ending.as_fd()
    }
}
