//! Becoming a program inside a place: streams, user, rights, and the program itself.

mod terminal;
mod user;

use crate::factory::{Failure, step};
use crate::rights::Rights;
use nix::errno::Errno;
use nix::fcntl::{OFlag, open};
use nix::sys::signal::{SigHandler, SigSet, SigmaskHow, Signal, signal, sigprocmask};
use nix::sys::stat::{Mode, umask};
use nix::unistd::{chdir, dup2_stderr, dup2_stdin, dup2_stdout, execve, setsid, write};
use serde::{Deserialize, Serialize};
use std::ffi::CString;
use std::fs;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
pub(crate) use terminal::Terminal;
pub use terminal::set_terminal_size;
pub use user::User;

/// The step that fails when the program itself can't be run.
pub(crate) const STEP: &str = "running the program";

/// Where programs without a slash are looked for when the environment doesn't say.
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// The lab's own program, which every guest has under this name wherever the machine keeps it: a guest
/// sees fresh directories in place of the machine's temporary ones.
const OWN_NAME: &str = "skylab";
const OWN: &str = "/proc/self/exe";

/// A program to become.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Program {
    pub(crate) arguments: Vec<String>,
    pub(crate) environment: Vec<(String, String)>,
    pub(crate) directory: Directory,
    pub(crate) terminal: bool,
    /// As whom; root where nobody is named.
    pub(crate) user: Option<User>,
    pub(crate) rights: Rights,
    /// How early it is killed when memory is short.
    pub(crate) oom_score: i32,
    /// How many descriptors it may have; as many as the lab where not said.
    pub(crate) descriptors: Option<u64>,
}

/// Where a program begins.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) enum Directory {
    /// There, or at the root where there is no such directory.
    Preferred(String),
    /// There; it is made where there is none.
    Required(String),
}

/// What a program begins with that came from outside its view.
pub(crate) struct Belongings {
    /// Its standard input, output and error.
    pub(crate) streams: [OwnedFd; 3],
    /// The lists of processes of the control groups that it joins.
    pub(crate) groups: Vec<OwnedFd>,
}

impl Belongings {
    /// Puts the calling process into its control groups.
    pub(crate) fn join(&self) -> Result<(), Failure> {
        self.groups.iter().try_for_each(|group| {
            write(group, b"0")
                .map(drop)
                .map_err(step("joining a control group"))
        })
    }
}

impl Program {
    /// Becomes the program, in the place that the calling process is in. Comes back only when that
    /// failed.
    pub(crate) fn become_it(mut self, belongings: &Belongings) -> Failure {
        match self.prepare(belongings) {
            Ok(()) => self.execute(),
            Err(failure) => failure,
        }
    }

    fn prepare(&mut self, belongings: &Belongings) -> Result<(), Failure> {
        setsid().map_err(step("making a session"))?;
        let [input, output, errors] = &belongings.streams;
        dup2_stdin(input).map_err(step("standard input"))?;
        dup2_stdout(output).map_err(step("standard output"))?;
        dup2_stderr(errors).map_err(step("standard error"))?;
        if self.terminal {
            terminal::take().map_err(step("taking the terminal"))?;
        }
        sigprocmask(SigmaskHow::SIG_SETMASK, Some(&SigSet::empty()), None)
            .map_err(step("unblocking signals"))?;
        // SAFETY: the default action runs no handler.
        #[allow(unsafe_code)]
        unsafe { signal(Signal::SIGPIPE, SigHandler::SigDfl) }.map_err(step("signals"))?;
        umask(Mode::S_IWGRP | Mode::S_IWOTH);
        self.limit();
        let become_user = self.user.as_ref().map(User::resolve).transpose()?;
        if let Directory::Required(directory) = &self.directory {
            // Where it can't be made, entering it says why.
            let _ = fs::create_dir_all(directory);
        }
        self.rights.bound()?;
        let mut root = true;
        if let Some(account) = become_user {
            account.take(self.terminal)?;
            root = account.is_root();
            let homeless = self.environment.iter().all(|(name, _)| name != "HOME");
            if homeless {
                self.environment
                    .push(("HOME".to_owned(), account.home().to_owned()));
            }
        }
        self.rights.hold(root)?;
        match &self.directory {
            Directory::Preferred(directory) => chdir(directory.as_str())
                .or_else(|_| chdir("/"))
                .map_err(step("the working directory")),
            Directory::Required(directory) => chdir(directory.as_str())
                .map_err(step(format!("chdir to cwd ({directory:?}) set in config"))),
        }
    }

