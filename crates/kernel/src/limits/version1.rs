//! Version 1: a hierarchy a controller.

use super::directory::Held;
use super::hierarchy::Controller;
use super::{Group, Limit, Used, Version, number_after, number_in, own_directory, put};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// How long a CPU limit's period is, in microseconds.
const PERIOD: u64 = 100_000;
/// The shortest time that the kernel takes for a limit.
const SHORTEST: u64 = 1_000;

/// The controllers that tell what was used.
const TELLING: [&str; 2] = ["memory", "cpuacct"];

/// The lab's directories.
#[derive(Debug)]
pub(super) struct Base {
    /// Controllers that are mounted together share a directory.
    controllers: Vec<(Vec<&'static str>, Held)>,
}

impl Base {
    pub(super) fn make(controllers: &[Controller], name: &str) -> Result<Self, String> {
        let mut made: Vec<(Vec<&'static str>, Held)> = Vec::new();
        for controller in controllers {
            let together = made
                .iter_mut()
                .find(|(_, held)| held.path().parent() == Some(&controller.directory));
            match together {
                Some((names, _)) => names.push(controller.name),
                None => {
                    let held = own_directory(&controller.directory, name)?;
                    made.push((vec![controller.name], held));
                }
            }
        }
        Ok(Self { controllers: made })
    }

    pub(super) fn group(&self, name: &str, limit: &Limit) -> io::Result<Group> {
        let mut group = Group {
            directories: Vec::new(),
            version: Version::One,
        };
        let files = files(limit);
        // A directory costs the kernel some memory: none is made that tells nothing and limits nothing.
        let needed = |name: &&str| {
            let prefix = format!("{name}.");
            TELLING.contains(name) || files.iter().any(|(file, _)| file.starts_with(&prefix))
        };
        for (names, held) in &self.controllers {
            if !names.iter().any(needed) {
                continue;
            }
            let directory = held.path().join(name);
            fs::create_dir(&directory)?;
            group.directories.push(directory);
        }
        for (file, value) in &files {
            if let Some(directory) = with(&group.directories, file) {
                put(directory, file, value)?;
            }
        }
        Ok(group)
    }
}

/// The directory that has a file of this name.
fn with<'a>(directories: &'a [PathBuf], file: &str) -> Option<&'a Path> {
    let found = directories
        .iter()
        .find(|directory| directory.join(file).exists());
    found.map(PathBuf::as_path)
}

/// What is written where.
fn files(limit: &Limit) -> Vec<(&'static str, String)> {
    let mut files = Vec::new();
    if let Some(memory) = limit.memory {
        files.push(("memory.limit_in_bytes", memory.to_string()));
        // Memory and swap together: none of the latter.
        files.push(("memory.memsw.limit_in_bytes", memory.to_string()));
    }
    if let Some(shares) = limit.cpu_shares {
        files.push(("cpu.shares", shares.max(2).to_string()));
    }
    if let Some(millis) = limit.cpu_millis {
        files.push(("cpu.cfs_period_us", PERIOD.to_string()));
        let quota = (millis * PERIOD / 1000).max(SHORTEST);
        files.push(("cpu.cfs_quota_us", quota.to_string()));
    }
    if let Some(processes) = limit.processes {
        files.push(("pids.max", processes.to_string()));
    }
    files
}

pub(super) fn used(directories: &[PathBuf]) -> Used {
    let memory = number_in(directories, "memory.usage_in_bytes").unwrap_or(0);
    let inactive = with(directories, "memory.usage_in_bytes")
        .and_then(|directory| fs::read_to_string(directory.join("memory.stat")).ok())
        .and_then(|text| number_after(&text, "total_inactive_file"))
        .unwrap_or(0);
    Used {
        cpu_nanoseconds: number_in(directories, "cpuacct.usage").unwrap_or(0),
        memory_bytes: memory.saturating_sub(inactive),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_written_as_kubelets_do() {
        let limit = Limit {
            memory: Some(1 << 20),
            cpu_shares: Some(512),
            cpu_millis: Some(250),
            processes: Some(7),
        };
        let files: Vec<_> = files(&limit)
            .into_iter()
            .map(|(file, value)| format!("{file} {value}"))
            .collect();
        assert_eq!(
            files,
            [
                "memory.limit_in_bytes 1048576",
                "memory.memsw.limit_in_bytes 1048576",
                "cpu.shares 512",
                "cpu.cfs_period_us 100000",
                "cpu.cfs_quota_us 25000",
                "pids.max 7"
            ]
        );
    }
}
