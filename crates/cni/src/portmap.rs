//! `skylab-portmap`: ports of the node that lead to a container's, as the well-known `portmap` plugin
//! makes them. It comes after the plugin that gives the container its address, and does what the runtime
//! asks by the capability `portMappings`.
//!
//! ```json
//! {"type": "skylab-portmap", "capabilities": {"portMappings": true}}
//! ```
//!
//! `dataDir` (`/var/lib/cni/portmaps`) may be given. A port without an address is at those that the node
//! has when a container's ports come or go. Sources are left as they are, except the node's own and
//! those of a container that calls itself. Not modelled: IPv6, 127.0.0.1, the fields `snat`, `masqAll`,
//! `conditionsV4` and `externalSetMarkChain`.
//! <https://www.cni.dev/plugins/current/meta/portmap/>

use crate::call::{self, Call, Plugin};
use crate::error::PluginError;
use crate::mappings::{Attachment, Mapping, Mappings, MappingsError};
use fabric::{Backend, Protocol, Service, Services};
use kernel::node::{HostPorts, NodeError};
use nix::ifaddrs::getifaddrs;
use serde_json::Value;
use std::io;
use std::net::Ipv4Addr;
use std::path::Path;
use std::sync::Arc;

/// Where the mappings are kept.
const DATA: &str = "/var/lib/cni/portmaps";

/// Runs the plugin as its runtime calls it. Gives the exit code.
pub fn main() -> i32 {
    let variable = |name: &str| std::env::var(name).ok();
    call::run(&Portmap, variable, io::stdin(), io::stdout())
}

/// The plugin.
#[derive(Clone, Copy, Debug)]
pub struct Portmap;

fn of_files(error: MappingsError) -> PluginError {
    PluginError::new(PluginError::IO, error)
}

fn of_kernel(error: NodeError) -> PluginError {
    PluginError::new(PluginError::KERNEL, error)
}

fn open(call: &Call) -> Result<Mappings, PluginError> {
    let folder = call.config["dataDir"].as_str().unwrap_or(DATA);
    Mappings::open(Path::new(folder)).map_err(of_files)
}

fn network(call: &Call) -> &str {
    call.config["name"].as_str().unwrap_or_default()
}

/// The ports that the runtime asks for.
fn asked(call: &Call) -> Result<Vec<Mapping>, PluginError> {
    let wrong = |message: String| PluginError::new(PluginError::CONFIG, message);
    let ports = match &call.config["runtimeConfig"]["portMappings"] {
        Value::Null => return Ok(Vec::new()),
        ports => ports.clone(),
    };
    let ports: Vec<Mapping> =
        serde_json::from_value(ports).map_err(|error| wrong(format!("portMappings: {error}")))?;
    for port in &ports {
        if port.host_port == 0 || port.container_port == 0 {
            return Err(wrong("Invalid host port number: 0".to_owned()));
        }
        protocol(&port.protocol)
            .ok_or_else(|| wrong(format!("unknown protocol {:?}", port.protocol)))?;
    }
    Ok(ports)
}

fn protocol(word: &str) -> Option<Protocol> {
    match word.to_ascii_lowercase().as_str() {
        "tcp" | "" => Some(Protocol::TCP),
        "udp" => Some(Protocol::UDP),
        "sctp" => Some(Protocol(132)),
        _ => None,
    }
}

/// The container's address, as the plugin before says.
fn address(result: &Value) -> Option<Ipv4Addr> {
    let interfaces = result["interfaces"].as_array();
    let addresses = result["ips"].as_array().into_iter().flatten();
    let inside = |ip: &Value| match (ip["interface"].as_u64(), interfaces) {
        (Some(index), Some(all)) => {
            let sandbox = all.get(index as usize).map(|one| &one["sandbox"]);
            sandbox.is_some_and(|sandbox| sandbox.as_str().is_some_and(|path| !path.is_empty()))
        }
        _ => true,
    };
    addresses.filter(|ip| inside(ip)).find_map(|ip| {
        let prefix = ip["address"].as_str()?;
        prefix.split('/').next()?.parse().ok()
    })
}

/// The addresses that the node has.
fn node_addresses() -> Result<Vec<Ipv4Addr>, PluginError> {
    let links = getifaddrs().map_err(|error| PluginError::new(PluginError::KERNEL, error))?;
    let mut addresses: Vec<Ipv4Addr> = links
        .filter_map(|link| Some(link.address?.as_sockaddr_in()?.ip()))
        .filter(|address| !address.is_loopback())
        .collect();
    addresses.sort();
    addresses.dedup();
    Ok(addresses)
}

/// What attachments come to.
fn services(attachments: &[Attachment], node_addresses: &[Ipv4Addr]) -> Services {
    let mut services = Services {
        node_addresses: node_addresses.to_vec(),
        ..Services::default()
    };
    for attachment in attachments {
        for port in &attachment.mappings {
            let Some(protocol) = protocol(&port.protocol) else {
                continue;
            };
            let at = port.host_ip.parse().ok();
            let at = at.filter(|address: &Ipv4Addr| !address.is_unspecified());
            // An address of IPv6 alone.
            if at.is_none() && port.host_ip.contains(':') && port.host_ip != "::" {
                continue;
            }
            let id = format!(
                "{}/{}:{}/{}",
                attachment.container, attachment.link, protocol.0, port.host_port
            );
            let backend = Backend {
                address: attachment.address,
                port: port.container_port,
                name: String::new(),
            };
            let service = Service::host_port(id.into(), protocol, (at, port.host_port), backend);
            let id = service.id.clone();
            services.services.insert(id, Arc::new(service));
        }
    }
    services
}

