//! Amazon's network plugin, by its variables.

use super::{aws, demo, eventually, nodegroup};
use crate::cluster::Cluster;

/// A pod on one of the nodes.
const POD: &str = r#"
apiVersion: v1
kind: Pod
metadata: {name: NAME}
spec:
  terminationGracePeriodSeconds: 0
  containers:
  - {name: main, image: skylab.local/host, command: [sleep, "3600"]}
"#;

/// Changes the plugin's variables and waits until every node's agent has them.
fn set(cluster: &Cluster, variables: &[&str]) {
    let set = ["set", "env", "daemonset", "-n", "kube-system", "aws-node"];
    cluster.ok(&[&set[..], variables].concat(), "");
    let rolled = [
        "rollout",
        "status",
        "daemonset/aws-node",
        "-n",
        "kube-system",
    ];
    cluster.ok(&[&rolled[..], &["--timeout=180s"]].concat(), "");
}

/// What the interfaces of the cluster's first node have, by a query.
fn interfaces(cluster: &Cluster, query: &str) -> Vec<String> {
    let provider = ["get", "nodes", "-o", "jsonpath={.items[0].spec.providerID}"];
    let provider = cluster.ok(&provider, "");
    let instance = provider.rsplit('/').next().unwrap();
    let filter = format!("Name=attachment.instance-id,Values={instance}");
    let describe = ["ec2", "describe-network-interfaces", "--filters", &filter];
    let query = format!("NetworkInterfaces[].{query}");
    let told = aws(
        &cluster.lab,
        &[&describe[..], &["--query", &query]].concat(),
    );
    told.split_whitespace().map(str::to_owned).collect()
}

fn run(cluster: &Cluster, name: &str) {
    cluster.ok(&["apply", "-f", "-"], &POD.replace("NAME", name));
    let wait = ["wait", "--for=condition=Ready", "--timeout=120s"];
    let pod = format!("pod/{name}");
    cluster.ok(&[&wait[..], &[&pod]].concat(), "");
}

/// Whether a pod reaches the internet.
fn is_outside(cluster: &Cluster, pod: &str) -> bool {
    let url = "https://sts.us-west-2.amazonaws.com/";
    let call = ["exec", pod, "--", "curl", "-sm3", "-o", "/dev/null", url];
    cluster.run(&call, "").status.success()
}

/// AWS-CNI: `kubectl set env` on the plugin's daemon set changes what its agents do: how many addresses they hold, the
/// frames that pods' links take, whether pods leave the VPC under their node's address, and prefixes in the place of
/// single addresses.
#[test]
fn variables_change_what_the_plugin_does() {
    let Some(cluster) = demo() else { return };
    nodegroup(&cluster.lab);
    let addresses = "PrivateIpAddresses[?Primary==`false`].PrivateIpAddress[]";
    eventually("a warm interface's addresses", || {
        interfaces(&cluster, addresses).len() >= 9
    });
    run(&cluster, "before");
    let links = ["exec", "before", "--", "ip", "link", "show", "eth0"];
    assert!(cluster.ok(&links, "").contains("mtu 9001"));
    assert!(is_outside(&cluster, "before"));
    set(
        &cluster,
        &[
            "WARM_IP_TARGET=1",
            "MINIMUM_IP_TARGET=4",
            "AWS_VPC_ENI_MTU=1500",
            "AWS_VPC_K8S_CNI_EXTERNALSNAT=true",
        ],
    );
    run(&cluster, "after");
    let links = ["exec", "after", "--", "ip", "link", "show", "eth0"];
    assert!(cluster.ok(&links, "").contains("mtu 1500"));
    // An internet gateway knows the nodes' addresses, not the pods'.
    assert!(!is_outside(&cluster, "after"));
    assert!(!is_outside(&cluster, "before"));
    eventually("the addresses to be given back", || {
        interfaces(&cluster, addresses).len() == 4
    });
    set(
        &cluster,
        &[
            "ENABLE_PREFIX_DELEGATION=true",
            "WARM_PREFIX_TARGET=1",
            "WARM_IP_TARGET-",
            "MINIMUM_IP_TARGET-",
            "AWS_VPC_K8S_CNI_EXTERNALSNAT=false",
        ],
    );
    assert!(is_outside(&cluster, "after"));
    eventually("a prefix", || {
        let prefixes = interfaces(&cluster, "Ipv4Prefixes[].Ipv4Prefix[]");
        prefixes.iter().any(|prefix| prefix.ends_with("/28"))
    });
}

/// A web server, and what lets nobody call it.
const GUARDED: &str = r#"
apiVersion: v1
kind: Pod
metadata: {name: web, labels: {app: web}}
spec:
  containers:
  - name: web
    image: skylab.local/host
    command: [skylab, example-web]
    readinessProbe: {httpGet: {path: /, port: 8080}, periodSeconds: 1}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: web}
spec:
  podSelector: {matchLabels: {app: web}}
  policyTypes: [Ingress]
"#;

/// AWS-EKS, AWS-CNI: network policies hold where the add-on's configuration enables them, and not before.
#[test]
fn network_policies_hold_where_they_are_enabled() {
    let Some(cluster) = demo() else { return };
    nodegroup(&cluster.lab);
    run(&cluster, "caller");
    cluster.ok(&["apply", "-f", "-"], GUARDED);
    let wait = ["wait", "--for=condition=Ready", "pod/web", "--timeout=120s"];
    cluster.ok(&wait, "");
    let address = ["get", "pod", "web", "-o", "jsonpath={.status.podIP}"];
    let url = format!("http://{}:8080/", cluster.ok(&address, ""));
    let call = [
        "exec",
        "caller",
        "--",
        "curl",
        "-sm2",
        "-o",
        "/dev/null",
        &url,
    ];
    let answers = || cluster.run(&call, "").status.success();
    assert!(answers());
    let create = ["eks", "create-addon", "--cluster-name", "demo"];
    let values = r#"{"enableNetworkPolicy":"true"}"#;
    let what = ["--addon-name", "vpc-cni", "--configuration-values", values];
    let conflicts = ["--resolve-conflicts", "OVERWRITE"];
    aws(&cluster.lab, &[&create[..], &what, &conflicts].concat());
    eventually("the policy to hold", || !answers());
    cluster.ok(&["delete", "networkpolicy", "web"], "");
    eventually("the web server's answer", answers);
}
