//! What a service's annotations ask of its load balancer.
//!
//! <https://cloud-provider-aws.sigs.k8s.io/service_controller/>

use crate::failure::Failure;
use crate::service::Service;
use std::collections::BTreeMap;

/// What the annotations' names begin with.
const PREFIX: &str = "service.beta.kubernetes.io/aws-load-balancer-";
/// Ranges of callers, where the spec names none.
const SOURCE_RANGES: &str = "service.beta.kubernetes.io/load-balancer-source-ranges";
/// Everybody.
const ANYWHERE: &str = "0.0.0.0/0";

/// What a classic load balancer is to be like.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Settings {
    pub(crate) internal: bool,
    pub(crate) proxy_protocol: bool,
    pub(crate) cross_zone: bool,
    /// Seconds that connections may be idle.
    pub(crate) idle_timeout: u32,
    /// Whether instances that go may end their connections, and within how many seconds.
    pub(crate) draining: (bool, Option<u32>),
    /// Who may call.
    pub(crate) source_ranges: Vec<String>,
    /// Security groups in place of a group of its own.
    pub(crate) groups: Vec<String>,
    /// Security groups besides.
    pub(crate) extra_groups: Vec<String>,
    /// Tags besides.
    pub(crate) tags: BTreeMap<String, String>,
    /// The certificate of listeners with TLS.
    pub(crate) certificate: Option<String>,
    /// `http`, `https`, `ssl`, `tcp`: what is spoken to nodes.
    pub(crate) backend_protocol: String,
    /// Ports with TLS, by number or name; `None` for all.
    pub(crate) tls_ports: Option<Vec<String>>,
    /// The policy of ciphers.
    pub(crate) negotiation: Option<String>,
    /// Labels of the nodes that take part.
    pub(crate) node_labels: BTreeMap<String, String>,
    /// Subnets by id or name, in place of those that are found.
    pub(crate) subnets: Vec<String>,
    /// What the health check's annotations say.
    pub(crate) health: HealthWords,
}

/// What annotations say of the health check.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct HealthWords {
    pub(crate) healthy: Option<u32>,
    pub(crate) unhealthy: Option<u32>,
    pub(crate) timeout: Option<u32>,
    pub(crate) interval: Option<u32>,
    pub(crate) protocol: Option<String>,
    pub(crate) port: Option<u16>,
    pub(crate) path: Option<String>,
}

struct Words<'a>(&'a BTreeMap<String, String>);

impl Words<'_> {
    fn get(&self, name: &str) -> Option<&str> {
        self.0.get(&format!("{PREFIX}{name}")).map(String::as_str)
    }

    fn list(&self, name: &str) -> Vec<String> {
        let parts = self.get(name).unwrap_or_default().split(',');
        let parts = parts.map(str::trim).filter(|part| !part.is_empty());
        parts.map(str::to_owned).collect()
    }

    /// `key=value,key,…`; a key alone has an empty value.
    fn pairs(&self, name: &str) -> BTreeMap<String, String> {
        let pair = |part: String| match part.split_once('=') {
            Some((key, value)) => (key.trim().to_owned(), value.trim().to_owned()),
            None => (part, String::new()),
        };
        let pairs = self.list(name).into_iter().map(pair);
        pairs.filter(|(key, _)| !key.is_empty()).collect()
    }

    fn parsed<T: std::str::FromStr>(&self, name: &str) -> Result<Option<T>, Failure> {
        let Some(said) = self.get(name) else {
            return Ok(None);
        };
        let wrong = |_| {
            let key = format!("{PREFIX}{name}");
            Failure::service(format!("error parsing service annotation: {key}={said}"))
        };
        said.parse().map(Some).map_err(wrong)
    }
}

impl Settings {
    /// What a service asks for.
    ///
    /// # Errors
    /// Another controller is named, or an annotation can't be read.
    pub(crate) fn of(service: &Service) -> Result<Self, Failure> {
        let words = Words(&service.annotations);
        match words.get("type") {
            Some("external" | "nlb-ip") => return Err(Failure::Elsewhere),
            Some("nlb") => {
                let why = "Skylab's service controller makes no network load balancers yet: leave out \
                           the annotation service.beta.kubernetes.io/aws-load-balancer-type";
                return Err(Failure::service(why));
            }
            _ => {}
        }
        let proxy_protocol = match words.get("proxy-protocol") {
            None => false,
            Some("*") => true,
            Some(other) => {
                return Err(Failure::service(format!(
                    "annotation \"{PREFIX}proxy-protocol\"={other:?} detected, but the only value supported currently is '*'"
                )));
            }
        };
        let draining = words.parsed("connection-draining-enabled")?;
        Ok(Self {
            internal: words
                .get("internal")
                .is_some_and(|said| !said.is_empty() && said != "false"),
            proxy_protocol,
            cross_zone: words
                .parsed("cross-zone-load-balancing-enabled")?
                .unwrap_or(false),
            idle_timeout: words.parsed("connection-idle-timeout")?.unwrap_or(60),
            draining: (
                draining.unwrap_or(false),
                words.parsed("connection-draining-timeout")?,
            ),
            source_ranges: source_ranges(service)?,
            groups: words.list("security-groups"),
            extra_groups: words.list("extra-security-groups"),
            tags: words.pairs("additional-resource-tags"),
            certificate: words
                .get("ssl-cert")
                .filter(|said| !said.is_empty())
                .map(str::to_owned),
            backend_protocol: words
                .get("backend-protocol")
                .unwrap_or_default()
                .to_lowercase(),
            tls_ports: match words.get("ssl-ports") {
                None | Some("" | "*") => None,
                Some(_) => Some(words.list("ssl-ports")),
            },
            negotiation: words.get("ssl-negotiation-policy").map(str::to_owned),
            node_labels: words.pairs("target-node-labels"),
            subnets: words.list("subnets"),
            health: HealthWords {
                healthy: words.parsed("healthcheck-healthy-threshold")?,
                unhealthy: words.parsed("healthcheck-unhealthy-threshold")?,
                timeout: words.parsed("healthcheck-timeout")?,
                interval: words.parsed("healthcheck-interval")?,
                protocol: words.get("healthcheck-protocol").map(str::to_owned),
                port: match words.get("healthcheck-port") {
                    Some("traffic-port") => None,
                    _ => words.parsed("healthcheck-port")?,
                },
                path: words
                    .get("healthcheck-path")
                    .filter(|said| !said.is_empty())
                    .map(str::to_owned),
            },
        })
    }
}

