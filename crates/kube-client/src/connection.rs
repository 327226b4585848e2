//! Connections to the API, kept for the next request.

use crate::config::Config;
use crate::error::Error;
use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

/// A connection is there within this time, or isn't.
const PATIENCE: Duration = Duration::from_secs(10);
/// So many idle connections are kept.
const KEPT: usize = 4;

type Sender = SendRequest<Full<Bytes>>;

/// Connections to one API.
pub(crate) struct Connections {
    config: Config,
    tls: TlsConnector,
    idle: Mutex<Vec<Sender>>,
}

impl Connections {
    pub(crate) fn new(config: Config) -> Result<Self, crate::config::ConfigError> {
        let tls = TlsConnector::from(Arc::new(config.tls()?));
        Ok(Self {
            config,
            tls,
            idle: Mutex::default(),
        })
    }

    pub(crate) fn config(&self) -> &Config {
        &self.config
    }

    /// Sends a request. An idle connection may turn out to be dead; then a new one is tried, which is
    /// safe because nothing was answered on the old one and the API closes idle ones only.
    pub(crate) async fn send(
        &self,
        request: Request<Full<Bytes>>,
    ) -> Result<(Response<Incoming>, Sender), Error> {
        while let Some(mut sender) = self.take() {
            if sender.ready().await.is_err() {
                continue;
            }
            match sender.try_send_request(request.clone()).await {
                Ok(response) => return Ok((response, sender)),
                Err(mut error) => {
                    // Given back, the request never left.
                    if error.take_message().is_none() {
                        return Err(unreachable(&error.into_error()));
                    }
                }
            }
        }
        let mut sender = self.connect().await?;
        let sent = sender.send_request(request).await;
        let response = sent.map_err(|error| unreachable(&error))?;
        Ok((response, sender))
    }

    /// Keeps a connection whose answer was read to its end.
    pub(crate) fn keep(&self, sender: Sender) {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if idle.len() < KEPT && !sender.is_closed() {
            idle.push(sender);
        }
    }

    fn take(&self) -> Option<Sender> {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        idle.pop()
    }

    async fn connect(&self) -> Result<Sender, Error> {
        let (host, port) = (self.config.host.as_str(), self.config.port);
        let late = |_| Error::Unreachable(format!("dial tcp {host}:{port}: i/o timeout"));
        let dialled = timeout(PATIENCE, self.config.dial.dial(host, port)).await;
        let stream = dialled
            .map_err(late)?
            .map_err(|error| Error::Unreachable(format!("dial tcp {host}:{port}: {error}")))?;
        let _ = stream.set_nodelay(true);
        let name = ServerName::try_from(host.to_owned()).map_err(|error| unreachable(&error))?;
        let secured = timeout(PATIENCE, self.tls.connect(name, stream)).await;
        let stream = secured
            .map_err(late)?
            .map_err(|error| unreachable(&error))?;
        let (sender, connection) = handshake(TokioIo::new(stream))
            .await
            .map_err(|error| unreachable(&error))?;
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(%error, "connection to the API ended");
            }
        });
        Ok(sender)
    }
}

pub(crate) fn unreachable(error: &dyn std::fmt::Display) -> Error {
    Error::Unreachable(error.to_string())
}
