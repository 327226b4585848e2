//! K8S-API: server-side apply as its documentation has it.
use super::*;
use crate::resource::built_in;
use crate::schema::View;
use serde_json::json;

fn view(kind: &str) -> View {
    let resource = built_in()
        .iter()
        .find(|resource| resource.kind == kind)
        .unwrap();
    View::of_resource(resource)
}

fn by(manager: &str) -> Applier<'_> {
    Applier {
        manager,
        api_version: "apps/v1",
        subresource: None,
        now: "2026-11-24T00:00:00Z",
        force: false,
    }
}

fn deployment(spec: &Value) -> Value {
    json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"}, "spec": spec})
}

fn containers(list: &Value) -> Value {
    deployment(&json!({"template": {"spec": {"containers": list}}}))
}

fn applied(live: Option<&Value>, object: &Value, manager: &str) -> Value {
    apply(live, object, &view("Deployment"), &by(manager)).unwrap()
}

#[test]
fn a_new_object_is_owned() {
    let made = applied(None, &deployment(&json!({"replicas": 1})), "ann");
    let entry = &made["metadata"]["managedFields"][0];
    assert_eq!(entry["manager"], "ann");
    assert_eq!(entry["operation"], "Apply");
    assert_eq!(entry["fieldsV1"], json!({"f:spec": {"f:replicas": {}}}));
}

#[test]
fn the_same_again_changes_nothing() {
    let object = containers(&json!([{"name": "c", "image": "i"}]));
    let made = applied(None, &object, "ann");
    let later = Applier {
        now: "2027-01-01T00:00:00Z",
        ..by("ann")
    };
    assert_eq!(
        apply(Some(&made), &object, &view("Deployment"), &later).unwrap(),
        made
    );
}

#[test]
fn others_fields_conflict_unless_forced() {
    let made = applied(None, &deployment(&json!({"replicas": 1})), "ann");
    let change = deployment(&json!({"replicas": 2}));
    let refused = apply(Some(&made), &change, &view("Deployment"), &by("bob")).unwrap_err();
    assert_eq!(
        refused.to_string(),
        "Apply failed with 1 conflict: conflict with \"ann\" using apps/v1: .spec.replicas"
    );
    let force = Applier {
        force: true,
        ..by("bob")
    };
    let won = apply(Some(&made), &change, &view("Deployment"), &force).unwrap();
    assert_eq!(won["spec"]["replicas"], 2);
    let owners: Vec<_> = won["metadata"]["managedFields"]
        .as_array()
        .unwrap()
        .iter()
        .map(|e| e["manager"].clone())
        .collect();
    assert_eq!(owners, ["bob"]);
}

#[test]
fn equal_values_are_shared() {
    let object = deployment(&json!({"replicas": 1}));
    let made = applied(None, &object, "ann");
    let shared = applied(Some(&made), &object, "bob");
    assert_eq!(
        shared["metadata"]["managedFields"]
            .as_array()
            .unwrap()
            .len(),
        2
    );
    // Who shares a field may give it up, and it stays.
    let less = applied(Some(&shared), &deployment(&json!({"paused": true})), "ann");
    assert_eq!(less["spec"]["replicas"], 1);
}

#[test]
fn what_is_no_longer_applied_goes() {
    let made = applied(
        None,
        &deployment(&json!({"replicas": 1, "paused": true})),
        "ann",
    );
    let less = applied(Some(&made), &deployment(&json!({"replicas": 1})), "ann");
    assert_eq!(less["spec"], json!({"replicas": 1}));
}

#[test]
fn list_items_are_owned_by_their_keys() {
    let made = applied(
        None,
        &containers(&json!([{"name": "a", "image": "1"}])),
        "ann",
    );
    let both = applied(
        Some(&made),
        &containers(&json!([{"name": "b", "image": "2"}])),
        "bob",
    );
    let list = &both["spec"]["template"]["spec"]["containers"];
    assert_eq!(
        list,
        &json!([{"name": "a", "image": "1"}, {"name": "b", "image": "2"}])
    );
    let none = applied(Some(&both), &deployment(&json!({"paused": true})), "ann");
    let list = &none["spec"]["template"]["spec"]["containers"];
    assert_eq!(list, &json!([{"name": "b", "image": "2"}]));
}

#[test]
fn updates_take_ownership() {
    let made = applied(
        None,
        &deployment(&json!({"replicas": 1, "paused": true})),
        "ann",
    );
    let mut scaled = made.clone();
    scaled["spec"]["replicas"] = json!(5);
    track(
        Some(&made),
        &mut scaled,
        &view("Deployment"),
        &by("kubectl"),
    );
    let refused = apply(
        Some(&scaled),
        &deployment(&json!({"replicas": 1, "paused": true})),
        &view("Deployment"),
        &by("ann"),
    );
    let refused = refused.unwrap_err().to_string();
    let told = "conflict with \"kubectl\" using apps/v1 at 2026-11-24T00:00:00Z: .spec.replicas";
    assert!(refused.contains(told), "{refused}");
    // Who leaves the field out gives it up, and the other's value stays.
    let left = applied(Some(&scaled), &deployment(&json!({"paused": true})), "ann");
    assert_eq!(left["spec"], json!({"replicas": 5, "paused": true}));
}

#[test]
fn ownership_can_be_reset() {
    let made = applied(None, &deployment(&json!({"replicas": 1})), "ann");
    let mut reset = made.clone();
    reset["metadata"]["managedFields"] = json!([{}]);
    track(Some(&made), &mut reset, &view("Deployment"), &by("kubectl"));
    assert!(reset["metadata"]["managedFields"].is_null());
}

#[test]
fn old_updates_become_one() {
    let mut object = deployment(&json!({"replicas": 0}));
    for count in 1..20 {
        let before = object.clone();
        object["metadata"]["labels"][format!("l{count}")] = json!("x");
        let manager = format!("m{count}");
        let now = format!("2026-11-24T00:00:{count:02}Z");
        let update = Applier {
            now: &now,
            ..by(&manager)
        };
        track(Some(&before), &mut object, &view("Deployment"), &update);
    }
    let entries = object["metadata"]["managedFields"].as_array().unwrap();
    assert_eq!(entries.len(), 10);
    assert!(
        entries
            .iter()
            .any(|entry| entry["manager"] == "ancient-changes")
    );
}
