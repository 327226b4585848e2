//! Classic balancers' listeners.
//!
//! <https://docs.aws.amazon.com/elasticloadbalancing/latest/classic/elb-listener-config.html>

use super::*;
use crate::model::load_balancer::ssl_policy;

/// A listener.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClassicListener {
    /// What clients speak: `HTTP`, `HTTPS`, `TCP` or `SSL`.
    pub protocol: String,
    /// The port.
    pub port: u16,
    /// What instances are spoken to in.
    pub instance_protocol: String,
    /// The instances' port.
    pub instance_port: u16,
    /// The certificate's ARN, with HTTPS and SSL.
    pub certificate: Option<String>,
    /// The policies that hold, by name.
    pub policies: Vec<String>,
}

/// A listener as a request has it.
#[derive(Clone, Debug, Default)]
pub struct ListenerWords {
    /// The protocol.
    pub protocol: String,
    /// The port.
    pub port: i32,
    /// The instances' protocol, or the listener's.
    pub instance_protocol: Option<String>,
    /// The instances' port.
    pub instance_port: i32,
    /// The certificate.
    pub certificate: Option<String>,
}

/// Whether a protocol is HTTP, with or without TLS.
pub(crate) fn is_http(protocol: &str) -> bool {
    matches!(protocol, "HTTP" | "HTTPS")
}

/// Whether a protocol has TLS.
pub(crate) fn is_secure(protocol: &str) -> bool {
    matches!(protocol, "HTTPS" | "SSL")
}

fn protocol(text: &str) -> Result<String, Refusal> {
    let upper = text.to_ascii_uppercase();
    if ["HTTP", "HTTPS", "TCP", "SSL"].contains(&upper.as_str()) {
        return Ok(upper);
    }
    Err(Refusal::new(
        "UnsupportedProtocol",
        format!(
            "Listener protocol '{text}' is not supported: it must be one of HTTP, HTTPS, TCP, SSL"
        ),
    ))
}

/// A certificate as classic load balancing sees it.
fn check_certificate(state: &State, context: &Context, arn: &str) -> Result<(), Refusal> {
    certificate::usable(state, context, arn).map_err(|_| {
        Refusal::new(
            "CertificateNotFound",
            format!("Server Certificate not found for the key: {arn}"),
        )
    })?;
    Ok(())
}

/// Reads listeners.
///
/// # Errors
/// `ValidationError`, `UnsupportedProtocol`, `CertificateNotFound`, `InvalidConfigurationRequest`.
pub(crate) fn read(
    state: &State,
    context: &Context,
    words: &[ListenerWords],
) -> Result<Vec<ClassicListener>, Refusal> {
    if words.is_empty() {
        return Err(invalid("Listeners cannot be empty"));
    }
    words
        .iter()
        .map(|of| read_one(state, context, of))
        .collect()
}

fn read_one(
    state: &State,
    context: &Context,
    words: &ListenerWords,
) -> Result<ClassicListener, Refusal> {
    let of_clients = protocol(&words.protocol)?;
    let of_instances = match &words.instance_protocol {
        Some(text) => protocol(text)?,
        // Without a word, TLS ends at the balancer.
        None if of_clients == "HTTPS" => "HTTP".to_owned(),
        None if of_clients == "SSL" => "TCP".to_owned(),
        None => of_clients.clone(),
    };
    if is_http(&of_clients) != is_http(&of_instances) {
        return Err(misconfigured(format!(
            "The listener protocol '{of_clients}' and the instance protocol '{of_instances}' must be at the same layer"
        )));
    }
    match &words.certificate {
        Some(arn) if is_secure(&of_clients) => check_certificate(state, context, arn)?,
        None if is_secure(&of_clients) => {
            return Err(invalid(
                "Secure Listeners need to specify a SSLCertificateId",
            ));
        }
        Some(arn) if !arn.is_empty() => {
            return Err(misconfigured(
                "SSLCertificateId can be specified only for HTTPS and SSL listeners",
            ));
        }
        _ => {}
    }
    Ok(ClassicListener {
        port: load_balancer::port(words.port)?,
        instance_port: load_balancer::port(words.instance_port)?,
        certificate: words.certificate.clone().filter(|_| is_secure(&of_clients)),
        policies: Vec::new(),
        protocol: of_clients,
        instance_protocol: of_instances,
    })
}

/// Puts listeners into a balancer. The same again is the same.
///
/// # Errors
/// `DuplicateListener`.
pub(crate) fn put(
    balancer: &mut ClassicLoadBalancer,
    listeners: Vec<ClassicListener>,
) -> Result<(), Refusal> {
    for mut listener in listeners {
        if let Some(present) = balancer.listeners.get(&listener.port) {
            let same = ClassicListener {
                policies: present.policies.clone(),
                ..listener.clone()
            };
            if same == *present {
                continue;
            }
            return Err(Refusal::new(
                "DuplicateListener",
                format!(
                    "A listener already exists for {} with LoadBalancerPort {}, but with a different InstancePort, Protocol, or SSLCertificateId",
                    balancer.name, listener.port
                ),
            ));
        }
        if is_secure(&listener.protocol) {
            let name = ssl_policy::DEFAULT.to_owned();
            balancer
                .policies
                .entry(name.clone())
                .or_insert_with(|| Policy::security(&name));
            listener.policies.push(name);
        }
        balancer.listeners.insert(listener.port, listener);
    }
    Ok(())
}

/// Adds listeners.
///
/// # Errors
/// `DuplicateListener`, and those of a listener that cannot be.
pub fn add(
    state: &mut State,
    context: &Context,
    name: &str,
    words: &[ListenerWords],
) -> Result<(), Refusal> {
    let listeners = read(state, context, words)?;
    change(state, context, name, |_, balancer| put(balancer, listeners))
}

/// Takes listeners away; those that aren't there are gone already.
///
/// # Errors
/// `LoadBalancerNotFound`.
pub fn remove(
    state: &mut State,
    context: &Context,
    name: &str,
    ports: &[i32],
) -> Result<(), Refusal> {
    change(state, context, name, |_, balancer| {
        balancer
            .listeners
            .retain(|port, _| !ports.contains(&i32::from(*port)));
        Ok(())
    })
}

/// The listener at a port, to change.
pub(crate) fn at(
    balancer: &mut ClassicLoadBalancer,
    port: i32,
) -> Result<&mut ClassicListener, Refusal> {
    let name = balancer.name.clone();
    u16::try_from(port)
        .ok()
        .and_then(|port| balancer.listeners.get_mut(&port))
        .ok_or_else(|| {
            Refusal::new(
                "ListenerNotFound",
                format!("There is no Listener on port {port} of the Load Balancer named '{name}'"),
            )
        })
}

/// Gives a listener another certificate.
///
/// # Errors
/// `ListenerNotFound`, `CertificateNotFound`, `InvalidConfigurationRequest` without TLS.
pub fn set_certificate(
    state: &mut State,
    context: &Context,
    name: &str,
    port: i32,
    arn: &str,
) -> Result<(), Refusal> {
    change(state, context, name, |state, balancer| {
        let listener = at(balancer, port)?;
        if !is_secure(&listener.protocol) {
            return Err(misconfigured(
                "SSLCertificateId can be specified only for HTTPS and SSL listeners",
            ));
        }
        check_certificate(state, context, arn)?;
        listener.certificate = Some(arn.to_owned());
        Ok(())
    })
}
