//! Elastic Container Registry as a node sees it: OCI's distribution protocol, read only.
//!
//! EKS's own account has the images of its add-ons. Here each is a name for this machine's own files, as
//! `skylab.local/host` is: an image without layers whose configuration says so ([`MACHINE`]). It takes a password that
//! GetAuthorizationToken gave, whose caller may pull. Images that users imported are on every node by name already,
//! so other repositories are empty.
//! <https://github.com/opencontainers/distribution-spec/blob/main/spec.md>
//! <https://docs.aws.amazon.com/AmazonECR/latest/userguide/registry_auth.html>

use super::api::Api;
use super::request_id;
use crate::cloud::unix_time;
use crate::names;
use aws::authorize::{self, Asking};
use aws::identity::Caller;
use aws::model::image::EKS;
use aws::model::{Context, Pace};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::Method;
use http::request::Parts;
use http_body_util::Full;
use hyper::Response;
use serde_json::json;
use sha2::{Digest, Sha256};

/// The label, and its value, of images that are this machine's own files.
pub(crate) const MACHINE: (&str, &str) = ("local.skylab.files", "machine");

/// The repositories of EKS's account.
const REPOSITORIES: [&str; 9] = [
    "amazon-k8s-cni",
    "amazon-k8s-cni-init",
    "amazon/aws-load-balancer-controller",
    "amazon/aws-network-policy-agent",
    "eks/coredns",
    "eks/kube-proxy",
    "eks/livenessprobe",
    "eks/pause",
    "eks/metrics-server",
];

const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const CONFIG: &str = "application/vnd.oci.image.config.v1+json";

/// Whose registry a request is for, and in which region, if it is for one.
pub(super) fn asked(head: &Parts) -> Option<(String, String)> {
    let host = head.headers.get(http::header::HOST)?.to_str().ok()?;
    let name = host.split(':').next()?.to_ascii_lowercase();
    let (account, region) = names::registry(&name)?;
    Some((account.to_owned(), region.to_owned()))
}

/// What a path asks for.
#[derive(Debug, PartialEq, Eq)]
enum Path<'p> {
    /// Whether the registry speaks the protocol.
    Base,
    /// A manifest, by tag or digest.
    Manifest { name: &'p str, reference: &'p str },
    /// Content, by digest.
    Blob { name: &'p str, digest: &'p str },
}

impl<'p> Path<'p> {
    fn read(path: &'p str) -> Option<Self> {
        let rest = path.strip_prefix("/v2")?.trim_start_matches('/');
        if rest.is_empty() {
            return Some(Self::Base);
        }
        let (front, last) = rest.rsplit_once('/')?;
        if let Some(name) = front.strip_suffix("/manifests") {
            return Some(Self::Manifest {
                name,
                reference: last,
            });
        }
        let name = front.strip_suffix("/blobs")?;
        Some(Self::Blob { name, digest: last })
    }
}

/// An image's two documents.
struct Documents {
    manifest: String,
    config: String,
}

fn digest(text: &str) -> String {
    format!("sha256:{:x}", Sha256::digest(text))
}

impl Documents {
    /// Those of a repository's images; they differ from repository to repository.
    fn of(name: &str) -> Self {
        let architecture = match std::env::consts::ARCH {
            "aarch64" => "arm64",
            _ => "amd64",
        };
        let (label, machine) = MACHINE;
        let config = json!({
            "architecture": architecture,
            "os": "linux",
            "config": { "Labels": { label: machine, "org.opencontainers.image.title": name } },
            "rootfs": { "type": "layers", "diff_ids": [] },
        })
        .to_string();
        let manifest = json!({
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": { "mediaType": CONFIG, "digest": digest(&config), "size": config.len() },
            "layers": [],
        })
        .to_string();
        Self { manifest, config }
    }
}

