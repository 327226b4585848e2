//! What a plugin answers when it has made an attachment.

use ipnet::Ipv4Net;
use serde_json::{Value, json};
use std::net::Ipv4Addr;

/// An attachment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// Its links.
    pub interfaces: Vec<Interface>,
    /// Its addresses.
    pub ips: Vec<Ip>,
    /// Its routes: destinations, each with a next hop where there is one.
    pub routes: Vec<(Ipv4Net, Option<Ipv4Addr>)>,
}

/// A link.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Interface {
    /// Its name.
    pub name: String,
    /// Its link-layer address.
    pub mac: String,
    /// The container's network namespace; none for links of the node's.
    pub sandbox: Option<String>,
}

/// An address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ip {
    /// The address with its prefix length.
    pub address: Ipv4Net,
    /// The next hop for what is elsewhere.
    pub gateway: Option<Ipv4Addr>,
    /// Which of the interfaces has it.
    pub interface: usize,
}

impl Outcome {
    /// In the form of a version: before 1.0.0 addresses said which IP they are of.
    pub fn document(&self, version: &str) -> Value {
        let old = version.starts_with("0.");
        let interfaces: Vec<Value> = self.interfaces.iter().map(Interface::document).collect();
        let ips: Vec<Value> = self.ips.iter().map(|ip| ip.document(old)).collect();
        let routes: Vec<Value> = self.routes.iter().map(route).collect();
        json!({
            "cniVersion": version, "interfaces": interfaces, "ips": ips, "routes": routes,
            "dns": {},
        })
    }
}

impl Interface {
    fn document(&self) -> Value {
        let mut document = json!({"name": self.name, "mac": self.mac});
        if let Some(sandbox) = &self.sandbox {
            document["sandbox"] = json!(sandbox);
        }
        document
    }
}

impl Ip {
    fn document(&self, old: bool) -> Value {
        let mut document = json!({
            "address": self.address.to_string(), "interface": self.interface,
        });
        if let Some(gateway) = self.gateway {
            document["gateway"] = json!(gateway.to_string());
        }
        if old {
            document["version"] = json!("4");
        }
        document
    }
}

fn route((destination, gateway): &(Ipv4Net, Option<Ipv4Addr>)) -> Value {
    let mut document = json!({"dst": destination.to_string()});
    if let Some(gateway) = gateway {
        document["gw"] = json!(gateway.to_string());
    }
    document
}
