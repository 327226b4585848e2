//! What containers may use. Where the machine lets nobody make control groups, they run without, and say
//! so.

use crate::trials;
use crate::world::{
    ended, exec, limits, log, node, on_host_network, pod, run, shell, start, wait_for,
};
use cri::{ContainerSpec, Resources, Runtime, SandboxSpec, Spaces};
use kernel::limits::{Limit, Limits};
use std::fs;
use std::path::PathBuf;
use std::time::Duration;

trials![
    memory_is_limited,
    processors_are_limited,
    what_is_used_is_known,
    a_container_sees_itself_at_the_top,
    what_shares_a_pids_is_ended_with_its_container,
    dead_labs_are_swept,
];

/// Whether there are limits here.
fn limited() -> bool {
    limits().trouble().is_none()
}

fn with(words: &str, resources: Resources) -> ContainerSpec {
    ContainerSpec {
        resources,
        ..shell(words)
    }
}

/// K8S-RUN
fn memory_is_limited() {
    if !limited() {
        return;
    }
    let node = node();
    assert_eq!(node.unlimited(), None);
    let sandbox = node
        .run_sandbox(&on_host_network("web"))
        .expect("a sandbox");
    let resources = Resources {
        memory_limit: Some(32 << 20),
        ..Resources::default()
    };
    let greedy = "exec python3 -c 'x = bytearray(200 * 1024 * 1024)'";
    let id = start(&node, &sandbox.id, &with(greedy, resources));
    assert_eq!(ended(&node, &id), (137, "OOMKilled".to_owned()));
    assert_eq!(
        run(&node, &sandbox, &with("echo fine", resources)),
        ["stdout F fine"]
    );
}

/// K8S-RUN
fn processors_are_limited() {
    if !limited() {
        return;
    }
    let node = node();
    let sandbox = node
        .run_sandbox(&on_host_network("web"))
        .expect("a sandbox");
    let resources = Resources {
        cpu_shares: Some(102),
        cpu_limit_millis: Some(100),
        ..Resources::default()
    };
    let id = start(&node, &sandbox.id, &with("while :; do :; done", resources));
    // Unlimited, the loop would never be held back; the kernel counts how often it was.
    wait_for("it to be held back", || {
        (throttled(&id.0) > 0).then_some(())
    });
    node.stop_container(&id, Duration::ZERO).expect("an end");
}

/// How often the kernel held a container's processes back because their time was up.
fn throttled(container: &str) -> u64 {
    let limit = Limit {
        cpu_millis: Some(100),
        ..Limit::default()
    };
    let beside = limits().group("beside", &limit);
    let beside = beside.expect("a group").expect("limits").lists();
    let labs = beside.iter().filter_map(|list| list.parent()?.parent());
    let statistics = labs.filter_map(|lab| {
        let text = fs::read_to_string(lab.join(container).join("cpu.stat")).ok()?;
        let count = text
            .lines()
            .find_map(|line| line.strip_prefix("nr_throttled "));
        count?.parse::<u64>().ok()
    });
    statistics.max().unwrap_or(0)
}

/// K8S-RUN
fn what_is_used_is_known() {
    if !limited() {
        return;
    }
    let node = node();
    let sandbox = node
        .run_sandbox(&on_host_network("web"))
        .expect("a sandbox");
    let words = "python3 -c 'import time; x = bytearray(64 * 1024 * 1024); print(1, flush=True); time.sleep(1000)'";
    let id = start(&node, &sandbox.id, &shell(words));
    let known = node.container(&id).expect("it is known");
    wait_for("the memory", || (!log(&known).is_empty()).then_some(()));
    let usage = node.usage(&id).expect("what it used");
    assert!(
        usage.memory_bytes > 64 << 20 && usage.cpu_nanoseconds > 0,
        "{usage:?}"
    );
}

/// OPS-SAFE
fn a_container_sees_itself_at_the_top() {
    let node = node();
    let sandbox = node
        .run_sandbox(&on_host_network("web"))
        .expect("a sandbox");
    let id = start(
        &node,
        &sandbox.id,
        &shell("cat /proc/self/cgroup; exec sleep 1000"),
    );
    let known = node.container(&id).expect("it is known");
    wait_for("its groups", || (!log(&known).is_empty()).then_some(()));
    let (_, beside) = exec(&node, &id, "cat /proc/self/cgroup");
    let joined = |line: &str| line.contains(":memory:") || line.contains(":pids:");
    for line in beside.lines().filter(|line| joined(line)) {
        assert!(line.ends_with(":/"), "{line}");
    }
}

/// K8S-RUN
fn what_shares_a_pids_is_ended_with_its_container() {
    if !limited() {
        return;
    }
    let node = node();
    let spec = SandboxSpec {
        spaces: Spaces {
            shared_pid: true,
            host_network: true,
            ..Spaces::default()
        },
        ..pod("shared")
    };
    let sandbox = node.run_sandbox(&spec).expect("a sandbox");
    let first = start(&node, &sandbox.id, &shell("exec sleep 1000"));
    let second = start(
        &node,
        &sandbox.id,
        &shell("setsid sleep 2000 & exec sleep 1000"),
    );
    let left = || {
        exec(&node, &first, "cat /proc/[0-9]*/cmdline")
            .1
            .contains("2000")
    };
    wait_for("its process", || left().then_some(()));
    node.stop_container(&second, Duration::ZERO)
        .expect("an end");
    assert!(!left());
    assert_eq!(exec(&node, &first, "exit 0").0, 0);
}

/// OPS-SAFE
fn dead_labs_are_swept() {
    if !limited() {
        return;
    }
    let group = limits().group("living", &Limit::default());
    let group = group.expect("a group").expect("limits");
    let living: Vec<PathBuf> = group.lists();
    // What a killed lab leaves: directories that nobody holds.
    let labs = living
        .iter()
        .filter_map(|list| list.parent()?.parent()?.parent());
    let dead: Vec<PathBuf> = labs.map(|labs| labs.join("skylab-test-dead")).collect();
    for dead in &dead {
        fs::create_dir_all(dead.join("container")).expect("a group");
    }
    let own = Limits::find(&format!("test-sweeper-{}", std::process::id()));
    assert_eq!(own.trouble(), None);
    assert!(dead.iter().all(|dead| !dead.exists()));
    assert!(living.iter().all(|list| list.exists()), "its lab lives");
}
