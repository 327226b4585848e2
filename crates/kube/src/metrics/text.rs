//! What a kubelet's `/metrics/resource` says.
//!
//! <https://kubernetes.io/docs/reference/instrumentation/node-metrics/>; the form is Prometheus' text format,
//! <https://prometheus.io/docs/instrumenting/exposition_formats/#text-based-format>.

use std::collections::BTreeMap;

/// What something had used up to a moment.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Point {
    /// Processor time, in seconds since the start.
    pub cpu: f64,
    /// The working set, in bytes.
    pub memory: f64,
    /// The moment, in seconds since 1970.
    pub at: f64,
}

/// A container: its namespace, its pod's name, its own.
pub type ContainerName = (String, String, String);

/// What a node and its containers had used up to a moment.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Summary {
    /// The node as a whole.
    pub node: Option<Point>,
    /// Its containers.
    pub containers: BTreeMap<ContainerName, Point>,
}

/// Which of a point's numbers a metric is.
#[derive(Clone, Copy)]
enum Number {
    Cpu,
    Memory,
}

/// Reads what a kubelet says. Lines that are not understood are passed over; `now` is the moment of lines
/// that name none.
pub fn parse(text: &str, now: f64) -> Summary {
    let mut summary = Summary::default();
    for line in text.lines() {
        let Some(sample) = sample(line) else { continue };
        let number = match sample.name {
            "container_cpu_usage_seconds_total" | "node_cpu_usage_seconds_total" => Number::Cpu,
            "container_memory_working_set_bytes" | "node_memory_working_set_bytes" => {
                Number::Memory
            }
            _ => continue,
        };
        let point = if sample.name.starts_with("node_") {
            summary.node.get_or_insert_with(Point::default)
        } else {
            let label = |name| sample.labels.get(name).cloned().unwrap_or_default();
            let key = (label("namespace"), label("pod"), label("container"));
            summary.containers.entry(key).or_default()
        };
        match number {
            Number::Cpu => point.cpu = sample.value,
            Number::Memory => point.memory = sample.value,
        }
        point.at = sample.at.unwrap_or(now);
    }
    summary
}

/// A line: a metric's name, its labels, its value, and when it was so.
struct Sample<'l> {
    name: &'l str,
    labels: BTreeMap<&'l str, String>,
    value: f64,
    at: Option<f64>,
}

fn sample(line: &str) -> Option<Sample<'_>> {
    let line = line.trim();
    if line.is_empty() || line.starts_with('#') {
        return None;
    }
    let end = line.find(['{', ' ', '\t'])?;
    let (name, mut rest) = line.split_at(end);
    let mut labels = BTreeMap::new();
    if let Some(inside) = rest.strip_prefix('{') {
        let (found, after) = self::labels(inside)?;
        labels = found;
        rest = after;
    }
    let mut words = rest.split_whitespace();
    let value: f64 = words.next()?.parse().ok()?;
    // Milliseconds, as the format has them.
    let at = words.next().and_then(|word| word.parse::<f64>().ok());
    value.is_finite().then_some(Sample {
        name,
        labels,
        value,
        at: at.map(|at| at / 1000.0),
    })
}

/// The labels up to the closing brace, and what follows it.
fn labels(text: &str) -> Option<(BTreeMap<&str, String>, &str)> {
    let mut labels = BTreeMap::new();
    let mut rest = text;
    loop {
        rest = rest.trim_start_matches([',', ' ']);
        if let Some(after) = rest.strip_prefix('}') {
            return Some((labels, after));
        }
        let (name, after) = rest.split_once("=\"")?;
        let (value, after) = quoted(after)?;
        labels.insert(name.trim(), value);
        rest = after;
    }
}

/// Text up to the closing quote, and what follows it.
fn quoted(text: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut letters = text.char_indices();
    while let Some((index, letter)) = letters.next() {
        match letter {
            '"' => return Some((value, &text[index + 1..])),
            '\\' => match letters.next()?.1 {
                'n' => value.push('\n'),
                other => value.push(other),
            },
            other => value.push(other),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    /// K8S-API: the example of upstream's documentation of the kubelet's endpoint.
    #[test]
    fn what_a_kubelet_says_is_read() {
        let text = "\
# HELP container_cpu_usage_seconds_total [STABLE] Cumulative cpu time consumed by the container in core-seconds
# TYPE container_cpu_usage_seconds_total counter
container_cpu_usage_seconds_total{container=\"web\",namespace=\"default\",pod=\"web-0\"} 4.710169 1700000000123
container_memory_working_set_bytes{container=\"web\",namespace=\"default\",pod=\"web-0\"} 1.2288e+07 1700000000123
container_start_time_seconds{container=\"web\",namespace=\"default\",pod=\"web-0\"} 1.6e+09
node_cpu_usage_seconds_total 350.5 1700000000500
node_memory_working_set_bytes 4.0e+08
pod_cpu_usage_seconds_total{namespace=\"default\",pod=\"web-0\"} 4.9
scrape_error 0
";
        let summary = parse(text, 7.0);
        let key = ("default".to_owned(), "web-0".to_owned(), "web".to_owned());
        let found = summary.containers[&key];
        assert_eq!((found.cpu, found.memory), (4.710_169, 12_288_000.0));
        assert_eq!(found.at, 1_700_000_000.123);
        assert_eq!(summary.containers.len(), 1);
        assert_eq!(
            summary.node.map(|node| (node.cpu, node.memory)),
            Some((350.5, 4e8))
        );
    }

    /// Odd lines are passed over.
    #[test]
    fn odd_lines_are_passed_over() {
        for odd in [
            "container_cpu_usage_seconds_total{",
            "container_cpu_usage_seconds_total{pod=\"x} 1",
            "node_cpu_usage_seconds_total",
            "node_cpu_usage_seconds_total x",
            "node_cpu_usage_seconds_total NaN",
            "{} 1",
            "é",
        ] {
            assert_eq!(parse(odd, 0.0), Summary::default(), "{odd}");
        }
        let escaped = "container_cpu_usage_seconds_total{pod=\"a\\\"b\",} 1";
        assert_eq!(
            parse(escaped, 0.0)
                .containers
                .keys()
                .next()
                .map(|k| k.1.as_str()),
            Some("a\"b")
        );
    }
}
