//! How targets' health is checked: settings and their defaults.
//!
//! <https://docs.aws.amazon.com/elasticloadbalancing/latest/application/target-group-health-checks.html>
//! <https://docs.aws.amazon.com/elasticloadbalancing/latest/network/target-group-health-checks.html>

use super::*;

/// Which port is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum HealthPort {
    /// The one that gets the traffic.
    Traffic,
    /// This one.
    Number(u16),
}

/// Which answers are good.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Matcher {
    /// These status codes: `200`, `200,202` or `200-299`.
    Http(String),
    /// These gRPC codes.
    Grpc(String),
}

/// How a group's targets are checked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HealthCheck {
    /// Whether they are; only functions needn't be.
    pub enabled: bool,
    /// How they are asked.
    pub protocol: Protocol,
    /// Where.
    pub port: HealthPort,
    /// The path that is asked for, where the protocol has paths.
    pub path: Option<String>,
    /// Seconds from one check to the next.
    pub interval: u32,
    /// Seconds after which no answer is a bad answer.
    pub timeout: u32,
    /// So many good answers in a row make a target healthy again.
    pub healthy: u32,
    /// So many bad ones in a row make it unhealthy.
    pub unhealthy: u32,
    /// Which answers are good, where the protocol has codes.
    pub matcher: Option<Matcher>,
}

/// What a request says of a health check.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct HealthCheckChanges {
    /// Whether targets are checked.
    pub enabled: Option<bool>,
    /// How.
    pub protocol: Option<Protocol>,
    /// `traffic-port` or a number.
    pub port: Option<String>,
    /// The path.
    pub path: Option<String>,
    /// Seconds from one check to the next.
    pub interval: Option<i32>,
    /// Seconds to wait for an answer.
    pub timeout: Option<i32>,
    /// Good answers in a row.
    pub healthy: Option<i32>,
    /// Bad answers in a row.
    pub unhealthy: Option<i32>,
    /// Good HTTP codes.
    pub http_codes: Option<String>,
    /// Good gRPC codes.
    pub grpc_codes: Option<String>,
}

/// What a health check depends on.
#[derive(Clone, Copy, Debug)]
pub(super) struct Checked {
    pub(super) target_type: TargetType,
    pub(super) protocol: Option<Protocol>,
    pub(super) grpc: bool,
}

impl Matcher {
    /// Whether a code is a good answer.
    pub fn accepts(&self, code: u16) -> bool {
        let (Self::Http(codes) | Self::Grpc(codes)) = self;
        codes
            .split(',')
            .filter_map(bounds)
            .any(|(low, high)| (low..=high).contains(&code))
    }
}

fn bounds(part: &str) -> Option<(u16, u16)> {
    let part = part.trim();
    let (low, high) = part.split_once('-').unwrap_or((part, part));
    Some((low.parse().ok()?, high.parse().ok()?))
}

fn check_codes(name: &str, codes: &str, low: u16, high: u16) -> Result<(), Refusal> {
    let good = |part: &str| {
        bounds(part).is_some_and(|(first, last)| first <= last && first >= low && last <= high)
    };
    if codes.split(',').all(good) {
        return Ok(());
    }
    Err(invalid(format!(
        "Health check matcher {name} code '{codes}' must be within '{low}-{high}' inclusive"
    )))
}

impl Checked {
    fn kind(self) -> Kind {
        match self.target_type {
            TargetType::Lambda => Kind::Application,
            _ => self.protocol.map_or(Kind::Application, Protocol::kind),
        }
    }

    /// The health check that a group has unless told otherwise.
    fn default(self) -> HealthCheck {
        let kind = self.kind();
        let lambda = self.target_type == TargetType::Lambda;
        let protocol = match kind {
            Kind::Application => Protocol::Http,
            _ if self.target_type == TargetType::Alb => Protocol::Http,
            _ => Protocol::Tcp,
        };
        HealthCheck {
            enabled: !lambda,
            protocol,
            port: match kind {
                Kind::Gateway => HealthPort::Number(80),
                _ => HealthPort::Traffic,
            },
            path: None,
            interval: match kind {
                _ if lambda => 35,
                Kind::Gateway => 10,
                _ => 30,
            },
            timeout: 0,
            healthy: 5,
            unhealthy: if lambda { 5 } else { 2 },
            matcher: None,
        }
    }

