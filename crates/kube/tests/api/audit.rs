//! Who did what.

use crate::world::{ADMIN, World};
use serde_json::json;

/// K8S-API: each request leaves an event that says who did what, whence, and what came of it.
#[tokio::test(flavor = "multi_thread")]
async fn requests_leave_events() {
    let world = World::new().await;
    let object = json!({"metadata": {"name": "m"}});
    let path = "/api/v1/namespaces/default/configmaps";
    world.create(path, &object).await;
    let mut wire = world.connect(None).await;
    let head =
        format!("authorization: Bearer {ADMIN}\r\nimpersonate-user: eve\r\nuser-agent: probe\r\n");
    let answer = wire
        .ask("DELETE", &format!("{path}/m?x=y"), &head, "")
        .await;
    assert_eq!(answer.code, 403);
    let id = answer.header("audit-id").unwrap().to_owned();
    let answer = wire.ask("GET", "/api/v1/nodes", "", "").await;
    assert_eq!(answer.code, 401);
    let events = world.events.0.lock().unwrap();
    let made = events
        .iter()
        .find(|event| event["verb"] == "create")
        .unwrap();
    assert_eq!(made["user"]["username"], "kubernetes-admin");
    assert_eq!(made["objectRef"]["name"], "m");
    assert_eq!(made["responseStatus"]["code"], 201);
    assert_eq!(
        (&made["stage"], &made["level"]),
        (&json!("ResponseComplete"), &json!("Metadata"))
    );
    let refused = events
        .iter()
        .find(|event| event["auditID"] == id.as_str())
        .unwrap();
    assert_eq!(refused["user"]["username"], "kubernetes-admin");
    assert_eq!(refused["impersonatedUser"]["username"], "eve");
    assert_eq!(refused["requestURI"], format!("{path}/m?x=y"));
    assert_eq!(refused["userAgent"], "probe");
    assert_eq!(refused["responseStatus"]["reason"], "Forbidden");
    assert_eq!(
        refused["annotations"]["authorization.k8s.io/decision"],
        "forbid"
    );
    let reference = json!({
        "resource": "configmaps", "apiVersion": "v1", "namespace": "default", "name": "m",
    });
    assert_eq!(refused["objectRef"], reference);
    let nobody = events.last().unwrap();
    assert_eq!(
        (&nobody["user"]["username"], &nobody["verb"]),
        (&json!("system:anonymous"), &json!("list"))
    );
}
