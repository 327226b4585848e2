//! Images that are pulled, or can't be.

use super::*;

/// K8S-RUN: images that can't be had.
#[test]
fn pulls_that_fail_back_off() {
    let mut world = World::new(always());
    world.broken.insert("pull", String::new());
    world.settle();
    let why = "rpc error: code = NotFound desc = failed to pull and unpack image \"nginx:1\": failed to resolve reference \"nginx:1\": nginx:1: not found";
    assert_eq!(world.waiting("c"), ("ErrImagePull".into(), why.into()));
    assert_eq!(world.phase(), "Pending");
    let told = format!("Failed: Failed to pull image \"nginx:1\": {why}");
    assert_eq!(
        world.news()[1..],
        [told, "Failed: Error: ErrImagePull".into()]
    );
    world.sleep_until_woken();
    assert!(world.settle().is_empty());
    let message = format!("Back-off pulling image \"nginx:1\": ErrImagePull: {why}");
    assert_eq!(world.waiting("c"), ("ImagePullBackOff".into(), message));
    assert_eq!(
        world.news(),
        [
            "BackOff: Back-off pulling image \"nginx:1\"",
            "Failed: Error: ImagePullBackOff",
        ]
    );
    world.sleep_until_woken();
    assert_eq!(world.settle(), ["pull c"]);
    world.broken.clear();
    world.sleep(100);
    assert_eq!(world.settle(), ["pull c", "start c 0"]);
    assert_eq!(world.phase(), "Running");
}

/// K8S-RUN: pull policies and names that are none.
#[test]
fn pull_policies() {
    let never = json!({"containers": [{"name": "c", "image": "a:1", "imagePullPolicy": "Never"}]});
    let mut world = World::new(never);
    world.settle();
    assert_eq!(world.waiting("c").0, "ErrImageNeverPull");
    assert_eq!(
        world.news(),
        [
            "ErrImageNeverPull: Container image \"a:1\" is not present with pull policy of Never",
            "Failed: Error: ErrImageNeverPull",
        ]
    );
    let mut world = World::new(always());
    world.images.insert("nginx:1".into());
    assert_eq!(world.settle(), ["mount", "sandbox 0", "start c 0"]);
    assert_eq!(
        world.news()[0],
        "Pulled: Container image \"nginx:1\" already present on machine"
    );
    let mut world = World::new(json!({"containers": [{"name": "c", "image": "nginx"}]}));
    world.images.insert("nginx".into());
    assert!(
        world.settle().contains(&"pull c".to_owned()),
        "its tag moves"
    );
    let mut world = World::new(json!({"containers": [{"name": "c", "image": "Web:1"}]}));
    world.settle();
    let (reason, message) = world.waiting("c");
    assert_eq!(reason, "InvalidImageName");
    assert_eq!(
        message,
        "Failed to apply default image tag \"Web:1\": couldn't parse image name \"Web:1\": invalid reference format"
    );
}

/// K8S-RUN: one container's trouble is not another's.
#[test]
fn a_container_that_waits_holds_nobody_up() {
    let other = json!({"name": "d", "image": "a:1", "imagePullPolicy": "Never"});
    let mut world = World::new(json!({"containers": [other, container("c")]}));
    assert_eq!(
        world.settle(),
        ["mount", "sandbox 0", "pull c", "start c 0"]
    );
    assert_eq!(world.phase(), "Pending");
    let message = world
        .life
        .status()
        .condition("Ready")
        .unwrap()
        .message
        .clone();
    assert_eq!(message.unwrap(), "containers with unready status: [d]");
}
