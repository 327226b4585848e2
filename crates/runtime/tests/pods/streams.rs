//! Programs beside a container's own, and who attaches to it.

use crate::trials;
use crate::world::{ended, exec, log, node, on_host_network, read, shell, start, wait_for};
use cri::{ContainerId, ContainerSpec, ExecSpec, Runtime};
use runtime::NodeRuntime;
use std::fs::File;
use std::io::{Read, Write};

trials![
    programs_have_streams_and_codes,
    programs_have_terminals,
    who_attaches_hears_and_types,
    an_input_for_one_ends_with_them,
    terminals_are_attached_and_resized,
    logs_are_begun_anew,
];

fn container(spec: &ContainerSpec) -> (NodeRuntime, ContainerId) {
    let node = node();
    let sandbox = node
        .run_sandbox(&on_host_network("web"))
        .expect("a sandbox");
    let id = start(&node, &sandbox.id, spec);
    (node, id)
}

/// K8S-RUN
fn programs_have_streams_and_codes() {
    let (node, id) = container(&shell("exec sleep 1000"));
    assert_eq!(
        exec(&node, &id, "echo out; echo err >&2; exit 3"),
        (3, "out\n".to_owned())
    );
    let spec = ExecSpec {
        command: vec!["cat".to_owned()],
        stdin: true,
        terminal: false,
    };
    let (process, streams) = node.exec(&id, &spec).expect("a program");
    let mut input = File::from(streams.stdin.expect("an input"));
    input.write_all(b"through").expect("an input");
    drop(input);
    assert_eq!(read(streams.stdout.expect("an output")), "through");
    assert_eq!(process.wait().expect("an end"), 0);
    let spec = ExecSpec {
        command: ["sleep", "1000"].map(str::to_owned).to_vec(),
        ..ExecSpec::default()
    };
    let (process, _streams) = node.exec(&id, &spec).expect("a program");
    process.signal(libc::SIGKILL).expect("a signal");
    assert_eq!(process.wait().expect("an end"), 137);
    assert_eq!(process.wait().expect("an end"), 137);
}

/// K8S-RUN
fn programs_have_terminals() {
    let (node, id) = container(&shell("exec sleep 1000"));
    let spec = ExecSpec {
        command: ["/bin/sh", "-c", "tty; read word; echo got $word"]
            .map(str::to_owned)
            .to_vec(),
        terminal: true,
        stdin: true,
    };
    let (process, streams) = node.exec(&id, &spec).expect("a program");
    let mut terminal = File::from(streams.terminal.expect("a terminal"));
    terminal.write_all(b"it\n").expect("a terminal");
    let said = read(terminal.into());
    assert!(
        said.contains("/dev/pts/") && said.contains("got it"),
        "{said}"
    );
    assert_eq!(process.wait().expect("an end"), 0);
}

/// K8S-RUN
fn who_attaches_hears_and_types() {
    let spec = ContainerSpec {
        stdin: true,
        ..shell("echo ready; while read line; do echo got $line; test $line = end && exit; done")
    };
    let (node, id) = container(&spec);
    let known = node.container(&id).expect("it is known");
    wait_for("readiness", || (!log(&known).is_empty()).then_some(()));
    drop(node.attach(&id).expect("a user who goes"));
    let streams = node.attach(&id).expect("a user");
    let mut input = File::from(streams.stdin.expect("an input"));
    input.write_all(b"a\nend\n").expect("an input");
    assert_eq!(read(streams.stdout.expect("an output")), "got a\ngot end\n");
    assert_eq!(ended(&node, &id).0, 0);
    assert_eq!(
        log(&known),
        ["stdout F ready", "stdout F got a", "stdout F got end"]
    );
}

/// K8S-RUN
fn an_input_for_one_ends_with_them() {
    let spec = ContainerSpec {
        stdin: true,
        stdin_once: true,
        ..shell("cat; echo over")
    };
    let (node, id) = container(&spec);
    let streams = node.attach(&id).expect("a user");
    File::from(streams.stdin.expect("an input"))
        .write_all(b"words ")
        .expect("an input");
    assert_eq!(read(streams.stdout.expect("an output")), "words over\n");
    assert_eq!(ended(&node, &id).0, 0);
}

/// K8S-RUN
fn terminals_are_attached_and_resized() {
    let spec = ContainerSpec {
        stdin: true,
        terminal: true,
        ..shell("echo $TERM; while read line; do stty size; test $line = end && exit; done")
    };
    let (node, id) = container(&spec);
    let known = node.container(&id).expect("it is known");
    wait_for("readiness", || (!log(&known).is_empty()).then_some(()));
    node.resize(&id, 100, 40).expect("a size");
    let streams = node.attach(&id).expect("a user");
    assert!(streams.stdin.is_none() && streams.stdout.is_none());
    let mut terminal = File::from(streams.terminal.expect("a terminal"));
    terminal.write_all(b"end\n").expect("a terminal");
    let mut said = String::new();
    terminal.read_to_string(&mut said).expect("text");
    assert!(said.contains("40 100"), "{said}");
    assert_eq!(ended(&node, &id).0, 0);
    assert_eq!(log(&known)[0], "stdout F xterm");
}

/// K8S-RUN
fn logs_are_begun_anew() {
    let spec = ContainerSpec {
        stdin: true,
        ..shell("while read line; do echo $line; done")
    };
    let (node, id) = container(&spec);
    let known = node.container(&id).expect("it is known");
    let streams = node.attach(&id).expect("a user");
    let mut input = File::from(streams.stdin.expect("an input"));
    input.write_all(b"old\n").expect("an input");
    wait_for("a line", || (log(&known) == ["stdout F old"]).then_some(()));
    let path = known.log.clone().expect("a log");
    std::fs::rename(&path, path.with_extension("1")).expect("another name");
    node.reopen_log(&id).expect("a new log");
    input.write_all(b"new\n").expect("an input");
    wait_for("a line", || (log(&known) == ["stdout F new"]).then_some(()));
}
