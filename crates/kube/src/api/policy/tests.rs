//! K8S-API: policies decide by expressions which requests pass.
#![allow(clippy::unwrap_used)]

use crate::api::{Answers, Context, Method, Pace, Request, Settings, Status, User, handle, rbac};
use crate::metrics::Metrics;
use crate::store::{Key, Store};
use serde_json::{Value, json};

struct World(Store);

impl World {
    fn new() -> Self {
        let mut store = Store::default();
        for (name, labels) in [
            ("default", json!({})),
            ("test", json!({"environment": "test"})),
        ] {
            let namespace = json!({"metadata": {"name": name, "labels": labels}});
            store.put(Key::new("namespaces", "", name), namespace);
        }
        Self(store)
    }

    fn send(&mut self, method: Method, path: &str, body: &Value) -> Result<Vec<String>, Status> {
        let settings = Settings {
            service_cidr: ([10, 96, 0, 0].into(), 24),
            node_ports: 30_000..=30_100,
            authority: String::new(),
            version: "1.32".to_owned(),
            pace: Pace::Real,
            pod_range: None,
            api_endpoints: Vec::new(),
        };
        let user = User {
            name: "ann".to_owned(),
            groups: vec![rbac::MASTERS.to_owned()],
            ..User::default()
        };
        let context = Context {
            user: &user,
            now: 1_000_000,
            entropy: [7; 32],
            settings: &settings,
            metrics: &Metrics::default(),
            answers: &Answers::default(),
        };
        let request = Request {
            method,
            path: path.to_owned(),
            query: Vec::new(),
            content_type: "application/json".to_owned(),
            accept: "application/json".to_owned(),
            user_agent: "test".to_owned(),
            body: serde_json::to_vec(body).unwrap(),
        };
        let outcome = handle(&self.0, &context, &request)?;
        if let Some((store, _)) = outcome.changed {
            self.0 = store;
        }
        Ok(outcome.warnings)
    }

    fn make(&mut self, kind: &str, body: &Value) -> Result<Vec<String>, Status> {
        let path = format!("/apis/admissionregistration.k8s.io/v1/{kind}");
        let mut body = body.clone();
        body["apiVersion"] = json!("admissionregistration.k8s.io/v1");
        self.send(Method::Post, &path, &body)
    }

    fn deploy(
        &mut self,
        namespace: &str,
        name: &str,
        replicas: i64,
    ) -> Result<Vec<String>, Status> {
        let template = json!({"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "c", "image": "i"}]}});
        let body = json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name},
            "spec": {"replicas": replicas, "selector": {"matchLabels": {"a": "b"}}, "template": template}});
        let path = format!("/apis/apps/v1/namespaces/{namespace}/deployments");
        self.send(Method::Post, &path, &body)
    }
}

/// The example of upstream's documentation.
fn policy() -> Value {
    json!({"kind": "ValidatingAdmissionPolicy", "metadata": {"name": "demo-policy.example.com"}, "spec": {
        "failurePolicy": "Fail",
        "matchConstraints": {"resourceRules": [{"apiGroups": ["apps"], "apiVersions": ["v1"],
            "operations": ["CREATE", "UPDATE"], "resources": ["deployments"]}]},
        "validations": [{"expression": "object.spec.replicas <= 5"}]}})
}

fn binding(actions: &Value) -> Value {
    json!({"kind": "ValidatingAdmissionPolicyBinding", "metadata": {"name": "demo-binding-test.example.com"}, "spec": {
        "policyName": "demo-policy.example.com", "validationActions": actions,
        "matchResources": {"namespaceSelector": {"matchLabels": {"environment": "test"}}}}})
}

