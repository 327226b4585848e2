//! Places: the words for where something runs in the lab, and what they stand for.

pub(crate) mod in_cluster;
pub(crate) mod ingress;
mod load_balancer;

use crate::cloud::Snapshot;
use crate::internet;
use aws::model::{InstanceId, NetworkInterfaceId, State};
use fabric::{Fabric, HostId, NetworkId, Origin, PortId};
use std::fmt;
use std::net::Ipv4Addr;
use std::str::FromStr;

/// A place as its user names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PlaceName {
    /// `internet`, or `internet:A.B.C.D` as that public address.
    Internet(Option<Ipv4Addr>),
    /// `instance/<id or Name>`, or a bare `i-…`.
    Instance(String),
    /// `eni/<id>`, or a bare `eni-…`.
    Interface(String),
    /// `node/<name>`: a node of a plain cluster.
    Node(String),
    /// `pod/<namespace>/<name>`.
    Pod(String, /** Its name. */ String),
    /// `svc/<namespace>/<name>`; a destination only.
    Service(String, /** Its name. */ String),
    /// `ing/<namespace>/<name>`: the load balancer of an ingress.
    Ingress(String, /** Its name. */ String),
    /// `lb/<name>`: a load balancer.
    LoadBalancer(String),
    /// `<network id>/<address>`.
    Address(NetworkId, Ipv4Addr),
    /// A bare address, wherever it leads from the other end; a destination only.
    Anywhere(Ipv4Addr),
}

/// A text that names no place.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PlaceParseError {
    /// It has no form of a place.
    #[error(
        "{0:?} is no place; places are internet, internet:203.0.113.7, instance/<id or Name>, eni/<id>, pod/<namespace>/<name>, svc/<namespace>/<name>, ing/<namespace>/<name>, node/<name>, lb/<name>, <network id>/<address>"
    )]
    Form(String),
    /// The form is right, the address in it isn't.
    #[error("{0:?} is no IPv4 address")]
    Address(String),
    /// A kind of place that this Skylab doesn't have.
    #[error("there are no {0} places in this lab yet")]
    Absent(&'static str),
}

/// What of the contract's places is not built yet.
const ABSENT: [(&str, &str); 2] = [("onprem", "onprem/…"), ("vm", "vm/…")];

impl FromStr for PlaceName {
    type Err = PlaceParseError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let address = |text: &str| -> Result<Ipv4Addr, PlaceParseError> {
            text.parse()
                .map_err(|_| PlaceParseError::Address(text.to_owned()))
        };
        if text == "internet" {
            return Ok(Self::Internet(None));
        }
        if let Some(at) = text.strip_prefix("internet:") {
            return Ok(Self::Internet(Some(address(at)?)));
        }
        if let Ok(address) = text.parse() {
            return Ok(Self::Anywhere(address));
        }
        let form = || PlaceParseError::Form(text.to_owned());
        let Some((kind, rest)) = text.split_once('/') else {
            return if InstanceId::well_formed(text) {
                Ok(Self::Instance(text.to_owned()))
            } else if NetworkInterfaceId::well_formed(text) {
                Ok(Self::Interface(text.to_owned()))
            } else {
                Err(form())
            };
        };
        if let Some((_, shown)) = ABSENT.iter().find(|(absent, _)| *absent == kind) {
            return Err(PlaceParseError::Absent(shown));
        }
        match kind {
            _ if kind.is_empty() || rest.is_empty() => Err(form()),
            "instance" => Ok(Self::Instance(rest.to_owned())),
            "eni" => Ok(Self::Interface(rest.to_owned())),
            "node" => Ok(Self::Node(rest.to_owned())),
            "lb" => Ok(Self::LoadBalancer(rest.to_owned())),
            "pod" | "svc" | "ing" => match rest.split_once('/') {
                Some((namespace, name)) if !namespace.is_empty() && !name.is_empty() => {
                    let (namespace, name) = (namespace.to_owned(), name.to_owned());
                    Ok(match kind {
                        "pod" => Self::Pod(namespace, name),
                        "ing" => Self::Ingress(namespace, name),
                        _ => Self::Service(namespace, name),
                    })
                }
                _ => Err(form()),
            },
            network => Ok(Self::Address(network.into(), address(rest)?)),
        }
    }
}

impl PlaceName {
    /// Whether the place lies in a cluster.
    pub fn in_cluster(&self) -> bool {
        matches!(
            self,
            Self::Node(_) | Self::Pod(..) | Self::Service(..) | Self::Ingress(..)
        )
    }
}

impl fmt::Display for PlaceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Internet(None) => f.write_str("internet"),
            Self::Internet(Some(address)) => write!(f, "internet:{address}"),
            Self::Instance(name) => write!(f, "instance/{name}"),
            Self::Interface(id) => write!(f, "eni/{id}"),
            Self::Node(name) => write!(f, "node/{name}"),
            Self::LoadBalancer(name) => write!(f, "lb/{name}"),
            Self::Pod(namespace, name) => write!(f, "pod/{namespace}/{name}"),
            Self::Service(namespace, name) => write!(f, "svc/{namespace}/{name}"),
            Self::Ingress(namespace, name) => write!(f, "ing/{namespace}/{name}"),
            Self::Address(network, address) => write!(f, "{network}/{address}"),
            Self::Anywhere(address) => write!(f, "{address}"),
        }
    }
}

