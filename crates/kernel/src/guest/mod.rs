//! Guests: processes in a place of the lab, over a copy-on-write view of the machine's files.

pub(crate) mod boot;
pub(crate) mod disk;
pub(crate) mod exec;
mod files;
pub(crate) mod view;

pub use disk::GuestDisk;
pub use files::{GuestFiles, PathError, PathKind};

use crate::factory::{ExecRequest, FactoryError, GuestFactory, Request};
pub use crate::factory::{Exit, Process as GuestProcess};
use crate::namespace::NetNs;
use crate::program::{Directory, Program, STEP};
use crate::rights::Rights;
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
    init: GuestProcess,
    root: OwnedFd,
    environment: Vec<(String, String)>,
    /// The disk lives as long as the guest does.
    disk: Arc<GuestDisk>,
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

impl ExecError {
    /// What the factory's word means for a program.
    pub(crate) fn of(error: FactoryError, arguments: &[String]) -> Self {
        let program = arguments.first().cloned().unwrap_or_default();
        match error {
            FactoryError::Failed { step, errno } if step == STEP => match errno {
                Errno::ENOENT => Self::NotFound { program },
                errno => Self::NotExecutable { program, errno },
            },
            error => Self::Factory(error),
        }
    }
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
    pub(crate) fn new(init: GuestProcess, root: OwnedFd, spec: &GuestSpec) -> Self {
        Self {
            init,
            root,
            environment: spec.environment.clone(),
            disk: spec.disk.clone(),
        }
    }

    /// Its first process. When it ends, all that runs in the guest has ended.
    pub fn first_process(&self) -> &GuestProcess {
        &self.init
    }

    /// Its files, as it sees them.
    pub fn files(&self) -> GuestFiles<'_> {
        GuestFiles::new(self.root.as_fd())
    }

    pub(crate) fn factory(&self) -> &GuestFactory {
        self.init.factory()
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
        let rights = Rights::of_guests();
        self.start(command, rights, Some(&streams))
            .map(|(process, _)| process)
    }

    /// Runs a program that may enter the guest's other networks: a CNI plugin. It can't mount.
    ///
    /// # Errors
    /// As [`Guest::exec`].
    pub fn exec_plugin(
        &self,
        command: &GuestCommand,
        streams: [OwnedFd; 3],
    ) -> Result<GuestProcess, ExecError> {
        let rights = Rights::of_plugins();
        self.start(command, rights, Some(&streams))
            .map(|(process, _)| process)
    }

    /// Runs a program on a terminal of the guest's own and gives the terminal's other side.
    ///
    /// # Errors
    /// As [`Guest::exec`].
    pub fn exec_on_terminal(
        &self,
        command: &GuestCommand,
    ) -> Result<(GuestProcess, OwnedFd), ExecError> {
        let (process, terminal) = self.start(command, Rights::of_guests(), None)?;
        let terminal = terminal.ok_or(FactoryError::Silent(Errno::EPROTO))?;
        Ok((process, terminal))
    }

    fn start(
        &self,
        command: &GuestCommand,
        rights: Rights,
        streams: Option<&[OwnedFd; 3]>,
    ) -> Result<(GuestProcess, Option<OwnedFd>), ExecError> {
        let environment = self
            .environment
            .iter()
            .chain(&command.environment)
            .cloned()
            .collect();
        let directory = if command.directory.is_empty() {
            "/root"
        } else {
            &command.directory
        };
        let program = Program {
            arguments: command.arguments.clone(),
            environment,
            directory: Directory::Preferred(directory.to_owned()),
            terminal: streams.is_none(),
            user: None,
            rights,
            oom_score: 0,
            descriptors: None,
        };
        let request = ExecRequest {
            target: self.init.number(),
            program,
            groups: Vec::new(),
        };
        let fds: Vec<_> = streams.into_iter().flatten().map(AsFd::as_fd).collect();
        let asked = self.factory().bring_up(&Request::Exec(request), &fds);
        asked
            .map(|(process, mut fds)| (process, fds.pop()))
            .map_err(|error| ExecError::of(error, &command.arguments))
    }

    /// Ends all its processes.
    pub fn shut_down(&self) {
        // It may have ended by itself.
        let _ = self.init.signal_alone(libc::SIGKILL);
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        self.shut_down();
    }
}
