//! A server block.

use super::tree::Tree;
use super::{CorefileError, Directive, Problem, zones};
use crate::plugin::log::Log;
use crate::plugin::{bad, cache, duration, forward, hosts, kubernetes, rewrite, template, unknown};
use std::collections::HashSet;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

const PORT: u16 = 53;
/// How often a Corefile is looked at, give or take the second.
const RELOAD: (Duration, Duration) = (Duration::from_secs(30), Duration::from_secs(15));

/// The plugins of CoreDNS that aren't served here.
const COREDNS: [&str; 47] = [
    "root",
    "metadata",
    "geoip",
    "cancel",
    "tls",
    "quic",
    "grpc_server",
    "https",
    "https3",
    "timeouts",
    "multisocket",
    "nsid",
    "bufsize",
    "debug",
    "trace",
    "pprof",
    "dnstap",
    "local",
    "dns64",
    "acl",
    "any",
    "chaos",
    "tsig",
    "header",
    "dnssec",
    "autopath",
    "minimal",
    "transfer",
    "route53",
    "azure",
    "clouddns",
    "k8s_external",
    "file",
    "auto",
    "secondary",
    "etcd",
    "grpc",
    "erratic",
    "whoami",
    "on",
    "sign",
    "view",
    "nomad",
    "proxyproto",
    "federation",
    "proxy",
    "rrl",
];

/// What a server block says.
#[derive(Clone, Debug, Default)]
pub(crate) struct Block {
    /// The zones, each at a port.
    pub(crate) served: Vec<(String, u16)>,
    /// Where it listens; everywhere, if nothing is said.
    pub(crate) bind: Vec<IpAddr>,
    pub(crate) errors: bool,
    pub(crate) log: Option<Log>,
    pub(crate) health: Option<Health>,
    pub(crate) ready: Option<SocketAddr>,
    pub(crate) prometheus: Option<SocketAddr>,
    pub(crate) loadbalance: bool,
    pub(crate) cache: Option<cache::Settings>,
    pub(crate) rewrites: Vec<rewrite::Rewrite>,
    pub(crate) templates: Vec<template::Template>,
    pub(crate) hosts: Option<hosts::Hosts>,
    pub(crate) kubernetes: Option<kubernetes::Kubernetes>,
    pub(crate) detects_loops: bool,
    pub(crate) forwards: Vec<forward::Forward>,
    pub(crate) reload: Option<Reload>,
}

/// Where the server says that it runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Health {
    pub(crate) address: SocketAddr,
    /// So long it still answers after it was told to stop.
    pub(crate) lameduck: Duration,
}

/// How often the Corefile is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Reload {
    pub(crate) interval: Duration,
    pub(crate) jitter: Duration,
}

impl Block {
    pub(super) fn read(tree: Tree) -> Result<Self, CorefileError> {
        let mut block = Self::default();
        for key in &tree.keys {
            let served = served(key);
            let wrong = || tree.place.error(Problem::Key(key.clone()));
            block.served.extend(served.ok_or_else(wrong)?);
        }
        let zones: Vec<_> = block.served.iter().map(|(zone, _)| zone.clone()).collect();
        let mut seen = HashSet::new();
        for directive in &tree.directives {
            let name = directive.name.as_str();
            let several = matches!(name, "forward" | "rewrite" | "template" | "bind" | "log");
            if !seen.insert(name) && !several {
                return Err(directive.error(Problem::OncePerBlock(name.to_owned())));
            }
            block.take(directive, &zones)?;
        }
        Ok(block)
    }

    fn take(&mut self, directive: &Directive, zones: &[String]) -> Result<(), CorefileError> {
        match directive.name.as_str() {
            "errors" => self.errors = true,
            "log" => self.log = Some(Log::read(directive)?),
            "health" => self.health = Some(Health::read(directive)?),
            "ready" => self.ready = Some(address(directive, 8181)?),
            "prometheus" => self.prometheus = Some(address(directive, 9153)?),
            "loadbalance" => {
                match directive.at_most_one()? {
                    None | Some("round_robin") => {}
                    Some(other) => {
                        let reason = format!("unknown policy: {other}");
                        return Err(bad("loadbalance", directive, reason));
                    }
                }
                self.loadbalance = true;
            }
            "cache" => self.cache = Some(cache::Settings::read(directive, zones)?),
            "rewrite" => self.rewrites.push(rewrite::Rewrite::read(directive)?),
            "template" => {
                let template = template::Template::read(directive, zones)?;
                self.templates.push(template);
            }
            "hosts" => self.hosts = Some(hosts::Hosts::read(directive, zones)?),
            "kubernetes" => {
                self.kubernetes = Some(kubernetes::Kubernetes::read(directive, zones)?);
            }
            "loop" => {
                directive.nothing()?;
                self.detects_loops = true;
            }
            "forward" => self.forwards.push(forward::Forward::read(directive)?),
            "reload" => self.reload = Some(Reload::read(directive)?),
            "bind" => {
                for word in &directive.arguments {
                    let reason = format!("not a valid IP address: {word}");
                    let address = word.parse();
                    self.bind
                        .push(address.map_err(|_| bad("bind", directive, reason))?);
                }
            }
            name if COREDNS.contains(&name) => {
                return Err(directive.error(Problem::Unsupported(name.to_owned())));
            }
            name => return Err(directive.error(Problem::UnknownDirective(name.to_owned()))),
        }
        Ok(())
    }

