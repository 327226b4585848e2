//! What the lab counts and measures, as Prometheus reads it.
//!
//! Families are named and described where they are used; a family's labels take few values (an
//! operation's name, an error's code), never what a request brings.
//! <https://prometheus.io/docs/instrumenting/exposition_formats/>

mod gauges;
mod page;
mod process;

pub use gauges::provide;
pub use page::Page;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// The content type of a page.
pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Labels and their values, in the order of their names.
pub type Labels = Vec<(&'static str, Cow<'static, str>)>;

/// The upper bounds of durations' buckets, in seconds.
const BOUNDS: [f64; 14] = [
    0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0,
];

/// Something that is counted or measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Family {
    /// Its name; a counter's ends in `_total`, a duration's in `_seconds`.
    pub name: &'static str,
    /// What it is, in words.
    pub help: &'static str,
}

/// What is known when a page is asked for.
type Provider = Box<dyn Fn(&mut Page) + Send + Sync>;

/// The lab's counts and measurements; a handle that is cheap to clone.
#[derive(Clone, Default)]
pub struct Metrics {
    inner: Arc<Mutex<Inner>>,
}

#[derive(Default)]
struct Inner {
    counters: BTreeMap<&'static str, (Family, BTreeMap<Labels, u64>)>,
    durations: BTreeMap<&'static str, (Family, BTreeMap<Labels, Histogram>)>,
    providers: Vec<Arc<Provider>>,
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Metrics")
    }
}

/// How long something took, each time.
#[derive(Clone, Debug, Default, PartialEq)]
struct Histogram {
    /// How many fell into each bucket, the last one without a bound.
    buckets: [u64; BOUNDS.len() + 1],
    sum: f64,
}

impl Histogram {
    fn add(&mut self, seconds: f64) {
        let bucket = BOUNDS.iter().position(|bound| seconds <= *bound);
        self.buckets[bucket.unwrap_or(BOUNDS.len())] += 1;
        self.sum += seconds;
    }
}

impl Metrics {
    /// Counts some more.
    pub fn count(&self, family: Family, labels: Labels, more: u64) {
        self.with(|inner| {
            let (_, series) = inner
                .counters
                .entry(family.name)
                .or_insert_with(|| (family, BTreeMap::new()));
            *series.entry(labels).or_default() += more;
        });
    }

    /// Remembers how long something took.
    pub fn took(&self, family: Family, labels: Labels, time: Duration) {
        self.with(|inner| {
            let (_, series) = inner
                .durations
                .entry(family.name)
                .or_insert_with(|| (family, BTreeMap::new()));
            series.entry(labels).or_default().add(time.as_secs_f64());
        });
    }

    /// Adds what is only known when it is asked for.
    pub fn provide(&self, provider: impl Fn(&mut Page) + Send + Sync + 'static) {
        let provider: Provider = Box::new(provider);
        self.with(|inner| inner.providers.push(Arc::new(provider)));
    }

    /// Everything, as text.
    pub fn page(&self) -> String {
        let mut page = Page::default();
        let providers = self.with(|inner| {
            for (family, series) in inner.counters.values() {
                page.family(*family, "counter");
                for (labels, value) in series {
                    page.sample("", labels, value);
                }
            }
            for (family, series) in inner.durations.values() {
                page.family(*family, "histogram");
                for (labels, histogram) in series {
                    write(&mut page, labels, histogram);
                }
            }
            inner.providers.clone()
        });
        for provider in providers {
            provider(&mut page);
        }
        process::write(&mut page);
        page.finish()
    }

    fn with<T>(&self, act: impl FnOnce(&mut Inner) -> T) -> T {
        act(&mut self.inner.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// A histogram's samples: buckets count what is not above their bound.
fn write(page: &mut Page, labels: &Labels, histogram: &Histogram) {
    let mut count = 0;
    for (index, more) in histogram.buckets.iter().enumerate() {
        count += more;
        let bound = match BOUNDS.get(index) {
            Some(bound) => bound.to_string(),
            None => "+Inf".to_owned(),
        };
        let mut labels = labels.clone();
        labels.push(("le", bound.into()));
        page.sample("_bucket", &labels, &count);
    }
    page.sample("_sum", labels, &histogram.sum);
    page.sample("_count", labels, &count);
}

#[cfg(test)]
mod tests {
    use super::*;

    const CALLS: Family = Family {
        name: "skylab_calls_total",
        help: "Calls.",
    };
    const TIME: Family = Family {
        name: "skylab_call_seconds",
        help: "How long calls take.",
    };

    fn label(value: &'static str) -> Labels {
        vec![("action", value.into())]
    }

    /// OPS-SEE: the page is as Prometheus' text format has it: a family's words once, cumulative
    /// buckets, escaped values.
    #[test]
    fn the_page_is_prometheus_text() {
        let metrics = Metrics::default();
        metrics.count(CALLS, label("CreateVpc"), 2);
        metrics.count(CALLS, label("a\"b\\c\nd"), 1);
        metrics.took(TIME, label("CreateVpc"), Duration::from_micros(300));
        metrics.took(TIME, label("CreateVpc"), Duration::from_secs(60));
        metrics.provide(|page| {
            page.family(
                Family {
                    name: "skylab_things",
                    help: "Things.",
                },
                "gauge",
            );
            page.sample("", &Vec::new(), &7);
        });
        let page = metrics.page();
        let lines: Vec<&str> = page.lines().collect();
        for line in [
            "# HELP skylab_calls_total Calls.",
            "# TYPE skylab_calls_total counter",
            "skylab_calls_total{action=\"CreateVpc\"} 2",
            "skylab_calls_total{action=\"a\\\"b\\\\c\\nd\"} 1",
            "# TYPE skylab_call_seconds histogram",
            "skylab_call_seconds_bucket{action=\"CreateVpc\",le=\"0.00025\"} 0",
            "skylab_call_seconds_bucket{action=\"CreateVpc\",le=\"0.0005\"} 1",
            "skylab_call_seconds_bucket{action=\"CreateVpc\",le=\"+Inf\"} 2",
            "skylab_call_seconds_sum{action=\"CreateVpc\"} 60.0003",
            "skylab_call_seconds_count{action=\"CreateVpc\"} 2",
            "# TYPE skylab_things gauge",
            "skylab_things 7",
        ] {
            assert_eq!(lines.iter().filter(|it| **it == line).count(), 1, "{page}");
        }
        assert!(page.contains("\nprocess_resident_memory_bytes "), "{page}");
        assert!(page.ends_with('\n'));
    }
}
