//! Pods on Fargate.

use super::failures::{route_out, subnet, table_without_ways};
use super::{aws, create, eventually, meet, role, subnets};
use crate::cluster::{Cluster, kubectl};
use crate::lab::Lab;

/// A web server that a profile takes, and one that none takes.
const PODS: &str = r#"
apiVersion: v1
kind: Namespace
metadata: {name: serverless}
---
apiVersion: v1
kind: Pod
metadata:
  name: web
  namespace: serverless
  labels: {app: web}
spec:
  terminationGracePeriodSeconds: 1
  containers:
  - name: web
    image: skylab.local/host
    command: [skylab, example-web]
    ports: [{containerPort: 8080}]
    readinessProbe: {httpGet: {path: /, port: 8080}, periodSeconds: 1}
---
apiVersion: v1
kind: Service
metadata: {name: web, namespace: serverless}
spec:
  selector: {app: web}
  ports: [{port: 80, targetPort: 8080}]
---
apiVersion: v1
kind: Pod
metadata: {name: caller, namespace: serverless}
spec:
  terminationGracePeriodSeconds: 1
  containers:
  - {name: main, image: skylab.local/host, command: [sleep, "3600"]}
---
apiVersion: v1
kind: Pod
metadata: {name: homeless}
spec:
  containers:
  - {name: main, image: skylab.local/host, command: [sleep, "3600"]}
"#;

/// Makes a profile `fp` that takes pods of the namespace `serverless` to a private subnet with a way out.
fn profile(lab: &Lab) -> String {
    let private = subnet(lab, 'a', "172.31.128.0/24");
    let table = table_without_ways(lab, &private);
    route_out(lab, &table);
    let policy = "AmazonEKSFargatePodExecutionRolePolicy";
    let role = role(lab, "pods", "eks-fargate-pods.amazonaws.com", &[policy]);
    let create = ["eks", "create-fargate-profile", "--cluster-name", "demo"];
    let what = [
        "--fargate-profile-name",
        "fp",
        "--pod-execution-role-arn",
        &role,
    ];
    let which = ["--selectors", "namespace=serverless", "--subnets", &private];
    aws(lab, &[&create[..], &what, &which].concat());
    let active = [
        "eks",
        "wait",
        "fargate-profile-active",
        "--cluster-name",
        "demo",
    ];
    aws(
        lab,
        &[&active[..], &["--fargate-profile-name", "fp"]].concat(),
    );
    private
}

/// AWS-EKS: a pod that a Fargate profile takes runs on a machine of its own, a node of one pod in the profile's private
/// subnet with its address; services lead to it; when it goes, its machine and interface go. A pod that no profile
/// takes stays pending.
#[test]
fn pods_of_a_profile_have_machines_of_their_own() {
    let Some(kubectl) = kubectl() else { return };
    let Some(lab) = Lab::start(&[]) else { return };
    create(&lab);
    assert_eq!(subnets(&lab).len(), 2);
    let private = profile(&lab);
    let cluster = Cluster::of(lab, kubectl);
    let lab = &cluster.lab;
    meet(&cluster);
    cluster.ok(&["apply", "-f", "-"], PODS);
    let wait = [
        "wait",
        "--for=condition=Ready",
        "-n",
        "serverless",
        "--timeout=180s",
    ];
    cluster.ok(&[&wait[..], &["pod", "--all"]].concat(), "");
    let told = |pod: &str, path: &str| {
        let path = format!("jsonpath={{{path}}}");
        cluster.ok(&["get", "pod", pod, "-n", "serverless", "-o", &path], "")
    };
    assert_eq!(told("web", ".spec.schedulerName"), "fargate-scheduler");
    let address = told("web", ".status.podIP");
    assert!(address.starts_with("172.31.128."), "{address}");
    let name = format!(
        "fargate-ip-{}.us-west-2.compute.internal",
        address.replace('.', "-")
    );
    assert_eq!(told("web", ".spec.nodeName"), name);
    let nodes = cluster.ok(&["get", "nodes", "-o", "name"], "");
    assert_eq!(nodes.lines().count(), 2, "{nodes}");
    let filter = format!("Name=addresses.private-ip-address,Values={address}");
    let query = "NetworkInterfaces[].SubnetId";
    let describe = ["ec2", "describe-network-interfaces", "--filters", &filter];
    let describe = [&describe[..], &["--query", query]].concat();
    assert_eq!(aws(lab, &describe), private);
    let service = ["get", "service", "web", "-n", "serverless"];
    let service = [&service[..], &["-o", "jsonpath={.spec.clusterIP}"]].concat();
    let url = format!("http://{}/", cluster.ok(&service, ""));
    let call = [
        "exec",
        "-n",
        "serverless",
        "caller",
        "--",
        "curl",
        "-sm5",
        &url,
    ];
    let said = cluster.ok(&call, "");
    assert!(said.contains("Hello"), "{said}");
    let phase = ["get", "pod", "homeless", "-o", "jsonpath={.status.phase}"];
    assert_eq!(cluster.ok(&phase, ""), "Pending");
    let events = ["get", "events", "-o", "jsonpath={.items[*].message}"];
    let said = cluster.ok(&events, "");
    assert!(
        said.contains("untolerated taint {eks.amazonaws.com/compute-type: fargate}"),
        "{said}"
    );
    cluster.ok(&["delete", "pod", "web", "-n", "serverless"], "");
    eventually("the machine to go", || {
        let nodes = cluster.ok(&["get", "nodes", "-o", "name"], "");
        !nodes.contains(&name) && aws(lab, &describe).is_empty()
    });
}