#[test]
fn a_bound_policy_refuses_and_tells_why() {
    let mut world = World::new();
    world
        .make("validatingadmissionpolicies", &policy())
        .unwrap();
    assert!(world.deploy("test", "free", 9).is_ok());
    world
        .make(
            "validatingadmissionpolicybindings",
            &binding(&json!(["Deny"])),
        )
        .unwrap();
    let refused = world.deploy("test", "web", 6).unwrap_err();
    assert_eq!((refused.code, &*refused.reason), (422, "Invalid"));
    assert_eq!(
        refused.message,
        "deployments.apps \"web\" is forbidden: ValidatingAdmissionPolicy 'demo-policy.example.com' with binding 'demo-binding-test.example.com' denied request: failed expression: object.spec.replicas <= 5"
    );
    assert!(world.deploy("test", "web", 5).is_ok());
    assert!(world.deploy("default", "web", 6).is_ok());
}

#[test]
fn conditions_variables_parameters_and_warnings() {
    let mut world = World::new();
    let mut policy = policy();
    policy["spec"]["paramKind"] = json!({"apiVersion": "v1", "kind": "ConfigMap"});
    policy["spec"]["matchConditions"] = json!([{"name": "not-bob", "expression": "request.userInfo.username != 'bob' && object.metadata.name != 'exempt'"}]);
    policy["spec"]["variables"] = json!([
        {"name": "most", "expression": "int(params.data.most)"},
        {"name": "over", "expression": "object.spec.replicas > variables.most"},
    ]);
    policy["spec"]["validations"] = json!([{
        "expression": "!variables.over", "reason": "Forbidden",
        "messageExpression": "object.metadata.name + ' has more than ' + string(variables.most)",
    }]);
    world.make("validatingadmissionpolicies", &policy).unwrap();
    let mut bound = binding(&json!(["Deny", "Audit"]));
    bound["spec"]["paramRef"] =
        json!({"name": "limits", "namespace": "default", "parameterNotFoundAction": "Deny"});
    world
        .make("validatingadmissionpolicybindings", &bound)
        .unwrap();
    let told = world.deploy("test", "web", 1).unwrap_err().message;
    assert!(
        told.contains("no params found for policy binding"),
        "{told}"
    );
    let map = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "limits"}, "data": {"most": "3"}});
    world
        .send(Method::Post, "/api/v1/namespaces/default/configmaps", &map)
        .unwrap();
    assert!(world.deploy("test", "web", 3).is_ok());
    let refused = world.deploy("test", "more", 4).unwrap_err();
    assert_eq!(refused.code, 403);
    assert!(
        refused
            .message
            .ends_with("denied request: more has more than 3"),
        "{}",
        refused.message
    );
    assert!(world.deploy("test", "exempt", 9).is_ok());
    let mut warning = binding(&json!(["Warn"]));
    warning["metadata"]["name"] = json!("demo-binding-test.example.com");
    warning["spec"]["paramRef"] = bound["spec"]["paramRef"].clone();
    warning["apiVersion"] = json!("admissionregistration.k8s.io/v1");
    let path = "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicybindings/demo-binding-test.example.com";
    world.send(Method::Put, path, &warning).unwrap();
    let warnings = world.deploy("test", "warned", 4).unwrap();
    assert!(
        warnings[0].ends_with("warned has more than 3"),
        "{warnings:?}"
    );
}

#[test]
fn policies_that_cannot_be_are_refused() {
    let mut world = World::new();
    let mut wrong = policy();
    wrong["spec"]["validations"] = json!([{"expression": "object.spec.replicas <="}]);
    let told = world
        .make("validatingadmissionpolicies", &wrong)
        .unwrap_err()
        .message;
    assert!(told.contains("spec.validations[0].expression"), "{told}");
    wrong["spec"]["validations"] =
        json!([{"expression": "authorizer.group('').check('get').allowed()"}]);
    let told = world
        .make("validatingadmissionpolicies", &wrong)
        .unwrap_err()
        .message;
    assert!(told.contains("undeclared reference"), "{told}");
    let mut bound = binding(&json!(["Deny", "Warn"]));
    bound["spec"]["policyName"] = json!("");
    let told = world
        .make("validatingadmissionpolicybindings", &bound)
        .unwrap_err()
        .message;
    assert!(
        told.contains("spec.policyName") && told.contains("spec.validationActions"),
        "{told}"
    );
}
