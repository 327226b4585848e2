//! Lives of sandboxes and containers.

use crate::trials;
use crate::world::{ADDRESS, ended, exec, log, node, on_host_network, run, shell, start, wait_for};
use cri::{
    ContainerSpec, ContainerState, Event, Mount, MountSource, Propagation, RunAs, Runtime,
    RuntimeError,
};
use std::time::{Duration, Instant};

trials![
    a_container_runs_and_is_logged,
    containers_are_told_apart,
    ends_are_told,
    a_polite_container_ends_by_itself,
    a_stubborn_container_is_killed,
    what_cannot_start_is_told,
    a_sandbox_takes_its_containers_along,
    a_sandbox_that_ends_by_itself_is_told,
    what_is_removed_is_gone,
    a_pods_files_are_its_own,
    the_nodes_end_is_everybodys,
];

/// K8S-RUN
fn a_container_runs_and_is_logged() {
    let node = node();
    let sandbox = node
        .run_sandbox(&on_host_network("web"))
        .expect("a sandbox");
    assert_eq!(sandbox.address, Some(ADDRESS));
    let spec = shell("echo one; echo two >&2; printf three");
    let mut lines = run(&node, &sandbox, &spec);
    lines.sort();
    assert_eq!(lines, ["stderr F two", "stdout F one", "stdout F three"]);
}

/// K8S-RUN
fn containers_are_told_apart() {
    let node = node();
    let sandbox = node
        .run_sandbox(&on_host_network("web"))
        .expect("a sandbox");
    let spec = ContainerSpec {
        attempt: 2,
        ..shell("sleep 1000")
    };
    let id = node
        .create_container(&sandbox.id, &spec)
        .expect("a container");
    assert_eq!(id.0.len(), 64);
    let made = node.container(&id).expect("it is known");
    assert_eq!(made.state, ContainerState::Created);
    assert_eq!((made.name.as_str(), made.attempt), ("main", 2));
    assert_eq!(made.image_id, runtime::HOST_IMAGE_ID);
    let refused = node.attach(&id).expect_err("it doesn't run");
    assert!(matches!(refused, RuntimeError::NotRunning(_)));
    node.start_container(&id).expect("a start");
    let state = node.container(&id).expect("it is known").state;
    assert!(matches!(state, ContainerState::Running { .. }));
    assert!(node.start_container(&id).is_err());
    assert_eq!(node.containers().len(), 1);
    assert_eq!(node.sandboxes().len(), 1);
    assert_eq!(node.trouble(), None);
}

/// K8S-RUN
fn ends_are_told() {
    let node = node();
    let events = node.events();
    let sandbox = node
        .run_sandbox(&on_host_network("web"))
        .expect("a sandbox");
    let id = start(&node, &sandbox.id, &shell("exit 3"));
    let event = events.recv_timeout(Duration::from_secs(20));
    assert_eq!(event, Ok(Event::ContainerEnded(id.clone())));
    assert_eq!(ended(&node, &id), (3, "Error".to_owned()));
    let id = start(&node, &sandbox.id, &shell("kill -KILL $$"));
    // Its first process is safe from its own signals.
    assert_eq!(ended(&node, &id).0, 0);
    let id = start(&node, &sandbox.id, &shell("sh -c 'kill -SEGV $$'; exit $?"));
    assert_eq!(ended(&node, &id).0, 139);
}

/// K8S-RUN
fn a_polite_container_ends_by_itself() {
    let node = node();
    let sandbox = node
        .run_sandbox(&on_host_network("web"))
        .expect("a sandbox");
    let spec = shell("trap 'echo bye; exit 5' TERM; echo ready; while :; do sleep 0.05; done");
    let id = start(&node, &sandbox.id, &spec);
    let container = node.container(&id).expect("it is known");
    wait_for("readiness", || (!log(&container).is_empty()).then_some(()));
    node.stop_container(&id, Duration::from_secs(30))
        .expect("an end");
    assert_eq!(ended(&node, &id), (5, "Error".to_owned()));
    assert_eq!(log(&container), ["stdout F ready", "stdout F bye"]);
}

/// K8S-RUN
fn a_stubborn_container_is_killed() {
    let node = node();
    let sandbox = node
        .run_sandbox(&on_host_network("web"))
        .expect("a sandbox");
    let id = start(&node, &sandbox.id, &shell("exec sleep 1000"));
    let began = Instant::now();
    let grace = Duration::from_millis(300);
    node.stop_container(&id, grace).expect("an end");
    assert!(began.elapsed() >= grace);
    assert_eq!(ended(&node, &id), (137, "Error".to_owned()));
    node.stop_container(&id, grace).expect("it has ended");
}

