//! Classic balancers' policies.
//!
//! <https://docs.aws.amazon.com/elasticloadbalancing/2012-06-01/APIReference/API_CreateLoadBalancerPolicy.html>

use super::listener::{at, is_http, is_secure};
use super::*;
use crate::model::load_balancer::ssl_policy;

/// A policy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Policy {
    /// Its name.
    pub name: String,
    /// The name of its type.
    pub kind: String,
    /// Its attributes.
    pub attributes: Vec<(String, String)>,
}

/// A type of policies.
#[derive(Clone, Copy, Debug)]
pub struct PolicyType {
    /// Its name.
    pub name: &'static str,
    /// What it is for.
    pub description: &'static str,
    /// Its attributes: name, type, how many (`ONE`, `ZERO_OR_ONE`, `ONE_OR_MORE`).
    pub attributes: &'static [(&'static str, &'static str, &'static str)],
}

/// The type of stickiness by a cookie of the application's.
pub const APP_COOKIE: &str = "AppCookieStickinessPolicyType";
/// The type of stickiness by a cookie of the balancer's.
pub const LB_COOKIE: &str = "LBCookieStickinessPolicyType";
/// The type of security policies.
pub const SECURITY: &str = "SSLNegotiationPolicyType";
const PROXY: &str = "ProxyProtocolPolicyType";
const REFERENCE: &str = "Reference-Security-Policy";

/// All types.
pub const TYPES: [PolicyType; 6] = [
    PolicyType {
        name: APP_COOKIE,
        description: "Stickiness policy with session lifetimes controlled by the lifetime of the application-generated cookie. This policy can be associated only with HTTP/HTTPS listeners.",
        attributes: &[("CookieName", "String", "ONE")],
    },
    PolicyType {
        name: LB_COOKIE,
        description: "Stickiness policy with session lifetimes controlled by the browser (user-agent) or a specified expiration period. This policy can be associated only with HTTP/HTTPS listeners.",
        attributes: &[("CookieExpirationPeriod", "Long", "ZERO_OR_ONE")],
    },
    PolicyType {
        name: SECURITY,
        description: "Listener policy that defines the ciphers and protocols that will be accepted by the load balancer. This policy can be associated only with HTTPS/SSL listeners.",
        attributes: &[
            (REFERENCE, "String", "ZERO_OR_ONE"),
            ("Protocol-TLSv1", "Boolean", "ZERO_OR_ONE"),
            ("Protocol-TLSv1.1", "Boolean", "ZERO_OR_ONE"),
            ("Protocol-TLSv1.2", "Boolean", "ZERO_OR_ONE"),
            ("Server-Defined-Cipher-Order", "Boolean", "ZERO_OR_ONE"),
        ],
    },
    PolicyType {
        name: PROXY,
        description: "Policy that controls whether to include the IP address and port of the originating request for TCP messages. This policy operates on TCP/SSL listeners only",
        attributes: &[("ProxyProtocol", "Boolean", "ONE")],
    },
    PolicyType {
        name: "PublicKeyPolicyType",
        description: "Policy containing a list of public keys to accept when authenticating the back-end server(s). This policy cannot be applied directly to back-end servers or listeners but must be part of a BackendServerAuthenticationPolicyType.",
        attributes: &[("PublicKey", "String", "ONE")],
    },
    PolicyType {
        name: "BackendServerAuthenticationPolicyType",
        description: "Policy that controls authentication to back-end server(s) and contains one or more policies, such as an instance of a PublicKeyPolicyType. This policy can be associated only with back-end servers that are using HTTPS/SSL.",
        attributes: &[("PublicKeyPolicyName", "PolicyName", "ONE_OR_MORE")],
    },
];

impl Policy {
    /// The policy that stands for a predefined security policy.
    pub fn security(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            kind: SECURITY.to_owned(),
            attributes: vec![(REFERENCE.to_owned(), name.to_owned())],
        }
    }
}

/// The security policies of AWS's own that classic balancers may have: those without TLS 1.3.
pub fn predefined() -> impl Iterator<Item = Policy> {
    ssl_policy::ALL
        .iter()
        .filter(|policy| !policy.protocols.contains(&"TLSv1.3"))
        .map(|policy| Policy::security(policy.name))
}

fn not_found(name: &str) -> Refusal {
    Refusal::new(
        "PolicyNotFound",
        format!("There is no policy with name {name}"),
    )
}

/// Makes a policy.
///
/// # Errors
/// `DuplicatePolicyName`, `PolicyTypeNotFound`, `InvalidConfigurationRequest`, `ValidationError`.
pub fn create(
    state: &mut State,
    context: &Context,
    name: &str,
    policy: Policy,
) -> Result<(), Refusal> {
    let good = |c: char| c.is_ascii_alphanumeric() || c == '-';
    if policy.name.is_empty() || !policy.name.chars().all(good) {
        return Err(invalid(format!(
            "PolicyName '{}' must have letters, digits and hyphens only",
            policy.name
        )));
    }
    check_attributes(&policy)?;
    change(state, context, name, |_, balancer| {
        if balancer.policies.contains_key(&policy.name) {
            return Err(Refusal::new(
                "DuplicatePolicyName",
                format!(
                    "Policy with name '{}' already exists for {}",
                    policy.name, balancer.name
                ),
            ));
        }
        balancer.policies.insert(policy.name.clone(), policy);
        Ok(())
    })
}