/// Changes the attachments, and what the kernel has of them.
fn change(
    mappings: &Mappings,
    edit: impl FnOnce() -> Result<(), MappingsError>,
) -> Result<(), PluginError> {
    let before = mappings.all().map_err(of_files)?;
    edit().map_err(of_files)?;
    let after = mappings.all().map_err(of_files)?;
    let addresses = node_addresses()?;
    let kernel = HostPorts::here().map_err(of_kernel)?;
    let (before, after) = (services(&before, &addresses), services(&after, &addresses));
    kernel.replace(&before, &after).map_err(of_kernel)?;
    Ok(())
}

impl Plugin for Portmap {
    fn add(&self, call: &Call) -> Result<Value, PluginError> {
        let before = &call.config["prevResult"];
        if before.is_null() {
            let message = "must be called as chained plugin";
            return Err(PluginError::new(PluginError::CONFIG, message));
        }
        let ports = asked(call)?;
        if ports.is_empty() {
            return Ok(before.clone());
        }
        let address = address(before).ok_or_else(|| {
            PluginError::new(PluginError::CONFIG, "no container IPv4 address to map to")
        })?;
        let mappings = open(call)?;
        let attachment = Attachment {
            network: network(call).to_owned(),
            container: call.container.clone(),
            link: call.link.clone(),
            address,
            mappings: ports,
        };
        let made = change(&mappings, || mappings.put(&attachment));
        if made.is_err() {
            // Nothing is left of an attachment that failed.
            let _ = mappings.remove(&call.container, &call.link);
        }
        made.map(|()| before.clone())
    }

    fn del(&self, call: &Call) -> Result<(), PluginError> {
        let mappings = open(call)?;
        let of = |known: &Attachment| known.container == call.container && known.link == call.link;
        if !mappings.all().map_err(of_files)?.iter().any(of) {
            return Ok(());
        }
        change(&mappings, || mappings.remove(&call.container, &call.link))
    }

    fn check(&self, call: &Call) -> Result<(), PluginError> {
        let changed = |message: &str| PluginError::new(PluginError::CHANGED, message);
        let ports = asked(call)?;
        if ports.is_empty() {
            return Ok(());
        }
        let mappings = open(call)?.all().map_err(of_files)?;
        let kept = mappings.iter().any(|known| {
            known.container == call.container && known.link == call.link && known.mappings == ports
        });
        if !kept {
            return Err(changed("its ports are not mapped"));
        }
        if HostPorts::are_here().map_err(of_kernel)? {
            Ok(())
        } else {
            Err(changed("the node has no table of ports"))
        }
    }

    fn status(&self, call: &Call) -> Result<(), PluginError> {
        let unavailable =
            |error: PluginError| PluginError::new(PluginError::UNAVAILABLE, error.message);
        open(call).map(drop).map_err(unavailable)
    }

    fn gc(&self, call: &Call, valid: &[(String, String)]) -> Result<(), PluginError> {
        let mappings = open(call)?;
        let all = mappings.all().map_err(of_files)?;
        let gone: Vec<&Attachment> = all
            .iter()
            .filter(|known| known.network == network(call))
            .filter(|known| {
                !valid
                    .iter()
                    .any(|(id, link)| *id == known.container && *link == known.link)
            })
            .collect();
        if gone.is_empty() {
            return Ok(());
        }
        change(&mappings, || {
            gone.iter()
                .try_for_each(|known| mappings.remove(&known.container, &known.link))
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use serde_json::json;

    fn attachment(host_ip: &str) -> Attachment {
        Attachment {
            network: "pods".to_owned(),
            container: "c1".to_owned(),
            link: "eth0".to_owned(),
            address: Ipv4Addr::new(10, 244, 3, 2),
            mappings: vec![Mapping {
                host_port: 8080,
                container_port: 80,
                protocol: "tcp".to_owned(),
                host_ip: host_ip.to_owned(),
            }],
        }
    }

    /// K8S-NET: a port is at every address of the node, or at the one that it names.
    #[test]
    fn ports_are_where_they_are_asked_for() {
        let node = [Ipv4Addr::new(10, 0, 1, 10), Ipv4Addr::new(10, 0, 2, 10)];
        let places = |host_ip: &str| {
            let services = services(&[attachment(host_ip)], &node);
            let all = services.services.values();
            all.flat_map(|service| &service.frontends)
                .flat_map(|frontend| frontend.places(&services.node_addresses))
                .collect::<Vec<_>>()
        };
        assert_eq!(places(""), [(node[0], 8080), (node[1], 8080)]);
        assert_eq!(places("0.0.0.0"), places(""));
        assert_eq!(places("10.0.2.10"), [(node[1], 8080)]);
        assert_eq!(places("fd00::1"), []);
    }

    #[test]
    fn the_containers_address_is_the_one_inside() {
        let result = json!({
            "interfaces": [{"name": "veth1"}, {"name": "eth0", "sandbox": "/run/netns/x"}],
            "ips": [{"address": "10.244.3.1/24", "interface": 0},
                    {"address": "10.244.3.2/32", "interface": 1}],
        });
        assert_eq!(address(&result), Some(Ipv4Addr::new(10, 244, 3, 2)));
        assert_eq!(address(&json!({"ips": []})), None);
    }
}
