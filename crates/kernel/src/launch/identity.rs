//! Which users exist in the lab.

use nix::errno::Errno;
use nix::unistd::{Pid, getgid, getuid};
use std::fs;
use std::process::Command;

/// Writes a child's user and group maps. Root maps everyone to themselves, so that files keep their
/// owners; an ordinary user becomes the lab's root, with their subordinate ids beside, where the
/// machine has them.
pub(super) fn map(child: Pid) -> Result<(), Errno> {
    if getuid().is_root() {
        return map_all(child);
    }
    if map_subordinate(child, "newuidmap", "/etc/subuid", getuid().as_raw()).is_some()
        && map_subordinate(child, "newgidmap", "/etc/subgid", getgid().as_raw()).is_some()
    {
        return Ok(());
    }
    put(child, "setgroups", "deny")?;
    put(child, "uid_map", &format!("0 {} 1", getuid()))?;
    put(child, "gid_map", &format!("0 {} 1", getgid()))
}

/// Everyone that the caller's own namespace knows, as themselves.
fn map_all(child: Pid) -> Result<(), Errno> {
    put(child, "uid_map", &identity_of("uid_map"))?;
    put(child, "gid_map", &identity_of("gid_map"))
}

/// A nested namespace's map: the same users again.
pub(crate) fn map_same(child: Pid) -> Result<(), Errno> {
    map_all(child)
}

/// The caller's map with its inner numbers on both sides.
fn identity_of(file: &str) -> String {
    let own = fs::read_to_string(format!("/proc/self/{file}")).unwrap_or_default();
    let line = |line: &str| {
        let mut fields = line.split_whitespace();
        let (inside, _, count) = (fields.next()?, fields.next()?, fields.next()?);
        Some(format!("{inside} {inside} {count}\n"))
    };
    own.lines().filter_map(line).collect()
}

fn put(child: Pid, file: &str, text: &str) -> Result<(), Errno> {
    fs::write(format!("/proc/{child}/{file}"), text)
        .map_err(|error| Errno::from_raw(error.raw_os_error().unwrap_or(Errno::EIO as i32)))
}

fn map_subordinate(child: Pid, program: &str, table: &str, own: u32) -> Option<()> {
    let user = nix::unistd::User::from_uid(getuid()).ok()??;
    let table = fs::read_to_string(table).ok()?;
    let entry = table.lines().find_map(|line| {
        let mut fields = line.split(':');
        let owner = fields.next()?;
        (owner == user.name || owner == user.uid.to_string()).then_some(())?;
        Some((fields.next()?.to_owned(), fields.next()?.to_owned()))
    });
    let (first, count) = entry?;
    let own = own.to_string();
    let status = Command::new(program)
        .args([&child.to_string(), "0", &own, "1", "1", &first, &count])
        .stderr(std::process::Stdio::null())
        .status()
        .ok()?;
    status.success().then_some(())
}

/// What to do where user namespaces are refused.
pub(super) fn cure() -> String {
    let knob = |name: &str| {
        fs::read_to_string(format!("/proc/sys/{name}"))
            .ok()
            .map(|text| text.trim().to_owned())
    };
    if knob("kernel/apparmor_restrict_unprivileged_userns").as_deref() == Some("1") {
        return "Ubuntu restricts them: run `sudo sysctl -w kernel.apparmor_restrict_unprivileged_userns=0`, give skylab an AppArmor profile with `userns,`, or run it as root."
            .to_owned();
    }
    if knob("kernel/unprivileged_userns_clone").as_deref() == Some("0") {
        return "Debian's switch is off: run `sudo sysctl -w kernel.unprivileged_userns_clone=1`, or run skylab as root.".to_owned();
    }
    if knob("user/max_user_namespaces").as_deref() == Some("0") {
        return "Their number is limited to none: run `sudo sysctl -w user.max_user_namespaces=15000`.".to_owned();
    }
    "In a container, start it with `--privileged`, or with `--security-opt seccomp=unconfined --security-opt apparmor=unconfined`."
        .to_owned()
}
