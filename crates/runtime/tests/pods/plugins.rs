//! Pods' networks by plugins that nobody here wrote: the reference plugins of the CNI project, where the
//! machine has them (Debian's containernetworking-plugins).

use crate::trials;
use crate::world::{node, on, pod, run, shell, start};
use cri::{ContainerSpec, HostPort, PortProtocol, Runtime, SandboxSpec};
use runtime::NodeRuntime;
use std::path::Path;

trials![reference_plugins_connect_pods, reference_plugins_map_ports];

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
listener = socket.create_server(('10.22.0.3', 8000))
while True:
    connection, peer = listener.accept()
    connection.sendall(peer[0].encode())
    connection.close()
";

const CLIENT: &str = "
import socket, time
for _ in range(400):
    try:
        connection = socket.create_connection(('10.22.0.3', 8000), 5)
        break
    except OSError:
        time.sleep(0.05)
print('heard', connection.recv(100).decode())
";

/// K8S-NET
fn reference_plugins_connect_pods() {
    let Some(node) = configured() else { return };
    let first = node.run_sandbox(&pod("a")).expect("a sandbox");
    let second = node.run_sandbox(&pod("b")).expect("a sandbox");
    assert_eq!(first.address, Some([10, 22, 0, 2].into()));
    assert_eq!(second.address, Some([10, 22, 0, 3].into()));
    let python = |words: &str| ContainerSpec {
        command: ["python3", "-c"].map(str::to_owned).to_vec(),
        args: vec![words.to_owned()],
        ..shell("")
    };
    start(&node, &second.id, &python(SERVER));
    assert_eq!(
        run(&node, &first, &python(CLIENT)),
        ["stdout F heard 10.22.0.2"]
    );
    let from_node = format!("python3 -c \"{CLIENT}\"");
    assert_eq!(on(node.guest(), &from_node), "heard 10.22.0.1\n");
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