    /// Where a port is listened at.
    pub(crate) fn addresses(&self, port: u16) -> Vec<SocketAddr> {
        let everywhere = [IpAddr::V4(Ipv4Addr::UNSPECIFIED)];
        let bind = match &self.bind[..] {
            [] => &everywhere[..],
            bind => bind,
        };
        bind.iter()
            .map(|address| SocketAddr::new(*address, port))
            .collect()
    }

    /// A zone that another block serves at the same place.
    pub(super) fn shared_with(&self, other: &Self) -> Option<String> {
        let places = |block: &Self| -> HashSet<(String, SocketAddr)> {
            let served = block.served.iter();
            served
                .flat_map(|(zone, port)| {
                    let addresses = block.addresses(*port).into_iter();
                    addresses.map(move |address| (zone.clone(), address))
                })
                .collect()
        };
        let theirs = places(other);
        let shared = places(self)
            .into_iter()
            .find(|place| theirs.contains(place));
        shared.map(|(zone, address)| format!("dns://{zone}:{}", address.port()))
    }
}

/// What a block's key says: zones at a port.
fn served(key: &str) -> Option<Vec<(String, u16)>> {
    let key = key.strip_prefix("dns://").unwrap_or(key);
    if key.contains("://") {
        return None;
    }
    let (zone, port) = match key.rsplit_once(':') {
        Some((zone, port)) if !zone.contains(':') => (zone, port.parse().ok()?),
        _ => (key, PORT),
    };
    let zone = if zone.is_empty() { "." } else { zone };
    let zones = zones(zone)?.into_iter();
    Some(zones.map(|zone| (zone, port)).collect())
}

/// An address to listen at, `:9153` or `localhost:9153`.
fn address(directive: &Directive, port: u16) -> Result<SocketAddr, CorefileError> {
    let everywhere = IpAddr::V4(Ipv4Addr::UNSPECIFIED);
    let Some(word) = directive.at_most_one()? else {
        return Ok(SocketAddr::new(everywhere, port));
    };
    let found = match word.rsplit_once(':') {
        Some(("", port)) => port
            .parse()
            .ok()
            .map(|port| SocketAddr::new(everywhere, port)),
        Some(("localhost", port)) => {
            let local = IpAddr::V4(Ipv4Addr::LOCALHOST);
            port.parse().ok().map(|port| SocketAddr::new(local, port))
        }
        _ => word.parse().ok(),
    };
    let reason = format!("{word:?} is no address to listen at");
    found.ok_or_else(|| bad(&directive.name, directive, reason))
}

impl Health {
    fn read(directive: &Directive) -> Result<Self, CorefileError> {
        let mut lameduck = Duration::ZERO;
        for line in &directive.lines {
            match line.name.as_str() {
                "lameduck" => lameduck = duration("health", line, line.one()?)?,
                _ => return Err(unknown("health", line, &[])),
            }
        }
        Ok(Self {
            address: address(directive, 8080)?,
            lameduck,
        })
    }
}

impl Reload {
    fn read(directive: &Directive) -> Result<Self, CorefileError> {
        let (mut interval, mut jitter) = RELOAD;
        match &directive.arguments[..] {
            [] => {}
            [first, rest @ ..] if rest.len() < 2 => {
                interval = duration("reload", directive, first)?;
                if interval < Duration::from_secs(2) {
                    let reason = "interval value must be greater or equal to 2s";
                    return Err(bad("reload", directive, reason));
                }
                jitter = match rest {
                    [jitter] => duration("reload", directive, jitter)?,
                    _ => interval / 2,
                };
            }
            _ => return Err(directive.count()),
        }
        let jitter = jitter.min(interval / 2);
        Ok(Self { interval, jitter })
    }
}
