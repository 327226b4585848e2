//! Clients that speak TLS.

use crate::member::{each, echo, echo2};
use crate::world::{PORT, World, http, pool};
use bytes::Bytes;
use fabric::balancer::http::{Dialect, Http};
use fabric::balancer::{Preamble, Service, Speech, Stream, Tls};
use http::{Request, Version};
use http_body_util::{BodyExt, Full};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::ClientConfig;
use rustls::RootCertStore;
use rustls::pki_types::{PrivateKeyDer, ServerName};
use rustls::sign::CertifiedKey;
use std::sync::Arc;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// Gives the world a certificate for a name, and clients their trust in it.
pub fn certify(world: &World, id: &str, name: &str, roots: &mut RootCertStore) {
    let made = rcgen::generate_simple_self_signed(vec![name.to_owned()]).unwrap();
    let der = made.cert.der().clone();
    roots.add(der.clone()).unwrap();
    let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
    let key = rustls::crypto::ring::sign::any_supported_type(&key).unwrap();
    let certified = Arc::new(CertifiedKey::new(vec![der], key));
    world
        .here
        .0
        .certificates
        .lock()
        .unwrap()
        .insert(id.into(), certified);
}

pub async fn join(
    world: &World,
    roots: &RootCertStore,
    name: &str,
    alpn: &str,
) -> TlsStream<TcpStream> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots.clone())
        .with_no_client_auth();
    config.alpn_protocols = vec![alpn.as_bytes().to_vec()];
    let tcp = TcpStream::connect(world.at(PORT)).await.unwrap();
    let name = ServerName::try_from(name.to_owned()).unwrap();
    TlsConnector::from(Arc::new(config))
        .connect(name, tcp)
        .await
        .unwrap()
}

pub fn tls(certificates: &[&str]) -> Tls {
    Tls {
        default_certificate: certificates[0].into(),
        certificates: certificates[1..].iter().map(|id| (*id).into()).collect(),
        policy: "ELBSecurityPolicy-TLS13-1-2-2021-06".into(),
        alpn: Vec::new(),
    }
}

async fn secure(mut listener: Http, pools: Vec<fabric::balancer::Pool>) -> (World, RootCertStore) {
    let mut world = World::new();
    let mut roots = RootCertStore::empty();
    certify(&world, "c1", "one.example", &mut roots);
    certify(&world, "c2", "two.example", &mut roots);
    listener.tls = Some(tls(&["c1", "c2"]));
    world.listen(PORT, Service::Http(listener));
    world.pools(pools);
    world.apply().await;
    (world, roots)
}

/// AWS-ALB: the certificate is chosen by the name that the client asks for, and members learn of TLS.
#[tokio::test]
async fn certificates() {
    let mut listener = http("p");
    listener.headers.tls_details = true;
    listener.access_log = true;
    let (world, roots) = secure(listener, vec![pool("p", &[echo("a").await])]).await;
    for name in ["one.example", "two.example"] {
        let mut stream = join(&world, &roots, name, "http/1.1").await;
        let text = format!("GET / HTTP/1.1\r\nHost: {name}\r\nConnection: close\r\n\r\n");
        stream.write_all(text.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer).await;
        let answer = String::from_utf8(answer).unwrap();
        assert!(answer.contains("x-forwarded-proto: https\n"), "{answer}");
        assert!(answer.contains("x-amzn-tls-version: TLSv1.3\n"), "{answer}");
        assert!(answer.contains("x-amzn-tls-cipher-suite: TLS_"), "{answer}");
    }
    let lines = world.lines(2).await;
    assert!(lines[1].starts_with("https "), "{lines:?}");
    assert!(lines[1].contains(" TLSv1.3 p \""), "{lines:?}");
    assert!(
        lines[1].contains("\" \"two.example\" \"c2\" 0 "),
        "{lines:?}"
    );
}

