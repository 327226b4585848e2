//! Running a program in a booted guest.

use super::confine;
use crate::factory::{Answer, ExecRequest, Failure, send, step};
use crate::launch::fork_single;
use nix::errno::Errno;
use nix::fcntl::{OFlag, open};
use nix::sched::{CloneFlags, setns};
use nix::sys::signal::{SigHandler, SigSet, SigmaskHow, Signal, signal, sigprocmask};
use nix::sys::stat::Mode;
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::{
    ForkResult, Pid, chdir, dup2_stderr, dup2_stdin, dup2_stdout, execve, pipe2, read, setsid,
    write,
};
use std::ffi::CString;
use std::fs::File;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};

/// The step that fails when the program itself can't be run.
pub(super) const STEP: &str = "running the program";

/// Where programs without a slash are looked for when the environment doesn't say.
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// The lab's own program, which every guest has under this name wherever the machine keeps it: a guest
/// sees fresh directories in place of the machine's temporary ones.
const OWN_NAME: &str = "skylab";
const OWN: &str = "/proc/self/exe";

/// Enters the guest, runs the program and answers twice: when it runs, and when it has ended. Runs in
/// a child of the factory, which stays until the end.
pub(crate) fn run(
    reply: &OwnedFd,
    request: &ExecRequest,
    streams: Vec<OwnedFd>,
) -> Result<(), Failure> {
    // SAFETY: the default action runs no handler; the wait below needs it.
    #[allow(unsafe_code)]
    unsafe { signal(Signal::SIGCHLD, SigHandler::SigDfl) }.map_err(step("waiting for children"))?;
    enter(request.init)?;
    let (terminal, streams) = if request.terminal {
        open_terminal()?
    } else {
        (None, streams)
    };
    let (failing, fail) = pipe2(OFlag::O_CLOEXEC).map_err(step("making a pipe"))?;
    match fork_single().map_err(step("forking the program"))? {
        ForkResult::Child => {
            drop(terminal);
            let failure = become_program(request, &streams);
            let errno = failure.errno as i32;
            let text = [&errno.to_ne_bytes()[..], failure.step.as_bytes()].concat();
            // The parent is waiting for exactly this.
            let _ = write(&fail, &text);
            std::process::exit(127);
        }
        ForkResult::Parent { child } => {
            drop((fail, streams));
            started(reply, child, &failing, terminal.as_ref())?;
            drop(terminal);
            ended(reply, child)
        }
    }
}

/// The guest's namespaces, by its first process.
fn enter(init: i32) -> Result<(), Failure> {
    let open = |name: &str| {
        File::open(format!("/proc/{init}/ns/{name}")).map_err(|_| Failure {
            step: "the guest is gone".to_owned(),
            errno: Errno::ESRCH,
        })
    };
    let spaces = [
        (open("net")?, CloneFlags::CLONE_NEWNET),
        (open("uts")?, CloneFlags::CLONE_NEWUTS),
        (open("ipc")?, CloneFlags::CLONE_NEWIPC),
        (open("cgroup")?, CloneFlags::CLONE_NEWCGROUP),
        (open("pid")?, CloneFlags::CLONE_NEWPID),
        (open("mnt")?, CloneFlags::CLONE_NEWNS),
    ];
    for (space, kind) in spaces {
        setns(space, kind).map_err(step("entering the guest"))?;
    }
    Ok(())
}

/// A new terminal of the guest's: its outer side, and the inner side as three streams.
fn open_terminal() -> Result<(Option<OwnedFd>, Vec<OwnedFd>), Failure> {
    let flags = OFlag::O_RDWR | OFlag::O_NOCTTY | OFlag::O_CLOEXEC;
    let outer = open("/dev/pts/ptmx", flags, Mode::empty()).map_err(step("opening a terminal"))?;
    let mut number: libc::c_uint = 0;
    let unlock: libc::c_int = 0;
    // SAFETY: both requests take a pointer to an int that outlives the call.
    #[allow(unsafe_code)]
    let results = unsafe {
        [
            libc::ioctl(outer.as_raw_fd(), libc::TIOCSPTLCK, &raw const unlock),
            libc::ioctl(outer.as_raw_fd(), libc::TIOCGPTN, &raw mut number),
        ]
    };
    for result in results {
        Errno::result(result).map_err(step("unlocking the terminal"))?;
    }
    let path = format!("/dev/pts/{number}");
    let inner = || {
        open(path.as_str(), flags, Mode::empty()).map_err(step("opening the terminal's inner side"))
    };
    Ok((Some(outer), vec![inner()?, inner()?, inner()?]))
}

