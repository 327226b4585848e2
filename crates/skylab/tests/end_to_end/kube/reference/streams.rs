//! Commands that reach nodes.

use super::{APP, Fails, InTime, OBJECTS, Prints, check};
use crate::cluster::Cluster;
use crate::lab::text;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::Stdio;

/// K8S-API, K8S-RUN: what needs nodes: streams, logs, rollouts, drains, debugging, measures.
#[test]
fn nodes_and_streams() {
    let Some(cluster) = Cluster::with_nodes(2) else {
        return;
    };
    let file = cluster.folder.join("file");
    std::fs::write(&file, "carried there and back\n").unwrap();
    let image = "--image=skylab.local/host --image-pull-policy=IfNotPresent";
    let watch = "get pods -w --request-timeout=2s";
    check(
        &cluster,
        &[
            ("apply -f -", OBJECTS, Prints("created")),
            ("apply -f -", APP, Prints("created")),
            (
                "rollout status deployment/web --timeout=60s",
                "",
                Prints("successfully rolled out"),
            ),
            (
                "rollout status daemonset/agent --timeout=60s",
                "",
                Prints("successfully rolled out"),
            ),
            (
                "wait pod/p1 pod/parrot --for=condition=Ready --timeout=60s",
                "",
                Prints("condition met"),
            ),
            (watch, "", Prints("p1")),
            ("logs p1", "", InTime("Server started")),
            (
                "logs -l app=web --tail=5 --prefix",
                "",
                InTime("Server started"),
            ),
            (
                "logs deployment/web --timestamps",
                "",
                InTime("Server started"),
            ),
            ("exec p1 -- echo hi", "", Prints("hi")),
            ("exec -i p1 -- cat", "abc", Prints("abc")),
            ("exec deploy/web -- echo hi", "", Prints("hi")),
            ("attach -i parrot", "hello", Prints("hello")),
            ("cp FOLDER/file p1:/tmp/file", "", Prints("")),
            ("exec p1 -- cat /tmp/file", "", Prints("carried there")),
            ("cp p1:/tmp/file FOLDER/back", "", Prints("")),
            (
                &format!("run once {image} --restart=Never --attach --rm -- echo attached"),
                "",
                Prints("attached"),
            ),
            (
                &format!("debug p1 {image} -c dbg --target=c -- echo looked"),
                "",
                Prints(""),
            ),
            ("logs p1 -c dbg", "", InTime("looked")),
            (
                &format!("debug p1 {image} --copy-to=p2 --share-processes -c dbg -- sleep 60"),
                "",
                Prints(""),
            ),
            (
                "wait pod/p2 --for=condition=Ready --timeout=60s",
                "",
                Prints("condition met"),
            ),
            (
                &format!("debug node/dev-node-1 {image} -- echo hi"),
                "",
                Prints("Creating debugging pod"),
            ),
            ("set env deployment/web A=b", "", Prints("env updated")),
            (
                "rollout status deployment/web --timeout=60s",
                "",
                Prints("successfully rolled out"),
            ),
            (
                "rollout undo deployment/web",
                "",
                Prints("deployment.apps/web rolled back"),
            ),
            (
                "rollout status deployment/web --timeout=60s",
                "",
                Prints("successfully rolled out"),
            ),
            (
                "get deployment web -o jsonpath={.spec.template.spec.containers[0].env}x",
                "",
                Prints("x"),
            ),
            ("rollout history deployment/web", "", Prints("3")),
            (
                "describe node dev-node-1",
                "",
                Prints("Allocated resources"),
            ),
            ("top nodes", "", InTime("dev-node-1")),
            ("top pods", "", InTime("p1")),
            ("cordon dev-node-2", "", Prints("node/dev-node-2 cordoned")),
            (
                "uncordon dev-node-2",
                "",
                Prints("node/dev-node-2 uncordoned"),
            ),
            (
                "taint node dev-node-2 a=b:PreferNoSchedule",
                "",
                Prints("node/dev-node-2 tainted"),
            ),
            (
                "logs p1 -c none",
                "",
                Fails("container none is not valid for pod p1"),
            ),
            (
                "exec p1 -c none -- true",
                "",
                Fails("(BadRequest): container none is not valid for pod p1"),
            ),
            ("exec p1 -- no-such-program", "", Fails("no-such-program")),
            ("delete pod p1 --now", "", Prints("pod \"p1\" deleted")),
            (
                "drain dev-node-2 --ignore-daemonsets --force --delete-emptydir-data --timeout=60s",
                "",
                Prints("drained"),
            ),
            (
                "get pods -l app=web --field-selector=spec.nodeName=dev-node-2",
                "",
                InTime("No resources found"),
            ),
            (
                "rollout status deployment/web --timeout=60s",
                "",
                Prints("successfully rolled out"),
            ),
        ],
    );
    let back = std::fs::read_to_string(cluster.folder.join("back")).unwrap();
    assert_eq!(back, "carried there and back\n");
    // The older way of streams, which clients fall back to.
    let pod = cluster.ok(&["get", "pods", "-lapp=web", "-o", "name"], "");
    let pod = pod.lines().next().unwrap();
    for (name, value) in [("WEBSOCKETS", "true"), ("WEBSOCKETS", "false")] {
        let streams = [
            (format!("KUBECTL_REMOTE_COMMAND_{name}"), value),
            (format!("KUBECTL_PORT_FORWARD_{name}"), value),
        ];
        let output = cluster
            .command(&["exec", "-i", pod, "--", "echo", "hi"])
            .envs(streams.clone())
            .output();
        let output = output.unwrap();
        assert_eq!(
            text(&output.stdout),
            "hi\n",
            "{value}: {}",
            text(&output.stderr)
        );
        let answer = forwarded(&cluster, pod, &streams);
        assert!(answer.starts_with("HTTP/1.1 200"), "{value}: {answer}");
    }
}

/// What a pod's web server answers through a forwarded port.
fn forwarded(cluster: &Cluster, pod: &str, streams: &[(String, &str)]) -> String {
    let mut forward = cluster.command(&["port-forward", pod, ":8080"]);
    let mut forward = forward
        .envs(streams.iter().cloned())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    // kubectl goes on to write there, and dies if nobody reads.
    let mut told = BufReader::new(forward.stdout.take().unwrap());
    told.read_line(&mut line).unwrap();
    let address = line.split_whitespace().nth(2).unwrap();
    let mut stream = TcpStream::connect(address).unwrap();
    let request = "GET / HTTP/1.1\r\nhost: web\r\nconnection: close\r\n\r\n";
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    forward.kill().unwrap();
    forward.wait().unwrap();
    answer
}
