//! A corpus of ingresses, and what becomes of them.
#![allow(clippy::unwrap_used)]

use super::action::{Action, Redirect, TargetRef};
use super::class::{GroupId, Params};
use super::condition::Condition;
use super::object::{Ingress, Service, read};
use super::stack::{GroupRef, Listener, Permission, Source, Stack};
use super::surround::{Certificate, Surroundings, needs};
use super::*;
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Services of one namespace: `web` with node ports, `inner` without.
struct Fixed(BTreeMap<String, Service>);

impl Services for Fixed {
    fn service(&self, namespace: &str, name: &str) -> Option<Service> {
        (namespace == "default").then(|| self.0.get(name).cloned())?
    }
}

fn services() -> Fixed {
    let make = |name: &str, kind: &str, node: u16, annotations: Value| {
        let object = json!({
            "metadata": {"name": name, "namespace": "default", "uid": name, "annotations": annotations},
            "spec": {"type": kind, "ports": [
                {"name": "http", "port": 80, "targetPort": "web", "nodePort": node, "protocol": "TCP"},
                {"name": "check", "port": 81, "targetPort": 8081, "nodePort": node + 1, "protocol": "TCP"},
            ]},
        });
        (name.to_owned(), read(&object).unwrap())
    };
    let codes = json!({"alb.ingress.kubernetes.io/success-codes": "200-299"});
    Fixed(BTreeMap::from([
        make("web", "NodePort", 31_000, codes),
        make("inner", "ClusterIP", 0, json!({})),
    ]))
}

fn settings() -> Settings {
    Settings {
        cluster: "demo".to_owned(),
        target_type: "instance".to_owned(),
        scheme: "internal".to_owned(),
        ssl_policy: "ELBSecurityPolicy-2016-08".to_owned(),
        tags: BTreeMap::new(),
    }
}

fn surround() -> Surroundings {
    let subnet = |id: &str| {
        let tag = |key: &str| json!({"key": key, "value": "1"});
        json!({
            "subnetId": id, "availabilityZone": id, "availableIpAddressCount": "100",
            "tagSet": [tag("kubernetes.io/role/elb"), tag("kubernetes.io/role/internal-elb")],
        })
    };
    let certificate = Certificate {
        arn: "arn:found".to_owned(),
        names: vec!["*.example.com".to_owned()],
    };
    Surroundings {
        subnets: vec![subnet("subnet-a"), subnet("subnet-b")],
        certificates: vec![certificate],
        secrets: BTreeMap::from([(
            "default/idp".to_owned(),
            ("client".to_owned(), "secret".to_owned()),
        )]),
        ..Surroundings::default()
    }
}

/// Ingresses of YAML, each with annotations below `alb.ingress.kubernetes.io/`.
fn ingresses(text: &str) -> Vec<Ingress> {
    let documents = serde_norway::Deserializer::from_str(text);
    documents
        .map(|document| {
            let mut object = Value::deserialize(document).unwrap();
            object["metadata"]["namespace"] = json!("default");
            let given = object["metadata"]["annotations"].take();
            let given = given.as_object().cloned().unwrap_or_default();
            let full = given
                .into_iter()
                .map(|(key, value)| (format!("alb.ingress.kubernetes.io/{key}"), value));
            object["metadata"]["annotations"] = full.collect();
            read(&object).unwrap()
        })
        .collect()
}

fn built_with(text: &str, params: Option<&Params>) -> Result<Stack, BuildError> {
    let ingresses = ingresses(text);
    let members: Vec<Member<'_>> = ingresses
        .iter()
        .map(|ingress| Member { ingress, params })
        .collect();
    let group = class::group_of(&ingresses[0], params).unwrap();
    build(&settings(), &group, &members, &services(), &surround())
}

fn built(text: &str) -> Stack {
    built_with(text, None).unwrap()
}

fn refused(text: &str) -> String {
    built_with(text, None).unwrap_err().to_string()
}

fn listeners(stack: &Stack) -> &[Listener] {
    &stack.balancer.as_ref().unwrap().listeners
}

fn paths(of: &[&str]) -> Condition {
    Condition::Path(of.iter().map(|path| (*path).to_owned()).collect())
}

fn hosts(of: &[&str]) -> Condition {
    Condition::Host(of.iter().map(|host| (*host).to_owned()).collect())
}

