//! A control plane that is killed under its clients.

use crate::cluster::Cluster;
use crate::lab::text;
use std::process::Stdio;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// K8S-API, OPS-STATE: the API server is killed while objects are written and watched: nothing that was acknowledged
/// is lost, and a watch that was open goes on when it is back.
#[test]
fn watches_resume_and_nothing_is_lost() {
    let Some(cluster) = Cluster::start() else {
        return;
    };
    let port = cluster.lab.status()["ports"]["socks"].to_string();
    cluster.ok(&["create", "configmap", "watched"], "");
    // It lists and watches, as every informer does, and goes on by itself when its connection breaks.
    let wait = [
        "wait",
        "configmap/watched",
        "--for=jsonpath={.data.a}=b",
        "--timeout=120s",
    ];
    let waiting = cluster
        .command(&wait)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let waiting = waiting.unwrap();

    let killed = AtomicBool::new(false);
    let acknowledged = std::thread::scope(|scope| {
        let writers: Vec<_> = (0..3)
            .map(|writer| {
                let (cluster, killed) = (&cluster, &killed);
                scope.spawn(move || {
                    let mut made = Vec::new();
                    for number in 0.. {
                        let name = format!("made-{writer}-{number}");
                        let words = [
                            "create",
                            "configmap",
                            &name,
                            "-o",
                            "jsonpath={.metadata.uid}",
                        ];
                        let output = cluster.run(&words, "");
                        if output.status.success() {
                            made.push((name, text(&output.stdout)));
                        } else {
                            let told = text(&output.stderr);
                            assert!(killed.load(Ordering::SeqCst), "{told}");
                            return made;
                        }
                    }
                    made
                })
            })
            .collect();
        std::thread::sleep(Duration::from_secs(2));
        killed.store(true, Ordering::SeqCst);
        cluster.lab.kill();
        let made = writers.into_iter().map(|writer| writer.join().unwrap());
        made.collect::<Vec<_>>().concat()
    });
    assert!(acknowledged.len() > 3, "{acknowledged:?}");
    // The kubectl that waits names the lab's state too, and must not end.
    let is_labs = |line: &String| !line.contains("--cache-dir");
    while cluster.lab.processes().iter().any(is_labs) {
        std::thread::sleep(Duration::from_millis(10));
    }
    cluster
        .lab
        .ok(&["up", "--detach", "--aws-port", "0", "--socks-port", &port]);

    let maps = "/api/v1/namespaces/default/configmaps";
    let list = cluster.ok(&["get", "--raw", maps], "");
    let list: serde_json::Value = serde_json::from_str(&list).unwrap();
    for (name, uid) in &acknowledged {
        let mut items = list["items"].as_array().unwrap().iter();
        let found = items.find(|item| item["metadata"]["name"] == name.as_str());
        assert_eq!(found.unwrap()["metadata"]["uid"], uid.as_str(), "{name}");
    }
    // From where the list was taken a watch sees all that comes after, and nothing before.
    let revision = list["metadata"]["resourceVersion"].as_str().unwrap();
    let change = [
        "patch",
        "configmap",
        "watched",
        "--type=merge",
        "-p",
        r#"{"data":{"a":"b"}}"#,
    ];
    cluster.ok(&change, "");
    let path = format!("{maps}?watch=true&timeoutSeconds=1&resourceVersion=");
    let watched = cluster.ok(&["get", "--raw", &format!("{path}{revision}")], "");
    let mut events = watched
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
    let event = events.next().unwrap();
    assert_eq!(
        (&event["type"], &event["object"]["data"]["a"]),
        (&"MODIFIED".into(), &"b".into())
    );
    assert!(events.next().is_none(), "{watched}");
    // What is older than the server's memory is told so, and the client lists anew.
    let old = cluster.refused(&["get", "--raw", &format!("{path}1")], "");
    assert!(old.contains("too old resource version"), "{old}");

    let waited = waiting.wait_with_output().unwrap();
    assert!(waited.status.success(), "{}", text(&waited.stderr));
}
