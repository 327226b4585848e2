//! Listeners.
//!
//! <https://docs.aws.amazon.com/elasticloadbalancing/latest/application/load-balancer-listeners.html>

use super::*;
use crate::model::certificate;

/// ALPN policies of TLS listeners.
/// <https://docs.aws.amazon.com/elasticloadbalancing/latest/network/load-balancer-listeners.html#alpn-policies>
const ALPN: [&str; 5] = [
    "HTTP1Only",
    "HTTP2Only",
    "HTTP2Optional",
    "HTTP2Preferred",
    "None",
];

/// A listener. What it does is its default rule.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Listener {
    /// Its ARN.
    pub arn: String,
    /// Its balancer's ARN.
    pub balancer: String,
    /// Its protocol; a gateway load balancer's has none.
    pub protocol: Option<Protocol>,
    /// Its port; a gateway load balancer's has none.
    pub port: Option<u16>,
    /// Its security policy, where it ends TLS.
    pub ssl_policy: Option<String>,
    /// Its certificates' ARNs, the default one first.
    pub certificates: Vec<String>,
    /// Its ALPN policy.
    pub alpn: Option<String>,
    /// Its attributes, where they were set.
    pub attributes: BTreeMap<String, String>,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
}

/// What a request says of a listener; `None` and empty lists for what stays.
#[derive(Clone, Debug, Default)]
pub struct Changes {
    /// The protocol.
    pub protocol: Option<Protocol>,
    /// The port.
    pub port: Option<i32>,
    /// The security policy.
    pub ssl_policy: Option<String>,
    /// The default certificate.
    pub certificates: Vec<String>,
    /// The ALPN policy.
    pub alpn: Vec<String>,
    /// What the default rule does.
    pub actions: Option<Vec<Action>>,
}

fn not_found() -> Refusal {
    Refusal::new("ListenerNotFound", "One or more listeners not found")
}

/// The listener of an ARN in the region asked.
///
/// # Errors
/// `ListenerNotFound`, `ValidationError` for what is no listener's ARN.
pub fn find<'s>(state: &'s State, context: &Context, arn: &str) -> Result<&'s Listener, Refusal> {
    if !name::is_arn(arn, "listener") {
        return Err(invalid(format!("'{arn}' is not a valid listener ARN")));
    }
    let found = state.listeners.get(arn).map(Arc::as_ref);
    found
        .filter(|of| {
            let balancer = state.load_balancers.get(&of.balancer);
            balancer.is_some_and(|balancer| balancer.region == context.region)
        })
        .ok_or_else(not_found)
}

/// A balancer's listeners, by ARN.
pub fn of<'s>(state: &'s State, balancer: &str) -> impl Iterator<Item = &'s Listener> {
    let all = state.listeners.values().map(Arc::as_ref);
    all.filter(move |listener| listener.balancer == balancer)
}

/// A listener's default rule.
pub fn default_rule<'s>(state: &'s State, listener: &str) -> Option<&'s Rule> {
    let all = state.listener_rules.values().map(Arc::as_ref);
    let mut default = all.filter(|rule| rule.listener == listener && rule.priority.is_none());
    default.next()
}

/// What a listener's protocol may be.
fn protocols(kind: Kind) -> &'static [Protocol] {
    match kind {
        Kind::Application => &[Protocol::Http, Protocol::Https],
        Kind::Network => &[
            Protocol::Tcp,
            Protocol::Tls,
            Protocol::Udp,
            Protocol::TcpUdp,
        ],
        Kind::Gateway => &[],
    }
}

/// Makes a listener with its default rule, or finds the one that was made with the same words.
///
/// # Errors
/// `DuplicateListener`, `TooManyListeners`, `CertificateNotFound`, `SSLPolicyNotFound`, `ValidationError`, and those
/// of actions.
pub fn create(
    state: &mut State,
    context: &Context,
    arn: &str,
    new: Changes,
    tags: BTreeMap<String, String>,
) -> Result<String, Refusal> {
    let balancer = super::find(state, context, arn)?;
    let mut listener = Listener {
        arn: String::new(),
        balancer: arn.to_owned(),
        protocol: None,
        port: None,
        ssl_policy: None,
        certificates: Vec::new(),
        alpn: None,
        attributes: BTreeMap::new(),
        tags,
    };
    apply(state, context, balancer, &mut listener, &new)?;
    let place = action::Place {
        balancer,
        protocol: listener.protocol,
    };
    let actions = action::check(state, context, place, new.actions.unwrap_or_default())?;
    if let Some(present) = of(state, arn).find(|other| other.port == listener.port) {
        let same = Listener {
            arn: present.arn.clone(),
            attributes: present.attributes.clone(),
            tags: present.tags.clone(),
            ..listener.clone()
        };
        let default = default_rule(state, &present.arn);
        if same == *present && default.is_some_and(|rule| rule.actions == actions) {
            return Ok(present.arn.clone());
        }
        return Err(duplicate(arn));
    }
    let quota = match balancer.kind {
        Kind::Application => "listeners-per-application-load-balancer",
        _ => "listeners-per-network-load-balancer",
    };
    let message = "The maximum number of listeners per load balancer has been reached";
    let count = of(state, arn).count() + 1;
    limit::check(context, quota, count, "TooManyListeners", message)?;
    let made = name::listener(arn, &name::hash(state));
    listener.arn = made.clone();
    let default = Rule {
        arn: name::rule(&made, &name::hash(state)),
        listener: made.clone(),
        priority: None,
        conditions: Vec::new(),
        actions,
        tags: BTreeMap::new(),
    };
    state.listeners.insert(made.clone(), Arc::new(listener));
    state
        .listener_rules
        .insert(default.arn.clone(), Arc::new(default));
    Ok(made)
}

