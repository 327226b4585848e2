//! A node with pods, on which plugins are called.

use cni::Plugin;
use cni::ptp::Ptp;
use kernel::NetNs;
use serde_json::{Value, json};
use std::fs;
use std::io;
use std::net::{Ipv4Addr, TcpStream};
use std::os::fd::{AsFd, AsRawFd};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

/// A node: its network namespace and its files of addresses.
pub(crate) struct Node {
    pub(crate) network: NetNs,
    pub(crate) data: PathBuf,
}

impl Drop for Node {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.data);
    }
}

impl Node {
    pub(crate) fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("skylab-ptp-{}-{number}", std::process::id());
        let network = NetNs::create().unwrap();
        network
            .run(|| fs::write("/proc/sys/net/ipv4/ip_forward", "1"))
            .unwrap()
            .unwrap();
        Self {
            network,
            data: std::env::temp_dir().join(name),
        }
    }

    /// Calls `skylab-ptp` as a runtime on the node would.
    pub(crate) fn call(
        &self,
        command: &str,
        id: &str,
        pod: Option<&Path>,
        more: Value,
    ) -> (i32, Value) {
        self.plugin(&Ptp, command, id, pod, more)
    }

    /// Calls a plugin.
    pub(crate) fn plugin(
        &self,
        plugin: &(impl Plugin + Sync),
        command: &str,
        id: &str,
        pod: Option<&Path>,
        more: Value,
    ) -> (i32, Value) {
        let mut config = json!({
            "cniVersion": "1.1.0", "name": "pods", "range": "10.244.3.0/29", "dataDir": self.data,
        });
        if let (Value::Object(config), Value::Object(more)) = (&mut config, more) {
            config.extend(more);
        }
        let variable = |name: &str| match name {
            "CNI_COMMAND" => Some(command.to_owned()),
            "CNI_CONTAINERID" => Some(id.to_owned()),
            "CNI_IFNAME" => Some("eth0".to_owned()),
            "CNI_NETNS" => pod.map(|path| path.display().to_string()),
            _ => None,
        };
        let text = config.to_string();
        let mut output = Vec::new();
        let run = || cni::run(plugin, variable, text.as_bytes(), &mut output);
        let code = self.network.run(run).unwrap();
        (code, serde_json::from_slice(&output).unwrap_or_default())
    }

    pub(crate) fn add(&self, id: &str, pod: &Pod) -> Ipv4Addr {
        let (code, result) = self.call("ADD", id, Some(&pod.path()), json!({}));
        assert_eq!(code, 0, "{result}");
        let address = result["ips"][0]["address"].as_str().unwrap();
        address.strip_suffix("/32").unwrap().parse().unwrap()
    }

    pub(crate) fn links(&self) -> usize {
        let list = || fs::read_to_string("/proc/thread-self/net/dev").unwrap();
        let text = self.network.run(list).unwrap();
        text.lines().filter(|line| line.contains("veth")).count()
    }

    pub(crate) fn addresses(&self) -> usize {
        let names = fs::read_dir(self.data.join("pods")).unwrap().flatten();
        let names = names.filter_map(|entry| entry.file_name().into_string().ok());
        names
            .filter(|name| name.parse::<Ipv4Addr>().is_ok())
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

    /// The own address under which a connection to port 8080 comes about.
    pub(crate) fn calls(&self, to: Ipv4Addr) -> io::Result<Ipv4Addr> {
        let connected = self.0.run(|| TcpStream::connect((to, 8080))).unwrap()?;
        match connected.local_addr()? {
            std::net::SocketAddr::V4(own) => Ok(*own.ip()),
            std::net::SocketAddr::V6(_) => Err(io::Error::other("an IPv6 address")),
        }
    }
}
