//! What a balancer asks of identity providers, by HTTPS from its node.

use super::network::NodePlace;
use crate::{proxy, socket};
use balancer::means::FetchError;
use bytes::Bytes;
use http::{Request, Response, Uri, header};
use http_body_util::{BodyExt, Full, Limited};
use hyper_util::rt::TokioIo;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

/// How long a provider may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// What of an answer is read.
const LIMIT: usize = 1 << 20;

/// Asks a provider.
///
/// # Errors
/// It can't be reached, isn't who it says, or says too much.
pub(super) async fn fetch(
    node: &NodePlace,
    request: Request<Bytes>,
) -> Result<Response<Bytes>, FetchError> {
    timeout(PATIENCE, ask(node, request))
        .await
        .unwrap_or_else(|_| Err(FetchError("no answer in time".to_owned())))
}

fn failed(error: impl std::fmt::Display) -> FetchError {
    FetchError(error.to_string())
}

async fn ask(node: &NodePlace, request: Request<Bytes>) -> Result<Response<Bytes>, FetchError> {
    let uri = request.uri();
    let host = uri.host().unwrap_or_default().to_owned();
    if uri.scheme_str() != Some("https") || host.is_empty() {
        return Err(failed(format!("{uri} is no HTTPS address")));
    }
    let address = proxy::look_up(&node.cloud, &host).map_err(failed)?;
    let at = SocketAddr::from((address, uri.port_u16().unwrap_or(443)));
    let socket = socket::unconnected(node.place.clone()).await;
    let tcp = socket.map_err(failed)?.connect(at).await.map_err(failed)?;
    let name = ServerName::try_from(host.clone()).map_err(failed)?;
    let tls = TlsConnector::from(Arc::new(trust(node)?));
    let stream = tls.connect(name, tcp).await.map_err(failed)?;
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
        .await
        .map_err(failed)?;
    // It ends with the sender.
    tokio::spawn(connection);
    let answer = sender.send_request(in_origin_form(request, &host)?).await;
    let (parts, body) = answer.map_err(failed)?.into_parts();
    let body = Limited::new(body, LIMIT).collect().await.map_err(failed)?;
    Ok(Response::from_parts(parts, body.to_bytes()))
}

/// A request as a server wants it: path and query in its first line, the name in `Host`.
fn in_origin_form(request: Request<Bytes>, host: &str) -> Result<Request<Full<Bytes>>, FetchError> {
    let (mut parts, body) = request.into_parts();
    let path = parts.uri.path_and_query().map_or("/", |path| path.as_str());
    let host = match parts.uri.port_u16() {
        Some(port) if port != 443 => format!("{host}:{port}"),
        _ => host.to_owned(),
    };
    parts.uri = path.parse::<Uri>().map_err(failed)?;
    parts
        .headers
        .insert(header::HOST, host.parse().map_err(failed)?);
    Ok(Request::from_parts(parts, Full::new(body)))
}

/// Trusts what guests trust: the machine's bundle and the lab's authority.
fn trust(node: &NodePlace) -> Result<ClientConfig, FetchError> {
    let mut roots = RootCertStore::empty();
    let bundle = node.authority.bundle();
    let certificates = CertificateDer::pem_slice_iter(bundle.as_bytes()).filter_map(Result::ok);
    roots.add_parsable_certificates(certificates);
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(failed)?;
    Ok(config.with_root_certificates(roots).with_no_client_auth())
}
