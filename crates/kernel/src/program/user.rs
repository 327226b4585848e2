//! As whom a program runs: numbers and names, looked up in the files of the place it runs in, as
//! containerd does (`WithUser`, `WithAdditionalGIDs`).
//! <https://github.com/containerd/containerd/blob/main/pkg/oci/spec_opts.go>

use crate::factory::{Failure, step};
use nix::errno::Errno;
use nix::unistd::{Gid, Uid, setgroups, setresgid, setresuid};
use serde::{Deserialize, Serialize};
use std::fs;
use std::os::fd::AsRawFd;

/// A user by name or number, as an image's configuration or a pod names them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct User {
    /// The user: a number or a name in `/etc/passwd`; root where empty.
    pub user: String,
    /// The group: a number or a name in `/etc/group`; the user's own where empty.
    pub group: String,
    /// Further groups.
    pub groups: Vec<u32>,
    /// Whether it must not be root.
    pub not_root: bool,
}

/// A user as the kernel knows them.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Account {
    uid: u32,
    gid: u32,
    groups: Vec<u32>,
    home: String,
}

impl User {
    /// Looks them up in the files of the calling process's view.
    pub(super) fn resolve(&self) -> Result<Account, Failure> {
        let read = |path| fs::read_to_string(path).unwrap_or_default();
        self.resolve_in(&read("/etc/passwd"), &read("/etc/group"))
            .map_err(|words| Failure {
                step: words,
                errno: Errno::EINVAL,
            })
    }

    fn resolve_in(&self, users: &str, groups: &str) -> Result<Account, String> {
        let wanted = if self.user.is_empty() {
            "0"
        } else {
            self.user.as_str()
        };
        let number = wanted.parse::<u32>().ok();
        let entry = users
            .lines()
            .map(|line| line.split(':').collect::<Vec<_>>())
            .find(|fields| match number {
                Some(number) => field(fields, 2).parse() == Ok(number),
                None => field(fields, 0) == wanted,
            });
        let uid = number.or_else(|| field(entry.as_ref()?, 2).parse().ok());
        let uid = uid.ok_or_else(|| {
            format!("unable to find user {wanted}: no matching entries in passwd file")
        })?;
        if self.not_root && uid == 0 {
            return Err("container has runAsNonRoot and image will run as root".to_owned());
        }
        let own = entry
            .as_ref()
            .and_then(|entry| field(entry, 3).parse().ok());
        let gid = match self.group.as_str() {
            "" => own.unwrap_or(0),
            group => group_number(group, groups).ok_or_else(|| {
                format!("unable to find group {group}: no matching entries in group file")
            })?,
        };
        let name = entry.as_ref().map_or("", |entry| field(entry, 0));
        let mut further = vec![gid];
        further.extend(memberships(name, groups));
        further.extend(&self.groups);
        further.sort_unstable();
        further.dedup();
        let home = entry.as_ref().map_or("", |entry| field(entry, 5));
        Ok(Account {
            uid,
            gid,
            groups: further,
            home: if home.is_empty() { "/" } else { home }.to_owned(),
        })
    }
}

fn field<'a>(fields: &[&'a str], index: usize) -> &'a str {
    fields.get(index).copied().unwrap_or_default()
}

fn group_number(group: &str, groups: &str) -> Option<u32> {
    group.parse().ok().or_else(|| {
        groups.lines().find_map(|line| {
            let fields: Vec<_> = line.split(':').collect();
            (field(&fields, 0) == group).then(|| field(&fields, 2).parse().ok())?
        })
    })
}

/// The groups that list a user as a member.
fn memberships(name: &str, groups: &str) -> Vec<u32> {
    if name.is_empty() {
        return Vec::new();
    }
    groups
        .lines()
        .filter_map(|line| {
            let fields: Vec<_> = line.split(':').collect();
            let member = field(&fields, 3).split(',').any(|member| member == name);
            member.then(|| field(&fields, 2).parse().ok())?
        })
        .collect()
}

impl Account {
    pub(super) fn is_root(&self) -> bool {
        self.uid == 0
    }

    pub(super) fn home(&self) -> &str {
        &self.home
    }

    /// Becomes them. Their terminal, if they have one, becomes theirs.
    pub(super) fn take(&self, terminal: bool) -> Result<(), Failure> {
        let groups: Vec<_> = self.groups.iter().copied().map(Gid::from_raw).collect();
        let (uid, gid) = (Uid::from_raw(self.uid), Gid::from_raw(self.gid));
        match setgroups(&groups) {
            // A lab of a user without subordinate ids has one user and one group, and may not change
            // the list; its root has what it needs.
            Err(Errno::EPERM | Errno::EINVAL) if self.only_root() => {}
            other => other.map_err(step(self.missing("groups")))?,
        }
        if terminal {
            let stdin = std::io::stdin();
            // Where it can't be given away, it is root's and can be read and written all the same.
            let _ = nix::unistd::fchown(&stdin, Some(uid), None);
            debug_assert_eq!(stdin.as_raw_fd(), 0);
        }
        setresgid(gid, gid, gid).map_err(step(self.missing("group")))?;
        setresuid(uid, uid, uid).map_err(step(self.missing("user")))
    }

    fn only_root(&self) -> bool {
        self.uid == 0 && self.gid == 0
    }

    fn missing(&self, what: &str) -> String {
        format!(
            "taking on the {what} of user {}, group {}: an ordinary user's lab has its root, and the ids that /etc/subuid and /etc/subgid grant them; it may not",
            self.uid, self.gid
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const USERS: &str = "root:x:0:0:root:/root:/bin/sh\nweb:x:33:34:web:/srv:/bin/false\n";
    const GROUPS: &str = "root:x:0:\nweb:x:34:\nlogs:x:4:syslog,web\ndisk:x:6:root\n";

    fn resolve(user: &str, group: &str) -> Result<Account, String> {
        let user = User {
            user: user.to_owned(),
            group: group.to_owned(),
            groups: vec![2000],
            not_root: false,
        };
        user.resolve_in(USERS, GROUPS)
    }

    #[test]
    fn a_name_has_its_number_its_groups_and_its_home() {
        let web = Account {
            uid: 33,
            gid: 34,
            groups: vec![4, 34, 2000],
            home: "/srv".to_owned(),
        };
        assert_eq!(resolve("web", "").as_ref(), Ok(&web));
        assert_eq!(resolve("33", ""), Ok(web));
    }

    #[test]
    fn numbers_need_no_entry() {
        let nobody = resolve("1000", "").unwrap();
        assert_eq!((nobody.uid, nobody.gid), (1000, 0));
        assert_eq!(nobody.home, "/");
        assert_eq!(resolve("1000", "logs").unwrap().gid, 4);
    }

    #[test]
    fn names_nobody_knows_are_refused_in_containerds_words() {
        let words = "unable to find user app: no matching entries in passwd file";
        assert_eq!(resolve("app", ""), Err(words.to_owned()));
        let words = "unable to find group app: no matching entries in group file";
        assert_eq!(resolve("web", "app"), Err(words.to_owned()));
    }

    #[test]
    fn who_must_not_be_root_is_not() {
        let user = User {
            not_root: true,
            ..User::default()
        };
        assert!(user.resolve_in(USERS, GROUPS).is_err());
    }
}
