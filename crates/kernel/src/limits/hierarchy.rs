//! Where this process is in the machine's control groups: pure but for reading two files of `/proc`.

use std::fs;
use std::path::{Path, PathBuf};

/// The controllers that are used.
const CONTROLLERS: [&str; 4] = ["memory", "cpu", "cpuacct", "pids"];

/// The machine's hierarchies.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Hierarchies {
    /// Version 1: this process's directory for each controller.
    Version1(Vec<Controller>),
    /// Version 2: this process's directory, and the top.
    Version2(Own),
}

/// A controller of version 1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Controller {
    pub(super) name: &'static str,
    pub(super) directory: PathBuf,
}

/// A place in the hierarchy of version 2.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Own {
    pub(super) top: PathBuf,
    pub(super) directory: PathBuf,
}

/// A mounted hierarchy.
struct Mounted<'a> {
    root: &'a str,
    at: &'a str,
    kind: &'a str,
    options: &'a str,
}

impl Hierarchies {
    /// This process's.
    pub(super) fn here() -> Result<Self, String> {
        let read =
            |path: &str| fs::read_to_string(path).map_err(|error| format!("{path}: {error}"));
        let (mounts, own) = (read("/proc/self/mountinfo")?, read("/proc/self/cgroup")?);
        let controllers = |top: &Path| fs::read_to_string(top.join("cgroup.controllers"));
        Self::of(&mounts, &own, |top| controllers(top).unwrap_or_default())
    }

    fn of(mounts: &str, own: &str, controllers: impl Fn(&Path) -> String) -> Result<Self, String> {
        let mounts: Vec<_> = mounts.lines().filter_map(mounted).collect();
        let unified = mounts.iter().find(|mount| mount.kind == "cgroup2");
        if let Some(mount) = unified {
            let top = Path::new(mount.at);
            if controllers(top)
                .split_whitespace()
                .any(|name| name == "memory")
            {
                let path = own.lines().find_map(|line| line.strip_prefix("0::"));
                let directory = path.and_then(|path| mount.directory(path));
                let directory = directory.ok_or("this process's control group is not in sight")?;
                return Ok(Self::Version2(Own {
                    top: top.to_owned(),
                    directory,
                }));
            }
        }
        let found: Vec<_> = CONTROLLERS
            .into_iter()
            .filter_map(|name| controller(&mounts, own, name))
            .collect();
        if found.iter().any(|controller| controller.name == "memory") {
            Ok(Self::Version1(found))
        } else {
            Err("this machine's control groups have no memory controller".to_owned())
        }
    }
}

fn controller(mounts: &[Mounted<'_>], own: &str, name: &'static str) -> Option<Controller> {
    let has = |list: &str| list.split(',').any(|known| known == name);
    let mount = mounts
        .iter()
        .find(|mount| mount.kind == "cgroup" && has(mount.options))?;
    let path = own.lines().find_map(|line| {
        let mut fields = line.splitn(3, ':').skip(1);
        let (controllers, path) = (fields.next()?, fields.next()?);
        has(controllers).then_some(path)
    })?;
    let directory = mount.directory(path)?;
    Some(Controller { name, directory })
}

impl Mounted<'_> {
    /// Where a group's directory is, if it is below what is mounted.
    fn directory(&self, path: &str) -> Option<PathBuf> {
        let below = Path::new(path).strip_prefix(self.root).ok()?;
        // Joining nothing would end the path with a slash.
        let components = below.components();
        Some(components.fold(PathBuf::from(self.at), |all, part| all.join(part)))
    }
}

/// A line of mountinfo(5), if it is of control groups.
fn mounted(line: &str) -> Option<Mounted<'_>> {
    let (before, after) = line.split_once(" - ")?;
    let mut before = before.split(' ').skip(3);
    let (root, at) = (before.next()?, before.next()?);
    let mut after = after.split(' ');
    let kind = after.next()?;
    let options = after.nth(1)?;
    kind.starts_with("cgroup").then_some(Mounted {
        root,
        at,
        kind,
        options,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn version_1_has_a_directory_a_controller() {
        let mounts = "25 23 0:28 / /sys/fs/cgroup rw - tmpfs tmpfs rw,mode=755\n\
            33 31 0:30 / /sys/fs/cgroup/cpu,cpuacct rw,relatime - cgroup cgroup rw,cpu,cpuacct\n\
            35 31 0:32 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory\n\
            41 31 0:38 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw\n";
        let own = "4:memory:/user/me\n3:cpu,cpuacct:/\n1:name=systemd:/x\n0::/\n";
        let found = Hierarchies::of(mounts, own, |_| String::new());
        let controller = |name, directory: &str| Controller {
            name,
            directory: directory.into(),
        };
        let expected = vec![
            controller("memory", "/sys/fs/cgroup/memory/user/me"),
            controller("cpu", "/sys/fs/cgroup/cpu,cpuacct"),
            controller("cpuacct", "/sys/fs/cgroup/cpu,cpuacct"),
        ];
        assert_eq!(found, Ok(Hierarchies::Version1(expected)));
    }

    #[test]
    fn version_2_has_one() {
        let mounts = "30 23 0:26 / /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw,nsdelegate\n";
        let own = "0::/user.slice/user-1000.slice/user@1000.service/app.slice/a.scope\n";
        let found = Hierarchies::of(mounts, own, |_| "cpuset cpu io memory pids\n".to_owned());
        let Ok(Hierarchies::Version2(own)) = found else {
            panic!("{found:?}");
        };
        assert_eq!(own.top, Path::new("/sys/fs/cgroup"));
        assert!(
            own.directory
                .ends_with("user@1000.service/app.slice/a.scope")
        );
    }

    #[test]
    fn a_part_of_a_hierarchy_may_be_mounted() {
        let mounts = "30 23 0:26 /docker/1 /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n";
        let of = |own: &str| Hierarchies::of(mounts, own, |_| String::new());
        let Ok(Hierarchies::Version1(found)) = of("4:memory:/docker/1/x\n") else {
            panic!("not found");
        };
        assert_eq!(found[0].directory, Path::new("/sys/fs/cgroup/memory/x"));
        assert!(of("4:memory:/elsewhere\n").is_err());
        assert!(Hierarchies::of("", "", |_| String::new()).is_err());
    }
}
