//! What a container's program is, by its image and by its pod: pure.
//! <https://kubernetes.io/docs/tasks/inject-data-application/define-command-argument-container/>

use crate::image::ImageConfig;
use cri::{ContainerSpec, RuntimeError};
use kernel::container::{Capabilities, Rights, User};

const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// The program and its arguments: `command` takes the place of the entry point and of the image's
/// arguments, `args` that of the image's arguments.
pub(crate) fn arguments(
    spec: &ContainerSpec,
    image: &ImageConfig,
) -> Result<Vec<String>, RuntimeError> {
    let program = if spec.command.is_empty() {
        &image.entrypoint
    } else {
        &spec.command
    };
    let rest = if spec.args.is_empty() && spec.command.is_empty() {
        &image.command
    } else {
        &spec.args
    };
    let all: Vec<_> = program.iter().chain(rest).cloned().collect();
    if all.is_empty() {
        let words =
            "failed to generate container spec: failed to generate spec: no command specified";
        return Err(RuntimeError::Machine(words.to_owned()));
    }
    Ok(all)
}

/// The environment: what every container has, then the image's, then the pod's.
pub(crate) fn environment(
    spec: &ContainerSpec,
    image: &ImageConfig,
    hostname: &str,
) -> Vec<(String, String)> {
    let mut all = vec![("PATH".to_owned(), PATH.to_owned())];
    if spec.terminal {
        all.push(("TERM".to_owned(), "xterm".to_owned()));
    }
    all.push(("HOSTNAME".to_owned(), hostname.to_owned()));
    for (name, value) in image.environment.iter().chain(&spec.env) {
        match all.iter_mut().find(|(known, _)| known == name) {
            Some((_, known)) => known.clone_from(value),
            None => all.push((name.clone(), value.clone())),
        }
    }
    all
}

/// The working directory.
pub(crate) fn directory(spec: &ContainerSpec, image: &ImageConfig) -> String {
    let own = spec.working_dir.as_deref().filter(|own| !own.is_empty());
    let of_image = Some(image.working_dir.as_str()).filter(|own| !own.is_empty());
    own.or(of_image).unwrap_or("/").to_owned()
}

/// As whom. A user that the pod names leaves the image's group aside with its user.
pub(crate) fn user(spec: &ContainerSpec, image: &ImageConfig) -> User {
    let (user, group) = match spec.user.uid {
        Some(uid) => (uid.to_string(), ""),
        None => match image.user.split_once(':') {
            Some((user, group)) => (user.to_owned(), group),
            None => (image.user.clone(), ""),
        },
    };
    User {
        user,
        group: spec
            .user
            .gid
            .map_or(group.to_owned(), |gid| gid.to_string()),
        groups: spec.user.groups.clone(),
        not_root: spec.user.not_root,
    }
}

/// What it may do: the defaults, all or none of them first, then those that are named.
pub(crate) fn rights(spec: &ContainerSpec) -> Result<Rights, RuntimeError> {
    let (add, drop) = (&spec.capabilities.add, &spec.capabilities.drop);
    let all = |names: &[String]| names.iter().any(|name| name.eq_ignore_ascii_case("ALL"));
    let named = |names: &'_ [String]| -> Vec<String> {
        let named = names
            .iter()
            .filter(|name| !name.eq_ignore_ascii_case("ALL"));
        named.cloned().collect()
    };
    let unknown = |name: &str| {
        RuntimeError::CannotRun(format!(
            "unknown capability \"CAP_{}\"",
            name.to_ascii_uppercase()
        ))
    };
    let mut set = Capabilities::of_containers();
    if all(add) {
        set = Capabilities::ALL;
    }
    if all(drop) {
        set = Capabilities::default();
    }
    for name in named(add) {
        set = set.with(&name).ok_or_else(|| unknown(&name))?;
    }
    for name in named(drop) {
        set = set.without(&name).ok_or_else(|| unknown(&name))?;
    }
    Ok(Rights {
        capabilities: if spec.privileged {
            Capabilities::ALL
        } else {
            set
        },
        no_new_privileges: spec.no_new_privileges && !spec.privileged,
    })
}

