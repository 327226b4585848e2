//! What a Corefile says of the cluster's names: <https://coredns.io/plugins/kubernetes/>.

use super::{Fallthrough, bad, number, unknown, zones_of};
use crate::corefile::{CorefileError, Directive};
use crate::question::within;
use std::collections::BTreeSet;

const NAME: &str = "kubernetes";
/// How long records hold, if nothing else is said.
const TTL: u32 = 5;
/// What CoreDNS has beside.
const COREDNS: [&str; 9] = [
    "endpoint",
    "tls",
    "kubeconfig",
    "labels",
    "namespace_labels",
    "multicluster",
    "startup_timeout",
    "apiserver_qps",
    "noendpoints",
];

/// Whose pods have names.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Pods {
    /// Nobody's.
    #[default]
    Disabled,
    /// Every address's, whether there is such a pod or not.
    Insecure,
    /// Those of pods that there are.
    Verified,
}

/// How a cluster's names are served.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kubernetes {
    pub(crate) zones: Vec<String>,
    pub(crate) pods: Pods,
    pub(crate) ttl: u32,
    pub(crate) fallthrough: Fallthrough,
    /// The only namespaces that are shown; all, if none are named.
    pub(crate) namespaces: BTreeSet<String>,
    pub(crate) endpoint_pod_names: bool,
    pub(crate) ignore_empty_service: bool,
}

impl Kubernetes {
    /// As CoreDNS serves zones of which nothing more is said.
    pub fn new(zones: Vec<String>) -> Self {
        Self {
            zones,
            pods: Pods::default(),
            ttl: TTL,
            fallthrough: Fallthrough::default(),
            namespaces: BTreeSet::new(),
            endpoint_pod_names: false,
            ignore_empty_service: false,
        }
    }

    /// Reads the directive in a block that serves zones.
    pub(crate) fn read(directive: &Directive, block: &[String]) -> Result<Self, CorefileError> {
        let zones = match zones_of(directive, &directive.arguments)? {
            none if none.is_empty() => block.to_vec(),
            zones => zones,
        };
        let mut plugin = Self::new(zones);
        for line in &directive.lines {
            plugin.read_line(line)?;
        }
        if plugin.zones.iter().all(|zone| is_reverse(zone)) {
            let reason = "non-reverse zone name must be used";
            return Err(bad(NAME, directive, reason));
        }
        Ok(plugin)
    }

    fn read_line(&mut self, line: &Directive) -> Result<(), CorefileError> {
        match line.name.as_str() {
            "pods" => {
                self.pods = match line.one()? {
                    "disabled" => Pods::Disabled,
                    "insecure" => Pods::Insecure,
                    "verified" => Pods::Verified,
                    other => {
                        let reason = format!(
                            "wrong value for pods: {other},  must be one of: disabled, verified, insecure"
                        );
                        return Err(bad(NAME, line, reason));
                    }
                }
            }
            "ttl" => {
                self.ttl = number(NAME, line, line.one()?)?;
                if self.ttl > 3600 {
                    let reason = format!("ttl must be in range [0, 3600]: {}", self.ttl);
                    return Err(bad(NAME, line, reason));
                }
            }
            "fallthrough" => self.fallthrough = Fallthrough::read(line)?,
            "namespaces" => self.namespaces.extend(line.arguments.iter().cloned()),
            "endpoint_pod_names" => self.endpoint_pod_names = true,
            "ignore" if line.one()? == "empty_service" => self.ignore_empty_service = true,
            // Long without a meaning; CoreDNS passes over them too.
            "upstream" | "resyncperiod" => {}
            _ => return Err(unknown(NAME, line, &COREDNS)),
        }
        Ok(())
    }

    /// Whether a namespace may be shown.
    pub(crate) fn lists(&self, namespace: &str) -> bool {
        self.namespaces.is_empty() || self.namespaces.contains(namespace)
    }

    /// The zone that services' names are in.
    pub(crate) fn primary_zone(&self) -> &str {
        let mut zones = self.zones.iter().filter(|zone| !is_reverse(zone));
        zones.next().map_or(".", String::as_str)
    }
}

fn is_reverse(zone: &str) -> bool {
    within(zone, "in-addr.arpa.") || within(zone, "ip6.arpa.")
}