/// AWS-LBC: section 7.2's example: one rule for a host and all paths, 404 for the rest, node ports behind it, the two
/// security groups.
#[test]
fn the_worked_example() {
    let stack = built(
        "
metadata: {name: app}
spec:
  rules:
  - host: app.example.com
    http: {paths: [{path: /, pathType: Prefix, backend: {service: {name: web, port: {number: 80}}}}]}
",
    );
    let balancer = stack.balancer.as_ref().unwrap();
    assert_eq!(
        (balancer.kind, balancer.scheme.as_str()),
        ("application", "internal")
    );
    assert_eq!(balancer.groups, [GroupRef::Managed, GroupRef::Backend]);
    let [listener] = listeners(&stack) else {
        panic!()
    };
    assert_eq!((listener.port, listener.protocol), (80, "HTTP"));
    assert_eq!(listener.default, [Action::not_found()]);
    let [rule] = listener.rules.as_slice() else {
        panic!()
    };
    assert_eq!(
        rule.conditions,
        [hosts(&["app.example.com"]), paths(&["/*"])]
    );
    let group = &stack.target_groups[0];
    assert_eq!(group.resource, "default/app-web:80");
    assert_eq!((group.port, group.target_type), (31_000, "instance"));
    let check = &group.check;
    assert_eq!(
        (
            check.interval,
            check.timeout,
            check.healthy,
            check.unhealthy
        ),
        (15, 5, 2, 2)
    );
    // The service's annotation goes before the ingress'.
    assert!(check.codes == Some(stack::Codes::Http("200-299".to_owned())));
    let permission = Permission {
        protocol: "tcp",
        port: 80,
        from: Source::Range("0.0.0.0/0".to_owned()),
    };
    assert_eq!(stack.managed_group.unwrap().permissions, [permission]);
    assert_eq!(
        stack.bindings[0].networking[0].ports,
        [("TCP", json!(31_000))]
    );
}

/// AWS-LBC: exact paths first, then prefixes by length; members by their order; each listener counts anew and has only
/// the rules of those that listen there.
#[test]
fn rules_of_a_group_are_in_order() {
    let stack = built(
        r#"
metadata: {name: b, annotations: {group.name: shared, group.order: "1", listen-ports: '[{"HTTP": 80}, {"HTTP": 8080}]'}}
spec:
  rules: [{http: {paths: [
    {path: /b, pathType: Prefix, backend: {service: {name: web, port: {name: http}}}},
    {path: /exact, pathType: Exact, backend: {service: {name: web, port: {name: http}}}},
  ]}}]
---
metadata: {name: z, annotations: {group.name: shared, group.order: "-1"}}
spec:
  rules: [{http: {paths: [{pathType: ImplementationSpecific, backend: {service: {name: web, port: {number: 80}}}}]}}]
---
metadata: {name: c, annotations: {group.name: shared, group.order: "1"}}
spec: {defaultBackend: {service: {name: web, port: {number: 80}}}}
"#,
    );
    let [first, second] = listeners(&stack) else {
        panic!()
    };
    let conditions: Vec<_> = first
        .rules
        .iter()
        .map(|rule| rule.conditions[0].clone())
        .collect();
    assert_eq!(
        conditions,
        [paths(&["/*"]), paths(&["/exact"]), paths(&["/b", "/b/*"])]
    );
    assert!(matches!(first.default[0], Action::Forward { .. }));
    assert_eq!((second.port, second.rules.len()), (8080, 2));
    assert_eq!(second.default, [Action::not_found()]);
    assert!(
        stack
            .balancer
            .as_ref()
            .unwrap()
            .name
            .starts_with("k8s-shared-")
    );
    assert_eq!(stack.name, "shared");
    // Each ingress has target groups of its own, and a port's name is not its number.
    assert_eq!(stack.target_groups.len(), 3);
}

/// AWS-LBC: pods behind the load balancer: a named port is each pod's own.
#[test]
fn pods_are_targets_in_ip_mode() {
    let text = |service: &str| {
        format!(
            "
metadata: {{name: app, annotations: {{target-type: ip, healthcheck-port: check}}}}
spec: {{defaultBackend: {{service: {{name: {service}, port: {{number: 80}}}}}}}}
"
        )
    };
    let stack = built(&text("inner"));
    let group = &stack.target_groups[0];
    assert_eq!(
        (group.port, group.target_type, group.check.port.as_str()),
        (1, "ip", "8081")
    );
    let ports = &stack.bindings[0].networking[0].ports;
    assert_eq!(ports, &[("TCP", json!("web")), ("TCP", json!(8081))]);
    let nodes = text("inner").replace("target-type: ip, ", "");
    assert!(refused(&nodes).contains("your service must be of type 'NodePort' or 'LoadBalancer'"));
}

