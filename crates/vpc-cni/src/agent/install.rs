//! What the agent puts on its node: the plugin, and, once it serves, the network's configuration, which
//! makes the node ready.

use super::AgentError;
use crate::settings::Settings;
use serde_json::{Value, json};
use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

/// The configuration's file.
const CONFIGURATION: &str = "10-aws.conflist";
/// Plugins, each with the program of this binary that it is.
const AGENTS: [(&str, &str); 1] = [("aws-cni", "aws-cni")];
const INITIAL: [(&str, &str); 1] = [("portmap", "cni-portmap")];
/// A packet may come by another link than its answer takes.
const LOOSE: &str = "2";
const SETTINGS: &str = "/proc/sys/net/ipv4";

fn files(what: impl ToString) -> impl FnOnce(io::Error) -> AgentError {
    move |source| AgentError::Files {
        what: what.to_string(),
        source,
    }
}

/// Writes a file that is there whole or not at all.
fn write(path: &Path, text: &str, mode: u32) -> io::Result<()> {
    let beside = path.with_extension("new");
    fs::write(&beside, text)?;
    fs::set_permissions(&beside, Permissions::from_mode(mode))?;
    fs::rename(&beside, path)
}

fn put_programs(folder: &Path, programs: &[(&str, &str)]) -> Result<(), AgentError> {
    fs::create_dir_all(folder).map_err(files(folder.display()))?;
    for (name, program) in programs {
        let path = folder.join(name);
        let script = format!("#!/bin/sh\nexec skylab {program}\n");
        write(&path, &script, 0o755).map_err(files(path.display()))?;
    }
    Ok(())
}

/// The init container's part: the plugins behind `aws-cni`, and the node's settings.
///
/// # Errors
/// The node's files or settings can't be written.
pub fn initialize(variable: impl Fn(&str) -> Option<String>) -> Result<(), AgentError> {
    let (settings, _) = Settings::read(&variable)?;
    put_programs(&settings.plugins, &INITIAL)?;
    let primary = primary_link().map_err(files("/proc/net/route"))?;
    loosen(&primary)?;
    let early = match variable("DISABLE_TCP_EARLY_DEMUX").as_deref() {
        Some("true") => "0",
        _ => "1",
    };
    set("tcp_early_demux", early)
}

/// The link of the default route.
fn primary_link() -> io::Result<String> {
    let routes = fs::read_to_string("/proc/net/route")?;
    default_link(&routes).ok_or_else(|| io::Error::other("there is no default route"))
}

fn default_link(routes: &str) -> Option<String> {
    let fields = |line: &'_ str| {
        line.split_whitespace()
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    let mut routes = routes.lines().skip(1).map(fields);
    routes
        .find(|route| {
            route
                .get(1)
                .is_some_and(|destination| destination == "00000000")
        })
        .and_then(|route| route.into_iter().next())
}

/// Has the primary link take packets whose answers leave elsewhere. One that doesn't look is loose enough.
fn loosen(link: &str) -> Result<(), AgentError> {
    let strict = |of: &str| {
        let text = fs::read_to_string(format!("{SETTINGS}/conf/{of}/rp_filter"));
        text.is_ok_and(|text| text.trim() == "1")
    };
    match set(&format!("conf/{link}/rp_filter"), LOOSE) {
        Err(error) if strict(link) || strict("all") => Err(error),
        Err(error) => {
            tracing::warn!(%error, "sources are not looked at as it is");
            Ok(())
        }
        Ok(()) => Ok(()),
    }
}

/// Sets what isn't so already.
fn set(name: &str, value: &str) -> Result<(), AgentError> {
    let path = format!("{SETTINGS}/{name}");
    if fs::read_to_string(&path).is_ok_and(|text| text.trim() == value) {
        return Ok(());
    }
    fs::write(&path, value).map_err(files(path))
}

/// Puts the plugin on the node.
///
/// # Errors
/// The node's files can't be written.
pub(super) fn put_plugin(settings: &Settings) -> Result<(), AgentError> {
    put_programs(&settings.plugins, &AGENTS)
}

/// Puts the network's configuration on the node.
///
/// # Errors
/// The node's files can't be written.
pub(super) fn put_configuration(settings: &Settings) -> Result<(), AgentError> {
    let folder = &settings.configurations;
    fs::create_dir_all(folder).map_err(files(folder.display()))?;
    let path = folder.join(CONFIGURATION);
    let text = format!("{:#}\n", configuration(settings));
    write(&path, &text, 0o600).map_err(files(path.display()))
}

fn configuration(settings: &Settings) -> Value {
    json!({
        "cniVersion": "0.4.0",
        "name": "aws-cni",
        "disableCheck": true,
        "plugins": [
            {
                "name": "aws-cni", "type": "aws-cni",
                "vethPrefix": settings.veth_prefix,
                "mtu": settings.pod_mtu.to_string(),
                "podSGEnforcingMode": "strict",
                "capabilities": {"io.kubernetes.cri.pod-annotations": true},
            },
            {"type": "portmap", "capabilities": {"portMappings": true}, "snat": true},
        ],
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// AWS-CNI: the configuration has upstream's fields.
    #[test]
    fn the_configuration_is_upstreams() {
        let (settings, _) =
            Settings::read(|name| (name == "POD_MTU").then(|| "1500".to_owned())).unwrap();
        let configuration = configuration(&settings);
        assert_eq!(configuration["cniVersion"], "0.4.0");
        assert_eq!(configuration["disableCheck"], true);
        assert_eq!(configuration["plugins"][0]["mtu"], "1500");
        assert_eq!(configuration["plugins"][1]["type"], "portmap");
    }

    #[test]
    fn the_primary_link_has_the_default_route() {
        let routes = "Iface\tDestination\tGateway\n\
                      eth1\t0001000A\t00000000\n\
                      eth0\t00000000\t0101000A\n";
        assert_eq!(default_link(routes).as_deref(), Some("eth0"));
        assert_eq!(default_link("Iface\n"), None);
    }
}
