//! Capabilities by name and as a set.
//! <https://man7.org/linux/man-pages/man7/capabilities.7.html>

use serde::{Deserialize, Serialize};

/// The names, by number.
const NAMES: [&str; 41] = [
    "CHOWN",
    "DAC_OVERRIDE",
    "DAC_READ_SEARCH",
    "FOWNER",
    "FSETID",
    "KILL",
    "SETGID",
    "SETUID",
    "SETPCAP",
    "LINUX_IMMUTABLE",
    "NET_BIND_SERVICE",
    "NET_BROADCAST",
    "NET_ADMIN",
    "NET_RAW",
    "IPC_LOCK",
    "IPC_OWNER",
    "SYS_MODULE",
    "SYS_RAWIO",
    "SYS_CHROOT",
    "SYS_PTRACE",
    "SYS_PACCT",
    "SYS_ADMIN",
    "SYS_BOOT",
    "SYS_NICE",
    "SYS_RESOURCE",
    "SYS_TIME",
    "SYS_TTY_CONFIG",
    "MKNOD",
    "LEASE",
    "AUDIT_WRITE",
    "AUDIT_CONTROL",
    "SETFCAP",
    "MAC_OVERRIDE",
    "MAC_ADMIN",
    "SYSLOG",
    "WAKE_ALARM",
    "BLOCK_SUSPEND",
    "AUDIT_READ",
    "PERFMON",
    "BPF",
    "CHECKPOINT_RESTORE",
];

/// What containerd gives a container that asks for nothing.
/// <https://github.com/containerd/containerd/blob/main/pkg/oci/spec.go> (`defaultUnixCaps`)
const CONTAINER: [&str; 14] = [
    "CHOWN",
    "DAC_OVERRIDE",
    "FSETID",
    "FOWNER",
    "MKNOD",
    "NET_RAW",
    "SETGID",
    "SETUID",
    "SETFCAP",
    "SETPCAP",
    "NET_BIND_SERVICE",
    "SYS_CHROOT",
    "KILL",
    "AUDIT_WRITE",
];

/// What a guest's programs have beside: they command their own network stack.
const GUEST: [&str; 3] = ["NET_ADMIN", "IPC_LOCK", "SYS_PTRACE"];

/// A set of capabilities.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Capabilities(u64);

impl Capabilities {
    /// All there are. They count in the lab's own user namespaces only.
    pub const ALL: Self = Self((1 << NAMES.len()) - 1);

    /// What a container has that asks for nothing.
    pub fn of_containers() -> Self {
        CONTAINER
            .into_iter()
            .filter_map(number)
            .fold(Self(0), |set, number| Self(set.0 | 1 << number))
    }

    /// What a guest's programs have.
    pub(crate) fn of_guests() -> Self {
        GUEST
            .into_iter()
            .filter_map(number)
            .fold(Self::of_containers(), |set, number| {
                Self(set.0 | 1 << number)
            })
    }

    /// With the one of this name too (`NET_ADMIN`, `CAP_NET_ADMIN`, or `ALL`); `None` if there is no such
    /// name.
    #[must_use]
    pub fn with(self, name: &str) -> Option<Self> {
        if name.eq_ignore_ascii_case("ALL") {
            return Some(Self::ALL);
        }
        number(name).map(|number| Self(self.0 | 1 << number))
    }

    /// Without the one of this name; `None` if there is no such name.
    #[must_use]
    pub fn without(self, name: &str) -> Option<Self> {
        if name.eq_ignore_ascii_case("ALL") {
            return Some(Self(0));
        }
        number(name).map(|number| Self(self.0 & !(1 << number)))
    }

    /// Whether the one of this name is in it.
    pub fn has(self, name: &str) -> bool {
        number(name).is_some_and(|number| self.0 & 1 << number != 0)
    }

    pub(super) fn bits(self) -> u64 {
        self.0
    }
}

fn number(name: &str) -> Option<usize> {
    let name = name.to_ascii_uppercase();
    let name = name.strip_prefix("CAP_").unwrap_or(&name);
    NAMES.iter().position(|known| *known == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_found_with_and_without_their_prefix() {
        let set = Capabilities::default();
        assert_eq!(set.with("NET_ADMIN").map(Capabilities::bits), Some(1 << 12));
        assert_eq!(set.with("cap_net_admin"), set.with("NET_ADMIN"));
        assert_eq!(set.with("NET_ADMIM"), None);
        assert_eq!(set.with("ALL"), Some(Capabilities::ALL));
        let without = Capabilities::ALL.without("SYS_ADMIN");
        assert!(without.is_some_and(|set| !set.has("SYS_ADMIN") && set.has("SYS_BOOT")));
    }

    #[test]
    fn the_default_set_is_the_one_that_container_tools_print() {
        // `CapEff` of a default container's shell, as every guide shows it.
        assert_eq!(Capabilities::of_containers().bits(), 0xa804_25fb);
        assert!(!Capabilities::of_guests().has("SYS_ADMIN"));
    }
}
