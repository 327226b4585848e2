//! What containers may use, and what they used: control groups of both versions.
//! <https://docs.kernel.org/admin-guide/cgroup-v2.html>,
//! <https://docs.kernel.org/admin-guide/cgroup-v1/cgroups.html>
//!
//! A lab has a directory `skylab-<name>` where it may make one, and in it a directory for each container.
//! No kernel removes these when the lab is killed, so each is locked as long as its lab lives, and the next
//! lab sweeps those that nobody holds.
//!
//! The machine's root may make them everywhere. An ordinary user may where a part of the tree is theirs,
//! as systemd gives sessions' services one (version 2 only). Where nobody may, containers run without
//! limits, and [`Limits::trouble`] says why.

mod directory;
mod hierarchy;
mod version1;
mod version2;

use directory::Held;
use hierarchy::Hierarchies;
use nix::errno::Errno;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

/// How a lab's directories are named.
const PREFIX: &str = "skylab-";

/// How often a group is looked through for processes that are still there.
const ROUNDS: u32 = 200;

/// A lab's control groups.
#[derive(Debug)]
pub struct Limits {
    base: Result<Base, String>,
}

#[derive(Debug)]
enum Base {
    Version1(version1::Base),
    Version2(version2::Base),
}

/// What a group may use.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Limit {
    /// Bytes of memory.
    pub memory: Option<u64>,
    /// Its weight among others: 1024 a CPU.
    pub cpu_shares: Option<u64>,
    /// Thousandths of a CPU at most.
    pub cpu_millis: Option<u64>,
    /// Processes and threads.
    pub processes: Option<u64>,
}

/// What a group used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Used {
    /// CPU time, in nanoseconds.
    pub cpu_nanoseconds: u64,
    /// Memory that can't be given back at once, in bytes.
    pub memory_bytes: u64,
}

/// A group of processes. Dropping it removes its directories, which must be empty of processes.
#[derive(Debug)]
pub struct Group {
    /// One, or one a controller.
    directories: Vec<PathBuf>,
    version: Version,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Version {
    One,
    Two,
}

impl Limits {
    /// Finds a place for a lab of this name, and sweeps what dead labs left there.
    pub fn find(name: &str) -> Self {
        let found = Hierarchies::here().and_then(|hierarchies| match hierarchies {
            Hierarchies::Version1(controllers) => {
                version1::Base::make(&controllers, name).map(Base::Version1)
            }
            Hierarchies::Version2(own) => version2::Base::make(&own, name).map(Base::Version2),
        });
        Self { base: found }
    }

    /// No limits, for this reason.
    pub fn none(reason: &str) -> Self {
        Self {
            base: Err(reason.to_owned()),
        }
    }

    /// Why containers run without limits; `None` where they don't.
    pub fn trouble(&self) -> Option<&str> {
        self.base.as_ref().err().map(String::as_str)
    }

    /// Makes a group of this name; `None` where there are no limits.
    ///
    /// # Errors
    /// The kernel refuses.
    pub fn group(&self, name: &str, limit: &Limit) -> io::Result<Option<Group>> {
        match &self.base {
            Ok(Base::Version1(base)) => base.group(name, limit).map(Some),
            Ok(Base::Version2(base)) => base.group(name, limit).map(Some),
            Err(_) => Ok(None),
        }
    }
}

impl Group {
    /// The lists of processes, to be joined.
    pub fn lists(&self) -> Vec<PathBuf> {
        let list = |directory: &PathBuf| directory.join("cgroup.procs");
        self.directories.iter().map(list).collect()
    }

    /// What its processes used so far.
    pub fn used(&self) -> Used {
        match self.version {
            Version::One => version1::used(&self.directories),
            Version::Two => version2::used(&self.directories),
        }
    }

    /// How many of its processes were killed because memory was short.
    pub fn killed_for_memory(&self) -> u64 {
        let file = match self.version {
            Version::One => "memory.oom_control",
            Version::Two => "memory.events",
        };
        number_of(&self.directories, file, "oom_kill").unwrap_or(0)
    }

    /// Kills whatever is in it.
    ///
    /// # Errors
    /// The kernel refuses.
    pub fn kill(&self) -> io::Result<()> {
        let Some(directory) = self.directories.first() else {
            return Ok(());
        };
        if fs::write(directory.join("cgroup.kill"), "1").is_ok() {
            return Ok(());
        }
        // What forks meanwhile is found the next time.
        for _ in 0..ROUNDS {
            let listed = fs::read_to_string(directory.join("cgroup.procs"))?;
            let processes = listed.lines().filter_map(|line| line.parse().ok());
            // A process that the lab can't see has the number 0.
            let processes: Vec<i32> = processes.filter(|process| *process > 0).collect();
            if processes.is_empty() {
                return Ok(());
            }
            for process in processes {
                match kill(Pid::from_raw(process), Signal::SIGKILL) {
                    Ok(()) | Err(Errno::ESRCH) => {}
                    Err(errno) => return Err(errno.into()),
                }
            }
            thread::sleep(Duration::from_millis(1));
        }
        Err(io::ErrorKind::TimedOut.into())
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        for directory in &self.directories {
            directory::remove(directory);
        }
    }
}

/// The number after a word in one of the directories' files.
fn number_of(directories: &[PathBuf], file: &str, word: &str) -> Option<u64> {
    directories.iter().find_map(|directory| {
        let text = fs::read_to_string(directory.join(file)).ok()?;
        number_after(&text, word)
    })
}

fn number_after(text: &str, word: &str) -> Option<u64> {
    text.lines().find_map(|line| {
        let (known, number) = line.split_once(' ')?;
        (known == word).then(|| number.trim().parse().ok())?
    })
}

/// A file with nothing but a number.
fn number_in(directories: &[PathBuf], file: &str) -> Option<u64> {
    directories.iter().find_map(|directory| {
        let text = fs::read_to_string(directory.join(file)).ok()?;
        text.trim().parse().ok()
    })
}

fn put(directory: &Path, file: &str, value: &str) -> io::Result<()> {
    let path = directory.join(file);
    fs::write(&path, value)
        .map_err(|error| io::Error::new(error.kind(), format!("{}: {error}", path.display())))
}

/// The lab's own directory below another one, swept and held.
fn own_directory(parent: &Path, name: &str) -> Result<Held, String> {
    let own = parent.join(format!("{PREFIX}{name}"));
    directory::sweep(parent, PREFIX);
    Held::make(&own).map_err(|error| format!("{}: {error}", own.display()))
}
