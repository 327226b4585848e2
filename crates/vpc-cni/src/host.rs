//! The node's own network, as the agent sets it up: interfaces beyond the first, rules, and how pods leave.

use crate::settings::Settings;
use crate::ways;
use fabric::Mac;
use ipnet::Ipv4Net;
use kernel::node::{Egress, EgressTable, NodeError, Translation};
use kernel::routing::{OwnRoute, Routing};
use kernel::{NetNs, NetlinkError};
use std::net::Ipv4Addr;
use std::sync::{Mutex, PoisonError};
use std::thread::sleep;
use std::time::Duration;

/// The table of nftables, with upstream's name.
const TABLE: &str = "aws-cni";
/// A link may come later than the metadata service knows of its interface.
const LINK_TRIES: u32 = 5;
const LINK_PAUSE: Duration = Duration::from_secs(3);

/// An interface to set up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    /// Its link-layer address, as the cloud writes it.
    pub mac: String,
    /// Its device index, not 0.
    pub device: u32,
    /// Its own address.
    pub address: Ipv4Addr,
    /// Its subnet's range.
    pub subnet: Ipv4Net,
}

/// Why the node's network can't be set up.
#[derive(Debug, thiserror::Error)]
pub enum HostError {
    /// rtnetlink refused.
    #[error("{what}: {source}")]
    Routing {
        /// What.
        what: &'static str,
        /// What the kernel said.
        source: NetlinkError,
    },
    /// nftables refused.
    #[error(transparent)]
    Egress(#[from] NodeError),
    /// There is no such link.
    #[error("no interface found which uses mac address {0:?}")]
    NoLink(String),
}

/// What the agent does to the node's network.
pub trait Host: Send + Sync + 'static {
    /// Sets the primary interface and what all need up.
    ///
    /// # Errors
    /// The kernel refuses.
    fn set_up(&self, primary_mac: &str, settings: &Settings) -> Result<(), HostError>;

    /// Sets an interface up. Blocks while its link isn't there.
    ///
    /// # Errors
    /// The kernel refuses, or the link doesn't come.
    fn add_link(&self, link: &Link, mtu: u16) -> Result<(), HostError>;

    /// Forgets an interface that is detached.
    ///
    /// # Errors
    /// The kernel refuses.
    fn remove_link(&self, link: &Link) -> Result<(), HostError>;

    /// Makes pods leave so, with these ranges in the VPC.
    ///
    /// # Errors
    /// The kernel refuses.
    fn set_egress(
        &self,
        address: Ipv4Addr,
        ranges: &[Ipv4Net],
        settings: &Settings,
    ) -> Result<(), HostError>;

    /// The names of the node's links.
    ///
    /// # Errors
    /// The kernel doesn't say.
    fn links(&self) -> Result<Vec<String>, HostError>;

    /// Removes the rules of a pod that is no longer.
    ///
    /// # Errors
    /// The kernel refuses.
    fn forget_pod(&self, address: Ipv4Addr) -> Result<(), HostError>;
}

/// The network namespace of a node.
#[derive(Debug)]
pub struct NodeNetwork {
    routing: Mutex<Routing>,
    egress: Mutex<EgressTable>,
    primary: Mutex<String>,
}