/// Becomes the program; comes back only when that failed.
fn become_program(request: &ExecRequest, streams: &[OwnedFd]) -> Failure {
    match prepare(request, streams) {
        Ok(()) => execute(request),
        Err(failure) => failure,
    }
}

fn prepare(request: &ExecRequest, streams: &[OwnedFd]) -> Result<(), Failure> {
    setsid().map_err(step("making a session"))?;
    let [input, output, errors] = streams else {
        return Err(Failure {
            step: "a program without streams".to_owned(),
            errno: Errno::EINVAL,
        });
    };
    dup2_stdin(input).map_err(step("standard input"))?;
    dup2_stdout(output).map_err(step("standard output"))?;
    dup2_stderr(errors).map_err(step("standard error"))?;
    if request.terminal {
        // SAFETY: the request takes an integer; descriptor 0 is the terminal's inner side.
        #[allow(unsafe_code)]
        let result = unsafe { libc::ioctl(0, libc::TIOCSCTTY, 0) };
        Errno::result(result).map_err(step("taking the terminal"))?;
    }
    sigprocmask(SigmaskHow::SIG_SETMASK, Some(&SigSet::empty()), None)
        .map_err(step("unblocking signals"))?;
    // SAFETY: the default action runs no handler.
    #[allow(unsafe_code)]
    unsafe { signal(Signal::SIGPIPE, SigHandler::SigDfl) }.map_err(step("signals"))?;
    confine::drop_capabilities()?;
    chdir(request.directory.as_str())
        .or_else(|_| chdir("/"))
        .map_err(step("the working directory"))
}

fn execute(request: &ExecRequest) -> Failure {
    let text = |text: &str| CString::new(text).map_err(|_| step(STEP)(Errno::EINVAL));
    let prepared = || -> Result<_, Failure> {
        let arguments: Vec<_> = request
            .arguments
            .iter()
            .map(|argument| text(argument))
            .collect::<Result<_, _>>()?;
        let environment: Vec<_> = request
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
    let Some(program) = request.arguments.first() else {
        return step(STEP)(Errno::ENOENT);
    };
    let mut worst = Errno::ENOENT;
    for path in candidates(program, &request.environment) {
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

/// Answers that the program runs, once its descriptor for failures was closed by running it.
fn started(
    reply: &OwnedFd,
    child: Pid,
    failing: &OwnedFd,
    terminal: Option<&OwnedFd>,
) -> Result<(), Failure> {
    let mut buffer = [0; 256];
    let length = read(failing, &mut buffer).map_err(step("waiting for the program"))?;
    if let Some((errno, step)) = buffer[..length].split_first_chunk::<4>() {
        let errno = Errno::from_raw(i32::from_ne_bytes(*errno));
        // It only ended to say so.
        let _ = waitpid(child, None);
        return Err(Failure {
            step: String::from_utf8_lossy(step).into_owned(),
            errno,
        });
    }
    let fds: Vec<_> = terminal.iter().map(|terminal| terminal.as_fd()).collect();
    send(
        reply,
        &Answer::Started {
            pid: child.as_raw(),
        },
        &fds,
    )
    .map_err(step("answering"))
}

fn ended(reply: &OwnedFd, child: Pid) -> Result<(), Failure> {
    let (code, signal) = loop {
        match waitpid(child, None) {
            Ok(WaitStatus::Exited(_, code)) => break (Some(code), None),
            Ok(WaitStatus::Signaled(_, signal, _)) => break (None, Some(signal as i32)),
            Ok(_) | Err(Errno::EINTR) => {}
            Err(errno) => return Err(step("waiting for the program")(errno)),
        }
    };
    // The asker may have gone.
    let _ = send(reply, &Answer::Ended { code, signal }, &[]);
    Ok(())
}
