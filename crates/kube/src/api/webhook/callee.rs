//! Where a webhook is, as its configuration says.
//!
//! <https://kubernetes.io/docs/reference/access-authn-authz/extensible-admission-controllers/#contacting-the-webhook>

use super::{At, Digest};
use crate::api::connect;
use crate::object;
use crate::store::{Key, Store};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use sha2::Digest as _;
use std::fmt::Write;

/// A uid for one question of one request: the same each time that the request is carried out.
pub(in crate::api) fn uid(id: &Digest, entropy: &[u8; 32]) -> String {
    let mut hash = sha2::Sha256::new();
    hash.update(id);
    hash.update(entropy);
    let mut hex = String::new();
    for byte in hash.finalize().iter().take(16) {
        // Writing to a string can't fail.
        let _ = write!(hex, "{byte:02x}");
    }
    format!(
        "{}-{}-4{}-a{}-{}",
        &hex[..8],
        &hex[8..12],
        &hex[13..16],
        &hex[17..20],
        &hex[20..]
    )
}

/// Where a webhook is, and the URL by which messages name it; of several endpoints one is taken by chance.
pub(in crate::api) fn place(
    store: &Store,
    client: &Value,
    seconds: u64,
    chance: u8,
) -> Result<(String, At), String> {
    let authorities = object::text(client, &["caBundle"]);
    let authorities = STANDARD.decode(authorities).unwrap_or_default();
    let text = |path: &[&str]| object::text(client, path);
    if let Some(rest) = text(&["url"]).strip_prefix("https://") {
        let (host, path) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
        let (name, port) = match host.rsplit_once(':') {
            Some((name, port)) => (name, port.parse().unwrap_or(443)),
            None => (host, 443),
        };
        let path = if path.starts_with('/') {
            path.to_owned()
        } else {
            format!("/{path}")
        };
        let path = timed(&path, seconds);
        let at = At {
            host: name.to_owned(),
            port,
            name: name.to_owned(),
            called: host.to_owned(),
            path: path.clone(),
            authorities,
        };
        return Ok((format!("https://{host}{path}"), at));
    }
    let (namespace, service) = (text(&["service", "namespace"]), text(&["service", "name"]));
    let port = object::number(client, &["service", "port"]).unwrap_or(443);
    let path = text(&["service", "path"]);
    let path = timed(if path.is_empty() { "/" } else { path }, seconds);
    let name = format!("{service}.{namespace}.svc");
    let called = format!("{name}:{port}");
    let url = format!("https://{called}{path}");
    let told = |why: String| format!("Post {url:?}: {why}");
    let found = store.get(&Key::new("services", namespace, service));
    let found = found.ok_or_else(|| told(format!("service {service:?} not found")))?;
    let ports = object::list(found, &["spec", "ports"]);
    let Some(of) = ports.iter().find(|of| of["port"] == port) else {
        return Err(told(format!(
            "no service port {port} found for service {service:?}"
        )));
    };
    let endpoints = store.get(&Key::new("endpoints", namespace, service));
    let wanted = object::text(of, &["name"]);
    let chosen = endpoints.and_then(|endpoints| connect::endpoint(endpoints, wanted, chance));
    let Some((host, port)) = chosen else {
        return Err(told(format!(
            "no endpoints available for service {service:?}"
        )));
    };
    let at = At {
        host,
        port: u16::try_from(port).unwrap_or(443),
        name,
        called,
        path,
        authorities,
    };
    Ok((url, at))
}

/// A path that says how long the webhook may take.
fn timed(path: &str, seconds: u64) -> String {
    let joint = if path.contains('?') { '&' } else { '?' };
    format!("{path}{joint}timeout={seconds}s")
}
