//! A node with three interfaces at a router that lets each send only under its own addresses, an agent on
//! it, and pods.

use crate::cloud::Cloud;
use crate::surround::{around, folder, settings, words};
use cni::Plugin;
use fabric::Mac;
use kernel::NetNs;
use kernel::pod_link::PodLink;
use kernel::routing::{OwnRoute, OwnRule, Routing};
use kernel::testing::{own_address, pod_link};
use serde_json::{Value, json};
use std::fs;
use std::io::{self, Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::os::fd::{AsFd, AsRawFd};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::runtime::{self, Runtime};
use tokio::sync::watch;
use vpc_cni::agent::{Agent, NodeWords};
use vpc_cni::checkpoint;
use vpc_cni::host::NodeNetwork;
use vpc_cni::plugin::AwsCni;
use vpc_cni::rpc::server;

/// The first interface's address.
pub(crate) const PRIMARY: Ipv4Addr = Ipv4Addr::new(10, 0, 1, 4);
/// Somebody in the VPC, and somebody outside.
pub(crate) const INSIDE: Ipv4Addr = Ipv4Addr::new(10, 0, 2, 9);
pub(crate) const OUTSIDE: Ipv4Addr = Ipv4Addr::new(203, 0, 113, 9);
const ROUTER: Ipv4Addr = Ipv4Addr::new(10, 0, 1, 1);
const PATIENCE: Duration = Duration::from_secs(2);
const MAIN: u32 = 254;

/// What a program of the node, that may end, is.
struct Program {
    runtime: Runtime,
    agent: Arc<Agent<NodeNetwork>>,
}

pub(crate) struct Node {
    pub(crate) network: NetNs,
    router: NetNs,
    pub(crate) inside: NetNs,
    pub(crate) outside: NetNs,
    pub(crate) cloud: Cloud,
    plugin: AwsCni,
    folder: PathBuf,
    words: watch::Sender<NodeWords>,
    program: Option<Program>,
    _cloud_runtime: Runtime,
}

impl Drop for Node {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.folder);
    }
}

fn set(network: &NetNs, name: &str, value: &str) {
    let path = format!("/proc/sys/net/ipv4/{name}");
    network.run(|| fs::write(path, value)).unwrap().unwrap();
}

fn new_runtime() -> Runtime {
    let mut builder = runtime::Builder::new_multi_thread();
    builder.worker_threads(1).enable_all().build().unwrap()
}

/// What the router sends to a device by.
fn hop(device: u32) -> Ipv4Addr {
    match device {
        0 => PRIMARY,
        device => Ipv4Addr::new(10, 0, 9, device as u8),
    }
}

impl Node {
    /// A node whose agent isn't running yet.
    pub(crate) fn new() -> Self {
        let [network, router, inside, outside] = [(); 4].map(|()| NetNs::create().unwrap());
        for place in [&network, &router] {
            set(place, "ip_forward", "1");
        }
        for name in ["conf/all/rp_filter", "conf/default/rp_filter"] {
            set(&network, name, "0");
            // What comes under another interface's address is dropped, as the cloud does.
            set(&router, name, "1");
        }
        own_address(&router, ROUTER).unwrap();
        pod_link(&router, &inside, 1, INSIDE).unwrap();
        pod_link(&router, &outside, 2, OUTSIDE).unwrap();
        // The first interface last: the default route stays its.
        for device in [2, 1, 0] {
            let (node_end, pod_end) = (format!("net{device}"), format!("eth{device}"));
            let link = PodLink {
                node_end: &node_end,
                pod_end: &pod_end,
                node_mac: Mac([2, 0, 0, 0, 1, device as u8]),
                pod_mac: Mac([6, 0, 0, 0, 0, device as u8 + 1]),
                address: hop(device),
                mtu: 9001,
            };
            router.run(|| link.attach(&network)).unwrap().unwrap();
        }
        let folder = folder();
        let cloud_runtime = new_runtime();
        let plugin = AwsCni {
            socket: folder.join("ipamd.sock"),
            checkpoint: folder.join("ipam.json"),
        };
        Self {
            network,
            router,
            inside,
            outside,
            cloud: cloud_runtime.block_on(Cloud::new("m5.large")),
            plugin,
            folder,
            words: watch::channel(words(29)).0,
            program: None,
            _cloud_runtime: cloud_runtime,
        }
    }

    /// With a running agent.
    pub(crate) fn running(variables: &[(&str, &str)]) -> Self {
        let mut node = Self::new();
        node.start(variables);
        node
    }

    pub(crate) fn start(&mut self, variables: &[(&str, &str)]) {
        let runtime = new_runtime();
        let host = Arc::new(NodeNetwork::inside(&self.network).unwrap());
        let settings = settings(&self.folder, variables);
        let agent = runtime.block_on(async {
            let (around, _) = around(&self.cloud, host, self.words.subscribe());
            let agent = Arc::new(Agent::start(settings, around).await.unwrap());
            let listener = server::listen(&self.plugin.socket).unwrap();
            tokio::spawn(server::serve(listener, agent.clone()));
            agent
        });
        self.program = Some(Program { runtime, agent });
    }

    /// Ends the agent as SIGKILL would: nothing is tidied up.
    pub(crate) fn kill(&mut self) {
        self.program = None;
    }

