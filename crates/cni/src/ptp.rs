//! `skylab-ptp`: a routed veth a pod.
//!
//! Its configuration, beside what the specification asks for:
//!
//! ```json
//! {"type": "skylab-ptp", "range": "10.244.3.0/24", "mtu": 1500, "dataDir": "/var/lib/cni/networks"}
//! ```
//!
//! `range` is the node's, `mtu` and `dataDir` have these defaults. Not modelled: IPv6, several ranges.
//! Port mappings are a later plugin's of the list ([`crate::portmap`]).

use crate::addresses::{AddressError, Addresses};
use crate::call::{self, Call, Plugin};
use crate::error::PluginError;
use crate::result::{Interface, Ip, Outcome};
use fabric::Mac;
use ipnet::Ipv4Net;
use kernel::NetNs;
use kernel::pod_link::{self, PodLink};
use serde_json::Value;
use sha2::{Digest, Sha256};
use std::fs::File;
use std::io;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};

/// Where the addresses of networks are kept.
const DATA: &str = "/var/lib/cni/networks";
/// The largest packet where the configuration doesn't say.
const MTU: u16 = 1500;

/// Runs the plugin as its runtime calls it. Gives the exit code.
pub fn main() -> i32 {
    let variable = |name: &str| std::env::var(name).ok();
    call::run(&Ptp, variable, io::stdin(), io::stdout())
}

/// The plugin.
#[derive(Clone, Copy, Debug)]
pub struct Ptp;

/// What its configuration says.
struct Config {
    range: Ipv4Net,
    mtu: u16,
    folder: PathBuf,
}

impl Config {
    fn read(config: &Value) -> Result<Self, PluginError> {
        let wrong = |message: String| PluginError::new(PluginError::CONFIG, message);
        let name = config["name"].as_str().unwrap_or_default();
        if name.is_empty() || name.contains('/') || name.starts_with('.') {
            return Err(wrong(format!("the network's name can't be {name:?}")));
        }
        let range = config["range"].as_str().unwrap_or_default();
        let range: Ipv4Net = range
            .parse()
            .map_err(|_| wrong(format!("range: {range:?} is no IPv4 range")))?;
        if range.prefix_len() > 29 {
            return Err(wrong(format!("range: {range} is too small")));
        }
        let mtu = match &config["mtu"] {
            Value::Null => MTU,
            value => value
                .as_u64()
                .and_then(|mtu| u16::try_from(mtu).ok())
                .filter(|mtu| *mtu >= 576)
                .ok_or_else(|| wrong(format!("mtu: {value} is none")))?,
        };
        let data = config["dataDir"].as_str().unwrap_or(DATA);
        Ok(Self {
            range: range.trunc(),
            mtu,
            folder: Path::new(data).join(name),
        })
    }

    fn addresses(&self) -> Result<Addresses, PluginError> {
        Addresses::open(&self.folder, self.range).map_err(of_addresses)
    }
}

fn of_addresses(error: AddressError) -> PluginError {
    let code = match error {
        AddressError::Exhausted(_) => PluginError::EXHAUSTED,
        AddressError::Store { .. } => PluginError::IO,
    };
    PluginError::new(code, error)
}

fn kernel_said(error: impl ToString) -> PluginError {
    PluginError::new(PluginError::KERNEL, error)
}

/// What tells the links of containers apart.
fn digest(container: &str, link: &str) -> [u8; 32] {
    let mut hash = Sha256::new();
    hash.update(container);
    hash.update([0]);
    hash.update(link);
    hash.finalize().into()
}

/// The name of the node's end of a container's link.
fn node_end(container: &str, link: &str) -> String {
    let [a, b, c, d, ..] = digest(container, link);
    format!("veth{a:02x}{b:02x}{c:02x}{d:02x}")
}

/// A locally administered address; `end` tells the two ends apart.
fn mac(container: &str, link: &str, end: u8) -> Mac {
    let [.., a, b, c, d] = digest(container, link);
    Mac([0x02, end, a, b, c, d])
}

fn link<'a>(call: &'a Call, node_end: &'a str, address: Ipv4Addr, mtu: u16) -> PodLink<'a> {
    PodLink {
        node_end,
        pod_end: &call.link,
        node_mac: mac(&call.container, &call.link, 0),
        pod_mac: mac(&call.container, &call.link, 1),
        address,
        mtu,
    }
}

fn network(call: &Call) -> Result<NetNs, PluginError> {
    let path = call.netns.as_deref().unwrap_or(Path::new(""));
    let file = File::open(path).map_err(|error| {
        let message = format!("failed to open netns {:?}: {error}", path.display());
        PluginError::new(PluginError::IO, message)
    })?;
    Ok(NetNs::from_fd(file.into()))
}

