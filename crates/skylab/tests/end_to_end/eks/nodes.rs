//! Clusters with nodes: what joins, and what pods have.

use super::{aws, demo, nodegroup};

/// What pods of the chapter's application are, with a pod to call from.
const APPLICATION: &str = r#"
apiVersion: apps/v1
kind: Deployment
metadata: {name: app}
spec:
  replicas: 2
  selector: {matchLabels: {app: app}}
  template:
    metadata: {labels: {app: app}}
    spec:
      topologySpreadConstraints:
      - maxSkew: 1
        topologyKey: kubernetes.io/hostname
        whenUnsatisfiable: DoNotSchedule
        labelSelector: {matchLabels: {app: app}}
      containers:
      - name: go-web
        image: skylab.local/host
        command: [skylab, example-web]
        ports: [{containerPort: 8080}]
        readinessProbe: {httpGet: {path: /, port: 8080}, periodSeconds: 1}
---
apiVersion: v1
kind: Service
metadata: {name: web}
spec:
  selector: {app: app}
  ports: [{port: 80, targetPort: 8080}]
---
apiVersion: v1
kind: Pod
metadata: {name: dnsutils}
spec:
  containers:
  - name: dnsutils
    image: skylab.local/host
    command: [sleep, "3600"]
"#;

/// AWS-EKS, AWS-CNI, F-13: instances of a managed node group join by the network and their role; pods get addresses of
/// the VPC from interfaces of their nodes, reach each other across nodes and services, and `explain` tells their way
/// through both nodes' interfaces. A security group that keeps the control plane from port 10250 breaks logs and exec and
/// leaves the pods alone.
#[test]
fn managed_nodes_join_and_pods_have_the_vpcs_addresses() {
    let Some(cluster) = demo() else { return };
    let lab = &cluster.lab;
    nodegroup(lab);
    cluster.ok(&["apply", "-f", "-"], APPLICATION);
    cluster.ok(
        &[
            "wait",
            "--for=condition=Ready",
            "pod",
            "--all",
            "--timeout=120s",
        ],
        "",
    );
    let addresses = [
        "get",
        "pods",
        "-l",
        "app=app",
        "-o",
        "jsonpath={.items[*].status.podIP}",
    ];
    let addresses = cluster.ok(&addresses, "");
    for address in addresses.split_whitespace() {
        let filter = format!("Name=addresses.private-ip-address,Values={address}");
        let query = "NetworkInterfaces[].Attachment.InstanceId";
        let describe = [
            "ec2",
            "describe-network-interfaces",
            "--filters",
            &filter,
            "--query",
            query,
        ];
        assert!(
            aws(lab, &describe).starts_with("i-"),
            "{address} is nobody's"
        );
        let url = format!("http://{address}:8080/");
        let said = cluster.ok(&["exec", "dnsutils", "--", "curl", "-sm5", &url], "");
        assert!(said.contains("Hello"), "{said}");
    }
    let said = cluster.ok(
        &["exec", "dnsutils", "--", "curl", "-sm5", "http://web/"],
        "",
    );
    assert!(said.contains("Hello"), "{said}");
    let names = [
        "get",
        "pods",
        "-l",
        "app=app",
        "-o",
        "jsonpath={.items[*].metadata.name}",
    ];
    let names = cluster.ok(&names, "");
    for name in names.split_whitespace() {
        let pod = format!("pod/default/{name}");
        let told = lab.ok(&["explain", "pod/default/dnsutils", &pod, "--port", "8080"]);
        assert!(told.contains("delivered"), "{told}");
    }
    let group = "cluster.resourcesVpcConfig.clusterSecurityGroupId";
    let group = aws(
        lab,
        &[
            "eks",
            "describe-cluster",
            "--name",
            "demo",
            "--query",
            group,
        ],
    );
    let permission = format!("IpProtocol=-1,UserIdGroupPairs=[{{GroupId={group}}}]");
    let revoke = [
        "ec2",
        "revoke-security-group-ingress",
        "--group-id",
        &group,
        "--ip-permissions",
    ];
    aws(lab, &[&revoke[..], &[&permission]].concat());
    cluster.refused(&["logs", "dnsutils", "--request-timeout=5s"], "");
    let phase = ["get", "pod", "dnsutils", "-o", "jsonpath={.status.phase}"];
    assert_eq!(cluster.ok(&phase, ""), "Running");
}
