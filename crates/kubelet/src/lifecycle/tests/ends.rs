//! How pods end.

use super::*;

#[test]
fn a_finished_pod_is_deleted_without_ado() {
    let mut world = World::new(with_policy("Never"));
    world.settle();
    world.exit("c", 0);
    world.settle();
    world.delete(0);
    assert_eq!(world.settle(), ["delete"]);
    assert_eq!(world.phase(), "Succeeded");
}

/// K8S-RUN: a node that runs longer than it may is ended.
#[test]
fn deadlines_are_kept() {
    let spec = json!({"containers": [container("c")], "activeDeadlineSeconds": 60});
    let mut world = World::new(spec);
    world.settle();
    world.sleep_until_woken();
    world.news();
    assert_eq!(world.settle(), ["kill c 30 []", "stop s0", "unmount"]);
    let status = world.status();
    assert_eq!(status["phase"], "Failed");
    assert_eq!(status["reason"], "DeadlineExceeded");
    let told = "Pod was active on the node longer than the specified deadline";
    assert_eq!(status["message"], told);
    assert_eq!(world.news()[0], format!("DeadlineExceeded: {told}"));
}

/// K8S-RUN: a pod that the node has no room for fails, and nothing of it runs.
#[test]
fn rejected_pods_fail() {
    let mut world = World::new(always());
    let why = "Node didn't have enough resource: cpu, requested: 2000, used: 0, capacity: 1000";
    world.life.reject("OutOfcpu", why);
    assert_eq!(world.settle(), ["unmount"]);
    let status = world.status();
    assert_eq!(
        (&status["phase"], &status["reason"]),
        (&json!("Failed"), &json!("OutOfcpu"))
    );
    assert_eq!(status["message"], format!("Pod was rejected: {why}"));
    assert_eq!(status["containerStatuses"], Value::Null);
}

/// K8S-RUN: a deletion that was asked for again with less time takes that.
#[test]
fn graces_only_get_shorter() {
    let mut world = World::new(always());
    world.settle();
    world.delete(30);
    assert_eq!(world.life.grace(), None);
    world.life.next(&Scene {
        pod: &world.pod,
        known: true,
        seen: &world.seen,
        health: &world.health,
        network: None,
        host: Ipv4Addr::LOCALHOST,
        now: world.now,
    });
    assert_eq!(world.life.grace(), Some(30));
    world.delete(5);
    assert_eq!(world.settle()[0], "kill c 5 []");
    let mut world = World::new(always());
    world.settle();
    world.known = false;
    assert_eq!(
        world.settle(),
        ["kill c 1 []", "stop s0", "unmount", "forget", "gone"]
    );
}

/// K8S-RUN: the lab comes back with no container left: pods run again, a restart later; those that had
/// finished don't.
#[test]
fn a_node_that_lost_everything_runs_its_pods_again() {
    let running = json!({
        "phase": "Running", "startTime": "1970-01-01T00:00:00Z", "podIP": "10.244.0.9",
        "containerStatuses": [{
            "name": "c", "restartCount": 3, "ready": true, "started": true, "image": "nginx:1",
            "containerID": "skylab://old", "state": {"running": {"startedAt": "1970-01-01T00:00:00Z"}},
        }],
    });
    let mut world = World::with(always(), running.clone());
    world.images.insert("nginx:1".into());
    assert_eq!(world.settle(), ["mount", "sandbox 0", "start c 4"]);
    let status = world.status();
    assert_eq!(status["phase"], "Running");
    let told = &status["containerStatuses"][0];
    assert_eq!(told["restartCount"], 4);
    assert_eq!(
        told["lastState"]["terminated"]["reason"],
        "ContainerStatusUnknown"
    );
    assert_eq!(status["startTime"], "1970-01-01T00:00:00Z");
    let mut never = World::with(with_policy("Never"), running);
    assert_eq!(never.settle(), ["unmount"]);
    assert_eq!(never.phase(), "Failed");
    for phase in ["Succeeded", "Failed"] {
        let status = json!({"phase": phase, "reason": "Why"});
        let mut world = World::with(always(), status);
        assert_eq!(world.settle(), ["unmount"]);
        assert_eq!(world.phase(), phase);
        assert_eq!(world.status()["reason"], "Why");
    }
}
