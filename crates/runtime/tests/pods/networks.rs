//! Pods' networks, made by a plugin that is a shell script: what the runtime tells plugins and does with
//! what they say.

use crate::trials;
use crate::world::{node, on, pod, run, shell, start};
use cri::{ContainerSpec, HostPort, PortProtocol, Runtime, RuntimeError};
use runtime::NodeRuntime;
use std::io::{Read, Write};
use std::path::Path;

trials![
    without_a_configuration_there_are_no_pods,
    a_plugin_makes_a_pods_network,
    what_fails_is_taken_back,
    a_plugin_that_keeps_failing_keeps_the_sandbox,
    plugins_say_whether_they_are_ready,
    a_pods_port_is_dialled,
];

/// Writes down what it is asked; gives the sandbox a link with an address; fails where a file says so.
const PLUGIN: &str = r#"#!/bin/sh
set -e
request=$(cat)
echo "$CNI_COMMAND $CNI_IFNAME $CNI_ARGS $request" >> /var/tmp/cni.log
if test -e /var/tmp/fail-$CNI_COMMAND; then
    echo '{"cniVersion":"1.1.0","code":11,"msg":"no addresses left","details":"10.1.0.0/24"}'
    exit 1
fi
case $CNI_COMMAND in
ADD)
    nsenter --net=$CNI_NETNS ip link add eth0 type veth peer name other
    nsenter --net=$CNI_NETNS ip address add 10.1.0.5/32 dev eth0
    nsenter --net=$CNI_NETNS ip link set eth0 up
    echo '{"cniVersion":"1.1.0","interfaces":[{"name":"eth0","sandbox":"'$CNI_NETNS'"}],"ips":[{"address":"10.1.0.5/32","interface":0}]}'
    ;;
DEL) nsenter --net=$CNI_NETNS ip link del eth0 || true;;
esac
"#;

const CONFIGURATION: &str = r#"{"cniVersion": "1.1.0", "name": "pods", "plugins": [
    {"type": "script", "capabilities": {"portMappings": true}}]}"#;

fn configured() -> NodeRuntime {
    let node = node();
    let files = node.guest().files();
    let write = |path: &str, text: &str, mode| {
        let written = files.write(Path::new(path), text.as_bytes(), mode);
        written.expect("a file");
    };
    write("/opt/cni/bin/script", PLUGIN, 0o755);
    write("/etc/cni/net.d/05-script.conflist", CONFIGURATION, 0o644);
    node
}

fn calls(node: &NodeRuntime) -> Vec<String> {
    let text = on(node.guest(), "cat /var/tmp/cni.log");
    text.lines().map(str::to_owned).collect()
}

/// K8S-NET
fn without_a_configuration_there_are_no_pods() {
    let node = node();
    let refused = node.run_sandbox(&pod("web")).expect_err("no network");
    assert!(matches!(refused, RuntimeError::NoNetwork));
    let trouble = node.network_trouble();
    assert_eq!(trouble.as_deref(), Some("cni plugin not initialized"));
    assert!(node.sandboxes().is_empty());
}

/// K8S-NET
fn a_plugin_makes_a_pods_network() {
    let node = configured();
    assert_eq!(node.network_trouble(), None);
    let spec = cri::SandboxSpec {
        host_ports: vec![HostPort {
            host_port: 8080,
            container_port: 80,
            protocol: PortProtocol::Tcp,
            host_ip: None,
        }],
        ..pod("web")
    };
    let sandbox = node.run_sandbox(&spec).expect("a sandbox");
    assert_eq!(sandbox.address, Some([10, 1, 0, 5].into()));
    let words =
        "ip -o -4 address show eth0 | awk '{ print $4 }'; cat /etc/hosts | tail -1; hostname";
    let lines = run(&node, &sandbox, &shell(words));
    assert_eq!(
        lines,
        [
            "stdout F 10.1.0.5/32",
            "stdout F 10.1.0.5\tweb",
            "stdout F web"
        ]
    );
    node.check_network(&sandbox.id).expect("as it was made");
    assert!(node.network(&sandbox.id).is_some());
    node.stop_sandbox(&sandbox.id).expect("an end");
    let calls = calls(&node);
    let commands: Vec<_> = calls.iter().map(|call| call.split(' ').next()).collect();
    assert_eq!(
        commands,
        ["STATUS", "GC", "ADD", "CHECK", "DEL"].map(Some),
        "{calls:?}"
    );
    assert!(calls[2].contains(&format!(
        "eth0 IgnoreUnknown=1;K8S_POD_NAMESPACE=default;K8S_POD_NAME=web;K8S_POD_INFRA_CONTAINER_ID={};K8S_POD_UID=uid-of-web ",
        sandbox.id
    )));
    assert!(calls[2].contains("\"hostPort\":8080"), "{}", calls[2]);
    assert!(calls[4].contains("\"prevResult\""), "{}", calls[4]);
    assert_eq!(on(node.guest(), "ls /run/netns"), "");
    assert!(node.network(&sandbox.id).is_none());
}