/// Who may call: by the spec, else by the annotation, else everybody.
fn source_ranges(service: &Service) -> Result<Vec<String>, Failure> {
    let said = service.annotations.get(SOURCE_RANGES);
    let by_annotation = said.map_or("", String::as_str).split(',').map(str::trim);
    let mut ranges: Vec<String> = if service.source_ranges.is_empty() {
        by_annotation
            .filter(|range| !range.is_empty())
            .map(str::to_owned)
            .collect()
    } else {
        let spec = service.source_ranges.iter();
        spec.map(|range| range.trim().to_owned()).collect()
    };
    if let Some(wrong) = ranges.iter().find(|range| !is_range(range)) {
        return Err(Failure::service(format!(
            "service.Spec.LoadBalancerSourceRanges: {wrong} is not valid. Expecting a list of IP ranges. For example, 10.0.0.0/24."
        )));
    }
    if ranges.is_empty() {
        ranges.push(ANYWHERE.to_owned());
    }
    ranges.sort();
    ranges.dedup();
    Ok(ranges)
}

fn is_range(text: &str) -> bool {
    let Some((address, length)) = text.split_once('/') else {
        return false;
    };
    let length: Option<u8> = length.parse().ok();
    address.parse::<std::net::Ipv4Addr>().is_ok() && length.is_some_and(|length| length <= 32)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::service::tests::web;
    use serde_json::json;

    fn with(annotations: serde_json::Value) -> Result<Settings, Failure> {
        let mut object = web();
        object["metadata"]["annotations"] = annotations;
        Settings::of(&Service::of(&object))
    }

    /// AWS-LBC: without annotations: for everybody, idle for a minute, nothing else on.
    #[test]
    fn defaults_are_those_of_the_cloud_provider() {
        let settings = with(json!({})).unwrap();
        assert!(!settings.internal && !settings.cross_zone && !settings.proxy_protocol);
        assert_eq!(
            (settings.idle_timeout, settings.draining),
            (60, (false, None))
        );
        assert_eq!(settings.source_ranges, ["0.0.0.0/0"]);
    }

    /// AWS-LBC: annotations are read, or refused with their names.
    #[test]
    fn annotations_are_read() {
        let settings = with(json!({
            "service.beta.kubernetes.io/aws-load-balancer-internal": "0.0.0.0/0",
            "service.beta.kubernetes.io/aws-load-balancer-connection-draining-enabled": "true",
            "service.beta.kubernetes.io/aws-load-balancer-connection-draining-timeout": "20",
            "service.beta.kubernetes.io/aws-load-balancer-additional-resource-tags": "a=b, c",
            "service.beta.kubernetes.io/load-balancer-source-ranges": "10.1.0.0/16, 10.0.0.0/16",
        }))
        .unwrap();
        assert!(settings.internal);
        assert_eq!(settings.draining, (true, Some(20)));
        assert_eq!(settings.tags["a"], "b");
        assert_eq!(settings.tags["c"], "");
        assert_eq!(settings.source_ranges, ["10.0.0.0/16", "10.1.0.0/16"]);
        let off = json!({"service.beta.kubernetes.io/aws-load-balancer-internal": "false"});
        assert!(!with(off).unwrap().internal);
        for (name, value) in [
            ("aws-load-balancer-proxy-protocol", "tcp"),
            ("aws-load-balancer-connection-idle-timeout", "long"),
            ("load-balancer-source-ranges", "everybody"),
        ] {
            let name = format!("service.beta.kubernetes.io/{name}");
            assert!(matches!(
                with(json!({name: value})),
                Err(Failure::Service(_))
            ));
        }
    }

    /// AWS-LBC: services that name the load balancer controller are left to it.
    #[test]
    fn other_controllers_services_are_left_alone() {
        for kind in ["external", "nlb-ip"] {
            let said = json!({"service.beta.kubernetes.io/aws-load-balancer-type": kind});
            assert_eq!(with(said), Err(Failure::Elsewhere));
        }
    }
}
