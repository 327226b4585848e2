//! `skylab-ptp` in namespaces of its own: two pods on a node reach each other, and nothing leaks when calls are repeated, come out of order or fail half-way.

#![allow(clippy::unwrap_used)]

use cni::ptp::Ptp;
use kernel::NetNs;
use libtest_mimic::{Arguments, Trial};
use serde_json::{Value, json};
use std::fs;
use std::io;
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::os::fd::{AsFd, AsRawFd};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::atomic::{AtomicU32, Ordering};

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let test = |name: &str, run: fn()| {
        Trial::test(name, move || {
            run();
            Ok(())
        })
    };
    let trials = vec![
        test(
            "pods_of_a_node_reach_each_other",
            pods_of_a_node_reach_each_other,
        ),
        test("nothing_leaks", nothing_leaks),
        test(
            "a_pod_that_is_gone_can_be_detached",
            a_pod_that_is_gone_can_be_detached,
        ),
    ];
    if arguments.list {
        return libtest_mimic::run(&arguments, trials).exit_code();
    }
    kernel::testing::run_inside(move |_| libtest_mimic::run(&arguments, trials).exit_code())
}

/// A node: its network namespace and its files of addresses.
struct Node {
    network: NetNs,
    data: PathBuf,
}

impl Drop for Node {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.data);
    }
}

impl Node {
    fn new() -> Self {
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

    /// Calls the plugin as a runtime on the node would.
    fn call(&self, command: &str, id: &str, pod: Option<&Path>, more: Value) -> (i32, Value) {
        let mut config = json!({
            "cniVersion": "1.1.0", "name": "pods", "type": "skylab-ptp", "range": "10.244.3.0/29",
            "dataDir": self.data,
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
        let run = || cni::run(&Ptp, variable, text.as_bytes(), &mut output);
        let code = self.network.run(run).unwrap();
        (code, serde_json::from_slice(&output).unwrap_or_default())
    }

    fn add(&self, id: &str, pod: &Pod) -> Ipv4Addr {
        let (code, result) = self.call("ADD", id, Some(&pod.path()), json!({}));
        assert_eq!(code, 0, "{result}");
        let address = result["ips"][0]["address"].as_str().unwrap();
        address.strip_suffix("/32").unwrap().parse().unwrap()
    }

    fn links(&self) -> usize {
        let list = || fs::read_to_string("/proc/thread-self/net/dev").unwrap();
        let text = self.network.run(list).unwrap();
        text.lines().filter(|line| line.contains("veth")).count()
    }

    fn addresses(&self) -> usize {
        let names = fs::read_dir(self.data.join("pods")).unwrap().flatten();
        let names = names.filter_map(|entry| entry.file_name().into_string().ok());
        names
            .filter(|name| name.parse::<Ipv4Addr>().is_ok())
            .count()
    }
}

struct Pod(NetNs);

impl Pod {
    fn new() -> Self {
        Self(NetNs::create().unwrap())
    }

    fn path(&self) -> PathBuf {
        let number = self.0.as_fd().as_raw_fd();
        format!("/proc/{}/fd/{number}", std::process::id()).into()
    }

    fn calls(&self, to: Ipv4Addr) -> io::Result<Ipv4Addr> {
        let connected = self.0.run(|| TcpStream::connect((to, 8080))).unwrap()?;
        match connected.local_addr()? {
            std::net::SocketAddr::V4(own) => Ok(*own.ip()),
            std::net::SocketAddr::V6(_) => Err(io::Error::other("an IPv6 address")),
        }
    }
}

/// K8S-NET: pods of a node have addresses of their own and reach each other.
fn pods_of_a_node_reach_each_other() {
    let node = Node::new();
    let (a, b) = (Pod::new(), Pod::new());
    let (at_a, at_b) = (node.add("a", &a), node.add("b", &b));
    assert_ne!(at_a, at_b);
    let listener = b.0.run(|| TcpListener::bind(("0.0.0.0", 8080)).unwrap());
    let _listener = listener.unwrap();
    assert_eq!(a.calls(at_b).unwrap(), at_a);
    let (code, _) = node.call("CHECK", "b", Some(&b.path()), json!({}));
    assert_eq!(code, 0);
    node.call("DEL", "b", Some(&b.path()), json!({}));
    let (code, error) = node.call("CHECK", "b", Some(&b.path()), json!({}));
    assert_eq!((code, &error["code"]), (1, &json!(102)));
    assert!(a.calls(at_b).is_err());
}

/// K8S-NET: repeated and late calls, a failed attachment and a crash half-way leave no address and no
/// link behind.
fn nothing_leaks() {
    let node = Node::new();
    let pod = Pod::new();
    let first = node.add("a", &pod);
    assert_eq!(node.add("a", &pod), first, "the same call again");
    assert_eq!((node.links(), node.addresses()), (1, 1));
    let gone = Path::new("/run/netns/nobody");
    let (code, error) = node.call("ADD", "b", Some(gone), json!({}));
    assert_eq!((code, &error["code"]), (1, &json!(5)));
    assert_eq!((node.links(), node.addresses()), (1, 1));
    // Somebody died between the address and the link.
    fs::write(node.data.join("pods/10.244.3.5"), "c\r\neth0").unwrap();
    let valid = json!({"cni.dev/valid-attachments": [{"containerID": "a", "ifname": "eth0"}]});
    let (code, _) = node.call("GC", "", None, valid);
    assert_eq!((code, node.links(), node.addresses()), (0, 1, 1));
    for _ in 0..2 {
        let (code, _) = node.call("DEL", "a", Some(&pod.path()), json!({}));
        assert_eq!((code, node.links(), node.addresses()), (0, 0, 0));
    }
    let (code, _) = node.call("STATUS", "", None, json!({}));
    assert_eq!(code, 0);
    for number in 0..5 {
        let pod = Pod::new();
        node.add(&format!("p{number}"), &pod);
    }
    let (code, error) = node.call("ADD", "one-more", Some(&pod.path()), json!({}));
    assert_eq!((code, &error["code"]), (1, &json!(100)), "{error}");
    let (code, _) = node.call("STATUS", "", None, json!({}));
    assert_eq!(code, 1);
}

/// K8S-NET: a pod whose namespace is gone has no link any more; its address comes back all the same.
fn a_pod_that_is_gone_can_be_detached() {
    let node = Node::new();
    let pod = Pod::new();
    node.add("a", &pod);
    drop(pod);
    let (code, _) = node.call("DEL", "a", None, json!({}));
    assert_eq!((code, node.addresses()), (0, 0));
}
