//! `skylab-portmap`: a pod's port on the node, by packets.

use crate::node::{Node, Pod};
use cni::portmap::Portmap;
use kernel::testing::{own_address, pod_link, tables};
use serde_json::{Value, json};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::time::Duration;

crate::trials![
    a_port_of_the_node_leads_to_a_pod,
    ports_go_with_their_pod,
    the_result_before_is_passed_on,
    what_is_asked_must_make_sense,
];

/// The node's own address, at the link to a machine outside.
const NODE: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 1);
/// That machine's.
const OUTSIDE: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 9);
const PATIENCE: Duration = Duration::from_secs(2);

fn ports(ports: &Value) -> Value {
    json!({"runtimeConfig": {"portMappings": ports}})
}

fn tcp(host: u16) -> Value {
    json!([{"hostPort": host, "containerPort": 8080, "protocol": "tcp"}])
}

/// A node with an address, and somebody outside who reaches it.
fn node() -> (Node, Pod) {
    let (node, outside) = (Node::new(), Pod::new());
    own_address(&node.network, NODE).unwrap();
    pod_link(&node.network, &outside.0, 1, OUTSIDE).unwrap();
    (node, outside)
}

impl Node {
    /// Attaches a pod and maps its ports; its address.
    fn publish(&self, id: &str, pod: &Pod, wanted: &Value) -> Ipv4Addr {
        let (code, before) = self.call("ADD", id, Some(&pod.path()), json!({}));
        assert_eq!(code, 0, "{before}");
        let mut more = ports(wanted);
        more["prevResult"] = before.clone();
        let (code, result) = self.plugin(&Portmap, "ADD", id, Some(&pod.path()), more);
        assert_eq!((code, &result), (0, &before));
        let address = result["ips"][0]["address"].as_str().unwrap();
        address.strip_suffix("/32").unwrap().parse().unwrap()
    }
}

/// Who a listener on 8080 in the pod sees when the port is called from a place; nothing if the call
/// doesn't get there.
fn seen(from: &kernel::NetNs, pod: &Pod, port: u16) -> Option<Ipv4Addr> {
    let listen = || TcpListener::bind(("0.0.0.0", 8080)).unwrap();
    let listener = pod.0.run(listen).unwrap();
    listener.set_nonblocking(true).unwrap();
    let to = SocketAddr::from((NODE, port));
    let connect = || TcpStream::connect_timeout(&to, PATIENCE);
    let _stream = from.run(connect).unwrap().ok()?;
    match listener.accept().unwrap().1 {
        SocketAddr::V4(client) => Some(*client.ip()),
        SocketAddr::V6(client) => panic!("{client}"),
    }
}

/// K8S-NET: a port of the node leads to the pod, from outside, from another pod, from the node and from
/// the pod itself; only the last two are seen as the node.
fn a_port_of_the_node_leads_to_a_pod() {
    let (node, outside) = node();
    let (web, other) = (Pod::new(), Pod::new());
    node.publish("web", &web, &tcp(18080));
    let other_address = node.publish("other", &other, &json!([]));
    assert_eq!(seen(&outside.0, &web, 18080), Some(OUTSIDE));
    assert_eq!(seen(&other.0, &web, 18080), Some(other_address));
    assert_eq!(seen(&node.network, &web, 18080), Some(NODE));
    assert_eq!(seen(&web.0, &web, 18080), Some(NODE));
    assert_eq!(seen(&outside.0, &web, 18081), None);
    let more = ports(&tcp(18080));
    let (code, error) = node.plugin(&Portmap, "CHECK", "web", Some(&web.path()), more);
    assert_eq!(code, 0, "{error}");
}

/// K8S-NET: a port ends with its pod, by DEL or by GC, and the others stay; UDP clients don't go on
/// talking to a pod that is gone.
fn ports_go_with_their_pod() {
    let (node, outside) = node();
    let (a, b) = (Pod::new(), Pod::new());
    node.publish("a", &a, &tcp(18080));
    node.publish("b", &b, &tcp(18081));
    let (code, _) = node.plugin(&Portmap, "DEL", "a", None, json!({}));
    assert_eq!(code, 0);
    assert_eq!(seen(&outside.0, &a, 18080), None);
    assert_eq!(seen(&outside.0, &b, 18081), Some(OUTSIDE));
    let none = json!({"cni.dev/valid-attachments": []});
    let (code, _) = node.plugin(&Portmap, "GC", "", None, none);
    assert_eq!(code, 0);
    assert_eq!(tables(&node.network).unwrap(), Vec::<String>::new());

    let udp = |pod: &Pod| {
        let open = || UdpSocket::bind(("0.0.0.0", 8080)).unwrap();
        let socket = pod.0.run(open).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        socket
    };
    let wanted = json!([{"hostPort": 18080, "containerPort": 8080, "protocol": "udp"}]);
    let client = outside.0.run(|| UdpSocket::bind((OUTSIDE, 4000)).unwrap());
    let client = client.unwrap();
    let mut buffer = [0; 8];
    for (id, pod) in [("c", Pod::new()), ("d", Pod::new())] {
        node.publish(id, &pod, &wanted);
        let server = udp(&pod);
        client.send_to(b"hello", (NODE, 18080)).unwrap();
        assert_eq!(server.recv(&mut buffer).unwrap(), 5, "{id}");
        node.plugin(&Portmap, "DEL", id, None, json!({}));
    }
}

/// K8S-NET: who asks for no ports gets what the plugin before answered.
fn the_result_before_is_passed_on() {
    let node = Node::new();
    let before = json!({"cniVersion": "1.1.0", "ips": [{"address": "10.1.0.5/32"}]});
    let pod = Pod::new();
    let more = json!({"prevResult": before});
    let (code, result) = node.plugin(&Portmap, "ADD", "a", Some(&pod.path()), more);
    assert_eq!((code, result), (0, before));
    assert_eq!(tables(&node.network).unwrap(), Vec::<String>::new());
}

/// K8S-NET: requests that can't be carried out are refused, and leave nothing.
fn what_is_asked_must_make_sense() {
    let node = Node::new();
    let pod = Pod::new();
    let before = json!({"cniVersion": "1.1.0", "ips": [{"address": "10.1.0.5/32"}]});
    for (asked, before) in [
        (
            json!([{"hostPort": 80, "containerPort": 80, "protocol": "tcp"}]),
            Value::Null,
        ),
        (
            json!([{"hostPort": 80, "containerPort": 80, "protocol": "carrier"}]),
            before.clone(),
        ),
        (
            json!([{"hostPort": 0, "containerPort": 80, "protocol": "tcp"}]),
            before,
        ),
        (
            json!([{"hostPort": 80, "containerPort": 80, "protocol": "tcp"}]),
            json!({"ips": []}),
        ),
    ] {
        let mut more = ports(&asked);
        more["prevResult"] = before;
        let (code, error) = node.plugin(&Portmap, "ADD", "a", Some(&pod.path()), more);
        assert_eq!((code, &error["code"]), (1, &json!(7)), "{error}");
    }
    assert_eq!(tables(&node.network).unwrap(), Vec::<String>::new());
}
