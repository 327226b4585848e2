//! Hooks, probes and readiness.

use super::*;

/// K8S-RUN: a container's hook after its start holds up what comes after, and its failure ends it.
#[test]
fn hooks_after_the_start() {
    let hooked = json!({"name": "c", "image": "nginx:1",
        "lifecycle": {"postStart": {"exec": {"command": ["true"]}}}});
    let spec = json!({"containers": [hooked, container("d")]});
    let mut world = World::new(spec.clone());
    let done = world.settle();
    assert_eq!(done[2..], ["pull c", "start c 0", "hook c", "start d 0"]);
    assert_eq!(world.phase(), "Running");
    let mut world = World::new(spec);
    world.broken.insert("hook", "exit code 1".into());
    world.settle();
    let news = world.news();
    assert!(
        news.contains(&"FailedPostStartHook: PostStartHook failed".to_owned()),
        "{news:?}"
    );
    assert!(
        news.contains(&"Killing: FailedPostStartHook".to_owned()),
        "{news:?}"
    );
    let (reason, message) = world.waiting("c");
    assert_eq!(
        (reason.as_str(), message.as_str()),
        (
            "CrashLoopBackOff",
            "back-off 10s restarting failed container=c pod=web_default(u1)"
        )
    );
}

/// K8S-RUN: probes that fail end their container; the pod's policy says whether it comes back.
#[test]
fn unhealthy_containers_are_killed() {
    let failed = Health {
        startup: Verdict::Success,
        liveness: Verdict::Failure,
        readiness: Verdict::Success,
    };
    let probed = json!({"name": "c", "image": "nginx:1",
        "startupProbe": {"exec": {}},
        "livenessProbe": {"exec": {}, "terminationGracePeriodSeconds": 7},
        "readinessProbe": {"exec": {}}});
    for (policy, told, then) in [
        (
            "Always",
            "Container c failed liveness probe, will be restarted",
            "start c 1",
        ),
        ("Never", "Container c failed liveness probe", "stop s0"),
    ] {
        let mut world = World::new(json!({"containers": [probed], "restartPolicy": policy}));
        world.settle();
        let status = &world.status()["containerStatuses"][0];
        assert_eq!(
            (&status["started"], &status["ready"]),
            (&json!(false), &json!(false))
        );
        world.health("c", STARTED);
        world.settle();
        let status = &world.status()["containerStatuses"][0];
        assert_eq!(
            (&status["started"], &status["ready"]),
            (&json!(true), &json!(false))
        );
        let ready = Health {
            readiness: Verdict::Success,
            ..STARTED
        };
        world.health("c", ready);
        world.settle();
        assert_eq!(world.condition("Ready").0, "True");
        world.news();
        world.health("c", failed);
        let done = world.settle();
        assert_eq!(done[..2], ["kill c 7 []", then], "{policy}");
        assert_eq!(world.news()[0], format!("Killing: {told}"));
    }
    let startup = Health {
        startup: Verdict::Failure,
        ..Health::default()
    };
    let mut world = World::new(json!({"containers": [probed]}));
    world.settle();
    world.health("c", startup);
    world.news();
    assert_eq!(world.settle()[0], "kill c 30 []");
    assert_eq!(
        world.news()[0],
        "Killing: Container c failed startup probe, will be restarted"
    );
}

/// K8S-RUN: readiness waits for others' conditions, which stay as they are.
#[test]
fn readiness_gates() {
    let spec = json!({"containers": [container("c")], "readinessGates": [{"conditionType": "lb"}]});
    let mut world = World::new(spec);
    world.settle();
    assert_eq!(
        world.condition("Ready"),
        ("False".into(), "ReadinessGatesNotReady".into())
    );
    assert_eq!(world.condition("ContainersReady").0, "True");
    let told = world
        .life
        .status()
        .condition("Ready")
        .unwrap()
        .message
        .clone();
    assert_eq!(
        told.unwrap(),
        "corresponding condition of pod readiness gate \"lb\" does not exist."
    );
    let gate = |status: &str| crate::pod::Condition {
        kind: "lb".into(),
        status: status.into(),
        ..Default::default()
    };
    world.pod.status.conditions = vec![gate("False")];
    world.settle();
    let told = world
        .life
        .status()
        .condition("Ready")
        .unwrap()
        .message
        .clone();
    assert_eq!(
        told.unwrap(),
        "the status of pod readiness gate \"lb\" is not \"True\", but False"
    );
    world.pod.status.conditions = vec![gate("True")];
    world.sleep(5);
    world.settle();
    assert_eq!(world.condition("Ready").0, "True");
    assert_eq!(world.condition("lb").0, "True");
    // What others say is theirs to tell.
    let told = world.status()["conditions"].to_string();
    assert!(
        told.contains("ContainersReady") && !told.contains("\"lb\""),
        "{told}"
    );
    let since = world
        .life
        .status()
        .condition("Ready")
        .unwrap()
        .last_transition_time
        .clone();
    assert_eq!(since.unwrap(), crate::clock::rfc3339(world.now));
    let since = world
        .life
        .status()
        .condition("Initialized")
        .unwrap()
        .last_transition_time
        .clone();
    assert_ne!(since.unwrap(), crate::clock::rfc3339(world.now));
}
