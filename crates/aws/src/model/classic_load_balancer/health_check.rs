//! How a classic balancer's instances are checked.
//!
//! <https://docs.aws.amazon.com/elasticloadbalancing/latest/classic/elb-healthchecks.html>

use super::*;
use crate::model::load_balancer::check_range;

/// How instances are checked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HealthCheck {
    /// What is asked.
    pub ping: Ping,
    /// Seconds from one check to the next.
    pub interval: u32,
    /// Seconds after which no answer is a bad answer.
    pub timeout: u32,
    /// So many bad answers in a row take an instance out of service.
    pub unhealthy: u32,
    /// So many good ones in a row put it into service.
    pub healthy: u32,
}

/// What is asked of an instance.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ping {
    /// `TCP`, `SSL`, `HTTP` or `HTTPS`.
    pub protocol: String,
    /// The port.
    pub port: u16,
    /// The path, with HTTP and HTTPS.
    pub path: Option<String>,
}

/// A health check as a request has it.
#[derive(Clone, Debug, Default)]
pub struct HealthCheckWords {
    /// Such as `HTTP:80/ping`.
    pub target: String,
    /// Seconds from one check to the next.
    pub interval: i32,
    /// Seconds to wait for an answer.
    pub timeout: i32,
    /// Bad answers in a row.
    pub unhealthy: i32,
    /// Good answers in a row.
    pub healthy: i32,
}

impl Ping {
    /// As AWS writes it.
    pub fn target(&self) -> String {
        let path = self.path.as_deref().unwrap_or_default();
        format!("{}:{}{path}", self.protocol, self.port)
    }

    /// Reads a target.
    ///
    /// # Errors
    /// `ValidationError`.
    pub fn parse(target: &str) -> Result<Self, Refusal> {
        let (protocol, rest) = target.split_once(':').unwrap_or((target, ""));
        let protocol = protocol.to_ascii_uppercase();
        let http = matches!(protocol.as_str(), "HTTP" | "HTTPS");
        if !http && !matches!(protocol.as_str(), "TCP" | "SSL") {
            return Err(invalid(
                "HealthCheck Target must begin with one of HTTP, TCP, HTTPS, SSL",
            ));
        }
        let (port, path) = match rest.find('/') {
            Some(slash) => (&rest[..slash], Some(rest[slash..].to_owned())),
            None => (rest, None),
        };
        let port = port.parse::<u16>().ok().filter(|port| *port > 0);
        match (port, http, path) {
            (Some(port), true, path @ Some(_)) | (Some(port), false, path @ None) => Ok(Self {
                protocol,
                port,
                path,
            }),
            (_, true, _) => Err(invalid(format!(
                "HealthCheck {protocol} Target must specify a port followed by a path that begins with a slash. e.g. {protocol}:80/ping/this/path"
            ))),
            (_, false, _) => Err(invalid(format!(
                "HealthCheck {protocol} Target must specify a port, e.g. {protocol}:80"
            ))),
        }
    }
}

impl HealthCheck {
    /// What a new balancer has: a connection to the first listener's instance port.
    pub(super) fn of_port(port: u16) -> Self {
        Self {
            ping: Ping {
                protocol: "TCP".to_owned(),
                port,
                path: None,
            },
            interval: 30,
            timeout: 5,
            unhealthy: 2,
            healthy: 10,
        }
    }
}

/// Sets how a balancer's instances are checked.
///
/// # Errors
/// `LoadBalancerNotFound`, `ValidationError`.
pub fn configure(
    state: &mut State,
    context: &Context,
    name: &str,
    words: &HealthCheckWords,
) -> Result<(), Refusal> {
    for (field, value, low, high) in [
        ("healthCheck.interval", words.interval, 5, 300),
        ("healthCheck.timeout", words.timeout, 2, 60),
        ("healthCheck.unhealthyThreshold", words.unhealthy, 2, 10),
        ("healthCheck.healthyThreshold", words.healthy, 2, 10),
    ] {
        check_range(field, i64::from(value), low, high)?;
    }
    if words.timeout >= words.interval {
        return Err(invalid("HealthCheck timeout must be less than interval"));
    }
    let number = |value: i32| u32::try_from(value).unwrap_or_default();
    let check = HealthCheck {
        ping: Ping::parse(&words.target)?,
        interval: number(words.interval),
        timeout: number(words.timeout),
        unhealthy: number(words.unhealthy),
        healthy: number(words.healthy),
    };
    change(state, context, name, |_, balancer| {
        balancer.health_check = check;
        Ok(())
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// AWS-CLB: a ping's target is a protocol, a port and with HTTP a path.
    #[test]
    fn targets_are_read() {
        for good in ["TCP:80", "SSL:443", "HTTP:8080/ping", "HTTPS:443/a?b=c"] {
            assert_eq!(Ping::parse(good).unwrap().target(), good);
        }
        assert_eq!(Ping::parse("http:80/").unwrap().target(), "HTTP:80/");
        for bad in [
            "TCP",
            "TCP:x",
            "TCP:0",
            "TCP:80/x",
            "HTTP:80",
            "UDP:53",
            "HTTP:99999/",
        ] {
            assert_eq!(
                Ping::parse(bad).unwrap_err().code,
                "ValidationError",
                "{bad}"
            );
        }
    }
}