    /// Has the agent look at its pool, and the router learn what the cloud would tell it.
    pub(crate) fn look(&self) {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        let program = self.program.as_ref().unwrap();
        let now = since.as_millis() as u64;
        program.runtime.block_on(program.agent.adjust(now));
        let mut routing = Routing::inside(&self.router).unwrap();
        let links = routing.links().unwrap();
        for interface in self.cloud.state().interfaces.values() {
            let Some(device) = interface.device else {
                continue;
            };
            let name = format!("net{device}");
            let link = links.iter().find(|link| link.name == name).unwrap();
            for address in &interface.addresses {
                if *address == PRIMARY {
                    continue;
                }
                let route = OwnRoute {
                    table: MAIN,
                    prefix: (*address).into(),
                    link: link.index,
                    via: Some(hop(device)),
                };
                routing.put_route(&route).unwrap();
            }
        }
    }

    /// Calls the plugin for a pod of this name.
    pub(crate) fn call(
        &self,
        command: &str,
        pod: &str,
        at: Option<&Pod>,
        more: Value,
    ) -> (i32, Value) {
        self.plugin(&self.plugin, command, pod, at, more)
    }

    pub(crate) fn plugin(
        &self,
        plugin: &(impl Plugin + Sync),
        command: &str,
        pod: &str,
        at: Option<&Pod>,
        more: Value,
    ) -> (i32, Value) {
        let mut config = json!({
            "cniVersion": "0.4.0", "name": "aws-cni", "type": "aws-cni", "vethPrefix": "eni",
            "mtu": "9001", "dataDir": self.folder.join("portmap"),
        });
        if let (Value::Object(config), Value::Object(more)) = (&mut config, more) {
            config.extend(more);
        }
        let netns = at.map(|at| at.path().display().to_string());
        let variable = |name: &str| match name {
            "CNI_COMMAND" => Some(command.to_owned()),
            "CNI_CONTAINERID" => Some(format!("c-{pod}")),
            "CNI_IFNAME" => Some("eth0".to_owned()),
            "CNI_NETNS" => netns.clone(),
            "CNI_ARGS" => Some(format!(
                "IgnoreUnknown=1;K8S_POD_NAMESPACE=default;K8S_POD_NAME={pod}"
            )),
            _ => None,
        };
        let text = config.to_string();
        let mut output = Vec::new();
        let run = || cni::run(plugin, variable, text.as_bytes(), &mut output);
        let code = self.network.run(run).unwrap();
        (code, serde_json::from_slice(&output).unwrap_or_default())
    }

    /// Attaches a pod; its address, and the result.
    pub(crate) fn add(&self, name: &str, pod: &Pod) -> (Ipv4Addr, Value) {
        let (code, result) = self.call("ADD", name, Some(pod), json!({}));
        assert_eq!(code, 0, "{result}");
        let address = result["ips"][0]["address"].as_str().unwrap();
        (
            address.strip_suffix("/32").unwrap().parse().unwrap(),
            result,
        )
    }

    /// How many addresses are assigned, as the agent's file says.
    pub(crate) fn assigned(&self) -> usize {
        checkpoint::read(&self.plugin.checkpoint).unwrap().len()
    }

    /// The rules beyond those that every node has.
    pub(crate) fn rules(&self) -> Vec<OwnRule> {
        let mut rules = Routing::inside(&self.network).unwrap().rules().unwrap();
        rules.retain(|rule| rule.priority != 0 && rule.priority < 32_766);
        rules.sort();
        rules
    }

    /// The pods' links.
    pub(crate) fn pod_links(&self) -> usize {
        let links = Routing::inside(&self.network).unwrap().links().unwrap();
        links
            .iter()
            .filter(|link| link.name.starts_with("eni"))
            .count()
    }
}

pub(crate) struct Pod(pub(crate) NetNs);

impl Pod {
    pub(crate) fn new() -> Self {
        Self(NetNs::create().unwrap())
    }

    pub(crate) fn path(&self) -> PathBuf {
        let number = self.0.as_fd().as_raw_fd();
        format!("/proc/{}/fd/{number}", std::process::id()).into()
    }

    pub(crate) fn read(&self, path: &str) -> String {
        self.0.run(|| fs::read_to_string(path)).unwrap().unwrap()
    }
}

/// Listens somewhere.
pub(crate) fn listen(at: &NetNs, port: u16) -> TcpListener {
    at.run(|| TcpListener::bind((Ipv4Addr::UNSPECIFIED, port)))
        .unwrap()
        .unwrap()
}

/// Calls a listener: the caller as seen there, when a word came there and back.
pub(crate) fn call(from: &NetNs, to: (Ipv4Addr, u16), at: &TcpListener) -> io::Result<Ipv4Addr> {
    let connect = || TcpStream::connect_timeout(&SocketAddr::from(to), PATIENCE);
    let mut here = from.run(connect).unwrap()?;
    let (mut there, caller) = at.accept()?;
    here.write_all(b"?")?;
    there.read_exact(&mut [0])?;
    there.write_all(b"!")?;
    here.read_exact(&mut [0])?;
    match caller.ip() {
        IpAddr::V4(caller) => Ok(caller),
        IpAddr::V6(_) => Err(io::Error::other("an IPv6 address")),
    }
}
