//! Requests.

use crate::config::{Config, ConfigError};
use crate::connection::{Connections, unreachable};
use crate::error::Error;
use crate::watch::Watch;
use bytes::Bytes;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HOST, USER_AGENT};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::{Method, Request, Response};
use serde_json::Value;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::timeout;

/// An answer is there within this time, or isn't.
const PATIENCE: Duration = Duration::from_secs(60);

/// How a patch is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Patch {
    /// RFC 7386.
    Merge,
    /// Lists merge by their keys.
    Strategic,
    /// RFC 6902.
    Json,
    /// Server-side apply, with force.
    Apply,
}

impl Patch {
    fn content_type(self) -> &'static str {
        match self {
            Self::Merge => "application/merge-patch+json",
            Self::Strategic => "application/strategic-merge-patch+json",
            Self::Json => "application/json-patch+json",
            Self::Apply => "application/apply-patch+yaml",
        }
    }
}

/// A client of one API. Clones share its connections.
#[derive(Clone)]
pub struct Client {
    connections: Arc<Connections>,
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.connections.config().fmt(f)
    }
}

impl Client {
    /// A client; nothing is connected yet.
    ///
    /// # Errors
    /// A certificate or key can't be used.
    pub fn new(config: Config) -> Result<Self, ConfigError> {
        Ok(Self {
            connections: Arc::new(Connections::new(config)?),
        })
    }

    /// An object, or a list of them: `/api/v1/nodes/n1`, `/api/v1/pods?labelSelector=app%3Dweb`.
    ///
    /// # Errors
    /// As [`Error`] says.
    pub async fn get(&self, path: &str) -> Result<Value, Error> {
        self.send(Method::GET, path, None).await
    }

    /// Makes an object in the collection at a path.
    ///
    /// # Errors
    /// As [`Error`] says.
    pub async fn create(&self, path: &str, object: &Value) -> Result<Value, Error> {
        self.send(Method::POST, path, Some(("application/json", object)))
            .await
    }

    /// Puts an object in the place of the one at a path.
    ///
    /// # Errors
    /// As [`Error`] says.
    pub async fn replace(&self, path: &str, object: &Value) -> Result<Value, Error> {
        self.send(Method::PUT, path, Some(("application/json", object)))
            .await
    }

    /// Changes the object at a path. [`Patch::Apply`] wants `fieldManager` among the path's parameters.
    ///
    /// # Errors
    /// As [`Error`] says.
    pub async fn patch(&self, path: &str, how: Patch, patch: &Value) -> Result<Value, Error> {
        self.send(Method::PATCH, path, Some((how.content_type(), patch)))
            .await
    }

    /// Deletes the object at a path; `options` are `DeleteOptions`, or null.
    ///
    /// # Errors
    /// As [`Error`] says.
    pub async fn delete(&self, path: &str, options: &Value) -> Result<Value, Error> {
        let body = (!options.is_null()).then_some(("application/json", options));
        self.send(Method::DELETE, path, body).await
    }

    /// Changes of the collection at a path after a revision, with bookmarks.
    ///
    /// # Errors
    /// As [`Error`] says; `410` where the revision lies too far in the past.
    pub async fn watch(&self, path: &str, revision: &str) -> Result<Watch, Error> {
        let joint = if path.contains('?') { '&' } else { '?' };
        let path =
            format!("{path}{joint}watch=true&allowWatchBookmarks=true&resourceVersion={revision}");
        let (response, _) = self.exchange(Method::GET, &path, None).await?;
        if !response.status().is_success() {
            let code = response.status().as_u16();
            return Err(Error::refused(code, &whole(response).await?));
        }
        Ok(Watch::new(response.into_body()))
    }

    async fn send(
        &self,
        method: Method,
        path: &str,
        body: Option<(&str, &Value)>,
    ) -> Result<Value, Error> {
        let answered = async {
            let (response, sender) = self.exchange(method, path, body).await?;
            let status = response.status();
            let bytes = whole(response).await?;
            self.connections.keep(sender);
            if !status.is_success() {
                return Err(Error::refused(status.as_u16(), &bytes));
            }
            serde_json::from_slice(&bytes).map_err(|error| Error::Nonsense(error.to_string()))
        };
        let late = |_| Error::Unreachable("the API did not answer in time".to_owned());
        timeout(PATIENCE, answered).await.map_err(late)?
    }

    async fn exchange(
        &self,
        method: Method,
        path: &str,
        body: Option<(&str, &Value)>,
    ) -> Result<
        (
            Response<Incoming>,
            hyper::client::conn::http1::SendRequest<Full<Bytes>>,
        ),
        Error,
    > {
        let config = self.connections.config();
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header(HOST, format!("{}:{}", config.host, config.port))
            .header(USER_AGENT, &config.agent)
            .header(ACCEPT, "application/json");
        let authorization = config.authorization().await;
        if let Some(authorization) = authorization.map_err(|error| unreachable(&error))? {
            request = request.header(AUTHORIZATION, authorization);
        }
        let bytes = match body {
            None => Bytes::new(),
            Some((content_type, value)) => {
                request = request.header(CONTENT_TYPE, content_type);
                Bytes::from(value.to_string())
            }
        };
        let request = request
            .body(Full::new(bytes))
            .map_err(|error| unreachable(&error))?;
        self.connections.send(request).await
    }
}

async fn whole(response: Response<Incoming>) -> Result<Bytes, Error> {
    let body = response.into_body().collect().await;
    Ok(body.map_err(|error| unreachable(&error))?.to_bytes())
}