    fn default_timeout(self, protocol: Protocol) -> u32 {
        match (self.kind(), protocol) {
            _ if self.target_type == TargetType::Lambda => 30,
            (Kind::Application | Kind::Gateway, _) => 5,
            (Kind::Network, Protocol::Http) => 6,
            (Kind::Network, _) => 10,
        }
    }

    fn default_matcher(self) -> Matcher {
        match self.kind() {
            _ if self.grpc => Matcher::Grpc("12".to_owned()),
            Kind::Application => Matcher::Http("200".to_owned()),
            _ => Matcher::Http("200-399".to_owned()),
        }
    }

    /// A new group's health check.
    ///
    /// # Errors
    /// As [`Checked::change`].
    pub(super) fn make(self, changes: &HealthCheckChanges) -> Result<HealthCheck, Refusal> {
        let mut check = self.default();
        if let Some(protocol) = changes.protocol {
            check.protocol = protocol;
        }
        check.timeout = self.default_timeout(check.protocol);
        self.change(&check, changes)
    }

    /// A changed health check.
    ///
    /// # Errors
    /// `ValidationError`, `InvalidConfigurationRequest`.
    pub(super) fn change(
        self,
        check: &HealthCheck,
        changes: &HealthCheckChanges,
    ) -> Result<HealthCheck, Refusal> {
        let mut check = check.clone();
        check.protocol = changes.protocol.unwrap_or(check.protocol);
        check.enabled = changes.enabled.unwrap_or(check.enabled);
        if !check.enabled && self.target_type != TargetType::Lambda {
            return Err(misconfigured(format!(
                "Health check enabled must be true for target groups with target type '{}'",
                self.target_type.as_str()
            )));
        }
        self.check_protocol(check.protocol)?;
        if let Some(port) = &changes.port {
            check.port = health_port(port)?;
        }
        numbers(&mut check, changes)?;
        self.check_times(&check)?;
        self.words(&mut check, changes)?;
        Ok(check)
    }

    fn check_protocol(self, protocol: Protocol) -> Result<(), Refusal> {
        let allowed: &[Protocol] = match self.kind() {
            Kind::Application => &[Protocol::Http, Protocol::Https],
            _ if self.target_type == TargetType::Alb => &[Protocol::Http, Protocol::Https],
            _ => &[Protocol::Http, Protocol::Https, Protocol::Tcp],
        };
        if allowed.contains(&protocol) {
            return Ok(());
        }
        let names: Vec<&str> = allowed.iter().map(|protocol| protocol.as_str()).collect();
        Err(invalid(format!(
            "Health check protocol '{protocol}' must be one of '{}'",
            names.join(", ")
        )))
    }

    fn check_times(self, check: &HealthCheck) -> Result<(), Refusal> {
        let (timeout, interval) = (check.timeout, check.interval);
        let (fits, than) = match self.kind() {
            Kind::Application => (timeout < interval, "smaller than"),
            _ => (timeout <= interval, "smaller than or equal to"),
        };
        if fits {
            return Ok(());
        }
        Err(invalid(format!(
            "Health check timeout '{timeout}' must be {than} the interval '{interval}'"
        )))
    }

