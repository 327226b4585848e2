//! How a classic load balancer finds out whether nodes are well.

use crate::aws::text;
use crate::failure::Failure;
use crate::listener::Listener;
use crate::service::Service;
use crate::settings::Settings;
use serde_json::{Value, json};

/// Where kube-proxy answers under the policy Local.
const LOCAL_PATH: &str = "/healthz";
/// The path of HTTP checks where nothing else is said.
const PATH: &str = "/";

/// A health check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct HealthCheck {
    /// `TCP:32671` or `HTTP:30123/healthz`.
    pub(crate) target: String,
    pub(crate) interval: u32,
    pub(crate) timeout: u32,
    pub(crate) healthy: u32,
    pub(crate) unhealthy: u32,
}

impl HealthCheck {
    /// As requests have it.
    pub(crate) fn wire(&self) -> Value {
        json!({
            "Target": self.target, "Interval": self.interval, "Timeout": self.timeout,
            "HealthyThreshold": self.healthy, "UnhealthyThreshold": self.unhealthy,
        })
    }

    /// Whether an answer's health check is this one.
    pub(crate) fn is(&self, check: &Value) -> bool {
        text(check, "Target") == self.target
            && text(check, "Interval") == self.interval.to_string()
            && text(check, "Timeout") == self.timeout.to_string()
            && text(check, "HealthyThreshold") == self.healthy.to_string()
            && text(check, "UnhealthyThreshold") == self.unhealthy.to_string()
    }
}

/// The health check of a service whose load balancer has these listeners.
///
/// # Errors
/// There is no listener, or a number is out of its bounds.
pub(crate) fn health_check(
    service: &Service,
    settings: &Settings,
    listeners: &[Listener],
) -> Result<HealthCheck, Failure> {
    let Some(first) = listeners.first() else {
        return Err(Failure::service("requested load balancer with no ports"));
    };
    let (protocol, port, mut path) = match service.health_check_port {
        Some(port) => ("HTTP", port, LOCAL_PATH),
        None => match settings.backend_protocol.as_str() {
            "https" | "ssl" => ("SSL", first.instance_port, ""),
            _ => ("TCP", first.instance_port, ""),
        },
    };
    let words = &settings.health;
    let protocol = words.protocol.as_deref().unwrap_or(protocol);
    let port = words.port.unwrap_or(port);
    if ["HTTP", "HTTPS"].contains(&protocol.to_uppercase().as_str()) {
        let said = words.path.as_deref();
        path = said.unwrap_or(if path.is_empty() { PATH } else { path });
    } else {
        path = "";
    }
    let check = HealthCheck {
        target: format!("{protocol}:{port}{path}"),
        interval: words.interval.unwrap_or(10),
        timeout: words.timeout.unwrap_or(5),
        healthy: words.healthy.unwrap_or(2),
        unhealthy: words.unhealthy.unwrap_or(6),
    };
    for (name, value, least) in [
        ("HealthyThreshold", check.healthy, 2),
        ("UnhealthyThreshold", check.unhealthy, 2),
        ("Interval", check.interval, 5),
        ("Timeout", check.timeout, 2),
    ] {
        if value < least {
            return Err(Failure::service(format!(
                "some of the load balancer health check parameters are invalid: HealthCheck validation errors: {name} must be at least {least}"
            )));
        }
    }
    Ok(check)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::listener::listeners;
    use crate::service::tests::web;

    fn of(change: impl FnOnce(&mut Value)) -> Result<HealthCheck, Failure> {
        let mut object = web();
        change(&mut object);
        let service = Service::of(&object);
        let settings = Settings::of(&service)?;
        health_check(&service, &settings, &listeners(&service, &settings)?)
    }

    /// AWS-LBC, AWS-CLB: the first node port is tried every ten seconds; six failures make a node unhealthy.
    #[test]
    fn the_first_node_port_is_tried() {
        let check = of(|_| {}).unwrap();
        let numbers = (
            check.interval,
            check.timeout,
            check.healthy,
            check.unhealthy,
        );
        assert_eq!(
            (check.target.as_str(), numbers),
            ("TCP:32671", (10, 5, 2, 6))
        );
    }

    /// AWS-LBC, AWS-CLB: under the policy Local kube-proxy says whether a node has endpoints.
    #[test]
    fn local_services_are_asked_of_the_proxy() {
        let local = of(|object| {
            object["spec"]["externalTrafficPolicy"] = json!("Local");
            object["spec"]["healthCheckNodePort"] = json!(30123);
        });
        assert_eq!(local.unwrap().target, "HTTP:30123/healthz");
    }

    /// AWS-LBC: annotations change the check, within the API's bounds.
    #[test]
    fn annotations_change_the_check() {
        let name = |name: &str| format!("service.beta.kubernetes.io/aws-load-balancer-{name}");
        let http = of(|object| {
            object["metadata"]["annotations"] = json!({
                name("healthcheck-protocol"): "HTTP", name("healthcheck-interval"): "5",
            });
        });
        let http = http.unwrap();
        assert_eq!((http.target.as_str(), http.interval), ("HTTP:32671/", 5));
        let often = of(|object| {
            object["metadata"]["annotations"] = json!({name("healthcheck-interval"): "4"});
        });
        assert!(
            often
                .unwrap_err()
                .to_string()
                .ends_with("Interval must be at least 5")
        );
    }
}