/// K8S-RUN
fn what_cannot_start_is_told() {
    let node = node();
    let sandbox = node
        .run_sandbox(&on_host_network("web"))
        .expect("a sandbox");
    let spec = ContainerSpec {
        command: vec!["no-such-program".to_owned()],
        ..shell("")
    };
    let id = node
        .create_container(&sandbox.id, &spec)
        .expect("a container");
    let refused = node.start_container(&id).expect_err("no program");
    assert_eq!(
        refused.to_string(),
        "failed to create containerd task: failed to create shim task: OCI runtime create failed: \
         runc create failed: unable to start container process: \
         exec: \"no-such-program\": executable file not found in $PATH: unknown"
    );
    assert_eq!(ended(&node, &id), (128, "StartError".to_owned()));
    let spec = ContainerSpec {
        image: "docker.io/library/nothing:latest".to_owned(),
        ..shell("true")
    };
    let refused = node
        .create_container(&sandbox.id, &spec)
        .expect_err("no image");
    assert!(matches!(refused, RuntimeError::NoImage(_)));
    let spec = ContainerSpec {
        user: RunAs {
            not_root: true,
            ..RunAs::default()
        },
        ..shell("true")
    };
    let id = node
        .create_container(&sandbox.id, &spec)
        .expect("a container");
    let refused = node.start_container(&id).expect_err("root");
    assert!(refused.to_string().contains("runAsNonRoot"), "{refused}");
    let id = start(&node, &sandbox.id, &shell("exec sleep 1000"));
    let missing = cri::ExecSpec {
        command: vec!["no-such-program".to_owned()],
        ..cri::ExecSpec::default()
    };
    let refused = node
        .exec(&id, &missing)
        .expect_err("no program")
        .to_string();
    assert!(refused.contains("OCI runtime exec failed"), "{refused}");
}

/// K8S-RUN
fn a_sandbox_takes_its_containers_along() {
    let node = node();
    let sandbox = node
        .run_sandbox(&on_host_network("web"))
        .expect("a sandbox");
    let id = start(&node, &sandbox.id, &shell("exec sleep 1000"));
    node.stop_sandbox(&sandbox.id).expect("an end");
    assert_eq!(ended(&node, &id).0, 137);
    assert!(node.sandboxes().iter().all(|sandbox| !sandbox.ready));
    let late = node
        .create_container(&sandbox.id, &shell("true"))
        .expect("a container");
    assert!(node.start_container(&late).is_err());
    node.stop_sandbox(&sandbox.id).expect("it has ended");
    node.remove_sandbox(&sandbox.id).expect("an end");
    assert!(node.sandboxes().is_empty() && node.containers().is_empty());
    node.remove_sandbox(&sandbox.id).expect("it is gone");
}

/// K8S-RUN
fn a_sandbox_that_ends_by_itself_is_told() {
    let node = node();
    let events = node.events();
    let sandbox = node
        .run_sandbox(&on_host_network("web"))
        .expect("a sandbox");
    crate::world::on(
        node.guest(),
        "kill -KILL $(grep -l pause /proc/[0-9]*/comm | cut -d/ -f3)",
    );
    let event = events.recv_timeout(Duration::from_secs(20));
    assert_eq!(event, Ok(Event::SandboxEnded(sandbox.id.clone())));
    assert!(!node.sandboxes()[0].ready);
    node.remove_sandbox(&sandbox.id).expect("an end");
}

/// K8S-RUN
fn what_is_removed_is_gone() {
    let node = node();
    let sandbox = node
        .run_sandbox(&on_host_network("web"))
        .expect("a sandbox");
    let written = || {
        let disks = std::fs::read_dir("/run/skylab").expect("the lab's memory");
        let files = disks
            .flatten()
            .map(|disk| disk.path().join("etc/upper/written-once"));
        files.filter(|file| file.exists()).count()
    };
    let id = start(
        &node,
        &sandbox.id,
        &shell("touch /etc/written-once; echo; exec sleep 1000"),
    );
    let known = node.container(&id).expect("it is known");
    wait_for("the file", || (!log(&known).is_empty()).then_some(()));
    assert_eq!(written(), 1);
    assert!(node.remove_container(&id).is_err(), "it runs");
    node.stop_container(&id, Duration::ZERO).expect("an end");
    node.remove_container(&id).expect("it has ended");
    assert!(node.container(&id).is_none());
    node.remove_container(&id).expect("it is gone");
    assert_eq!(written(), 0);
}

/// K8S-RUN
fn a_pods_files_are_its_own() {
    let node = node();
    let mut spec = on_host_network("web");
    spec.dns.servers = vec!["10.96.0.10".to_owned()];
    spec.dns.searches = vec!["default.svc.cluster.local".to_owned()];
    spec.host_aliases = vec![("10.0.0.9".to_owned(), vec!["db".to_owned()])];
    let sandbox = node.run_sandbox(&spec).expect("a sandbox");
    let lines = run(
        &node,
        &sandbox,
        &shell("cat /etc/resolv.conf; tail -1 /etc/hosts"),
    );
    assert_eq!(
        lines,
        [
            "stdout F search default.svc.cluster.local",
            "stdout F nameserver 10.96.0.10",
            "stdout F 10.0.0.9\tdb"
        ]
    );
    // What the pod mounts there itself takes their place.
    let hosts = crate::world::directory().join("hosts");
    std::fs::write(&hosts, "mine\n").expect("a file");
    let own = ContainerSpec {
        mounts: vec![Mount {
            source: MountSource::Kubelet(hosts),
            target: "/etc/hosts".into(),
            read_only: false,
            propagation: Propagation::Private,
        }],
        ..shell("cat /etc/hosts")
    };
    assert_eq!(run(&node, &sandbox, &own), ["stdout F mine"]);
}

/// K8S-RUN
fn the_nodes_end_is_everybodys() {
    let node = node();
    let sandbox = node
        .run_sandbox(&on_host_network("web"))
        .expect("a sandbox");
    let id = start(&node, &sandbox.id, &shell("exec sleep 1000"));
    assert_eq!(exec(&node, &id, "echo hi").1, "hi\n");
    node.guest().shut_down();
    assert_eq!(ended(&node, &id).0, 137);
    wait_for("the sandbox's end", || {
        (!node.sandboxes()[0].ready).then_some(())
    });
    wait_for("trouble", || node.trouble());
    node.remove_sandbox(&sandbox.id).expect("an end");
}
