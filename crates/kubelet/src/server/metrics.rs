//! `/metrics/resource`, for autoscalers and `kubectl top`.
//! <https://kubernetes.io/docs/reference/instrumentation/node-metrics/>

use crate::clock::unix;
use crate::usage::{Spending, millis};
use std::fmt::Write;
use std::time::SystemTime;

/// Metrics in Prometheus' text format.
pub(super) fn told(spending: &Spending, now: SystemTime) -> String {
    let mut text = Text(String::new());
    text.head(
        "container_cpu_usage_seconds_total",
        "counter",
        "Cumulative cpu time consumed by the container in core-seconds",
    );
    for spent in &spending.containers {
        let labels = labels(Some(&spent.container), &spent.namespace, &spent.pod);
        let cpu = seconds(spent.usage.cpu_nanoseconds);
        text.line(
            "container_cpu_usage_seconds_total",
            &labels,
            &cpu,
            Some(spent.at),
        );
    }
    text.head(
        "container_memory_working_set_bytes",
        "gauge",
        "Current working set of the container in bytes",
    );
    for spent in &spending.containers {
        let labels = labels(Some(&spent.container), &spent.namespace, &spent.pod);
        let memory = spent.usage.memory_bytes.to_string();
        text.line(
            "container_memory_working_set_bytes",
            &labels,
            &memory,
            Some(spent.at),
        );
    }
    text.head(
        "container_start_time_seconds",
        "gauge",
        "Start time of the container since unix epoch in seconds",
    );
    for spent in &spending.containers {
        let labels = labels(Some(&spent.container), &spent.namespace, &spent.pod);
        let started = unix(spent.started).to_string();
        text.line("container_start_time_seconds", &labels, &started, None);
    }
    let total = "Cumulative cpu time consumed by the node in core-seconds";
    text.head("node_cpu_usage_seconds_total", "counter", total);
    let cpu = seconds(spending.cpu_nanoseconds);
    text.line("node_cpu_usage_seconds_total", "", &cpu, Some(now));
    let total = "Current working set of the node in bytes";
    text.head("node_memory_working_set_bytes", "gauge", total);
    let memory = spending.memory().to_string();
    text.line("node_memory_working_set_bytes", "", &memory, Some(now));
    pods(spending, &mut text);
    text.head(
        "resource_scrape_error",
        "gauge",
        "1 if there was an error while getting container metrics, 0 otherwise",
    );
    text.line("resource_scrape_error", "", "0", None);
    text.0
}

fn pods(spending: &Spending, text: &mut Text) {
    let total = "Cumulative cpu time consumed by the pod in core-seconds";
    text.head("pod_cpu_usage_seconds_total", "counter", total);
    for ((namespace, pod, _), containers) in spending.pods() {
        let cpu = containers
            .iter()
            .map(|spent| spent.usage.cpu_nanoseconds)
            .sum();
        let at = containers.iter().map(|spent| spent.at).max();
        let labels = labels(None, namespace, pod);
        text.line("pod_cpu_usage_seconds_total", &labels, &seconds(cpu), at);
    }
    let total = "Current working set of the pod in bytes";
    text.head("pod_memory_working_set_bytes", "gauge", total);
    for ((namespace, pod, _), containers) in spending.pods() {
        let memory: u64 = containers
            .iter()
            .map(|spent| spent.usage.memory_bytes)
            .sum();
        let at = containers.iter().map(|spent| spent.at).max();
        let labels = labels(None, namespace, pod);
        text.line(
            "pod_memory_working_set_bytes",
            &labels,
            &memory.to_string(),
            at,
        );
    }
}

struct Text(String);

impl Text {
    fn head(&mut self, name: &str, kind: &str, help: &str) {
        // Writing to a string can't fail.
        let _ = writeln!(
            self.0,
            "# HELP {name} [STABLE] {help}\n# TYPE {name} {kind}"
        );
    }

    fn line(&mut self, name: &str, labels: &str, value: &str, at: Option<SystemTime>) {
        let _ = write!(self.0, "{name}{labels} {value}");
        if let Some(at) = at {
            let _ = write!(self.0, " {}", millis(at));
        }
        self.0.push('\n');
    }
}

/// Names need no escapes.
fn labels(container: Option<&str>, namespace: &str, pod: &str) -> String {
    let container = container.map(|container| format!("container=\"{container}\","));
    let container = container.unwrap_or_default();
    format!("{{{container}namespace=\"{namespace}\",pod=\"{pod}\"}}")
}

fn seconds(nanoseconds: u64) -> String {
    let (whole, rest) = (nanoseconds / 1_000_000_000, nanoseconds % 1_000_000_000);
    if rest == 0 {
        return whole.to_string();
    }
    let fraction = format!("{rest:09}");
    format!("{whole}.{}", fraction.trim_end_matches('0'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::at;
    use crate::usage::tests::spent;

    /// K8S-RUN: the documented metrics, in Prometheus' form.
    #[test]
    fn metrics_are_told() {
        let spending = Spending {
            containers: vec![spent("c", 100, 1_500_000_000), spent("d", 101, 2)],
            cpu_nanoseconds: 3_000_000_000,
        };
        let text = told(&spending, at(102));
        for line in [
            "# TYPE container_cpu_usage_seconds_total counter",
            "container_cpu_usage_seconds_total{container=\"c\",namespace=\"shop\",pod=\"web\"} 1.5 100000",
            "container_memory_working_set_bytes{container=\"d\",namespace=\"shop\",pod=\"web\"} 4096 101000",
            "container_start_time_seconds{container=\"c\",namespace=\"shop\",pod=\"web\"} 10",
            "node_cpu_usage_seconds_total 3 102000",
            "node_memory_working_set_bytes 8192 102000",
            "pod_cpu_usage_seconds_total{namespace=\"shop\",pod=\"web\"} 1.500000002 101000",
            "pod_memory_working_set_bytes{namespace=\"shop\",pod=\"web\"} 8192 101000",
            "resource_scrape_error 0",
        ] {
            assert!(text.lines().any(|told| told == line), "{line}\n{text}");
        }
    }
}
