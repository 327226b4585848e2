//! Ingresses as places: `ing/<namespace>/<name>` is the load balancer that its controller made for it, as the tags tell,
//! called with a request that the ingress' first rule takes.
//! <https://kubernetes-sigs.github.io/aws-load-balancer-controller/v2.11/guide/ingress/spec/>

use super::{NoSuchPlace, Place, list, load_balancer};
use crate::cloud::Snapshot;
use aws::model::State;
use aws::model::load_balancer::{
    ActionKind, Condition, Listener, LoadBalancer, Rule, listener, rule,
};
use fabric::balancer::http::{Headers, Request};
use std::net::Ipv4Addr;

/// The tag with a load balancer's ingress, or group of ingresses.
const STACK: &str = "ingress.k8s.aws/stack";
/// The tag of a target group with its ingress, service and port.
const RESOURCE: &str = "ingress.k8s.aws/resource";

/// A request that an ingress takes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Asked {
    method: String,
    host: String,
    path: String,
    query: Option<String>,
    headers: Vec<(String, String)>,
}

impl Asked {
    /// Gives the request to whoever follows it.
    pub(crate) fn with<T>(&self, source: Ipv4Addr, follow: impl FnOnce(&Request<'_>) -> T) -> T {
        follow(&Request {
            method: &self.method,
            host: &self.host,
            path: &self.path,
            query: self.query.as_deref(),
            headers: &Given(&self.headers),
            source: source.into(),
        })
    }
}

/// The headers of a request.
struct Given<'a>(&'a [(String, String)]);

impl Headers for Given<'_> {
    fn any(&self, name: &str, test: &mut dyn FnMut(&[u8]) -> bool) -> bool {
        let mut own = self
            .0
            .iter()
            .filter(|(of, _)| of.eq_ignore_ascii_case(name));
        own.any(|(_, value)| test(value.as_bytes()))
    }
}

/// The target groups of an ingress.
fn groups(state: &State, namespace: &str, name: &str) -> Vec<String> {
    let own = format!("{namespace}/{name}-");
    let all = state.target_groups.values();
    let own = all.filter(|of| {
        of.tags
            .get(RESOURCE)
            .is_some_and(|tag| tag.starts_with(&own))
    });
    own.map(|of| of.arn.clone()).collect()
}

/// The load balancer of an ingress.
fn balancer<'s>(state: &'s State, namespace: &str, name: &str) -> Option<&'s LoadBalancer> {
    let stack = format!("{namespace}/{name}");
    let groups = groups(state, namespace, name);
    let shared = groups.iter().flat_map(|arn| rule::balancers_of(state, arn));
    let shared: Vec<String> = shared.collect();
    let mut all = state.load_balancers.values();
    let found = all.find(|of| of.tags.get(STACK) == Some(&stack) || shared.contains(&of.arn));
    found.map(AsRef::as_ref)
}

/// Where an ingress is.
///
/// # Errors
/// It has no load balancer.
pub(super) fn find(snapshot: &Snapshot, namespace: &str, name: &str) -> Result<Place, NoSuchPlace> {
    let state = &snapshot.state;
    let Some(found) = balancer(state, namespace, name) else {
        let all = state.load_balancers.values();
        let known = all.filter_map(|of| of.tags.get(STACK).cloned());
        return Err(NoSuchPlace::InCluster {
            what: format!(
                "load balancer of ingress {namespace}/{name}: see kubectl describe ingress -n {namespace} {name}"
            ),
            known: list(known),
        });
    };
    let place = load_balancer::find(snapshot, &found.name)?;
    let port = taken(state, namespace, name).and_then(|(listener, _)| listener.port);
    Ok(Place {
        called_at: port.or(place.called_at),
        ..place
    })
}

/// The first rule that leads to an ingress' services, and its listener.
fn taken<'s>(
    state: &'s State,
    namespace: &str,
    name: &str,
) -> Option<(&'s Listener, std::sync::Arc<Rule>)> {
    let groups = groups(state, namespace, name);
    let of = balancer(state, namespace, name)?;
    let mut listeners: Vec<&Listener> = listener::of(state, &of.arn).collect();
    listeners.sort_by_key(|listener| listener.port);
    let leads = |rule: &Rule| {
        rule.actions.iter().any(|action| match &action.kind {
            ActionKind::Forward(forward) => {
                forward.groups.iter().any(|(arn, _)| groups.contains(arn))
            }
            _ => false,
        })
    };
    listeners.into_iter().find_map(|listener| {
        let mut rules = rule::of(state, &listener.arn).into_iter();
        let found = rules.find(|rule| leads(rule))?;
        Some((listener, found))
    })
}

/// A request that an ingress' first rule takes.
pub(crate) fn asked(state: &State, namespace: &str, name: &str) -> Option<Asked> {
    let of = balancer(state, namespace, name)?;
    let (_, rule) = taken(state, namespace, name)?;
    let mut asked = Asked {
        method: "GET".to_owned(),
        host: of.dns_name.clone().unwrap_or_default(),
        path: "/".to_owned(),
        ..Asked::default()
    };
    for condition in &rule.conditions {
        let first = |values: &[String]| values.first().map(|value| fitting(value));
        match condition {
            Condition::HostHeader(values) => asked.host = first(values)?,
            Condition::PathPattern(values) => asked.path = first(values)?,
            Condition::HttpRequestMethod(values) => asked.method = values.first()?.clone(),
            Condition::HttpHeader { name, values } => {
                asked.headers.push((name.clone(), first(values)?));
            }
            Condition::QueryString(pairs) => {
                let (key, value) = pairs.first()?;
                let key = key.as_deref().map_or_else(|| "q".to_owned(), fitting);
                asked.query = Some(format!("{key}={}", fitting(value)));
            }
            // Whoever it is that asks is given.
            Condition::SourceIp(_) => {}
        }
    }
    Some(asked)
}

/// A text that a pattern takes.
fn fitting(pattern: &str) -> String {
    pattern.replace(['*', '?'], "x")
}
