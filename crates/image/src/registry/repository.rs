//! One repository of a registry.

use crate::digest::Digest;
use crate::document::{DOCKER_LIST, DOCKER_MANIFEST, Descriptor, INDEX, LARGEST, MANIFEST};
use crate::reference::{Reference, Version};
use crate::registry::auth::{Asker, answer, unexpected};
use crate::registry::http::{Http, Url, piece, text};
use crate::registry::{Dial, Registries, host_of};
use crate::store::{Incoming as Blob, Part, StoreError};
use bytes::Bytes;
use cri::{Credentials, ImageError};
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE, HeaderValue, USER_AGENT};
use http::{HeaderMap, Method, StatusCode};
use hyper::Response;
use hyper::body::Incoming;
use serde_json::Value;
use std::sync::Arc;
use tokio::runtime::Runtime;

/// Why a registry doesn't give something.
#[derive(Debug)]
pub(crate) enum Refusal {
    /// It has none.
    NotFound,
    /// It wants somebody else; what it said.
    Denied(String),
    /// It can't be reached, or says something else.
    Failed(String),
    /// It doesn't give what the image consists of.
    Broken(String),
    /// What came is wrong, or can't be kept.
    Store(StoreError),
}

impl Refusal {
    /// The same for whoever wanted an image.
    pub(crate) fn about(self, reference: &Reference) -> ImageError {
        let name = reference.to_string();
        match self {
            Self::NotFound => ImageError::NotFound(name),
            Self::Denied(said) => ImageError::Denied(name, said),
            Self::Failed(why) => ImageError::Unavailable(name, why),
            Self::Broken(why) => ImageError::Corrupt(name, why),
            Self::Store(error) => error.about(&name),
        }
    }
}

impl From<StoreError> for Refusal {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

/// One repository of a registry, for one pull. Calls block.
pub(crate) struct Repository<'a> {
    runtime: Runtime,
    http: Http,
    /// `https://registry-1.docker.io/v2/library/nginx`.
    base: Url,
    scope: String,
    credentials: Option<&'a Credentials>,
    authorization: Option<HeaderValue>,
}

/// So many answers are looked at for one request, as by containerd.
const MOST_ANSWERS: usize = 5;
const DIGEST: &str = "docker-content-digest";

impl<'a> Repository<'a> {
    pub(crate) fn new(
        dial: Arc<dyn Dial>,
        registries: &Registries,
        reference: &Reference,
        credentials: Option<&'a Credentials>,
    ) -> Result<Self, Refusal> {
        let (domain, path) = (reference.domain(), reference.path());
        let scheme = if registries.is_plain(domain) {
            "http"
        } else {
            "https"
        };
        let base = format!("{scheme}://{}/v2/{path}", host_of(domain));
        let base = Url::parse(&base);
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| Refusal::Failed(error.to_string()))?;
        Ok(Self {
            runtime,
            http: Http::new(dial, registries),
            base: base.ok_or_else(|| Refusal::Failed(format!("invalid host {domain:?}")))?,
            scope: format!("repository:{path}:pull"),
            credentials,
            authorization: None,
        })
    }

    /// What a tag or digest stands for today.
    pub(crate) fn resolve(&mut self, version: &Version) -> Result<Descriptor, Refusal> {
        let accept = [DOCKER_MANIFEST, DOCKER_LIST, MANIFEST, INDEX, "*/*"].join(", ");
        let (name, expected) = match version {
            Version::Tag(tag) => (tag.as_str(), None),
            Version::Digest(digest) => (digest.as_str(), Some(digest)),
        };
        let path = format!("manifests/{name}");
        let (runtime, mut asking) = self.parts();
        runtime.block_on(async {
            let (response, url, method) = asking.request(Method::HEAD, &path, &accept).await?;
            found(&response, &url, &method)?;
            if let Some(descriptor) = described(&response, expected) {
                return Ok(descriptor);
            }
            // A registry that doesn't say: the text does.
            let (response, url, method) = asking.request(Method::GET, &path, &accept).await?;
            found(&response, &url, &method)?;
            let media_type = media_type(&response);
            let text = text(response.into_body(), LARGEST).await;
            let text = text.map_err(Refusal::Failed)?;
            let mut descriptor = Descriptor::of(&media_type, &text);
            if let Some(expected) = expected {
                descriptor.digest = expected.clone();
            }
            Ok(descriptor)
        })
    }

    /// Gets content. `progress` hears how many bytes came.
    pub(crate) fn fetch(
        &mut self,
        what: &Descriptor,
        part: Part,
        into: &mut Blob,
        progress: &dyn Fn(u64),
    ) -> Result<(), Refusal> {
        let (runtime, mut asking) = self.parts();
        runtime.block_on(async {
            let mut body = asking.open(what, part).await?.into_body();
            loop {
                let next = piece(&mut body).await;
                let next = next.map_err(|why| Refusal::Broken(format!("failed to copy: {why}")))?;
                let Some(piece) = next else {
                    return Ok(());
                };
                into.write(&piece)?;
                progress(piece.len() as u64);
                if into.size() > what.size {
                    // The check of what came says so; there is no need for more.
                    return Ok(());
                }
            }
        })
    }

    /// Sees that content could be got, without getting it.
    pub(crate) fn touch(&mut self, what: &Descriptor, part: Part) -> Result<(), Refusal> {
        let (runtime, mut asking) = self.parts();
        runtime.block_on(asking.open(what, part)).map(drop)
    }

    fn parts(&mut self) -> (&Runtime, Asking<'_>) {
        let asking = Asking {
            http: &mut self.http,
            base: &self.base,
            asker: Asker {
                credentials: self.credentials,
                scope: &self.scope,
            },
            authorization: &mut self.authorization,
        };
        (&self.runtime, asking)
    }
}

