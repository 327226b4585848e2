//! What is counted, as Prometheus reads it: <https://coredns.io/plugins/metrics/>.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::{Mutex, PoisonError};

/// What a family of series is.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Form {
    Counter,
    Gauge,
    Histogram(&'static [f64]),
}

/// From a quarter of a millisecond to eight seconds.
const SECONDS: [f64; 16] = [
    0.00025, 0.0005, 0.001, 0.002, 0.004, 0.008, 0.016, 0.032, 0.064, 0.128, 0.256, 0.512, 1.024,
    2.048, 4.096, 8.192,
];
const BYTES: [f64; 14] = [
    0.0, 100.0, 200.0, 300.0, 400.0, 511.0, 1023.0, 2047.0, 4095.0, 8291.0, 16e3, 32e3, 48e3, 64e3,
];

macro_rules! families {
    ($($family:ident, $name:literal, $form:expr, $help:literal;)*) => {
        /// A family of series.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub(crate) enum Family {
            $($family,)*
        }

        impl Family {
            fn describe(self) -> (&'static str, Form, &'static str) {
                match self {
                    $(Self::$family => ($name, $form, $help),)*
                }
            }
        }
    };
}

families! {
    BuildInfo, "coredns_build_info", Form::Gauge,
        "A metric with a constant '1' value labeled by version.";
    CacheEntries, "coredns_cache_entries", Form::Gauge, "The number of elements in the cache.";
    CacheHits, "coredns_cache_hits_total", Form::Counter, "The count of cache hits.";
    CacheMisses, "coredns_cache_misses_total", Form::Counter, "The count of cache misses.";
    CacheRequests, "coredns_cache_requests_total", Form::Counter, "The count of cache requests.";
    DoRequests, "coredns_dns_do_requests_total", Form::Counter,
        "Counter of DNS requests with DO bit set per zone.";
    Duration, "coredns_dns_request_duration_seconds", Form::Histogram(&SECONDS),
        "Histogram of the time (in seconds) each request took per zone.";
    RequestSize, "coredns_dns_request_size_bytes", Form::Histogram(&BYTES),
        "Size of the EDNS0 UDP buffer in bytes (64K for TCP) per zone and protocol.";
    Requests, "coredns_dns_requests_total", Form::Counter,
        "Counter of DNS requests made per zone, protocol and family.";
    ResponseSize, "coredns_dns_response_size_bytes", Form::Histogram(&BYTES),
        "Size of the returned response in bytes.";
    Responses, "coredns_dns_responses_total", Form::Counter, "Counter of response status codes.";
    HealthcheckBroken, "coredns_forward_healthcheck_broken_total", Form::Counter,
        "Counter of the number of complete failures of the healthchecks.";
    ConcurrentRejects, "coredns_forward_max_concurrent_rejects_total", Form::Counter,
        "Counter of the number of queries rejected because the concurrent queries were at maximum.";
    HostsEntries, "coredns_hosts_entries", Form::Gauge,
        "The combined number of entries in hosts and Corefile.";
    PluginEnabled, "coredns_plugin_enabled", Form::Gauge,
        "A metric that indicates whether a plugin is enabled on per server and zone basis.";
    HealthcheckFailures, "coredns_proxy_healthcheck_failures_total", Form::Counter,
        "Counter of the number of failed healthchecks.";
    ProxyDuration, "coredns_proxy_request_duration_seconds", Form::Histogram(&SECONDS),
        "Histogram of the time each request took.";
    ReloadFailed, "coredns_reload_failed_total", Form::Counter,
        "Counter of the number of failed reload attempts.";
}

/// A series' labels, in the order in which they are written.
pub(crate) type Labels<'a> = &'a [(&'a str, &'a str)];

#[derive(Debug)]
enum Series {
    Number(f64),
    Histogram {
        /// How many values lie below each bound and above the one before, and how many above all.
        counts: Vec<u64>,
        sum: f64,
    },
}

/// All series.
#[derive(Debug, Default)]
pub(crate) struct Metrics {
    series: Mutex<BTreeMap<(Family, String), Series>>,
}

impl Metrics {
    /// Counts one more.
    pub(crate) fn count(&self, family: Family, labels: Labels<'_>) {
        self.change(family, labels, |series| {
            if let Series::Number(number) = series {
                *number += 1.0;
            }
        });
    }

    /// Says how many there are.
    pub(crate) fn set(&self, family: Family, labels: Labels<'_>, value: f64) {
        self.change(family, labels, |series| *series = Series::Number(value));
    }