fn duplicate(balancer: &str) -> Refusal {
    Refusal::new(
        "DuplicateListener",
        format!("A listener already exists on this port for this load balancer '{balancer}'"),
    )
}

/// Changes a listener and what its default rule does; what isn't given stays.
///
/// # Errors
/// As [`create`].
pub fn modify(
    state: &mut State,
    context: &Context,
    arn: &str,
    changes: Changes,
) -> Result<(), Refusal> {
    let mut listener = find(state, context, arn)?.clone();
    let balancer = super::find(state, context, &listener.balancer)?;
    apply(state, context, balancer, &mut listener, &changes)?;
    let clash = |other: &Listener| other.port == listener.port && other.arn != listener.arn;
    if of(state, &listener.balancer).any(clash) {
        return Err(duplicate(&listener.balancer));
    }
    let place = action::Place {
        balancer,
        protocol: listener.protocol,
    };
    // Actions that stay must go with a changed protocol too.
    let present = default_rule(state, arn).map(|rule| rule.actions.clone());
    let actions = changes.actions.or(present).unwrap_or_default();
    let actions = action::check(state, context, place, actions)?;
    for rule in rule::of(state, arn) {
        action::check(state, context, place, rule.actions.clone())?;
    }
    let default = default_rule(state, arn).map(|rule| rule.arn.clone());
    if let Some(rule) = default.and_then(|arn| state.listener_rules.get_mut(&arn)) {
        Arc::make_mut(rule).actions = actions;
    }
    state.listeners.insert(arn.to_owned(), Arc::new(listener));
    health::settle(state);
    Ok(())
}

fn apply(
    state: &State,
    context: &Context,
    balancer: &LoadBalancer,
    listener: &mut Listener,
    changes: &Changes,
) -> Result<(), Refusal> {
    set_place(balancer, listener, changes)?;
    let ends_tls = listener.protocol.is_some_and(Protocol::has_certificates);
    let name = listener.protocol.map_or("GENEVE", Protocol::as_str);
    if !ends_tls {
        if !changes.certificates.is_empty() {
            return Err(invalid(format!(
                "Certificates cannot be specified for {name} listeners"
            )));
        }
        if changes.ssl_policy.is_some() {
            return Err(invalid(format!(
                "An SSL policy cannot be specified for {name} listeners"
            )));
        }
        listener.certificates.clear();
        listener.ssl_policy = None;
    } else {
        set_certificate(state, context, listener, &changes.certificates, name)?;
        if let Some(policy) = &changes.ssl_policy {
            listener.ssl_policy = Some(ssl_policy::find(policy)?.name.to_owned());
        }
        let policy = listener.ssl_policy.take();
        listener.ssl_policy = Some(policy.unwrap_or_else(|| ssl_policy::DEFAULT.to_owned()));
    }
    set_alpn(listener, &changes.alpn)
}

/// The protocol and the port.
fn set_place(
    balancer: &LoadBalancer,
    listener: &mut Listener,
    changes: &Changes,
) -> Result<(), Refusal> {
    if balancer.kind == Kind::Gateway {
        return match (changes.protocol, changes.port) {
            (None, None) => Ok(()),
            (_, Some(_)) => Err(invalid("A port cannot be specified for gateway listeners")),
            _ => Err(invalid(
                "A protocol cannot be specified for gateway listeners",
            )),
        };
    }
    listener.protocol = changes.protocol.or(listener.protocol);
    if let Some(number) = changes.port {
        listener.port = Some(port(number)?);
    }
    if listener.port.is_none() {
        return Err(invalid("A listener port must be specified"));
    }
    let protocol = listener
        .protocol
        .ok_or_else(|| invalid("A listener protocol must be specified"))?;
    let allowed = protocols(balancer.kind);
    if !allowed.contains(&protocol) {
        let names: Vec<&str> = allowed.iter().map(|protocol| protocol.as_str()).collect();
        return Err(invalid(format!(
            "Listener protocol '{protocol}' must be one of '{}'",
            names.join(", ")
        )));
    }
    Ok(())
}