/// AWS-LBC: certificates that are named or found, and plain requests sent to TLS: such a listener has no rules.
#[test]
fn tls_and_redirection() {
    let stack = built(
        r#"
metadata: {name: app, annotations: {listen-ports: '[{"HTTP": 80}, {"HTTPS": 443}]', ssl-redirect: "443"}}
spec:
  tls: [{hosts: [app.example.com]}]
  rules: [{host: app.example.com, http: {paths: [{path: /, pathType: Prefix, backend: {service: {name: web, port: {number: 80}}}}]}}]
"#,
    );
    let [plain, secure] = listeners(&stack) else {
        panic!()
    };
    let to = Redirect {
        protocol: "HTTPS".to_owned(),
        port: "443".to_owned(),
        ..Redirect::default()
    };
    assert_eq!(plain.default, [Action::Redirect(to)]);
    assert!(plain.rules.is_empty());
    assert_eq!(secure.certificates, ["arn:found"]);
    assert_eq!(secure.policy.as_deref(), Some("ELBSecurityPolicy-2016-08"));
    assert_eq!(secure.rules.len(), 1);
    let given = built(
        "
metadata: {name: app, annotations: {certificate-arn: 'arn:1,arn:2'}}
spec: {defaultBackend: {service: {name: web, port: {number: 80}}}}
",
    );
    let [only] = listeners(&given) else { panic!() };
    assert_eq!((only.port, only.certificates.len()), (443, 2));
    let none = refused(
        r#"
metadata: {name: app, annotations: {ssl-redirect: "443"}}
spec: {defaultBackend: {service: {name: web, port: {number: 80}}}}
"#,
    );
    assert_eq!(none, "listener does not exist for SSLRedirect port: 443");
    let unknown = refused(
        r#"
metadata: {name: app, annotations: {listen-ports: '[{"HTTPS": 443}]'}}
spec: {rules: [{host: other.org, http: {paths: []}}]}
"#,
    );
    assert!(
        unknown.ends_with("no certificate found for host: other.org"),
        "{unknown}"
    );
}

/// AWS-LBC: actions and conditions by annotation; a service that is not there is answered 503.
#[test]
fn annotations_describe_actions_and_conditions() {
    let stack = built(
        r#"
metadata:
  name: app
  annotations:
    actions.go: '{"Type":"redirect","RedirectConfig":{"Protocol":"HTTPS","Port":"443","StatusCode":"HTTP_302"}}'
    actions.say: '{"type":"fixed-response","fixedResponseConfig":{"contentType":"text/plain","statusCode":"418","messageBody":"tea"}}'
    actions.both: '{"type":"forward","forwardConfig":{"targetGroups":[{"serviceName":"web","servicePort":"http","weight":20},{"targetGroupARN":"arn:tg","weight":80}],"targetGroupStickinessConfig":{"enabled":true,"durationSeconds":200}}}'
    conditions.say: '[{"field":"http-request-method","httpRequestMethodConfig":{"Values":["GET"]}},{"field":"path-pattern","pathPatternConfig":{"values":["/more"]}}]'
spec:
  rules:
  - http: {paths: [
      {path: /go, pathType: Exact, backend: {service: {name: go, port: {name: use-annotation}}}},
      {path: /say, pathType: Exact, backend: {service: {name: say, port: {name: use-annotation}}}},
      {path: /both, pathType: Exact, backend: {service: {name: both, port: {name: use-annotation}}}},
      {path: /none, pathType: Exact, backend: {service: {name: none, port: {number: 80}}}},
    ]}
"#,
    );
    let [listener] = listeners(&stack) else {
        panic!()
    };
    let [go, say, both, none] = listener.rules.as_slice() else {
        panic!()
    };
    assert!(
        matches!(&go.actions[0], Action::Redirect(to) if to.status == "HTTP_302" && to.host == "#{host}")
    );
    let method = Condition::Method(vec!["GET".to_owned()]);
    assert_eq!(say.conditions, [method, paths(&["/say", "/more"])]);
    assert!(matches!(&say.actions[0], Action::Fixed { status, .. } if status == "418"));
    let Action::Forward { groups, sticky } = &both.actions[0] else {
        panic!()
    };
    assert_eq!(*sticky, Some(200));
    assert_eq!(groups[0], (TargetRef::Arn("arn:tg".to_owned()), 80));
    assert_eq!(groups[1].1, 20);
    assert_eq!(none.actions, [Action::no_service()]);
}

