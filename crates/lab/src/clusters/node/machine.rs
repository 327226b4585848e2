//! What a node has: all of this machine, which its nodes share.

use kubelet::{Capacity, Machine};
use nix::sys::statvfs::statvfs;
use nix::sys::utsname::uname;
use std::fs;
use std::thread;

/// As many pods as upstream's kubelets take unless they are told otherwise.
const PODS: u64 = 110;

/// What pods may have together.
pub(in crate::clusters) fn capacity() -> Capacity {
    let cpus = thread::available_parallelism().map_or(1, usize::from) as u64;
    let disk = statvfs("/run").ok();
    let storage = disk.map_or(0, |disk| disk.blocks() * disk.fragment_size());
    Capacity {
        cpu_millis: cpus * 1000,
        memory: memory().unwrap_or(1 << 30),
        storage,
        pods: PODS,
    }
}

fn memory() -> Option<u64> {
    let text = fs::read_to_string("/proc/meminfo").ok()?;
    let line = text.lines().find(|line| line.starts_with("MemTotal:"))?;
    let kibibytes: u64 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(kibibytes * 1024)
}

/// What the node tells of itself; `id` tells nodes apart.
pub(super) fn machine(id: &str, version: &str) -> Machine {
    let architecture = match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    };
    let kernel = uname().map(|name| name.release().to_string_lossy().into_owned());
    Machine {
        architecture: architecture.to_owned(),
        boot_id: text("/proc/sys/kernel/random/boot_id"),
        runtime_version: format!("skylab://{}", env!("CARGO_PKG_VERSION")),
        kernel_version: kernel.unwrap_or_default(),
        kubelet_version: format!("v{version}"),
        machine_id: id.to_owned(),
        os_image: os_image(),
        system_uuid: id.to_owned(),
    }
}

fn os_image() -> String {
    let release = text("/etc/os-release");
    let named = |line: &str| line.strip_prefix("PRETTY_NAME=").map(str::to_owned);
    let name = release.lines().find_map(named).unwrap_or_default();
    name.trim_matches('"').to_owned()
}

fn text(path: &str) -> String {
    fs::read_to_string(path)
        .unwrap_or_default()
        .trim()
        .to_owned()
}
