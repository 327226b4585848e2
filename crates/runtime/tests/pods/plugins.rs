//! Pods' networks by real plugins: plain clusters' own, and the reference plugins of the CNI project, where
//! the machine has them (Debian's containernetworking-plugins).

use crate::trials;
use crate::world::{node, on, pod, run, shell, start};
use cri::{ContainerSpec, HostPort, PortProtocol, Runtime, Sandbox, SandboxSpec};
use runtime::NodeRuntime;
use std::net::Ipv4Addr;
use std::path::Path;

trials![
    plain_clusters_plugin_connects_pods,
    plain_clusters_plugin_loses_no_address,
    reference_plugins_connect_pods,
    reference_plugins_map_ports,
];

/// Where Debian keeps the plugins.
const PLUGINS: &str = "/usr/lib/cni";

const BRIDGE: &str = r#"{"cniVersion": "1.0.0", "name": "pods", "plugins": [
    {"type": "bridge", "bridge": "cni0", "isGateway": true, "hairpinMode": true,
     "ipam": {"type": "host-local", "ranges": [[{"subnet": "10.22.0.0/24"}]], "routes": [{"dst": "0.0.0.0/0"}]}},
    {"type": "portmap", "capabilities": {"portMappings": true}, "snat": true}]}"#;

/// A node with the reference plugins; `None` where the machine has none.
fn configured() -> Option<NodeRuntime> {
    if !Path::new(PLUGINS).join("bridge").exists() {
        return None;
    }
    let node = node();
    let link = format!("ln -s {PLUGINS} /opt/cni/bin; ip link set lo up");
    on(node.guest(), &link);
    let path = Path::new("/etc/cni/net.d/10-bridge.conflist");
    let written = node.guest().files().write(path, BRIDGE.as_bytes(), 0o644);
    written.expect("a file");
    Some(node)
}

/// Says to whom it talks.
const SERVER: &str = "
import socket
listener = socket.create_server(('', 8000))
while True:
    connection, peer = listener.accept()
    connection.sendall(peer[0].encode())
    connection.close()
";

/// Asks the server at an address.
fn client(server: Ipv4Addr) -> String {
    format!(
        "
import socket, time
for _ in range(400):
    try:
        connection = socket.create_connection(('{server}', 8000), 5)
        break
    except OSError:
        time.sleep(0.05)
print('heard', connection.recv(100).decode())
"
    )
}

fn python(words: &str) -> ContainerSpec {
    ContainerSpec {
        command: ["python3", "-c"].map(str::to_owned).to_vec(),
        args: vec![words.to_owned()],
        ..shell("")
    }
}

/// The first pod hears the second, and so does the node, by this address of its own.
fn assert_connected(node: &NodeRuntime, first: &Sandbox, second: &Sandbox, gateway: &str) {
    let server = second.address.expect("an address");
    start(node, &second.id, &python(SERVER));
    let heard = run(node, first, &python(&client(server)));
    assert_eq!(
        heard,
        [format!(
            "stdout F heard {}",
            first.address.expect("an address")
        )]
    );
    let from_node = format!("python3 -c \"{}\"", client(server));
    assert_eq!(on(node.guest(), &from_node), format!("heard {gateway}\n"));
}

/// A node as plain clusters set it up, with an address of its own.
fn plain() -> NodeRuntime {
    let node = node();
    let files = node.guest().files();
    let write = |path: &str, text: &str, mode| {
        let written = files.write(Path::new(path), text.as_bytes(), mode);
        written.expect("a file");
    };
    write("/etc/cni/net.d/10-skylab.conflist", PLAIN, 0o600);
    let script = "#!/bin/sh\nexec skylab cni-ptp\n";
    write("/opt/cni/bin/skylab-ptp", script, 0o755);
    let link = "ip link set lo up; ip address add 10.9.0.7/32 dev lo; echo 1 > /proc/sys/net/ipv4/ip_forward";
    assert_eq!(on(node.guest(), link), "");
    node
}

const PLAIN: &str = r#"{"cniVersion": "1.1.0", "name": "skylab",
    "plugins": [{"type": "skylab-ptp", "range": "10.244.3.0/29"}]}"#;

/// K8S-NET
fn plain_clusters_plugin_connects_pods() {
    let node = plain();
    assert_eq!(node.network_trouble(), None);
    let first = node.run_sandbox(&pod("a")).expect("a sandbox");
    let second = node.run_sandbox(&pod("b")).expect("a sandbox");
    assert_ne!(first.address, second.address);
    assert_connected(&node, &first, &second, "10.9.0.7");
    node.check_network(&second.id).expect("as it was made");
    for sandbox in [first, second] {
        node.remove_sandbox(&sandbox.id).expect("an end");
    }
    assert_eq!(on(node.guest(), "ip -o link show type veth"), "");
    assert_eq!(on(node.guest(), "ip route"), "");
}

/// K8S-NET, F-2
fn plain_clusters_plugin_loses_no_address() {
    let node = plain();
    // A /29 has few; they come back, from sandboxes that ended by themselves too.
    for round in 0..12 {
        let sandbox = node
            .run_sandbox(&pod(&format!("web-{round}")))
            .expect("an address");
        if round % 2 == 0 {
            let end = "kill -KILL $(grep -l pause /proc/[0-9]*/comm | cut -d/ -f3)";
            on(node.guest(), end);
        }
        node.remove_sandbox(&sandbox.id).expect("an end");
    }
    let refused = (0..8).find_map(|number| {
        let sandbox = node.run_sandbox(&pod(&format!("many-{number}")));
        sandbox.err().map(|error| error.to_string())
    });
    let refused = refused.expect("no more addresses");
    assert!(
        refused.contains("plugin type=\"skylab-ptp\" failed (add)"),
        "{refused}"
    );
    let trouble = node.network_trouble().expect("no more addresses");
    assert!(trouble.contains("10.244.3.0/29"), "{trouble}");
}

/// K8S-NET
fn reference_plugins_connect_pods() {
    let Some(node) = configured() else { return };
    let first = node.run_sandbox(&pod("a")).expect("a sandbox");
    let second = node.run_sandbox(&pod("b")).expect("a sandbox");
    assert_eq!(first.address, Some([10, 22, 0, 2].into()));
    assert_eq!(second.address, Some([10, 22, 0, 3].into()));
    assert_connected(&node, &first, &second, "10.22.0.1");
    node.check_network(&second.id).expect("as it was made");
    for sandbox in [first, second] {
        node.remove_sandbox(&sandbox.id).expect("an end");
    }
    assert_eq!(
        on(
            node.guest(),
            "ls /var/lib/cni/networks/pods | grep -c '^10'"
        )
        .trim(),
        "0"
    );
    assert_eq!(on(node.guest(), "ip -o link show type veth"), "");
}

/// K8S-NET
fn reference_plugins_map_ports() {
    let Some(node) = configured() else { return };
    let spec = SandboxSpec {
        host_ports: vec![HostPort {
            host_port: 8080,
            container_port: 8000,
            protocol: PortProtocol::Tcp,
            host_ip: None,
        }],
        ..pod("web")
    };
    let sandbox = node.run_sandbox(&spec).expect("a sandbox");
    let rules = on(node.guest(), "iptables-save -t nat");
    assert!(
        rules.contains("--dport 8080") && rules.contains("10.22.0.2:8000"),
        "{rules}"
    );
    node.remove_sandbox(&sandbox.id).expect("an end");
    let rules = on(node.guest(), "iptables-save -t nat");
    assert!(!rules.contains("--dport 8080"), "{rules}");
}
