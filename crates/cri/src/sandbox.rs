//! Sandboxes: the places of pods.

use std::collections::BTreeMap;
use std::fmt;
use std::net::Ipv4Addr;
use std::time::SystemTime;

/// A sandbox's id: 64 hexadecimal digits, as containerd's.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SandboxId(pub String);

impl fmt::Display for SandboxId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A sandbox to make.
#[derive(Clone, Debug, Default)]
pub struct SandboxSpec {
    /// The pod's namespace.
    pub namespace: String,
    /// The pod's name.
    pub name: String,
    /// The pod's uid.
    pub uid: String,
    /// How many sandboxes the pod had before.
    pub attempt: u32,
    /// The host name inside.
    pub hostname: String,
    /// Which of the node's namespaces it shares.
    pub spaces: Spaces,
    /// What `/etc/resolv.conf` says.
    pub dns: Dns,
    /// Lines of `/etc/hosts` beside the pod's own: an address and its names.
    pub host_aliases: Vec<(String, Vec<String>)>,
    /// Switches of its network, `net.ipv4.ip_unprivileged_port_start` and the like.
    pub sysctls: Vec<(String, String)>,
    /// Ports of the node that lead here (CNI's `portMappings`).
    pub host_ports: Vec<HostPort>,
    /// The pod's labels.
    pub labels: BTreeMap<String, String>,
    /// The pod's annotations.
    pub annotations: BTreeMap<String, String>,
}

/// Which namespaces a sandbox shares.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Spaces {
    /// The node's network (`hostNetwork`): no CNI, the node's address.
    pub host_network: bool,
    /// The node's processes (`hostPID`).
    pub host_pid: bool,
    /// The node's ipc (`hostIPC`).
    pub host_ipc: bool,
    /// One pid namespace for all its containers (`shareProcessNamespace`).
    pub shared_pid: bool,
}

/// A resolver's configuration.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Dns {
    /// Servers, at most three.
    pub servers: Vec<String>,
    /// Domains that short names are tried in.
    pub searches: Vec<String>,
    /// Options, `ndots:5`.
    pub options: Vec<String>,
}

/// A port of the node that leads to one of the sandbox.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostPort {
    /// The node's port.
    pub host_port: u16,
    /// The sandbox's port.
    pub container_port: u16,
    /// The protocol.
    pub protocol: PortProtocol,
    /// Only at this address of the node.
    pub host_ip: Option<Ipv4Addr>,
}

/// A protocol with ports.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PortProtocol {
    /// TCP.
    Tcp,
    /// UDP.
    Udp,
    /// SCTP.
    Sctp,
}

/// A sandbox there is.
#[derive(Clone, Debug)]
pub struct Sandbox {
    /// Its id.
    pub id: SandboxId,
    /// The pod's namespace.
    pub namespace: String,
    /// The pod's name.
    pub name: String,
    /// The pod's uid.
    pub uid: String,
    /// How many sandboxes the pod had before.
    pub attempt: u32,
    /// Whether it is usable: not stopped, its first process alive.
    pub ready: bool,
    /// Its address: from CNI, or the node's own.
    pub address: Option<Ipv4Addr>,
    /// When it was made.
    pub created: SystemTime,
}