fn check_attributes(policy: &Policy) -> Result<(), Refusal> {
    let of = TYPES.iter().find(|of| of.name == policy.kind);
    let of = of.ok_or_else(|| {
        Refusal::new(
            "PolicyTypeNotFound",
            format!("Policy type {} not found", policy.kind),
        )
    })?;
    for (key, value) in &policy.attributes {
        let known = of.attributes.iter().find(|(name, ..)| name == key);
        let good = match known {
            // Ciphers are attributes of their own names.
            None => of.name == SECURITY && matches!(value.as_str(), "true" | "false"),
            Some((_, "Boolean", _)) => matches!(value.as_str(), "true" | "false"),
            Some((_, "Long", _)) => value.parse::<u32>().is_ok_and(|seconds| seconds > 0),
            Some((REFERENCE, ..)) => predefined().any(|policy| policy.name == *value),
            Some(_) => !value.is_empty(),
        };
        if !good {
            return Err(misconfigured(format!(
                "The attribute {key} with the value '{value}' is not valid for policies of type {}",
                of.name
            )));
        }
    }
    let has = |name: &str| policy.attributes.iter().any(|(key, _)| key == name);
    let needed = of
        .attributes
        .iter()
        .find(|(name, _, count)| matches!(*count, "ONE" | "ONE_OR_MORE") && !has(name));
    match needed {
        Some((name, ..)) => Err(misconfigured(format!(
            "The attribute {name} must be specified for policies of type {}",
            of.name
        ))),
        None => Ok(()),
    }
}

/// Deletes a policy; one that isn't there is gone already.
///
/// # Errors
/// `InvalidConfigurationRequest` while a listener or a port has it.
pub fn delete(
    state: &mut State,
    context: &Context,
    name: &str,
    policy: &str,
) -> Result<(), Refusal> {
    change(state, context, name, |_, balancer| {
        let of_listeners = balancer.listeners.values().flat_map(|of| &of.policies);
        let of_ports = balancer.backend_policies.values().flatten();
        if of_listeners.chain(of_ports).any(|name| name == policy) {
            return Err(misconfigured(format!(
                "Policy {policy} is currently in use by a listener or an instance port"
            )));
        }
        balancer.policies.remove(policy);
        Ok(())
    })
}

/// Gives a listener policies in place of those it has.
///
/// # Errors
/// `ListenerNotFound`, `PolicyNotFound`, `InvalidConfigurationRequest` for one that doesn't go with its protocol.
pub fn set_of_listener(
    state: &mut State,
    context: &Context,
    name: &str,
    port: i32,
    wanted: &[String],
) -> Result<(), Refusal> {
    change(state, context, name, |_, balancer| {
        let protocol = at(balancer, port)?.protocol.clone();
        for name in wanted {
            // A predefined policy is the balancer's own from its first use.
            if !balancer.policies.contains_key(name) {
                let found = predefined().find(|policy| policy.name == *name);
                let found = found.ok_or_else(|| not_found(name))?;
                balancer.policies.insert(name.clone(), found);
            }
            let kind = balancer
                .policies
                .get(name)
                .map_or("", |of| of.kind.as_str());
            let goes = match kind {
                APP_COOKIE | LB_COOKIE => is_http(&protocol),
                SECURITY => is_secure(&protocol),
                _ => false,
            };
            if !goes {
                return Err(misconfigured(format!(
                    "Policies of type {kind} can't be set on listeners with protocol {protocol}"
                )));
            }
        }
        at(balancer, port)?.policies = wanted.to_vec();
        Ok(())
    })
}

/// Gives an instances' port policies in place of those it has.
///
/// # Errors
/// `PolicyNotFound`, `InvalidConfigurationRequest` for a port of no listener, or a policy that isn't for instances.
pub fn set_of_backend(
    state: &mut State,
    context: &Context,
    name: &str,
    port: i32,
    wanted: &[String],
) -> Result<(), Refusal> {
    change(state, context, name, |_, balancer| {
        let mut listeners = balancer.listeners.values();
        let port = u16::try_from(port)
            .ok()
            .filter(|port| listeners.any(|of| of.instance_port == *port));
        let port =
            port.ok_or_else(|| misconfigured("There is no listener with the given instance port"))?;
        for name in wanted {
            let policy = balancer.policies.get(name).ok_or_else(|| not_found(name))?;
            if ![PROXY, "BackendServerAuthenticationPolicyType"].contains(&policy.kind.as_str()) {
                return Err(misconfigured(format!(
                    "Policies of type {} can't be set on instance ports",
                    policy.kind
                )));
            }
        }
        if wanted.is_empty() {
            balancer.backend_policies.remove(&port);
        } else {
            balancer.backend_policies.insert(port, wanted.to_vec());
        }
        Ok(())
    })
}
