//! Whom a name stands for in an image, by its `/etc/passwd` and `/etc/group`, as runc and containerd
//! read them: <https://github.com/moby/sys/blob/main/user/user.go>

use crate::layer::Stack;
use std::io;

/// Who runs in a container.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Identity {
    /// The user's number.
    pub uid: u32,
    /// The group's number.
    pub gid: u32,
    /// Groups of the image that the user belongs to besides.
    pub groups: Vec<u32>,
    /// The user's directory; `/` where the image doesn't say.
    pub home: String,
}

/// Why nobody can be found.
#[derive(Debug, thiserror::Error)]
pub enum UserError {
    /// No such user.
    #[error("unable to find user {0}: no matching entries in passwd file")]
    NoUser(String),
    /// No such group.
    #[error("unable to find group {0}: no matching entries in group file")]
    NoGroup(String),
    /// A number that stands for nobody.
    #[error("uids and gids must be in range 0-2147483647")]
    Range,
    /// The image can't be read.
    #[error("reading the image's users: {0}")]
    Disk(#[from] io::Error),
}

pub(crate) fn identity(image: Stack<'_>, spec: &str) -> Result<Identity, UserError> {
    let passwd = image.read("etc/passwd")?.unwrap_or_default();
    let group = image.read("etc/group")?.unwrap_or_default();
    resolve(
        &String::from_utf8_lossy(&passwd),
        &String::from_utf8_lossy(&group),
        spec,
    )
}

fn resolve(passwd: &str, group: &str, spec: &str) -> Result<Identity, UserError> {
    let (user, wanted_group) = spec.split_once(':').unwrap_or((spec, ""));
    let user = if user.is_empty() { "0" } else { user };
    let mut identity = Identity {
        home: "/".to_owned(),
        ..Identity::default()
    };
    let mut name = None;
    if let Some(fields) = entries(passwd).find(|fields| is(fields, user)) {
        identity.uid = number(fields[2])?;
        identity.gid = fields.get(3).map_or(Ok(0), |gid| number(gid))?;
        if let Some(home) = fields.get(5).filter(|home| !home.is_empty()) {
            identity.home = (*home).to_owned();
        }
        name = Some(fields[0]);
    } else if user.parse::<i64>().is_ok() {
        identity.uid = number(user)?;
    } else {
        return Err(UserError::NoUser(user.to_owned()));
    }
    if !wanted_group.is_empty() {
        identity.gid = match entries(group).find(|fields| is(fields, wanted_group)) {
            Some(fields) => number(fields[2])?,
            None if wanted_group.parse::<i64>().is_ok() => number(wanted_group)?,
            None => return Err(UserError::NoGroup(wanted_group.to_owned())),
        };
    } else if let Some(name) = name {
        let belongs = |fields: &Vec<&str>| {
            let members = fields.get(3).copied().unwrap_or_default();
            members.split(',').any(|member| member == name)
        };
        for fields in entries(group).filter(belongs) {
            identity.groups.push(number(fields[2])?);
        }
    }
    Ok(identity)
}

/// Lines that say at least a name and a number.
fn entries(file: &str) -> impl Iterator<Item = Vec<&str>> {
    let lines = file.lines().map(str::trim).filter(|line| !line.is_empty());
    lines
        .map(|line| line.split(':').collect::<Vec<_>>())
        .filter(|fields| fields.len() > 2 && fields[2].parse::<i64>().is_ok())
}

fn is(fields: &[&str], wanted: &str) -> bool {
    fields[0] == wanted || fields[2] == wanted
}

fn number(text: &str) -> Result<u32, UserError> {
    let number: u32 = text.parse().map_err(|_| UserError::Range)?;
    i32::try_from(number).map_err(|_| UserError::Range)?;
    Ok(number)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    const PASSWD: &str = "root:x:0:0:root:/root:/bin/sh\nnginx:x:101:102:nginx:/var/cache/nginx:/sbin/nologin\n\
                          # comment\nbroken\n1000:x:7:7::/seven:\nfar:x:4294967295:0::/:\n";
    const GROUP: &str =
        "root:x:0:root\nnginx:x:102:\nweb:x:50:nginx,other\nlogs:x:51:other,nginx\n";

    fn found(spec: &str) -> (u32, u32, Vec<u32>, String) {
        let identity = resolve(PASSWD, GROUP, spec).unwrap();
        (identity.uid, identity.gid, identity.groups, identity.home)
    }

    #[test]
    fn names_and_numbers_stand_for_somebody() {
        let nginx = (101, 102, vec![50, 51], "/var/cache/nginx".to_owned());
        assert_eq!(found(""), (0, 0, vec![0], "/root".to_owned()));
        assert_eq!(found("nginx"), nginx);
        assert_eq!(found("101"), nginx);
        assert_eq!(found("nginx:logs"), (101, 51, vec![], nginx.3.clone()));
        assert_eq!(found("101:9"), (101, 9, vec![], nginx.3));
        assert_eq!(found("65534"), (65534, 0, vec![], "/".to_owned()));
        // A name of digits is a name first.
        assert_eq!(found("1000").0, 7);
        let nobody = resolve("", "", "").unwrap();
        assert_eq!((nobody.uid, nobody.gid), (0, 0));
    }

    #[test]
    fn nobody_is_an_error() {
        let said = |spec| resolve(PASSWD, GROUP, spec).unwrap_err().to_string();
        assert_eq!(
            said("mallory"),
            "unable to find user mallory: no matching entries in passwd file"
        );
        assert_eq!(
            said("nginx:staff"),
            "unable to find group staff: no matching entries in group file"
        );
        for spec in ["-1", "2147483648", "far", "nginx:-5"] {
            assert_eq!(said(spec), UserError::Range.to_string(), "{spec}");
        }
    }
}