fn refused(what: &'static str) -> impl FnOnce(NetlinkError) -> HostError {
    move |source| HostError::Routing { what, source }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl NodeNetwork {
    /// That of the calling thread.
    ///
    /// # Errors
    /// The kernel gives no access.
    pub fn here() -> Result<Self, HostError> {
        Ok(Self {
            routing: Mutex::new(Routing::here().map_err(refused("rtnetlink"))?),
            egress: Mutex::new(EgressTable::here(TABLE)?),
            primary: Mutex::new("eth0".to_owned()),
        })
    }

    /// This one.
    ///
    /// # Errors
    /// The kernel gives no access.
    pub fn inside(namespace: &NetNs) -> Result<Self, HostError> {
        let routing = Routing::inside(namespace).map_err(refused("rtnetlink"))?;
        Ok(Self {
            routing: Mutex::new(routing),
            egress: Mutex::new(EgressTable::inside(namespace, TABLE)?),
            primary: Mutex::new("eth0".to_owned()),
        })
    }

    /// The index and name of the link with an address.
    fn find(&self, mac: &str) -> Result<(u32, String), HostError> {
        let wanted = parse(mac);
        let links = lock(&self.routing).links().map_err(refused("links"))?;
        let found = links.into_iter().find(|link| Some(link.mac) == wanted);
        found
            .map(|link| (link.index, link.name))
            .ok_or_else(|| HostError::NoLink(mac.to_owned()))
    }
}

fn parse(mac: &str) -> Option<Mac> {
    let bytes: Vec<u8> = mac
        .split(':')
        .map(|byte| u8::from_str_radix(byte, 16))
        .collect::<Result<_, _>>()
        .ok()?;
    Some(Mac(bytes.try_into().ok()?))
}

/// A subnet's router: its second address.
fn router(subnet: Ipv4Net) -> Ipv4Addr {
    Ipv4Addr::from(u32::from(subnet.network()) + 1)
}

impl Host for NodeNetwork {
    fn set_up(&self, primary_mac: &str, settings: &Settings) -> Result<(), HostError> {
        let (index, name) = self.find(primary_mac)?;
        *lock(&self.primary) = name;
        let mut routing = lock(&self.routing);
        let mtu = settings.mtu;
        routing
            .set_up(index, mtu)
            .map_err(refused("set the MTU of the primary interface"))?;
        let marked = settings.node_port_support || !settings.external_snat;
        ways::set_marked(&mut routing, marked.then_some(settings.connmark))
            .map_err(refused("the rule of what is marked"))?;
        ways::set_external(&mut routing, &settings.external_services)
            .map_err(refused("the rules of external services"))
    }

    fn add_link(&self, link: &Link, mtu: u16) -> Result<(), HostError> {
        let mut tries = 1;
        let (index, _) = loop {
            match self.find(&link.mac) {
                Err(HostError::NoLink(_)) if tries < LINK_TRIES => sleep(LINK_PAUSE),
                found => break found?,
            }
            tries += 1;
        };
        let table = ways::table(link.device);
        let router = router(link.subnet);
        let route = |prefix, via| OwnRoute {
            table,
            prefix,
            link: index,
            via,
        };
        let mut routing = lock(&self.routing);
        routing
            .set_up(index, mtu)
            .map_err(refused("set an interface up"))?;
        routing
            .set_address(index, link.address, link.subnet.prefix_len())
            .map_err(refused("the address of an interface"))?;
        for route in [
            route(router.into(), None),
            route(Ipv4Net::default(), Some(router)),
        ] {
            routing
                .put_route(&route)
                .map_err(refused("the routes of an interface"))?;
        }
        routing
            .add_rule(&ways::of_interface(link.address, table))
            .map_err(refused("the rule of an interface"))
    }

    fn remove_link(&self, link: &Link) -> Result<(), HostError> {
        // Addresses and routes went with the link.
        let rule = ways::of_interface(link.address, ways::table(link.device));
        lock(&self.routing)
            .remove_rule(&rule)
            .map_err(refused("remove the rule of an interface"))
    }

    fn set_egress(
        &self,
        address: Ipv4Addr,
        ranges: &[Ipv4Net],
        settings: &Settings,
    ) -> Result<(), HostError> {
        let primary = lock(&self.primary).clone();
        let egress = egress(primary, address, ranges, settings);
        lock(&self.egress).apply(egress.as_ref())?;
        Ok(())
    }

    fn links(&self) -> Result<Vec<String>, HostError> {
        let links = lock(&self.routing).links().map_err(refused("links"))?;
        Ok(links.into_iter().map(|link| link.name).collect())
    }

    fn forget_pod(&self, address: Ipv4Addr) -> Result<(), HostError> {
        ways::remove_pod(&mut lock(&self.routing), address)
            .map_err(refused("remove the rules of a pod"))
    }
}

/// How pods leave; nothing where neither sources are translated nor node ports supported.
fn egress(
    primary: String,
    address: Ipv4Addr,
    ranges: &[Ipv4Net],
    settings: &Settings,
) -> Option<Egress> {
    if settings.external_snat && !settings.node_port_support {
        return None;
    }
    let translation = (!settings.external_snat).then(|| Translation {
        address,
        except: [ranges, &settings.exclude_snat].concat(),
        except_links: "vlan".to_owned(),
        ports: settings.ports,
    });
    Some(Egress {
        primary,
        pods: settings.veth_prefix.clone(),
        mark: settings.connmark,
        translation,
        returns: settings.node_port_support,
        external: settings.external_services.clone(),
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn of(variables: &[(&str, &str)]) -> Option<Egress> {
        let (settings, _) = Settings::read(|name| {
            let found = variables.iter().find(|(known, _)| *known == name);
            found.map(|(_, value)| (*value).to_owned())
        })
        .unwrap();
        let ranges = ["10.0.0.0/16".parse().unwrap()];
        egress("eth0".to_owned(), [10, 0, 0, 4].into(), &ranges, &settings)
    }

    /// AWS-CNI: what leaves the VPC is translated unless somebody else does it; then node ports alone
    /// need marks; without either there is no table.
    #[test]
    fn settings_decide_how_pods_leave() {
        let default = of(&[("AWS_VPC_K8S_CNI_EXCLUDE_SNAT_CIDRS", "10.9.0.0/16")]).unwrap();
        let translation = default.translation.unwrap();
        assert_eq!(translation.except.len(), 2);
        assert!(default.returns);
        let external = ("AWS_VPC_K8S_CNI_EXTERNALSNAT", "true");
        let ports = of(&[external]).unwrap();
        assert!(ports.translation.is_none() && ports.returns);
        let off = ("AWS_VPC_CNI_NODE_PORT_SUPPORT", "false");
        assert!(!of(&[off]).unwrap().returns);
        assert_eq!(of(&[external, off]), None);
    }

    #[test]
    fn addresses_are_read() {
        let mac = parse("06:1b:00:00:00:ff").unwrap();
        assert_eq!(mac.0, [6, 0x1b, 0, 0, 0, 0xff]);
        assert_eq!(parse("06:1b"), None);
        assert_eq!(
            router("10.0.1.0/24".parse().unwrap()).to_string(),
            "10.0.1.1"
        );
    }
}