    /// What it may use.
    fn limit(&self) {
        if self.oom_score != 0 {
            // To be killed later than others is for the machine's root to grant.
            let _ = fs::write("/proc/self/oom_score_adj", self.oom_score.to_string());
        }
        if let Some(descriptors) = self.descriptors {
            limit_descriptors(descriptors);
        }
    }

    fn execute(&self) -> Failure {
        let text = |text: &str| CString::new(text).map_err(|_| step(STEP)(Errno::EINVAL));
        let prepared = || -> Result<_, Failure> {
            let arguments: Vec<_> = self
                .arguments
                .iter()
                .map(|argument| text(argument))
                .collect::<Result<_, _>>()?;
            let environment: Vec<_> = self
                .environment
                .iter()
                .map(|(name, value)| text(&format!("{name}={value}")))
                .collect::<Result<_, _>>()?;
            Ok((arguments, environment))
        };
        let (arguments, environment) = match prepared() {
            Ok(prepared) => prepared,
            Err(failure) => return failure,
        };
        let Some(program) = self.arguments.first() else {
            return step(STEP)(Errno::ENOENT);
        };
        let mut worst = Errno::ENOENT;
        for path in candidates(program, &self.environment) {
            let Ok(path) = CString::new(path) else {
                continue;
            };
            match execve(&path, &arguments, &environment) {
                Ok(never) => match never {},
                Err(Errno::ENOENT | Errno::ENOTDIR) => {}
                Err(errno) => worst = errno,
            }
        }
        step(STEP)(worst)
    }
}

fn candidates(program: &str, environment: &[(String, String)]) -> Vec<String> {
    if program.contains('/') {
        return vec![program.to_owned()];
    }
    let path = environment
        .iter()
        .rev()
        .find(|(name, _)| name == "PATH")
        .map_or(PATH, |(_, path)| path.as_str());
    let own = (program == OWN_NAME).then(|| OWN.to_owned());
    own.into_iter()
        .chain(
            path.split(':')
                .map(|directory| format!("{directory}/{program}")),
        )
        .collect()
}

/// Limits the calling process's descriptors, as far as the limit that it has lets it.
fn limit_descriptors(wanted: u64) {
    let mut limit = libc::rlimit {
        rlim_cur: 0,
        rlim_max: 0,
    };
    // SAFETY: the pointers are to a live local; a refusal leaves the limit as it was.
    #[allow(unsafe_code)]
    unsafe {
        if libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit) == 0 {
            limit.rlim_max = limit.rlim_max.min(wanted);
            limit.rlim_cur = limit.rlim_max;
            libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limit);
        }
    }
}

/// The lists of processes of control groups, to be joined later from another view.
pub(crate) fn groups(lists: &[PathBuf]) -> Result<Vec<OwnedFd>, Failure> {
    let open_one = |list: &PathBuf| {
        open(list, OFlag::O_WRONLY | OFlag::O_CLOEXEC, Mode::empty())
            .map_err(step(format!("opening {}", list.display())))
    };
    lists.iter().map(open_one).collect()
}

/// The program's streams: those that came along, or a terminal's inner side, with its outer side.
pub(crate) fn streams(
    program: &Program,
    fds: Vec<OwnedFd>,
    open_terminal: impl FnOnce() -> Result<Terminal, Failure>,
) -> Result<(Option<OwnedFd>, [OwnedFd; 3]), Failure> {
    if program.terminal {
        let Terminal { outer, inner } = open_terminal()?;
        return Ok((Some(outer), inner));
    }
    let streams = fds
        .try_into()
        .map_err(|_| step("a program without streams")(Errno::EINVAL))?;
    Ok((None, streams))
}