/// A place that exists.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The host there, if one is; an unattached interface has none.
    pub host: Option<HostId>,
    /// The port that was named, where one was.
    pub port: Option<PortId>,
    /// The address that was named, where one was.
    pub address: Option<Ipv4Addr>,
    /// The port that it is called at, where its name says so: a service's first.
    pub called_at: Option<u16>,
}

/// A place that doesn't exist.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoSuchPlace {
    /// No instance has this id or name.
    #[error("no instance {name:?} here; {known}")]
    Instance {
        /// What was asked for.
        name: String,
        /// What there is.
        known: String,
    },
    /// Several instances have this name.
    #[error("{name:?} is the Name of several instances: {ids}; use an id")]
    Ambiguous {
        /// The name.
        name: String,
        /// Who has it.
        ids: String,
    },
    /// No interface has this id.
    #[error("no network interface {id:?} here; {known}")]
    Interface {
        /// What was asked for.
        id: String,
        /// What there is.
        known: String,
    },
    /// No load balancer has this name.
    #[error("no load balancer {name:?} here; {known}")]
    LoadBalancer {
        /// What was asked for.
        name: String,
        /// What there is.
        known: String,
    },
    /// No network has this id.
    #[error("no network {id:?} here; {known}")]
    Network {
        /// What was asked for.
        id: NetworkId,
        /// What there is.
        known: String,
    },
    /// The cluster has no such pod, service or node.
    #[error("no {what} here; {known}")]
    InCluster {
        /// What was asked for: `pod default/web`.
        what: String,
        /// What there is.
        known: String,
    },
    /// Nobody has this address.
    #[error("nobody in {network} has {address}")]
    Address {
        /// The network.
        network: NetworkId,
        /// The address.
        address: Ipv4Addr,
    },
    /// The address alone doesn't say where to start.
    #[error("{0} alone is no place to start from; say <network id>/{0} or internet:{0}")]
    Nowhere(Ipv4Addr),
    /// An interface that nothing uses runs nothing.
    #[error("{0} is attached to no instance, so nothing runs there")]
    Unattached(PortId),
}

impl PlaceName {
    /// What the name stands for. Places on the internet must have been made before.
    ///
    /// # Errors
    /// There is no such place.
    pub fn find(&self, snapshot: &Snapshot) -> Result<Place, NoSuchPlace> {
        let fabric = &snapshot.fabric;
        match self {
            Self::Internet(address) => {
                let address = address.unwrap_or(internet::CLIENT);
                let host = internet::host_at(address);
                Ok(Place {
                    port: Some(host.as_str().into()),
                    host: Some(host),
                    address: Some(address),
                    called_at: None,
                })
            }
            Self::Instance(name) => {
                let id = instance(&snapshot.state, name)?;
                Ok(Place {
                    host: Some(id.as_str().into()),
                    port: None,
                    address: None,
                    called_at: None,
                })
            }
            Self::Interface(id) => at_port(fabric, &id.as_str().into()),
            Self::Address(network, address) => at_address(fabric, network, *address),
            Self::Node(name) => in_cluster::node(fabric, name),
            Self::LoadBalancer(name) => load_balancer::find(snapshot, name),
            Self::Ingress(namespace, name) => ingress::find(snapshot, namespace, name),
            Self::Pod(namespace, name) => in_cluster::pod(fabric, namespace, name),
            Self::Service(namespace, name) => in_cluster::service(fabric, namespace, name),
            Self::Anywhere(address) => Ok(Place {
                host: None,
                port: None,
                address: Some(*address),
                called_at: None,
            }),
        }
    }
}

impl Place {
    /// The place as the start of a flow.
    ///
    /// # Errors
    /// Nothing can start there.
    pub fn origin(&self) -> Result<Origin, NoSuchPlace> {
        match (&self.port, &self.host, self.address) {
            (Some(port), Some(_), _) => Ok(Origin::Port(port.clone())),
            (None, Some(host), _) => Ok(Origin::Host(host.clone())),
            (Some(port), None, _) => Err(NoSuchPlace::Unattached(port.clone())),
            (None, None, address) => Err(NoSuchPlace::Nowhere(
                address.unwrap_or(Ipv4Addr::UNSPECIFIED),
            )),
        }
    }

    /// The host that programs run on.
    ///
    /// # Errors
    /// There is none.
    pub fn host(&self) -> Result<&HostId, NoSuchPlace> {
        self.origin()?;
        self.host
            .as_ref()
            .ok_or(NoSuchPlace::Nowhere(Ipv4Addr::UNSPECIFIED))
    }
}

