//! Pulling images, with the secrets that registries want.
//! <https://kubernetes.io/docs/concepts/containers/images/#using-a-private-registry>

use super::act::Work;
use crate::lifecycle::{Outcome, Pulled};
use crate::volume::decoded;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use cri::Credentials;
use serde_json::Value;
use std::collections::BTreeMap;
use std::time::Duration;
use tokio::time::Instant;

/// Secrets may be this old.
const FRESH: Duration = Duration::from_secs(10);
/// The registry of names that name none, as secrets know it too.
const HUB: [&str; 3] = ["docker.io", "index.docker.io", "registry-1.docker.io"];

/// Pulls a container's image.
pub(super) async fn pull(work: &Work, container: String) -> Outcome {
    let Some((_, spec)) = work.pod.container(&container) else {
        return Outcome::Done;
    };
    let reference = spec.image.clone();
    let credentials = credentials(work, &reference).await;
    let asked = Instant::now();
    // The semaphore is never closed.
    let turn = work.shared.pulls.acquire().await;
    let begun = Instant::now();
    let pulled = work
        .shared
        .lasting(move |means| means.images.pull(&reference, &credentials));
    let pulled = pulled.await;
    drop(turn);
    let result = match pulled {
        Some(result) => result.map(|image| Pulled {
            image,
            took: begun.elapsed(),
            in_all: asked.elapsed(),
        }),
        None => {
            let why = "the runtime failed".to_owned();
            Err(cri::ImageError::Unavailable(spec.image.clone(), why))
        }
    };
    Outcome::Pulled(container, result)
}

/// What the pod's secrets know of an image's registry. Secrets that aren't there are done without.
async fn credentials(work: &Work, reference: &str) -> Vec<Credentials> {
    let namespace = &work.pod.metadata.namespace;
    let mut found = Vec::new();
    for secret in &work.pod.spec.image_pull_secrets {
        let path = format!("/api/v1/namespaces/{namespace}/secrets/{}", secret.name);
        match work.shared.library.get(&path, FRESH).await {
            Ok(secret) => found.extend(of_secret(&secret, reference)),
            Err(error) => tracing::debug!(pod = %work.pod, %error, "a pull secret is missing"),
        }
    }
    found
}

/// What a secret knows of an image's registry; the most specific first.
fn of_secret(secret: &Value, reference: &str) -> Vec<Credentials> {
    let entries: BTreeMap<String, Vec<u8>> = decoded(secret);
    let read = |key: &str| -> Option<Value> { serde_json::from_slice(entries.get(key)?).ok() };
    let auths = match (read(".dockerconfigjson"), read(".dockercfg")) {
        (Some(config), _) => config["auths"].clone(),
        (None, Some(auths)) => auths,
        (None, None) => return Vec::new(),
    };
    let mut found: Vec<(&String, &Value)> = auths
        .as_object()
        .into_iter()
        .flatten()
        .filter(|(place, _)| covers(place, reference))
        .collect();
    found.sort_by_key(|(place, _)| std::cmp::Reverse(place.len()));
    found
        .into_iter()
        .filter_map(|(_, auth)| read_auth(auth))
        .collect()
}

fn read_auth(auth: &Value) -> Option<Credentials> {
    let text = |field: &str| auth[field].as_str().unwrap_or_default().to_owned();
    let (mut username, mut password) = (text("username"), text("password"));
    if username.is_empty() {
        let both = STANDARD.decode(text("auth")).ok()?;
        let both = String::from_utf8(both).ok()?;
        let (name, secret) = both.split_once(':')?;
        (username, password) = (name.to_owned(), secret.to_owned());
    }
    Some(Credentials { username, password })
}

/// Whether an entry's place is that of an image: its registry, perhaps with a wildcard in its name,
/// and the beginning of its path.
fn covers(place: &str, reference: &str) -> bool {
    let place = place
        .trim_start_matches("https://")
        .trim_start_matches("http://");
    let (host, path) = place.split_once('/').unwrap_or((place, ""));
    let path = path.trim_end_matches('/');
    let path = if matches!(path, "v1" | "v2") {
        ""
    } else {
        path
    };
    let (registry, repository) = split(reference);
    let hub = |host: &str| HUB.contains(&host);
    let same = host == registry || (hub(host) && hub(registry)) || matches(host, registry);
    let below = repository.strip_prefix(path);
    same && below
        .is_some_and(|rest| path.is_empty() || rest.is_empty() || rest.starts_with(['/', ':', '@']))
}

/// An image's registry and repository.
fn split(reference: &str) -> (&str, &str) {
    match reference.split_once('/') {
        Some((host, rest)) if host.contains(['.', ':']) || host == "localhost" => (host, rest),
        _ => ("docker.io", reference),
    }
}

/// Whether a name with `*` for whole labels is another.
fn matches(pattern: &str, host: &str) -> bool {
    let (pattern, host): (Vec<_>, Vec<_>) =
        (pattern.split('.').collect(), host.split('.').collect());
    pattern.len() == host.len()
        && pattern
            .iter()
            .zip(&host)
            .all(|(pattern, label)| match pattern.split_once('*') {
                Some((before, after)) => {
                    label.len() >= before.len() + after.len()
                        && label.starts_with(before)
                        && label.ends_with(after)
                }
                None => pattern == label,
            })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    /// K8S-RUN: which entries are for which images.
    /// <https://kubernetes.io/docs/concepts/containers/images/#config-json>
    #[test]
    fn entries_are_for_their_registry() {
        for (place, image, wanted) in [
            ("registry.io", "registry.io/a/b:1", true),
            ("https://registry.io/v2/", "registry.io/a:1", true),
            ("registry.io/a", "registry.io/a/b:1", true),
            ("registry.io/a", "registry.io/ab:1", false),
            ("registry.io:5000", "registry.io/a", false),
            ("*.registry.io", "x.registry.io/a", true),
            ("*.registry.io", "x.y.registry.io/a", false),
            ("https://index.docker.io/v1/", "nginx", true),
            ("docker.io", "library/nginx:1", true),
            ("docker.io", "quay.io/nginx:1", false),
        ] {
            assert_eq!(covers(place, image), wanted, "{place} {image}");
        }
    }

    #[test]
    fn secrets_are_read() {
        let config = json!({"auths": {
            "registry.io": {"auth": STANDARD.encode("me:secret:x")},
            "registry.io/team": {"username": "team", "password": "p"},
        }});
        let secret = json!({"kind": "Secret", "type": "kubernetes.io/dockerconfigjson",
            "data": {".dockerconfigjson": STANDARD.encode(config.to_string())}});
        let found = of_secret(&secret, "registry.io/team/app:1");
        let names: Vec<_> = found
            .iter()
            .map(|c| (c.username.as_str(), c.password.as_str()))
            .collect();
        assert_eq!(names, [("team", "p"), ("me", "secret:x")]);
        assert!(of_secret(&secret, "nginx").is_empty());
    }
}