/// What requests need.
struct Asking<'a> {
    http: &'a mut Http,
    base: &'a Url,
    asker: Asker<'a>,
    authorization: &'a mut Option<HeaderValue>,
}

impl Asking<'_> {
    /// Opens content.
    async fn open(&mut self, what: &Descriptor, part: Part) -> Result<Response<Incoming>, Refusal> {
        let digest = &what.digest;
        let (path, accept) = match part {
            Part::Document => (
                format!("manifests/{digest}"),
                format!("{}, */*", what.media_type),
            ),
            Part::Config | Part::Layer => (format!("blobs/{digest}"), "*/*".to_owned()),
        };
        let failed = |why: String| {
            Refusal::Broken(format!(
                "failed to copy: httpReadSeeker: failed open: {why}"
            ))
        };
        let asked = self.request(Method::GET, &path, &accept).await;
        let (response, url, _) = asked.map_err(|refusal| match refusal {
            Refusal::Denied(why) | Refusal::Failed(why) => failed(why),
            other => other,
        })?;
        match response.status() {
            status if status.is_success() => Ok(response),
            StatusCode::NOT_FOUND => Err(failed(format!(
                "could not fetch content descriptor {digest} ({}) from remote: not found",
                what.media_type
            ))),
            status => {
                let reason = status.canonical_reason().unwrap_or_default();
                let code = status.as_str();
                let said = text(response.into_body(), LARGEST)
                    .await
                    .unwrap_or_default();
                let said = server_message(&said);
                Err(failed(format!(
                    "unexpected status code {url}: {code} {reason}{said}"
                )))
            }
        }
    }

    /// Sends a request, and again with whatever the registry wants to see.
    async fn request(
        &mut self,
        mut method: Method,
        path: &str,
        accept: &str,
    ) -> Result<(Response<Incoming>, Url, Method), Refusal> {
        let mut url = self.base.clone();
        url.path = format!("{}/{path}", url.path);
        let (mut answered, mut last) = (false, StatusCode::OK);
        for _ in 0..MOST_ANSWERS {
            let mut headers = HeaderMap::new();
            let accept = HeaderValue::from_str(accept);
            headers.insert(ACCEPT, accept.unwrap_or(HeaderValue::from_static("*/*")));
            let agent = concat!("skylab/", env!("CARGO_PKG_VERSION"));
            headers.insert(USER_AGENT, HeaderValue::from_static(agent));
            if let Some(authorization) = &*self.authorization {
                headers.insert(AUTHORIZATION, authorization.clone());
            }
            let sent = self.http.send(&method, &url, headers, Bytes::new()).await;
            let (response, at) =
                sent.map_err(|why| Refusal::Failed(format!("failed to do request: {why}")))?;
            match response.status() {
                StatusCode::UNAUTHORIZED => {
                    let refused = response.headers();
                    match answer(self.http, &self.asker, refused, answered).await? {
                        Some(authorization) => *self.authorization = Some(authorization),
                        None => return Ok((response, at, method)),
                    }
                    answered = true;
                }
                // Not every registry knows HEAD.
                StatusCode::METHOD_NOT_ALLOWED if method == Method::HEAD => method = Method::GET,
                StatusCode::INTERNAL_SERVER_ERROR
                | StatusCode::SERVICE_UNAVAILABLE
                | StatusCode::GATEWAY_TIMEOUT
                    if last != response.status() => {}
                _ => return Ok((response, at, method)),
            }
            last = response.status();
        }
        Err(Refusal::Failed(unexpected(&method, &url, last)))
    }
}

/// Refuses an answer without an image.
fn found(response: &Response<Incoming>, url: &Url, method: &Method) -> Result<(), Refusal> {
    match response.status() {
        status if status.is_success() => Ok(()),
        StatusCode::NOT_FOUND => Err(Refusal::NotFound),
        status => Err(Refusal::Failed(unexpected(method, url, status))),
    }
}

/// What the headers say of an image. The registry is believed here: the text is checked against it.
fn described(response: &Response<Incoming>, expected: Option<&Digest>) -> Option<Descriptor> {
    let header = |name: &str| response.headers().get(name)?.to_str().ok();
    let digest = match expected {
        Some(digest) => digest.clone(),
        None => Digest::parse(header(DIGEST)?).ok()?,
    };
    Some(Descriptor {
        digest,
        size: header(CONTENT_LENGTH.as_str())?.parse().ok()?,
        ..Descriptor::of(&media_type(response), b"")
    })
}

fn media_type(response: &Response<Incoming>) -> String {
    let kind = response.headers().get(CONTENT_TYPE);
    let kind = kind.and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    kind.split(';').next().unwrap_or_default().trim().to_owned()
}

/// What a registry says of an error, if it says it in the protocol's form.
fn server_message(text: &[u8]) -> String {
    let said: Value = serde_json::from_slice(text).unwrap_or_default();
    let error = &said["errors"][0];
    match (error["code"].as_str(), error["message"].as_str()) {
        (Some(code), Some(message)) => {
            let code = code.to_lowercase().replace('_', " ");
            format!(" - Server message: {code}: {message}")
        }
        _ => String::new(),
    }
}