async fn ask2(
    world: &World,
    roots: &RootCertStore,
    method: &str,
    kind: &str,
) -> (u16, String, Option<String>) {
    let stream = join(world, roots, "one.example", "h2").await;
    let io = TokioIo::new(stream);
    let handshake = hyper::client::conn::http2::handshake(TokioExecutor::new(), io);
    let (mut sender, connection) = handshake.await.unwrap();
    tokio::spawn(connection);
    let request = Request::builder()
        .method(method)
        .uri("https://one.example/x")
        .version(Version::HTTP_2)
        .header("content-type", kind)
        .body(Full::new(Bytes::from("abc")))
        .unwrap();
    let answer = sender.send_request(request).await.unwrap();
    let status = answer.status().as_u16();
    let body = answer.into_body().collect().await.unwrap();
    let trailer = body.trailers().and_then(|all| all.get("grpc-status"));
    let trailer = trailer.map(|value| value.to_str().unwrap().to_owned());
    (
        status,
        String::from_utf8(body.to_bytes().to_vec()).unwrap(),
        trailer,
    )
}

/// AWS-ALB: clients speak HTTP/2 to members that speak HTTP/1.1 or HTTP/2, and calls by gRPC keep their trailers.
#[tokio::test]
async fn http2() {
    let (mut world, roots) = secure(http("p"), vec![pool("p", &[echo("a").await])]).await;
    let (status, body, _) = ask2(&world, &roots, "POST", "text/plain").await;
    assert_eq!(status, 200, "{body}");
    for line in ["a\nPOST /x\n", "host: one.example\n", "length: 3\n"] {
        assert!(body.contains(line), "{body}");
    }
    assert_eq!(
        ask2(&world, &roots, "POST", "application/grpc").await.0,
        464
    );
    let mut two = pool("p", &[echo2("b").await]);
    two.speech = Speech::Http2;
    two.conduct.grpc = true;
    world.pools(vec![two]);
    world.apply().await;
    let (status, body, trailer) = ask2(&world, &roots, "POST", "application/grpc").await;
    assert_eq!((status, trailer.as_deref()), (200, Some("0")));
    assert!(body.starts_with("b\nPOST http://one.example/x\n"), "{body}");
    assert_eq!(ask2(&world, &roots, "GET", "text/plain").await.0, 464);
}

/// AWS-NLB: a TLS listener ends TLS, says who the client is by version 2, and logs the connection.
#[tokio::test]
async fn network_listener() {
    let member = each(|mut stream| async move {
        let mut preamble = [0; 28];
        stream.read_exact(&mut preamble).await.unwrap();
        let mut heard = [0; 2];
        stream.read_exact(&mut heard).await.unwrap();
        stream.write_all(&preamble).await.unwrap();
        stream.write_all(&heard).await.unwrap();
    })
    .await;
    let mut world = World::new();
    let mut roots = RootCertStore::empty();
    certify(&world, "c1", "one.example", &mut roots);
    let mut tls = tls(&["c1"]);
    tls.alpn = vec!["h2".into()];
    world.listen(
        PORT,
        Service::Stream(Stream {
            tls: Some(tls),
            pool: "p".into(),
            idle_timeout: 60,
            access_log: Some(Dialect::AwsNetwork),
        }),
    );
    let mut words = pool("p", &[member]);
    words.conduct.preamble = Some(Preamble::ProxyV2);
    world.pools(vec![words]);
    world.apply().await;
    let mut stream = join(&world, &roots, "one.example", "h2").await;
    let port = stream.get_ref().0.local_addr().unwrap().port();
    stream.write_all(b"hi").await.unwrap();
    let mut heard = [0; 30];
    stream.read_exact(&mut heard).await.unwrap();
    assert_eq!(&heard[..12], b"\r\n\r\n\0\r\nQUIT\n");
    assert_eq!(&heard[24..26], port.to_be_bytes());
    assert_eq!(&heard[28..], b"hi");
    drop(stream);
    let line = world.lines(1).await.remove(0);
    let fields: Vec<&str> = line.split(' ').collect();
    assert_eq!(
        (fields[0], fields[1], fields.len()),
        ("tls", "2.0", 22),
        "{line}"
    );
    assert_eq!(
        (fields[6], fields[9], fields[10]),
        (member.to_string().as_str(), "2", "30"),
        "{line}"
    );
    assert_eq!(
        (fields[15], fields[17], fields[18]),
        ("tlsv13", "one.example", "h2"),
        "{line}"
    );
}
