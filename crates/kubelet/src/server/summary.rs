//! `/stats/summary`.
//! <https://kubernetes.io/docs/reference/instrumentation/node-metrics/#summary-api-source>
//!
//! Not modelled: file systems, networks, swap.

use crate::clock::rfc3339;
use crate::usage::{Spending, Spent};
use serde_json::{Value, json};
use std::time::SystemTime;

/// The summary of a node.
pub(super) fn told(node: &str, spending: &Spending, now: SystemTime) -> Value {
    let pods: Vec<Value> = spending
        .pods()
        .into_iter()
        .map(|((namespace, name, uid), containers)| {
            let started = containers.iter().map(|spent| spent.started).min();
            json!({
                "podRef": {"name": name, "namespace": namespace, "uid": uid},
                "startTime": started.map(rfc3339),
                "containers": containers.iter().map(|spent| container(spent)).collect::<Vec<_>>(),
                "cpu": cpu(now, rate(&containers), time(&containers)),
                "memory": memory(now, bytes(&containers)),
            })
        })
        .collect();
    let all: Vec<&Spent> = spending.containers.iter().collect();
    json!({
        "node": {
            "nodeName": node,
            "cpu": cpu(now, rate(&all), spending.cpu_nanoseconds),
            "memory": memory(now, spending.memory()),
        },
        "pods": pods,
    })
}

fn container(spent: &Spent) -> Value {
    json!({
        "name": spent.container,
        "startTime": rfc3339(spent.started),
        "cpu": cpu(spent.at, spent.rate, spent.usage.cpu_nanoseconds),
        "memory": memory(spent.at, spent.usage.memory_bytes),
    })
}

fn cpu(at: SystemTime, rate: u64, time: u64) -> Value {
    json!({"time": rfc3339(at), "usageNanoCores": rate, "usageCoreNanoSeconds": time})
}

fn memory(at: SystemTime, bytes: u64) -> Value {
    json!({"time": rfc3339(at), "workingSetBytes": bytes})
}

fn rate(of: &[&Spent]) -> u64 {
    of.iter().map(|spent| spent.rate).sum()
}

fn time(of: &[&Spent]) -> u64 {
    of.iter().map(|spent| spent.usage.cpu_nanoseconds).sum()
}

fn bytes(of: &[&Spent]) -> u64 {
    of.iter().map(|spent| spent.usage.memory_bytes).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::at;
    use crate::usage::tests::spent;

    #[test]
    fn a_summary_adds_up() {
        let spending = Spending {
            containers: vec![spent("c", 100, 5), spent("d", 100, 6)],
            cpu_nanoseconds: 20,
        };
        let summary = told("n1", &spending, at(101));
        assert_eq!(summary["node"]["cpu"]["usageCoreNanoSeconds"], 20);
        let pod = &summary["pods"][0];
        assert_eq!(
            pod["podRef"],
            json!({"name": "web", "namespace": "shop", "uid": "u"})
        );
        assert_eq!(pod["cpu"]["usageCoreNanoSeconds"], 11);
        assert_eq!(pod["containers"][1]["memory"]["workingSetBytes"], 4096);
    }
}