/// K8S-NET, F-2
fn what_fails_is_taken_back() {
    let node = configured();
    on(node.guest(), "touch /var/tmp/fail-ADD");
    let refused = node
        .run_sandbox(&pod("web"))
        .expect_err("no address")
        .to_string();
    assert!(
        refused.starts_with("failed to setup network for sandbox"),
        "{refused}"
    );
    let end = "plugin type=\"script\" failed (add): no addresses left; 10.1.0.0/24";
    assert!(refused.ends_with(end), "{refused}");
    assert!(node.sandboxes().is_empty());
    assert_eq!(on(node.guest(), "ls /run/netns"), "");
    assert!(calls(&node).last().expect("a call").starts_with("DEL"));
    on(node.guest(), "rm /opt/cni/bin/script");
    let refused = node
        .run_sandbox(&pod("web"))
        .expect_err("no plugin")
        .to_string();
    let end = "failed to find plugin \"script\" in path [/opt/cni/bin]";
    assert!(refused.ends_with(end), "{refused}");
}

/// K8S-NET
fn a_plugin_that_keeps_failing_keeps_the_sandbox() {
    let node = configured();
    let sandbox = node.run_sandbox(&pod("web")).expect("a sandbox");
    let id = start(&node, &sandbox.id, &shell("exec sleep 1000"));
    on(node.guest(), "touch /var/tmp/fail-DEL");
    let refused = node.stop_sandbox(&sandbox.id).expect_err("the plugin");
    assert!(matches!(
        refused,
        RuntimeError::Network {
            command: "delete",
            ..
        }
    ));
    assert_eq!(crate::world::ended(&node, &id).0, 137);
    assert!(node.remove_sandbox(&sandbox.id).is_err());
    assert_eq!(node.sandboxes().len(), 1);
    on(node.guest(), "rm /var/tmp/fail-DEL");
    node.remove_sandbox(&sandbox.id).expect("an end");
    assert!(node.sandboxes().is_empty());
}

/// K8S-NET
fn plugins_say_whether_they_are_ready() {
    let node = configured();
    on(node.guest(), "touch /var/tmp/fail-STATUS");
    let trouble = node.network_trouble();
    assert_eq!(trouble.as_deref(), Some("no addresses left; 10.1.0.0/24"));
}

/// K8S-RUN
fn a_pods_port_is_dialled() {
    let node = configured();
    let sandbox = node.run_sandbox(&pod("web")).expect("a sandbox");
    assert!(node.dial(&sandbox.id, 8000).is_err());
    let spec = ContainerSpec {
        command: ["python3", "-c"].map(str::to_owned).to_vec(),
        args: vec![SERVER.to_owned()],
        ..shell("")
    };
    let _server = start(&node, &sandbox.id, &spec);
    let mut connection = crate::world::wait_for("a server", || node.dial(&sandbox.id, 8000).ok());
    connection.write_all(b"hello").expect("a connection");
    let mut said = String::new();
    connection.read_to_string(&mut said).expect("an answer");
    assert_eq!(said, "HELLO");
}

const SERVER: &str = "
import socket
listener = socket.create_server(('127.0.0.1', 8000))
while True:
    connection, _ = listener.accept()
    connection.sendall(connection.recv(100).upper())
    connection.close()
";
