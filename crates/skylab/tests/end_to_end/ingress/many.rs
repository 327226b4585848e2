//! Many ingresses.

use super::{APPLICATION, call, demo, hostname, install, said};
use crate::cluster::Cluster;
use crate::eks::{aws, eventually};
use std::collections::BTreeMap;
use std::fmt::Write;
use std::time::Instant;

/// So many ingresses share a load balancer, and so many load balancers there are.
const MEMBERS: usize = 10;
const GROUPS: usize = 10;
/// So many rules an ingress has.
const RULES: usize = 10;

fn ingresses() -> String {
    let mut text = String::new();
    for group in 0..GROUPS {
        for member in 0..MEMBERS {
            let name = format!("i-{group}-{member}");
            let _ = write!(
                text,
                "---\napiVersion: networking.k8s.io/v1\nkind: Ingress\nmetadata:\n  name: {name}\n  annotations: {{alb.ingress.kubernetes.io/group.name: g-{group}, alb.ingress.kubernetes.io/scheme: internet-facing, alb.ingress.kubernetes.io/target-type: ip}}\nspec:\n  ingressClassName: alb\n  rules:\n  - host: {name}.example.com\n    http:\n      paths:\n"
            );
            for rule in 0..RULES {
                let _ = writeln!(
                    text,
                    "      - {{path: /host/{rule}, pathType: Prefix, backend: {{service: {{name: web, port: {{number: 80}}}}}}}}"
                );
            }
        }
    }
    text
}

/// How often each operation of load balancing and security groups was called that changes something.
fn writes(cluster: &Cluster) -> BTreeMap<String, String> {
    const KINDS: [&str; 10] = [
        "Create",
        "Modify",
        "Delete",
        "Set",
        "Add",
        "Remove",
        "Register",
        "Deregister",
        "Authorize",
        "Revoke",
    ];
    const THINGS: [&str; 8] = [
        "LoadBalancer",
        "Listener",
        "Rule",
        "Target",
        "SecurityGroup",
        "Tags",
        "Subnets",
        "Certificates",
    ];
    let told = cluster.lab.ok(&["metrics"]);
    let calls = told
        .lines()
        .filter(|line| line.starts_with("skylab_api_calls_total{"));
    let calls = calls.filter(|line| {
        let kind = KINDS.iter().any(|kind| line.contains(&format!("\"{kind}")));
        kind && THINGS.iter().any(|thing| line.contains(thing))
    });
    calls
        .filter_map(|line| line.rsplit_once(' '))
        .map(|(name, count)| (name.to_owned(), count.to_owned()))
        .collect()
}

/// AWS-LBC: a hundred ingresses with a thousand rules; a controller that begins anew looks at all of them and calls
/// nothing that writes; what somebody else deletes comes back.
#[test]
fn a_hundred_ingresses_with_a_thousand_rules() {
    let Some(cluster) = demo(&[]) else { return };
    install(&cluster);
    cluster.ok(&["apply", "-f", "-"], APPLICATION);
    let begun = Instant::now();
    cluster.ok(&["apply", "-f", "-"], &ingresses());
    let applied = begun.elapsed();
    let addresses =
        r#"jsonpath={range .items[*]}{.status.loadBalancer.ingress[0].hostname}{"\n"}{end}"#;
    eventually("all load balancers", || {
        let told = cluster.ok(&["get", "ingresses", "-o", addresses], "");
        told.lines().filter(|line| !line.is_empty()).count() == GROUPS * MEMBERS
    });
    eprintln!(
        "applied in {applied:?}, reconciled after {:?}",
        begun.elapsed()
    );
    let lab = &cluster.lab;
    let balancers = [
        "elbv2",
        "describe-load-balancers",
        "--query",
        "LoadBalancers[].LoadBalancerArn",
    ];
    let balancers = aws(lab, &balancers);
    assert_eq!(balancers.split_whitespace().count(), GROUPS);
    let first = balancers.split_whitespace().next().unwrap();
    let listeners = ["elbv2", "describe-listeners", "--load-balancer-arn", first];
    let listener = aws(
        lab,
        &[&listeners[..], &["--query", "Listeners[0].ListenerArn"]].concat(),
    );
    let rules = [
        "elbv2",
        "describe-rules",
        "--listener-arn",
        &listener,
        "--query",
    ];
    let count = || aws(lab, &[&rules[..], &["length(Rules)"]].concat());
    assert_eq!(count(), (MEMBERS * RULES + 1).to_string());
    let name = hostname(&cluster, "ingress/i-3-7");
    let host = ["-H", "Host: i-3-7.example.com"];
    call(&cluster, &host, &format!("http://{name}/host/9"), "404");

    eventually("targets to be registered", || {
        let bindings = said(
            &cluster,
            "targetgroupbindings",
            ".items[*].metadata.finalizers[0]",
        );
        bindings.split_whitespace().count() == GROUPS * MEMBERS
    });
    let mut before = writes(&cluster);
    eventually("quiet", || {
        std::thread::sleep(std::time::Duration::from_secs(2));
        let now = writes(&cluster);
        std::mem::replace(&mut before, now.clone()) == now
    });
    assert!(!before.is_empty());
    let label = "app.kubernetes.io/name=aws-load-balancer-controller";
    cluster.ok(&["delete", "pods", "-n", "kube-system", "-l", label], "");
    eventually("the new controller to have looked at all", || {
        let logs = ["logs", "-n", "kube-system", "-l", label, "--tail=-1"];
        let told = cluster.run(&logs, "");
        let told = String::from_utf8_lossy(&told.stdout).into_owned();
        told.matches("successfully deployed model").count() >= GROUPS
    });
    assert_eq!(writes(&cluster), before);

    let query = ["--query", "Rules[0].RuleArn"];
    let rule = aws(lab, &[&rules[..4], &query].concat());
    aws(lab, &["elbv2", "delete-rule", "--rule-arn", &rule]);
    cluster.ok(&["annotate", "ingress", "--all", "touched=yes"], "");
    eventually("the rule to come back", || {
        count() == (MEMBERS * RULES + 1).to_string()
    });
}
