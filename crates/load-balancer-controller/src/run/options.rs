//! The controller's flags, with upstream's names.
//! <https://kubernetes-sigs.github.io/aws-load-balancer-controller/v2.11/deploy/configurations/>

use crate::model::Settings;
use crate::model::stack::Pairs;
use std::time::Duration;

/// What the controller was told at its start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// The cluster's name.
    pub cluster: String,
    /// The region; the instance's where nobody says.
    pub region: Option<String>,
    /// The VPC; the instance's where nobody says, and then empty here.
    pub vpc: String,
    /// The class that ingresses name by the older annotation.
    pub ingress_class: String,
    /// What targets are where nobody says.
    pub target_type: String,
    /// The scheme of load balancers where nobody says.
    pub scheme: String,
    /// The security policy where nobody says.
    pub ssl_policy: String,
    /// Tags of all that is made.
    pub tags: Pairs,
    /// A security group to be shared in the place of one that is made.
    pub backend_group: Option<String>,
    /// So many groups, services and bindings are looked at at once, of each.
    pub concurrent: usize,
    /// Everything is looked at so often.
    pub resync: Duration,
    /// Whether new services of type LoadBalancer get this controller's class.
    pub service_webhook: bool,
    /// The port of the webhooks.
    pub webhook_port: u16,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            cluster: String::new(),
            region: None,
            vpc: String::new(),
            ingress_class: "alb".to_owned(),
            target_type: "instance".to_owned(),
            scheme: "internal".to_owned(),
            ssl_policy: "ELBSecurityPolicy-2016-08".to_owned(),
            tags: Pairs::new(),
            backend_group: None,
            concurrent: 3,
            resync: Duration::from_secs(10 * 3600),
            service_webhook: true,
            webhook_port: 9443,
        }
    }
}

/// A flag that can't be followed.
#[derive(Debug, thiserror::Error)]
pub enum OptionsError {
    /// There is no such flag.
    #[error("unknown flag: {0}")]
    Unknown(String),
    /// It has no value, or none that can be.
    #[error("invalid argument {value:?} for \"{flag}\" flag")]
    Value {
        /// The flag.
        flag: String,
        /// What was given.
        value: String,
    },
    /// The cluster has no name.
    #[error("kubernetes cluster name must be specified")]
    NoCluster,
}

/// Flags that change nothing here: how often AWS is called, and what is logged and measured.
const WITHOUT_EFFECT: [&str; 12] = [
    "aws-api-throttle",
    "aws-max-retries",
    "enable-leader-election",
    "leader-election-id",
    "leader-election-namespace",
    "log-level",
    "metrics-bind-addr",
    "health-probe-bind-addr",
    "webhook-cert-dir",
    "webhook-cert-file",
    "webhook-key-file",
    "enable-pod-readiness-gate-inject",
];

impl Options {
    /// Reads flags, `--name=value` or `--name value`.
    ///
    /// # Errors
    /// One can't be followed, or the cluster has no name.
    pub fn read(flags: &[String]) -> Result<Self, OptionsError> {
        let mut options = Self::default();
        let mut flags = flags.iter();
        while let Some(flag) = flags.next() {
            let unknown = || OptionsError::Unknown(flag.clone());
            let bare = flag.trim_start_matches('-');
            if bare.len() == flag.len() {
                return Err(unknown());
            }
            let (name, value) = match bare.split_once('=') {
                Some((name, value)) => (name, value.to_owned()),
                None => (bare, flags.next().cloned().unwrap_or_default()),
            };
            options.set(name, &value)?;
        }
        if options.cluster.is_empty() {
            return Err(OptionsError::NoCluster);
        }
        Ok(options)
    }

    fn set(&mut self, name: &str, value: &str) -> Result<(), OptionsError> {
        let wrong = || OptionsError::Value {
            flag: format!("--{name}"),
            value: value.to_owned(),
        };
        let text = || {
            (!value.is_empty())
                .then(|| value.to_owned())
                .ok_or_else(wrong)
        };
        match name {
            "cluster-name" => self.cluster = text()?,
            "aws-region" => self.region = Some(text()?),
            "aws-vpc-id" => self.vpc = text()?,
            "ingress-class" => self.ingress_class = text()?,
            "default-target-type" => self.target_type = text()?,
            "default-load-balancer-scheme" => self.scheme = text()?,
            "default-ssl-policy" => self.ssl_policy = text()?,
            "backend-security-group" => self.backend_group = Some(text()?),
            "default-tags" => {
                for pair in value.split(',').filter(|pair| !pair.is_empty()) {
                    let (key, value) = pair.split_once('=').ok_or_else(wrong)?;
                    self.tags.insert(key.to_owned(), value.to_owned());
                }
            }
            "ingress-max-concurrent-reconciles" => {
                self.concurrent = value.parse().map_err(|_| wrong())?;
            }
            "sync-period" => self.resync = duration(value).ok_or_else(wrong)?,
            "enable-service-mutator-webhook" => {
                self.service_webhook = value.parse().map_err(|_| wrong())?;
            }
            "webhook-bind-port" => self.webhook_port = value.parse().map_err(|_| wrong())?,
            other if WITHOUT_EFFECT.contains(&other) => {}
            _ => return Err(OptionsError::Unknown(format!("--{name}"))),
        }
        Ok(())
    }

    /// What models depend on.
    pub(crate) fn settings(&self) -> Settings {
        Settings {
            cluster: self.cluster.clone(),
            target_type: self.target_type.clone(),
            scheme: self.scheme.clone(),
            ssl_policy: self.ssl_policy.clone(),
            tags: self.tags.clone(),
        }
    }
}

/// A time such as `10h0m0s`.
fn duration(text: &str) -> Option<Duration> {
    let mut total = 0;
    let mut number = String::new();
    for c in text.chars() {
        if c.is_ascii_digit() {
            number.push(c);
            continue;
        }
        let count: u64 = number.parse().ok()?;
        number.clear();
        total += count
            * match c {
                'h' => 3600,
                'm' => 60,
                's' => 1,
                _ => return None,
            };
    }
    (number.is_empty() && !text.is_empty()).then(|| Duration::from_secs(total))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn read(flags: &[&str]) -> Result<Options, OptionsError> {
        let flags: Vec<String> = flags.iter().map(|flag| (*flag).to_owned()).collect();
        Options::read(&flags)
    }

    /// AWS-LBC: flags have upstream's names; what there is not is refused.
    #[test]
    fn flags_are_read() {
        let options = read(&[
            "--cluster-name=demo",
            "--ingress-class",
            "web",
            "--sync-period=1h30m",
            "--default-tags=a=1,b=2",
        ]);
        let options = options.unwrap();
        assert_eq!(
            (options.cluster.as_str(), options.ingress_class.as_str()),
            ("demo", "web")
        );
        assert_eq!(options.resync, Duration::from_secs(5400));
        assert_eq!(options.tags.len(), 2);
        assert!(matches!(read(&[]), Err(OptionsError::NoCluster)));
        assert!(matches!(
            read(&["--enable-waf=true"]),
            Err(OptionsError::Unknown(_))
        ));
        assert!(matches!(
            read(&["--sync-period=soon"]),
            Err(OptionsError::Value { .. })
        ));
    }
}