impl Plugin for Ptp {
    fn add(&self, call: &Call) -> Result<Value, PluginError> {
        let config = Config::read(&call.config)?;
        let pod = network(call)?;
        // The lock is held until the link is there, so that DEL and GC see both or neither.
        let addresses = config.addresses()?;
        let had = addresses.of(&call.container, &call.link);
        let had = had.map_err(of_addresses)?.is_some();
        let address = addresses
            .give(&call.container, &call.link)
            .map_err(of_addresses)?;
        let node_end = node_end(&call.container, &call.link);
        let link = link(call, &node_end, address, config.mtu);
        if let Err(error) = link.attach(&pod) {
            if !had {
                let own = |id: &str, link: &str| id == call.container && link == call.link;
                addresses.take_back(own).map_err(of_addresses)?;
            }
            return Err(kernel_said(error));
        }
        Ok(outcome(call, &link).document(&call.version))
    }

    fn del(&self, call: &Call) -> Result<(), PluginError> {
        let config = Config::read(&call.config)?;
        let addresses = config.addresses()?;
        pod_link::detach(&node_end(&call.container, &call.link)).map_err(kernel_said)?;
        let own = |id: &str, link: &str| id == call.container && link == call.link;
        addresses.take_back(own).map_err(of_addresses)?;
        Ok(())
    }

    fn check(&self, call: &Call) -> Result<(), PluginError> {
        let changed = |message: String| PluginError::new(PluginError::CHANGED, message);
        let config = Config::read(&call.config)?;
        let addresses = config.addresses()?;
        let address = addresses.of(&call.container, &call.link);
        let Some(address) = address.map_err(of_addresses)? else {
            return Err(changed(format!("{} has no address", call.container)));
        };
        let told = &call.config["prevResult"]["ips"][0]["address"];
        if !told.is_null() && told != &Value::from(format!("{address}/32")) {
            return Err(changed(format!("it has {address}, not {told}")));
        }
        let node_end = node_end(&call.container, &call.link);
        link(call, &node_end, address, config.mtu)
            .check(&network(call)?)
            .map_err(|error| changed(error.to_string()))
    }

    fn status(&self, call: &Call) -> Result<(), PluginError> {
        let unavailable =
            |error: PluginError| PluginError::new(PluginError::UNAVAILABLE, error.message);
        let config = Config::read(&call.config).map_err(unavailable)?;
        let addresses = config.addresses().map_err(unavailable)?;
        match addresses.free().map_err(of_addresses)? {
            0 => Err(unavailable(of_addresses(AddressError::Exhausted(
                config.range,
            )))),
            _ => Ok(()),
        }
    }

    fn gc(&self, call: &Call, valid: &[(String, String)]) -> Result<(), PluginError> {
        let config = Config::read(&call.config)?;
        let addresses = config.addresses()?;
        let gone = |container: &str, link: &str| {
            !valid.iter().any(|(id, of)| id == container && of == link)
        };
        for (container, link) in addresses.take_back(gone).map_err(of_addresses)? {
            pod_link::detach(&node_end(&container, &link)).map_err(kernel_said)?;
        }
        Ok(())
    }
}

fn outcome(call: &Call, link: &PodLink<'_>) -> Outcome {
    let sandbox = call.netns.as_ref().map(|path| path.display().to_string());
    Outcome {
        interfaces: vec![
            Interface {
                name: link.node_end.to_owned(),
                mac: link.node_mac.to_string(),
                sandbox: None,
            },
            Interface {
                name: link.pod_end.to_owned(),
                mac: link.pod_mac.to_string(),
                sandbox,
            },
        ],
        ips: vec![Ip {
            address: Ipv4Net::from(link.address),
            gateway: None,
            interface: 1,
        }],
        routes: vec![(Ipv4Net::default(), None)],
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use serde_json::json;

    #[test]
    fn configurations_are_read_or_refused() {
        let read = |config: Value| Config::read(&config);
        let good = read(json!({"name": "pods", "range": "10.244.3.9/24"})).unwrap();
        assert_eq!(good.range.to_string(), "10.244.3.0/24");
        assert_eq!(good.mtu, 1500);
        assert_eq!(good.folder, Path::new("/var/lib/cni/networks/pods"));
        for wrong in [
            json!({"range": "10.0.0.0/24"}),
            json!({"name": "../x", "range": "10.0.0.0/24"}),
            json!({"name": "a", "range": "ten"}),
            json!({"name": "a", "range": "10.0.0.0/31"}),
            json!({"name": "a", "range": "10.0.0.0/24", "mtu": 70000}),
        ] {
            let error = read(wrong.clone()).err().unwrap();
            assert_eq!(error.code, PluginError::CONFIG, "{wrong}");
        }
    }

    #[test]
    fn ends_have_names_and_addresses_of_their_own() {
        let name = node_end("c1", "eth0");
        assert_eq!(name.len(), 12);
        assert_ne!(name, node_end("c2", "eth0"));
        assert_ne!(name, node_end("c1", "eth1"));
        assert_ne!(mac("c1", "eth0", 0), mac("c1", "eth0", 1));
    }
}
