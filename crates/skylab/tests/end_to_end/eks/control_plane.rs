//! Clusters without nodes: how their API is reached, and that they last.

use super::{aws, create, demo, meet, refused};

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
