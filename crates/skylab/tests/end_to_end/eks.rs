//! EKS as its users meet it: `aws eks` and an unmodified `kubectl`.

use crate::cluster::{Cluster, kubectl};
use crate::lab::{Lab, text};
use crate::walkthrough::{absent, client, runs};
use std::process::Command;
use std::time::{Duration, Instant};

/// What aws-cli says, as text.
fn aws(lab: &Lab, words: &[&str]) -> String {
    let output = called(lab, words);
    let said = text(&output.stderr);
    assert!(output.status.success(), "{words:?}: {said}");
    text(&output.stdout).trim().to_owned()
}

/// What aws-cli says when it is refused.
fn refused(lab: &Lab, words: &[&str]) -> String {
    let output = called(lab, words);
    assert!(!output.status.success(), "{words:?} was not refused");
    text(&output.stderr)
}

fn called(lab: &Lab, words: &[&str]) -> std::process::Output {
    let mut command = client(lab, "aws", lab.state());
    command
        .args(words)
        .args(["--output", "text"])
        .output()
        .unwrap()
}

/// A lab with a cluster `demo`, and a kubectl that meets it; `None` where the machine has not what that takes.
fn demo() -> Option<Cluster> {
    if !runs(Command::new("aws").arg("--version")) {
        absent("aws");
        return None;
    }
    let kubectl = kubectl()?;
    let lab = Lab::start(&[])?;
    create(&lab);
    let cluster = Cluster::of(lab, kubectl);
    meet(&cluster);
    Some(cluster)
}

/// The ARN of a role that a service may take, with policies of AWS's; made if it isn't there.
fn role(lab: &Lab, name: &str, service: &str, policies: &[&str]) -> String {
    let query = ["--query", "Role.Arn"];
    let get = ["iam", "get-role", "--role-name", name];
    let found = called(lab, &[&get[..], &query].concat());
    if found.status.success() {
        return text(&found.stdout).trim().to_owned();
    }
    let trust = format!(
        r#"{{"Version":"2012-10-17","Statement":[{{"Effect":"Allow","Principal":{{"Service":"{service}"}},"Action":"sts:AssumeRole"}}]}}"#
    );
    let create = [
        "iam",
        "create-role",
        "--role-name",
        name,
        "--assume-role-policy-document",
        &trust,
    ];
    let arn = aws(lab, &[&create[..], &query].concat());
    for policy in policies {
        let policy = format!("arn:aws:iam::aws:policy/{policy}");
        aws(
            lab,
            &[
                "iam",
                "attach-role-policy",
                "--role-name",
                name,
                "--policy-arn",
                &policy,
            ],
        );
    }
    arn
}

/// Makes a cluster `demo` in two subnets of the default VPC.
fn create(lab: &Lab) {
    let query = "Subnets[0:2].SubnetId";
    let subnets = aws(lab, &["ec2", "describe-subnets", "--query", query]);
    let config = format!("subnetIds={}", subnets.replace('\t', ","));
    let role = role(lab, "eks", "eks.amazonaws.com", &["AmazonEKSClusterPolicy"]);
    let create = [
        "eks",
        "create-cluster",
        "--name",
        "demo",
        "--role-arn",
        &role,
    ];
    aws(
        lab,
        &[&create[..], &["--resources-vpc-config", &config]].concat(),
    );
    aws(lab, &["eks", "wait", "cluster-active", "--name", "demo"]);
}

/// Gives kubectl the file by which the cluster is reached now.
fn meet(cluster: &Cluster) {
    cluster.lab.ok(&["env", "kube"]);
    let config = cluster.lab.state().join("kubeconfig-demo");
    std::fs::copy(config, cluster.folder.join("config")).unwrap();
}