    /// The path and the good answers, which only some protocols have.
    fn words(self, check: &mut HealthCheck, changes: &HealthCheckChanges) -> Result<(), Refusal> {
        if check.protocol == Protocol::Tcp {
            if changes.path.is_some() {
                return Err(misconfigured(
                    "Health check path is not supported for health checks with protocol 'TCP'",
                ));
            }
            if changes.http_codes.is_some() || changes.grpc_codes.is_some() {
                return Err(misconfigured(
                    "Health check matcher is not supported for health checks with protocol 'TCP'",
                ));
            }
            (check.path, check.matcher) = (None, None);
            return Ok(());
        }
        let usual = if self.grpc {
            "/AWS.ALB/healthcheck"
        } else {
            "/"
        };
        let path = changes.path.clone().or_else(|| check.path.take());
        let path = path.unwrap_or_else(|| usual.to_owned());
        if !path.starts_with('/') || path.chars().count() > 1024 {
            return Err(invalid(format!(
                "Health check path '{path}' must begin with a '/' character and be at most 1024 characters long"
            )));
        }
        check.path = Some(path);
        let matcher = match (&changes.http_codes, &changes.grpc_codes) {
            (Some(_), Some(_)) => {
                return Err(misconfigured(
                    "You can specify either HttpCode or GrpcCode, not both",
                ));
            }
            (Some(_), None) if self.grpc => {
                return Err(misconfigured(
                    "HttpCode is not supported for target groups with protocol version 'GRPC'",
                ));
            }
            (None, Some(_)) if !self.grpc => {
                return Err(misconfigured(
                    "GrpcCode is supported only for target groups with protocol version 'GRPC'",
                ));
            }
            (Some(codes), None) => {
                let highest = if self.kind() == Kind::Application {
                    499
                } else {
                    599
                };
                check_codes("HTTP", codes, 200, highest)?;
                Some(Matcher::Http(codes.clone()))
            }
            (None, Some(codes)) => {
                check_codes("gRPC", codes, 0, 99)?;
                Some(Matcher::Grpc(codes.clone()))
            }
            (None, None) => None,
        };
        let present = matcher.or_else(|| check.matcher.take());
        check.matcher = Some(present.unwrap_or_else(|| self.default_matcher()));
        Ok(())
    }
}

fn health_port(text: &str) -> Result<HealthPort, Refusal> {
    if text == "traffic-port" {
        return Ok(HealthPort::Traffic);
    }
    match text.parse::<u16>() {
        Ok(number) if number > 0 => Ok(HealthPort::Number(number)),
        _ => Err(invalid(format!(
            "Health check port '{text}' must be 'traffic-port' or a number between '1-65535' inclusive"
        ))),
    }
}

fn numbers(check: &mut HealthCheck, changes: &HealthCheckChanges) -> Result<(), Refusal> {
    let fields = [
        (
            "healthCheckIntervalSeconds",
            changes.interval,
            (5, 300),
            &mut check.interval,
        ),
        (
            "healthCheckTimeoutSeconds",
            changes.timeout,
            (2, 120),
            &mut check.timeout,
        ),
        (
            "healthyThresholdCount",
            changes.healthy,
            (2, 10),
            &mut check.healthy,
        ),
        (
            "unhealthyThresholdCount",
            changes.unhealthy,
            (2, 10),
            &mut check.unhealthy,
        ),
    ];
    for (name, wanted, (low, high), field) in fields {
        if let Some(wanted) = wanted {
            check_range(name, i64::from(wanted), low, high)?;
            *field = u32::try_from(wanted).unwrap_or(*field);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn matchers_take_codes_lists_and_ranges() {
        let matcher = Matcher::Http("200,202-204".to_owned());
        for (code, good) in [
            (200, true),
            (201, false),
            (202, true),
            (204, true),
            (205, false),
        ] {
            assert_eq!(matcher.accepts(code), good, "{code}");
        }
    }

    /// AWS-ALB, AWS-NLB, AWS-GWLB: defaults follow the protocol.
    #[test]
    fn defaults_follow_the_protocol() {
        let of = |protocol| Checked {
            target_type: TargetType::Instance,
            protocol: Some(protocol),
            grpc: false,
        };
        for (protocol, asked, port, times) in [
            (Protocol::Http, Protocol::Http, HealthPort::Traffic, (30, 5)),
            (Protocol::Tcp, Protocol::Tcp, HealthPort::Traffic, (30, 10)),
            (
                Protocol::Geneve,
                Protocol::Tcp,
                HealthPort::Number(80),
                (10, 5),
            ),
        ] {
            let check = of(protocol).make(&HealthCheckChanges::default()).unwrap();
            assert_eq!((check.protocol, check.port), (asked, port));
            assert_eq!((check.interval, check.timeout), times);
            assert_eq!((check.healthy, check.unhealthy), (5, 2));
        }
        let http = HealthCheckChanges {
            protocol: Some(Protocol::Http),
            ..Default::default()
        };
        let check = of(Protocol::Tcp).make(&http).unwrap();
        assert_eq!((check.timeout, check.path.as_deref()), (6, Some("/")));
        assert_eq!(check.matcher, Some(Matcher::Http("200-399".to_owned())));
    }
}