/// An instance by id or by the value of its tag `Name`. Terminated ones have no name any more.
fn instance(state: &State, name: &str) -> Result<InstanceId, NoSuchPlace> {
    use aws::model::instance::InstanceState::Terminated;
    let living = || {
        let all = state.instances.values();
        all.filter(|instance| instance.state != Terminated)
    };
    if let Some(found) = living().find(|instance| instance.id.as_str() == name) {
        return Ok(found.id.clone());
    }
    let named: Vec<_> = living()
        .filter(|instance| name_of(state, &instance.id) == Some(name))
        .map(|instance| instance.id.clone())
        .collect();
    match named.as_slice() {
        [one] => Ok(one.clone()),
        [] => Err(NoSuchPlace::Instance {
            name: name.to_owned(),
            known: list(living().map(|instance| match name_of(state, &instance.id) {
                Some(name) => format!("{} ({name})", instance.id),
                None => instance.id.to_string(),
            })),
        }),
        several => Err(NoSuchPlace::Ambiguous {
            name: name.to_owned(),
            ids: several
                .iter()
                .map(ToString::to_string)
                .collect::<Vec<_>>()
                .join(", "),
        }),
    }
}

/// The value of an instance's tag `Name`.
pub fn name_of<'a>(state: &'a State, id: &InstanceId) -> Option<&'a str> {
    let tags = state.tags.get(id.as_str())?;
    tags.tags.get("Name").map(String::as_str)
}

fn at_port(fabric: &Fabric, id: &PortId) -> Result<Place, NoSuchPlace> {
    let port = fabric.ports.get(id).ok_or_else(|| NoSuchPlace::Interface {
        id: id.to_string(),
        known: list(
            fabric
                .ports
                .values()
                .filter(|port| port.network.as_str() != internet::NETWORK)
                .map(|port| port.id.to_string()),
        ),
    })?;
    Ok(Place {
        host: port.host.as_ref().map(|(host, _)| host.clone()),
        port: Some(id.clone()),
        address: port.addresses.first().copied(),
        called_at: None,
    })
}

fn at_address(
    fabric: &Fabric,
    network: &NetworkId,
    address: Ipv4Addr,
) -> Result<Place, NoSuchPlace> {
    if !fabric.networks.contains_key(network) {
        return Err(NoSuchPlace::Network {
            id: network.clone(),
            known: list(fabric.networks.keys().map(ToString::to_string)),
        });
    }
    let port = fabric
        .ports
        .values()
        .find(|port| port.network == *network && port.owns(address))
        .ok_or_else(|| NoSuchPlace::Address {
            network: network.clone(),
            address,
        })?;
    Ok(Place {
        host: port.host.as_ref().map(|(host, _)| host.clone()),
        port: Some(port.id.clone()),
        address: Some(address),
        called_at: None,
    })
}

/// A few of what there is, for an error message.
fn list(all: impl Iterator<Item = String>) -> String {
    const SHOWN: usize = 8;
    let mut all = all.peekable();
    if all.peek().is_none() {
        return "there are none".to_owned();
    }
    let shown: Vec<_> = all.by_ref().take(SHOWN).collect();
    let rest = all.count();
    let more = if rest == 0 {
        String::new()
    } else {
        format!(" and {rest} more")
    };
    format!("there are: {}{more}", shown.join(", "))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn places_read_as_the_contract_says() {
        let site = Ipv4Addr::new(203, 0, 113, 7);
        for (text, wanted) in [
            ("internet", PlaceName::Internet(None)),
            ("internet:203.0.113.7", PlaceName::Internet(Some(site))),
            ("instance/web-1", PlaceName::Instance("web-1".into())),
            (
                "i-0123456789abcdef0",
                PlaceName::Instance("i-0123456789abcdef0".into()),
            ),
            ("eni/eni-1", PlaceName::Interface("eni-1".into())),
            (
                "internet/203.0.113.7",
                PlaceName::Address("internet".into(), site),
            ),
            ("203.0.113.7", PlaceName::Anywhere(site)),
            ("node/dev-node-1", PlaceName::Node("dev-node-1".into())),
            ("pod/a/b", PlaceName::Pod("a".into(), "b".into())),
            ("svc/a/b", PlaceName::Service("a".into(), "b".into())),
            ("ing/a/b", PlaceName::Ingress("a".into(), "b".into())),
        ] {
            assert_eq!(text.parse::<PlaceName>().unwrap(), wanted, "{text}");
        }
        for text in [
            "",
            "mars",
            "internet:mars",
            "vpc-1/",
            "/10.0.0.1",
            "vpc-1/ten",
            "pod/a",
            "svc//b",
            "ing/a",
        ] {
            assert!(text.parse::<PlaceName>().is_err(), "{text}");
        }
    }

    #[test]
    fn lists_stay_short() {
        assert_eq!(list(std::iter::empty()), "there are none");
        let many = (0..10).map(|n| n.to_string());
        assert_eq!(list(many), "there are: 0, 1, 2, 3, 4, 5, 6, 7 and 2 more");
    }
}