    /// Notes a value.
    pub(crate) fn observe(&self, family: Family, labels: Labels<'_>, value: f64) {
        let (_, Form::Histogram(bounds), _) = family.describe() else {
            return;
        };
        let bound = bounds.iter().position(|bound| value <= *bound);
        self.change(family, labels, |series| {
            if let Series::Histogram { counts, sum } = series {
                counts[bound.unwrap_or(bounds.len())] += 1;
                *sum += value;
            }
        });
    }

    /// Forgets a family: what it said of the configuration no longer holds.
    pub(crate) fn forget(&self, family: Family) {
        let mut all = self.series.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|(its, _), _| *its != family);
    }

    fn change(&self, family: Family, labels: Labels<'_>, change: impl FnOnce(&mut Series)) {
        let mut all = self.series.lock().unwrap_or_else(PoisonError::into_inner);
        let series = all.entry((family, written(labels)));
        change(series.or_insert_with(|| match family.describe().1 {
            Form::Histogram(bounds) => Series::Histogram {
                counts: vec![0; bounds.len() + 1],
                sum: 0.0,
            },
            _ => Series::Number(0.0),
        }));
    }

    /// All series, as Prometheus reads them
    /// (<https://prometheus.io/docs/instrumenting/exposition_formats/>).
    pub(crate) fn text(&self) -> String {
        let all = self.series.lock().unwrap_or_else(PoisonError::into_inner);
        let mut text = String::new();
        let mut last = None;
        for ((family, labels), series) in all.iter() {
            let (name, form, help) = family.describe();
            if last.replace(family) != Some(family) {
                let form = match form {
                    Form::Counter => "counter",
                    Form::Gauge => "gauge",
                    Form::Histogram(_) => "histogram",
                };
                // Writing to a text doesn't fail.
                let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} {form}");
            }
            let _ = match (series, form) {
                (Series::Histogram { counts, sum }, Form::Histogram(bounds)) => {
                    histogram(&mut text, name, labels, counts, bounds, *sum)
                }
                (Series::Number(number), _) => writeln!(text, "{name}{} {number}", braced(labels)),
                _ => Ok(()),
            };
        }
        text
    }
}

fn histogram(
    text: &mut String,
    name: &str,
    labels: &str,
    counts: &[u64],
    bounds: &[f64],
    sum: f64,
) -> std::fmt::Result {
    let comma = if labels.is_empty() { "" } else { "," };
    let bounds = bounds.iter().map(ToString::to_string);
    let mut total = 0;
    for (count, bound) in counts.iter().zip(bounds.chain(["+Inf".to_owned()])) {
        total += count;
        writeln!(
            text,
            "{name}_bucket{{{labels}{comma}le=\"{bound}\"}} {total}"
        )?;
    }
    let labels = braced(labels);
    writeln!(
        text,
        "{name}_sum{labels} {sum}\n{name}_count{labels} {total}"
    )
}

fn braced(labels: &str) -> String {
    if labels.is_empty() {
        String::new()
    } else {
        format!("{{{labels}}}")
    }
}

fn written(labels: Labels<'_>) -> String {
    let escaped = |value: &str| {
        value
            .replace('\\', r"\\")
            .replace('"', "\\\"")
            .replace('\n', r"\n")
    };
    let pairs = labels
        .iter()
        .map(|(name, value)| format!("{name}=\"{}\"", escaped(value)));
    pairs.collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn series_are_written_as_prometheus_reads_them() {
        let metrics = Metrics::default();
        for _ in 0..2 {
            metrics.count(Family::Requests, &[("server", "dns://:53"), ("zone", ".")]);
        }
        metrics.observe(Family::ResponseSize, &[], 150.0);
        metrics.observe(Family::ResponseSize, &[], 1e6);
        metrics.count(Family::ReloadFailed, &[]);
        let text = metrics.text();
        let lines: Vec<_> = text.lines().collect();
        for line in [
            "# TYPE coredns_dns_requests_total counter",
            "coredns_dns_requests_total{server=\"dns://:53\",zone=\".\"} 2",
            "# TYPE coredns_dns_response_size_bytes histogram",
            "coredns_dns_response_size_bytes_bucket{le=\"100\"} 0",
            "coredns_dns_response_size_bytes_bucket{le=\"200\"} 1",
            "coredns_dns_response_size_bytes_bucket{le=\"64000\"} 1",
            "coredns_dns_response_size_bytes_bucket{le=\"+Inf\"} 2",
            "coredns_dns_response_size_bytes_sum 1000150",
            "coredns_dns_response_size_bytes_count 2",
            "coredns_reload_failed_total 1",
        ] {
            assert!(lines.contains(&line), "{line}\n{text}");
        }
    }
}