fn set_certificate(
    state: &State,
    context: &Context,
    listener: &mut Listener,
    wanted: &[String],
    name: &str,
) -> Result<(), Refusal> {
    match wanted {
        [] if listener.certificates.is_empty() => Err(invalid(format!(
            "A certificate must be specified for {name} listeners"
        ))),
        [] => Ok(()),
        [arn] if listener.certificates.first() == Some(arn) => Ok(()),
        [arn] => {
            certificate::usable(state, context, arn)?;
            listener.certificates.retain(|other| other != arn);
            // The default one is replaced; the others are those that were added.
            if !listener.certificates.is_empty() {
                listener.certificates.remove(0);
            }
            listener.certificates.insert(0, arn.clone());
            Ok(())
        }
        _ => Err(misconfigured(
            "You must provide a list containing exactly one certificate if the listener protocol is HTTPS or TLS.",
        )),
    }
}

fn set_alpn(listener: &mut Listener, wanted: &[String]) -> Result<(), Refusal> {
    if listener.protocol != Some(Protocol::Tls) {
        listener.alpn = None;
        return match wanted {
            [] => Ok(()),
            _ => Err(invalid("ALPN policies are supported only on TLS listeners")),
        };
    }
    match wanted {
        [] => Ok(()),
        [policy] if ALPN.contains(&policy.as_str()) => {
            listener.alpn = Some(policy.clone());
            Ok(())
        }
        [policy] => Err(Refusal::new(
            "ALPNPolicyNotFound",
            format!("ALPN policy '{policy}' is not supported"),
        )),
        _ => Err(invalid("Only one ALPN policy can be specified")),
    }
}

/// Deletes a listener with its rules.
///
/// # Errors
/// `ListenerNotFound`.
pub fn delete(state: &mut State, context: &Context, arn: &str) -> Result<(), Refusal> {
    find(state, context, arn)?;
    remove(state, arn);
    health::settle(state);
    Ok(())
}

fn remove(state: &mut State, arn: &str) {
    for rule in rule::of(state, arn) {
        state.listener_rules.remove(&rule.arn);
    }
    state.listeners.remove(arn);
}

/// A balancer's listeners go with it.
pub(super) fn delete_all(state: &mut State, balancer: &str) {
    let listeners: Vec<String> = of(state, balancer).map(|of| of.arn.clone()).collect();
    for arn in listeners {
        remove(state, &arn);
    }
}

/// Adds certificates; those that are there stay.
///
/// # Errors
/// `CertificateNotFound`, `TooManyCertificates`, `ValidationError` unless the listener ends TLS.
pub fn add_certificates(
    state: &mut State,
    context: &Context,
    arn: &str,
    wanted: &[String],
) -> Result<(), Refusal> {
    let mut listener = find(state, context, arn)?.clone();
    if !listener.protocol.is_some_and(Protocol::has_certificates) {
        return Err(invalid(
            "Certificates can be added only to HTTPS and TLS listeners",
        ));
    }
    for certificate in wanted {
        certificate::usable(state, context, certificate)?;
        if !listener.certificates.contains(certificate) {
            listener.certificates.push(certificate.clone());
        }
    }
    // The default certificate doesn't count.
    let count = listener.certificates.len().saturating_sub(1);
    let quota = match listener.protocol {
        Some(Protocol::Https) => "certificates-per-application-load-balancer",
        _ => "certificates-per-network-load-balancer",
    };
    let message = "The maximum number of certificates per load balancer has been reached";
    limit::check(context, quota, count, "TooManyCertificates", message)?;
    state.listeners.insert(arn.to_owned(), Arc::new(listener));
    Ok(())
}

/// Takes certificates off; those that aren't there are off already.
///
/// # Errors
/// `OperationNotPermitted` for the default one.
pub fn remove_certificates(
    state: &mut State,
    context: &Context,
    arn: &str,
    wanted: &[String],
) -> Result<(), Refusal> {
    let mut listener = find(state, context, arn)?.clone();
    if listener
        .certificates
        .first()
        .is_some_and(|default| wanted.contains(default))
    {
        return Err(Refusal::new(
            "OperationNotPermitted",
            "The default certificate of a listener cannot be removed",
        ));
    }
    listener.certificates.retain(|of| !wanted.contains(of));
    state.listeners.insert(arn.to_owned(), Arc::new(listener));
    Ok(())
}

/// All attributes of a listener.
pub fn attributes(state: &State, listener: &Listener) -> Vec<(String, String)> {
    setting::all(&settings(state, listener), &listener.attributes)
}

fn settings(state: &State, listener: &Listener) -> Vec<setting::Setting> {
    let balancer = state.load_balancers.get(&listener.balancer);
    balancer.map_or_else(Vec::new, |balancer| {
        listener_attribute::settings(balancer.kind, listener.protocol)
    })
}

/// Sets attributes.
///
/// # Errors
/// `ListenerNotFound`, `InvalidConfigurationRequest`, `ValidationError`.
pub fn modify_attributes(
    state: &mut State,
    context: &Context,
    arn: &str,
    wanted: &[(String, String)],
) -> Result<(), Refusal> {
    let listener = find(state, context, arn)?;
    let settings = settings(state, listener);
    let set = setting::apply(&settings, &listener.attributes, "Listener", wanted)?;
    if let Some(listener) = state.listeners.get_mut(arn) {
        Arc::make_mut(listener).attributes = set;
    }
    Ok(())
}
