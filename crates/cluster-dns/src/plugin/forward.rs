//! Which questions go to which other resolvers: <https://coredns.io/plugins/forward/>.
//!
//! Not modelled: DNS over TLS and HTTPS, names as upstreams, and connections that are kept.

use super::{bad, duration, number, unknown, zones_of};
use crate::corefile::{CorefileError, Directive};
use crate::question::within;
use hickory_proto::op::ResponseCode;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

const NAME: &str = "forward";
/// What CoreDNS has beside.
const COREDNS: [&str; 10] = [
    "tls",
    "tls_servername",
    "next",
    "next_on_nodata",
    "doh_method",
    "resolver",
    "max_connect_attempts",
    "max_age",
    "max_idle_conns",
    "failfast_all_unhealthy_upstreams",
];
/// So many upstreams are taken at most.
const UPSTREAMS: usize = 15;

/// Where questions go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Upstream {
    /// To an address.
    Address(SocketAddr),
    /// To the name servers of a file.
    File(PathBuf),
}

/// Which upstream is asked first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Policy {
    /// Any.
    #[default]
    Random,
    /// One after another.
    RoundRobin,
    /// As they are written.
    Sequential,
}

/// How questions below a name are forwarded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Forward {
    pub(crate) from: String,
    pub(crate) except: Vec<String>,
    pub(crate) to: Vec<Upstream>,
    pub(crate) policy: Policy,
    pub(crate) force_tcp: bool,
    pub(crate) prefer_udp: bool,
    /// After so many failed looks at its health an upstream is passed over; never, if none.
    pub(crate) max_fails: u32,
    pub(crate) health_check: Duration,
    /// So many questions are under way at most; any number, if none.
    pub(crate) max_concurrent: Option<usize>,
    /// Answers after which the next upstream is asked.
    pub(crate) failover: Vec<ResponseCode>,
}

impl Forward {
    pub(crate) fn read(directive: &Directive) -> Result<Self, CorefileError> {
        let [from, to @ ..] = &directive.arguments[..] else {
            return Err(directive.count());
        };
        let from = match &zones_of(directive, std::slice::from_ref(from))?[..] {
            [from, ..] => from.clone(),
            [] => return Err(directive.count()),
        };
        if to.is_empty() {
            return Err(directive.count());
        }
        if to.len() > UPSTREAMS {
            let reason = format!("more than {UPSTREAMS} TOs configured: {}", to.len());
            return Err(bad(NAME, directive, reason));
        }
        let mut plugin = Self {
            from,
            except: Vec::new(),
            to: Vec::new(),
            policy: Policy::default(),
            force_tcp: false,
            prefer_udp: false,
            max_fails: 2,
            health_check: Duration::from_millis(500),
            max_concurrent: None,
            failover: Vec::new(),
        };
        for word in to {
            let upstream = upstream(word);
            let reason = || format!("not an IP address or file: {word:?}");
            plugin
                .to
                .push(upstream.ok_or_else(|| bad(NAME, directive, reason()))?);
        }
        for line in &directive.lines {
            plugin.read_line(line)?;
        }
        Ok(plugin)
    }

    fn read_line(&mut self, line: &Directive) -> Result<(), CorefileError> {
        match line.name.as_str() {
            "except" => self.except.extend(zones_of(line, &line.arguments)?),
            "force_tcp" => self.force_tcp = true,
            "prefer_udp" => self.prefer_udp = true,
            "max_fails" => self.max_fails = number(NAME, line, line.one()?)?,
            "health_check" => match &line.arguments[..] {
                [interval] => self.health_check = duration(NAME, line, interval)?,
                _ => return Err(bad(NAME, line, "health_check takes a duration alone here")),
            },
            "max_concurrent" => {
                let limit: usize = number(NAME, line, line.one()?)?;
                self.max_concurrent = (limit > 0).then_some(limit);
            }
            "policy" => {
                self.policy = match line.one()? {
                    "random" => Policy::Random,
                    "round_robin" => Policy::RoundRobin,
                    "sequential" => Policy::Sequential,
                    other => return Err(bad(NAME, line, format!("unknown policy '{other}'"))),
                }
            }
            "failover" => {
                for word in &line.arguments {
                    let reason = || format!("{word} is not a valid rcode");
                    let code = super::template::code(word);
                    let code = code.filter(|code| *code != ResponseCode::NoError);
                    self.failover
                        .push(code.ok_or_else(|| bad(NAME, line, reason()))?);
                }
            }
            // Connections aren't kept; there is nothing to expire.
            "expire" => {
                duration(NAME, line, line.one()?)?;
            }
            _ => return Err(unknown(NAME, line, &COREDNS)),
        }
        Ok(())
    }

    /// Whether a name's questions are forwarded.
    pub(crate) fn takes(&self, name: &str) -> bool {
        let excepted = || self.except.iter().any(|zone| within(name, zone));
        within(name, &self.from) && (name == self.from || !excepted())
    }
}

fn upstream(word: &str) -> Option<Upstream> {
    let address = word.strip_prefix("dns://").unwrap_or(word);
    if let Ok(address) = address.parse::<SocketAddr>() {
        return Some(Upstream::Address(address));
    }
    let bare = address.trim_start_matches('[').trim_end_matches(']');
    if let Ok(address) = bare.parse::<IpAddr>() {
        return Some(Upstream::Address(SocketAddr::new(address, 53)));
    }
    (word.contains('/') && !word.contains("://")).then(|| Upstream::File(word.into()))
}