/// AWS-EKS, AWS-EKS-MODE, F-7: a cluster's API answers its creator through its public endpoint, and from outside
/// only as far as the endpoint's ranges go; a private one's name stands for addresses of the VPC, and whoever is
/// outside gets no answer.
#[test]
fn a_cluster_is_reached_as_its_endpoint_says() {
    let Some(cluster) = demo() else { return };
    let who = cluster.ok(
        &[
            "auth",
            "whoami",
            "-o",
            "jsonpath={.status.userInfo.extra.arn}",
        ],
        "",
    );
    assert!(who.contains(":root"), "{who}");
    let names = cluster.ok(
        &["get", "daemonsets", "-n", "kube-system", "-o", "name"],
        "",
    );
    assert!(
        names.contains("aws-node") && names.contains("kube-proxy"),
        "{names}"
    );
    let service = [
        "get",
        "service",
        "kubernetes",
        "-o",
        "jsonpath={.spec.clusterIP}",
    ];
    assert_eq!(cluster.ok(&service, ""), "10.100.0.1");
    let update = |config: &str| {
        let words = [
            "eks",
            "update-cluster-config",
            "--name",
            "demo",
            "--resources-vpc-config",
            config,
        ];
        aws(&cluster.lab, &words);
        aws(
            &cluster.lab,
            &["eks", "wait", "cluster-active", "--name", "demo"],
        );
    };
    let get = ["get", "namespaces", "--request-timeout=3s"];
    update("publicAccessCidrs=198.51.100.7/32");
    cluster.refused(&get, "");
    update("publicAccessCidrs=203.0.113.0/24");
    cluster.ok(&["get", "namespaces"], "");
    update("endpointPublicAccess=false,endpointPrivateAccess=true");
    cluster.refused(&get, "");
}

/// AWS-EKS, OPS-STATE: a cluster and what is in it survive the lab's death; deleted, nothing of it is left, and one of
/// the same name begins anew.
#[test]
fn a_cluster_survives_the_lab_and_goes_when_it_is_deleted() {
    let Some(cluster) = demo() else { return };
    cluster.ok(&["create", "namespace", "kept"], "");
    cluster.lab.kill();
    cluster.lab.gone();
    assert!(cluster.lab.up(&[]).status.success());
    meet(&cluster);
    cluster.ok(&["get", "namespace", "kept"], "");
    let lab = &cluster.lab;
    let said = refused(lab, &["eks", "describe-cluster", "--name", "other"]);
    assert!(said.contains("ResourceNotFoundException"), "{said}");
    aws(lab, &["eks", "delete-cluster", "--name", "demo"]);
    aws(lab, &["eks", "wait", "cluster-deleted", "--name", "demo"]);
    let groups = [
        "ec2",
        "describe-security-groups",
        "--filters",
        "Name=tag-key,Values=aws:eks:cluster-name",
    ];
    assert_eq!(aws(lab, &groups), "");
    let interfaces = aws(lab, &["ec2", "describe-network-interfaces"]);
    assert_eq!(interfaces, "");
    create(lab);
    meet(&cluster);
    cluster.refused(&["get", "namespace", "kept"], "");
}

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

/// Adds a managed node group of two, and waits until it is active.
fn nodegroup(lab: &Lab) {
    let policies = [
        "AmazonEKSWorkerNodePolicy",
        "AmazonEKS_CNI_Policy",
        "AmazonEC2ContainerRegistryReadOnly",
    ];
    let role = role(lab, "node", "ec2.amazonaws.com", &policies);
    let query = "cluster.resourcesVpcConfig.subnetIds";
    let describe = [
        "eks",
        "describe-cluster",
        "--name",
        "demo",
        "--query",
        query,
    ];
    let subnets = aws(lab, &describe);
    let group = ["--cluster-name", "demo", "--nodegroup-name", "ng"];
    let create = [
        "eks",
        "create-nodegroup",
        "--node-role",
        &role,
        "--scaling-config",
    ];
    let size = ["minSize=2,maxSize=2,desiredSize=2", "--subnets"];
    let subnets: Vec<&str> = subnets.split_whitespace().collect();
    aws(lab, &[&create[..], &size, &subnets, &group].concat());
    let query = ["--query", "nodegroup.status"];
    let describe = [&["eks", "describe-nodegroup"][..], &group, &query].concat();
    let begun = Instant::now();
    loop {
        let status = aws(lab, &describe);
        if status == "ACTIVE" {
            return;
        }
        let waited = begun.elapsed() < Duration::from_secs(120);
        assert!(status == "CREATING" && waited, "the node group is {status}");
        std::thread::sleep(Duration::from_millis(500));
    }
}

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