/// A signal's number by its name, with or without `SIG`, or by the number itself; SIGTERM where nothing
/// is said or nobody knows it.
pub(crate) fn stop_signal(named: &str) -> i32 {
    let name = named.trim().to_ascii_uppercase();
    let name = name.strip_prefix("SIG").unwrap_or(&name);
    if let Ok(number) = name.parse() {
        return number;
    }
    if let Some(after) = name.strip_prefix("RTMIN") {
        let after: i32 = after.trim_start_matches('+').parse().unwrap_or(0);
        return libc::SIGRTMIN() + after;
    }
    let known = nix::sys::signal::Signal::iterator();
    let mut known = known.filter(|signal| signal.as_str().strip_prefix("SIG") == Some(name));
    known.next().map_or(libc::SIGTERM, |signal| signal as i32)
}

#[cfg(test)]
mod tests {
    use super::*;
    use cri::RunAs;

    fn words(words: &[&str]) -> Vec<String> {
        words.iter().map(|word| (*word).to_owned()).collect()
    }

    /// The table of Kubernetes' documentation.
    #[test]
    fn commands_and_arguments_take_the_places_of_the_images() {
        let image = ImageConfig {
            entrypoint: words(&["/ep-1"]),
            command: words(&["foo", "bar"]),
            ..ImageConfig::default()
        };
        for (command, args, expected) in [
            (&[][..], &[][..], &["/ep-1", "foo", "bar"][..]),
            (&["/ep-2"], &[], &["/ep-2"]),
            (&[], &["zoo", "boo"], &["/ep-1", "zoo", "boo"]),
            (&["/ep-2"], &["zoo", "boo"], &["/ep-2", "zoo", "boo"]),
        ] {
            let spec = ContainerSpec {
                command: words(command),
                args: words(args),
                ..ContainerSpec::default()
            };
            assert_eq!(arguments(&spec, &image).unwrap(), words(expected));
        }
        let nothing = arguments(&ContainerSpec::default(), &ImageConfig::default());
        assert!(
            nothing
                .unwrap_err()
                .to_string()
                .contains("no command specified")
        );
    }

    #[test]
    fn the_pods_environment_is_over_the_images() {
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let image = ImageConfig {
            environment: vec![pair("PATH", "/app"), pair("MODE", "image")],
            ..ImageConfig::default()
        };
        let spec = ContainerSpec {
            env: vec![pair("MODE", "pod"), pair("NEW", "1")],
            ..ContainerSpec::default()
        };
        assert_eq!(
            environment(&spec, &image, "web"),
            [
                pair("PATH", "/app"),
                pair("HOSTNAME", "web"),
                pair("MODE", "pod"),
                pair("NEW", "1")
            ]
        );
    }

    #[test]
    fn a_pods_user_is_over_the_images() {
        let image = ImageConfig {
            user: "web:www".to_owned(),
            ..ImageConfig::default()
        };
        let mut spec = ContainerSpec::default();
        let of_image = user(&spec, &image);
        assert_eq!(
            (of_image.user.as_str(), of_image.group.as_str()),
            ("web", "www")
        );
        spec.user = RunAs {
            uid: Some(1000),
            ..RunAs::default()
        };
        let of_pod = user(&spec, &image);
        assert_eq!((of_pod.user.as_str(), of_pod.group.as_str()), ("1000", ""));
    }

    #[test]
    fn capabilities_are_added_and_dropped() {
        let of = |add: &[&str], drop: &[&str]| {
            let spec = ContainerSpec {
                capabilities: cri::Capabilities {
                    add: words(add),
                    drop: words(drop),
                },
                ..ContainerSpec::default()
            };
            rights(&spec).map(|rights| rights.capabilities)
        };
        let default = Capabilities::of_containers();
        assert_eq!(of(&[], &[]).unwrap(), default);
        assert_eq!(of(&["NET_ADMIN"], &[]).ok(), default.with("NET_ADMIN"));
        let only = Capabilities::default().with("NET_BIND_SERVICE");
        assert_eq!(of(&["NET_BIND_SERVICE"], &["ALL"]).ok(), only);
        assert_eq!(
            of(&["ALL"], &["SYS_ADMIN"]).ok(),
            Capabilities::ALL.without("SYS_ADMIN")
        );
        assert!(
            of(&["NET_ADMIM"], &[])
                .unwrap_err()
                .to_string()
                .ends_with("\"CAP_NET_ADMIM\"")
        );
    }

    #[test]
    fn signals_have_names_and_numbers() {
        assert_eq!(stop_signal("SIGQUIT"), libc::SIGQUIT);
        assert_eq!(stop_signal("quit"), libc::SIGQUIT);
        assert_eq!(stop_signal("3"), 3);
        assert_eq!(stop_signal("SIGRTMIN+3"), libc::SIGRTMIN() + 3);
        assert_eq!(stop_signal(""), libc::SIGTERM);
    }
}