/// AWS-LBC: clients have to say who they are on TLS, and on TLS alone; an identity provider's client is a secret's.
#[test]
fn authentication_comes_first() {
    let text = r#"
metadata:
  name: app
  annotations:
    listen-ports: '[{"HTTP": 80}, {"HTTPS": 443}]'
    certificate-arn: arn:1
    auth-type: oidc
    auth-idp-oidc: '{"issuer":"https://i","authorizationEndpoint":"https://i/a","tokenEndpoint":"https://i/t","userInfoEndpoint":"https://i/u","secretName":"idp"}'
spec: {rules: [{http: {paths: [{path: /, pathType: Prefix, backend: {service: {name: web, port: {number: 80}}}}]}}]}
"#;
    let stack = built(text);
    let [plain, secure] = listeners(&stack) else {
        panic!()
    };
    assert_eq!(plain.rules[0].actions.len(), 1);
    let [Action::Authenticate(first), Action::Forward { .. }] = secure.rules[0].actions.as_slice()
    else {
        panic!()
    };
    assert_eq!(first.secret.as_deref(), Some("secret"));
    assert_eq!(first.config["ClientId"], "client");
    assert_eq!(first.config["SessionTimeout"], "604800");
    let wire = action::wire(&secure.rules[0].actions, &|_| "arn".to_owned());
    assert_eq!(wire[0]["Order"], 1);
    assert_eq!(wire[1]["Type"], "forward");
    let ingresses = ingresses(text);
    let member = Member {
        ingress: &ingresses[0],
        params: None,
    };
    let needs = needs(&[member], &services());
    assert!(
        needs
            .secrets
            .contains(&("default".to_owned(), "idp".to_owned()))
    );
}

/// AWS-LBC: one bad member fails its whole group, and what members say must agree.
#[test]
fn members_must_agree() {
    let both = |one: &str, other: &str| {
        let member = |name: &str, more: &str| {
            format!(
                "metadata: {{name: {name}, annotations: {{group.name: g, {more}}}}}\nspec: {{rules: [{{http: {{paths: [{{path: /, pathType: Prefix, backend: {{service: {{name: web, port: {{number: 80}}}}}}}}]}}}}]}}\n"
            )
        };
        refused(&format!("{}---\n{}", member("a", one), member("b", other)))
    };
    let schemes = both("scheme: internal", "scheme: internet-facing");
    assert_eq!(
        schemes,
        "conflicting scheme: map[internal:{} internet-facing:{}]"
    );
    let tags = both("tags: a=1", "tags: a=2");
    assert_eq!(tags, "conflicting tag a: 1 | 2");
    let ports = both(
        "listen-ports: '[{\"HTTP\": 80}]'",
        "listen-ports: '[{\"HTTPS\": 80}]', certificate-arn: x",
    );
    assert!(ports.contains("conflicting protocol"), "{ports}");
    let number = both("tags: a=1", "healthcheck-interval-seconds: soon");
    assert!(
        number.starts_with("ingress: default/b: failed to parse int64"),
        "{number}"
    );
    let waf = both("tags: a=1", "wafv2-acl-arn: arn");
    assert!(waf.contains("wafv2-acl-arn is not supported"), "{waf}");
}

/// AWS-LBC: a class' parameters go before annotations.
#[test]
fn classes_have_parameters() {
    let params = json!({
        "scheme": "internet-facing", "targetType": "ip", "inboundCIDRs": ["10.0.0.0/8"],
        "group": {"name": "by-class"}, "tags": [{"key": "team", "value": "net"}],
        "loadBalancerAttributes": [{"key": "idle_timeout.timeout_seconds", "value": "30"}],
        "subnets": {"ids": ["subnet-b", "subnet-a"]},
    });
    let params: Params = read(&params).unwrap();
    let text = "
metadata: {name: app, annotations: {scheme: internal, target-type: instance, group.name: other}}
spec: {defaultBackend: {service: {name: web, port: {number: 80}}}}
";
    let stack = built_with(text, Some(&params)).unwrap();
    assert_eq!(
        stack.name,
        GroupId::Explicit("by-class".to_owned()).to_string()
    );
    assert_eq!(stack.target_groups[0].target_type, "ip");
    let balancer = stack.balancer.unwrap();
    assert_eq!(balancer.scheme, "internet-facing");
    assert_eq!(balancer.tags["team"], "net");
    assert_eq!(balancer.attributes["idle_timeout.timeout_seconds"], "30");
    let subnets: Vec<&str> = balancer
        .subnets
        .iter()
        .map(|of| of.subnet.as_str())
        .collect();
    assert_eq!(subnets, ["subnet-b", "subnet-a"]);
    let permission = &stack.managed_group.unwrap().permissions[0];
    assert_eq!(permission.from, Source::Range("10.0.0.0/8".to_owned()));
}
