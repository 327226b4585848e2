//! What every process that Prometheus reads tells of itself, under its usual names.

use super::{Family, Labels, Page};
use std::fs;

/// The kernel tells processor time in hundredths of a second on every architecture that has Skylab.
const TICKS: f64 = 100.0;

/// Writes what the kernel says; nothing where it says nothing.
pub(super) fn write(page: &mut Page) {
    let resident = || {
        let status = fs::read_to_string("/proc/self/status").ok()?;
        let line = status
            .lines()
            .find_map(|line| line.strip_prefix("VmRSS:"))?;
        let kibibytes: u64 = line.trim().strip_suffix(" kB")?.parse().ok()?;
        Some(kibibytes * 1024)
    };
    if let Some(resident) = resident() {
        let family = Family {
            name: "process_resident_memory_bytes",
            help: "Resident memory size in bytes.",
        };
        page.gauge(family, &resident);
    }
    let processor = || {
        let stat = fs::read_to_string("/proc/self/stat").ok()?;
        // Past the program's name, which may hold spaces.
        let mut fields = stat.rsplit_once(')')?.1.split_whitespace().skip(11);
        let user: f64 = fields.next()?.parse().ok()?;
        let system: f64 = fields.next()?.parse().ok()?;
        Some((user + system) / TICKS)
    };
    if let Some(processor) = processor() {
        let family = Family {
            name: "process_cpu_seconds_total",
            help: "Total user and system CPU time spent in seconds.",
        };
        page.family(family, "counter");
        page.sample("", &Labels::new(), &processor);
    }
    if let Ok(open) = fs::read_dir("/proc/self/fd") {
        let family = Family {
            name: "process_open_fds",
            help: "Number of open file descriptors.",
        };
        page.gauge(family, &open.count());
    }
}