/// Answers a request for a registry.
pub(super) fn answer(
    api: &Api,
    head: &Parts,
    account: &str,
    region: &str,
) -> Response<Full<Bytes>> {
    if !matches!(head.method, Method::GET | Method::HEAD) {
        return refused(405, "UNSUPPORTED", "The registry is read only", None);
    }
    let path = Path::read(head.uri.path());
    let name = match &path {
        Some(Path::Manifest { name, .. } | Path::Blob { name, .. }) => Some(*name),
        _ => None,
    };
    match admitted(api, head, region, name) {
        Ok(()) => {}
        Err(Denied::Unknown) => {
            let host = aws::model::ecr::registry(account, region);
            let challenge =
                format!("Basic realm=\"https://{host}/\",service=\"ecr.amazonaws.com\"");
            return refused(401, "UNAUTHORIZED", "Not Authorized", Some(challenge));
        }
        Err(Denied::Policies(words)) => return refused(403, "DENIED", &words, None),
    }
    let known = account == EKS && name.is_some_and(|name| REPOSITORIES.contains(&name));
    let documents = name.map(Documents::of);
    let head_only = head.method == Method::HEAD;
    match (path, documents) {
        (Some(Path::Base), _) => found(head_only, "application/json", "{}".to_owned()),
        (Some(Path::Manifest { reference, .. }), Some(of)) if known => {
            let by_digest = reference.starts_with("sha256:");
            match by_digest && reference != digest(&of.manifest) {
                true => refused(404, "MANIFEST_UNKNOWN", "Requested image not found", None),
                false => found(head_only, MANIFEST, of.manifest),
            }
        }
        (Some(Path::Blob { digest: asked, .. }), Some(of))
            if known && asked == digest(&of.config) =>
        {
            found(head_only, CONFIG, of.config)
        }
        (Some(Path::Blob { .. }), _) if known => {
            refused(404, "BLOB_UNKNOWN", "blob unknown to registry", None)
        }
        (_, _) => {
            let name = name.unwrap_or_default();
            let words = format!(
                "The repository with name '{name}' does not exist in the registry with id '{account}'"
            );
            refused(404, "NAME_UNKNOWN", &words, None)
        }
    }
}

/// Why a caller gets nothing.
enum Denied {
    /// It has no password, or one that no longer holds.
    Unknown,
    /// Its policies don't let it pull.
    Policies(String),
}

/// Whether the caller has a password and may pull.
fn admitted(api: &Api, head: &Parts, region: &str, name: Option<&str>) -> Result<(), Denied> {
    let snapshot = api.snapshot();
    let state = &snapshot.state;
    let now = unix_time();
    let session = password(head).and_then(|of| aws::api::ecr::session_of(api.seal(), &of, now));
    let caller = session.and_then(|session| Caller::of(state, session.principal));
    let caller = caller.ok_or(Denied::Unknown)?;
    let Some(name) = name else {
        return Ok(());
    };
    let context = Context {
        region: region.to_owned(),
        now,
        pace: Pace::Fast,
        quotas: true,
        caller: caller.arn.clone(),
        entropy: [0; 32],
    };
    let asking = Asking {
        service: "ecr",
        operation: "BatchGetImage",
        parameters: &authorize::of_json(&json!({ "repositoryName": name })),
        path: "/",
    };
    authorize::check(state, &context, &caller, asking)
        .map_err(|error| Denied::Policies(error.message))
}

/// The password of basic authentication; the user's name is always the same.
fn password(head: &Parts) -> Option<String> {
    let value = head.headers.get(http::header::AUTHORIZATION)?;
    let (scheme, encoded) = value.to_str().ok()?.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let text = String::from_utf8(STANDARD.decode(encoded.trim()).ok()?).ok()?;
    let (user, password) = text.split_once(':')?;
    (user == aws::api::ecr::USER).then(|| password.to_owned())
}

fn found(head_only: bool, kind: &'static str, text: String) -> Response<Full<Bytes>> {
    let response = Response::builder()
        .status(200)
        .header("content-type", kind)
        .header("content-length", text.len())
        .header("docker-content-digest", digest(&text))
        .header("docker-distribution-api-version", "registry/2.0");
    let body = if head_only { String::new() } else { text };
    // Types and digests are plain ASCII: this can't fail.
    response
        .body(Full::new(Bytes::from(body)))
        .unwrap_or_default()
}

fn refused(
    status: u16,
    code: &str,
    message: &str,
    challenge: Option<String>,
) -> Response<Full<Bytes>> {
    let text = json!({ "errors": [{ "code": code, "message": message }] }).to_string();
    let mut response = Response::builder()
        .status(status)
        .header("content-type", "application/json; charset=utf-8")
        .header("docker-distribution-api-version", "registry/2.0")
        .header("x-amzn-requestid", request_id::fresh());
    if let Some(challenge) = challenge {
        response = response.header("www-authenticate", challenge);
    }
    // Accounts and regions are letters, digits and hyphens: this can't fail.
    response
        .body(Full::new(Bytes::from(text)))
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// AWS-EKS: paths name repositories of any depth, and an image's manifest leads to its configuration.
    #[test]
    fn images_are_found_by_name() {
        assert_eq!(Path::read("/v2/"), Some(Path::Base));
        assert_eq!(
            Path::read("/v2/eks/pause/manifests/3.10"),
            Some(Path::Manifest {
                name: "eks/pause",
                reference: "3.10"
            })
        );
        assert_eq!(Path::read("/v2/tags"), None);
        let of = Documents::of("eks/pause");
        let manifest: serde_json::Value = serde_json::from_str(&of.manifest).unwrap();
        assert_eq!(manifest["config"]["digest"], digest(&of.config));
        assert_eq!(manifest["config"]["size"], of.config.len());
        assert_ne!(of.config, Documents::of("eks/coredns").config);
    }
}
