//! Version 2: one hierarchy. Only a group without processes of its own gives controllers to those below it,
//! so the lab's directory stands beside the groups that have processes, in the nearest place above that the
//! lab may change.

use super::directory::Held;
use super::hierarchy::Own;
use super::{Group, Limit, Used, Version, number_of, own_directory, put};
use nix::unistd::{AccessFlags, access};
use std::fs;
use std::io;
use std::path::Path;

const CONTROLLERS: [&str; 3] = ["memory", "cpu", "pids"];
const PERIOD: u64 = 100_000;
const SHORTEST: u64 = 1_000;

/// The lab's directory.
#[derive(Debug)]
pub(super) struct Base {
    held: Held,
}

impl Base {
    pub(super) fn make(own: &Own, name: &str) -> Result<Self, String> {
        let above = own.directory.ancestors().skip(1);
        let above = above.take_while(|directory| directory.starts_with(&own.top));
        // At the top itself there is nothing above.
        let mut places: Vec<_> = above.collect();
        if own.directory == own.top {
            places.push(&own.top);
        }
        let mut why = format!(
            "none of the control groups above {} can be changed by this user; run the lab with `systemd-run --user --scope`, or as root",
            own.directory.display()
        );
        for place in places {
            if !may_change(place) {
                continue;
            }
            match give_controllers(place).and_then(|()| {
                let held = own_directory(place, name).map_err(io::Error::other)?;
                give_controllers(held.path())?;
                Ok(held)
            }) {
                Ok(held) => return Ok(Self { held }),
                Err(error) => why = format!("control groups in {}: {error}", place.display()),
            }
        }
        Err(why)
    }

    pub(super) fn group(&self, name: &str, limit: &Limit) -> io::Result<Group> {
        let directory = self.held.path().join(name);
        fs::create_dir(&directory)?;
        let group = Group {
            directories: vec![directory.clone()],
            version: Version::Two,
        };
        for (file, value) in files(limit) {
            put(&directory, file, &value)?;
        }
        if limit.memory.is_some() && directory.join("memory.swap.max").exists() {
            put(&directory, "memory.swap.max", "0")?;
        }
        // When memory is short, all of a container ends: half of one is no use.
        if directory.join("memory.oom.group").exists() {
            put(&directory, "memory.oom.group", "1")?;
        }
        Ok(group)
    }
}

/// Whether groups can be made there and processes moved there.
fn may_change(place: &Path) -> bool {
    let may = |path: &Path| access(path, AccessFlags::W_OK).is_ok();
    let files = ["cgroup.procs", "cgroup.subtree_control"];
    may(place) && files.iter().all(|file| may(&place.join(file)))
}

/// Gives the groups below the controllers that containers need: that of memory, and others if they are
/// there.
fn give_controllers(place: &Path) -> io::Result<()> {
    let given = fs::read_to_string(place.join("cgroup.subtree_control"))?;
    for controller in CONTROLLERS {
        if given.split_whitespace().any(|name| name == controller) {
            continue;
        }
        let result = put(place, "cgroup.subtree_control", &format!("+{controller}"));
        if controller == "memory" {
            result?;
        }
    }
    Ok(())
}

/// What is written where.
fn files(limit: &Limit) -> Vec<(&'static str, String)> {
    let mut files = Vec::new();
    if let Some(memory) = limit.memory {
        files.push(("memory.max", memory.to_string()));
    }
    if let Some(shares) = limit.cpu_shares {
        files.push(("cpu.weight", weight(shares).to_string()));
    }
    if let Some(millis) = limit.cpu_millis {
        let quota = (millis * PERIOD / 1000).max(SHORTEST);
        files.push(("cpu.max", format!("{quota} {PERIOD}")));
    }
    if let Some(processes) = limit.processes {
        files.push(("pids.max", processes.to_string()));
    }
    files
}

/// Version 1's shares, 2 to 262144, as a weight of 1 to 10000.
/// <https://github.com/kubernetes/enhancements/tree/master/keps/sig-node/2254-cgroup-v2#phase-1-convert-from-cgroups-v1-settings-to-v2>
fn weight(shares: u64) -> u64 {
    1 + (shares.clamp(2, 262_144) - 2) * 9_999 / 262_142
}

pub(super) fn used(directories: &[std::path::PathBuf]) -> Used {
    let memory = super::number_in(directories, "memory.current").unwrap_or(0);
    let inactive = number_of(directories, "memory.stat", "inactive_file").unwrap_or(0);
    let cpu = number_of(directories, "cpu.stat", "usage_usec").unwrap_or(0);
    Used {
        cpu_nanoseconds: cpu * 1000,
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
            cpu_shares: Some(1024),
            cpu_millis: Some(1500),
            processes: Some(7),
        };
        let files: Vec<_> = files(&limit)
            .into_iter()
            .map(|(file, value)| format!("{file} {value}"))
            .collect();
        assert_eq!(
            files,
            [
                "memory.max 1048576",
                "cpu.weight 39",
                "cpu.max 150000 100000",
                "pids.max 7"
            ]
        );
        assert_eq!((weight(2), weight(262_144)), (1, 10_000));
    }

    /// A tree of plain files in place of the kernel's.
    #[test]
    fn the_nearest_place_that_may_be_changed_is_taken() {
        let top = std::env::temp_dir().join(format!("skylab-groups-{}", std::process::id()));
        let own = top.join("user.slice/app.slice/a.scope");
        fs::create_dir_all(&own).unwrap();
        for place in [
            &top,
            &top.join("user.slice"),
            &top.join("user.slice/app.slice"),
        ] {
            for file in ["cgroup.procs", "cgroup.subtree_control"] {
                fs::write(place.join(file), "memory cpu pids").unwrap();
            }
        }
        let dead = top.join("user.slice/app.slice/skylab-dead/container");
        fs::create_dir_all(&dead).unwrap();
        let here = Own {
            top: top.clone(),
            directory: own,
        };
        // A plain directory has no file of controllers to give; the kernel's would.
        let refused = Base::make(&here, "lab").unwrap_err();
        assert!(refused.contains("control groups in"), "{refused}");
        assert!(!dead.exists(), "what a dead lab left is swept");
        fs::remove_dir_all(&top).unwrap();
    }
}
