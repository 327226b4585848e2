//! What a container is: files, processes and a network of its own.

use crate::node::{exec, node, on, run, sandbox, shell, start};
use crate::trials;
use kernel::guest::Exit;
use std::path::PathBuf;

trials![
    a_container_runs_in_its_sandbox,
    a_container_has_processes_of_its_own,
    what_a_container_writes_is_its_own,
    programs_run_beside_it,
    its_end_is_told,
    a_node_takes_its_pods_along,
];

/// K8S-RUN
fn a_container_runs_in_its_sandbox() {
    let node = node();
    let sandbox = sandbox(&node, "web");
    let (exit, text) = run(
        &sandbox,
        &shell("hostname; cat /proc/1/comm; command -v skylab"),
    );
    assert_eq!(exit, Exit::Code(0), "{text}");
    assert_eq!(text, "web\nsh\n/usr/local/bin/skylab\n");
    let links = sandbox
        .network()
        .run(|| std::fs::read_to_string("/proc/thread-self/net/dev"))
        .expect("its network");
    assert_eq!(
        links.expect("its links").lines().count(),
        3,
        "only loopback"
    );
}

/// K8S-RUN
fn a_container_has_processes_of_its_own() {
    let node = node();
    let sandbox = sandbox(&node, "web");
    let (_, text) = run(&sandbox, &shell("echo /proc/[0-9]*"));
    assert_eq!(text, "/proc/1\n");
    let waiting = start(&sandbox, &shell("echo; exec sleep 1000"));
    let (_, text) = on(&node, "cat /proc/[0-9]*/comm");
    assert!(text.contains("pause") && text.contains("sleep"), "{text}");
    drop(waiting);
}

/// K8S-RUN
fn what_a_container_writes_is_its_own() {
    let node = node();
    let sandbox = sandbox(&node, "web");
    let write = "echo mine > /etc/motd-of-a-pod; cat /etc/motd-of-a-pod";
    assert_eq!(run(&sandbox, &shell(write)).1, "mine\n");
    for words in ["test -e /etc/motd-of-a-pod", "test -e /dev/shm/left"] {
        assert_eq!(run(&sandbox, &shell(words)).0, Exit::Code(1));
        assert_eq!(on(&node, words).0, Exit::Code(1));
    }
    assert!(!PathBuf::from("/etc/motd-of-a-pod").exists());
}

/// K8S-RUN
fn programs_run_beside_it() {
    let node = node();
    let sandbox = sandbox(&node, "web");
    let spec = shell("echo hello > /tmp/said; echo; exec sleep 1000");
    let container = start(&sandbox, &spec);
    let (exit, text) = exec(&container, "cat /tmp/said /proc/1/comm; exit 3");
    assert_eq!((exit, text.as_str()), (Exit::Code(3), "hello\nsleep\n"));
}

/// K8S-RUN
fn its_end_is_told() {
    let node = node();
    let sandbox = sandbox(&node, "web");
    assert_eq!(run(&sandbox, &shell("exit 7")).0, Exit::Code(7));
    let container = start(&sandbox, &shell("echo; exec sleep 1000"));
    assert_eq!(container.process().look().expect("the factory"), None);
    container.process().signal(libc::SIGKILL).expect("a signal");
    let exit = container.process().wait().expect("an end");
    assert_eq!(exit, Exit::Signal(libc::SIGKILL));
    assert_eq!(exit.code(), 137);
    assert!(container.process().signal(libc::SIGKILL).is_err());
}

/// K8S-RUN
fn a_node_takes_its_pods_along() {
    let node = node();
    let sandbox = sandbox(&node, "web");
    let container = start(&sandbox, &shell("echo; exec sleep 1000"));
    node.shut_down();
    let killed = Exit::Signal(libc::SIGKILL);
    assert_eq!(container.process().wait().expect("an end"), killed);
    assert_eq!(sandbox.first_process().wait().expect("an end"), killed);
}
