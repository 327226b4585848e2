//! Headers that change on the way: those of one connection are taken away, those that tell members about
//! the client are added.

use super::inspect::is_plain;
use super::{Client, trace};
use fabric::balancer::Speech;
use fabric::balancer::http::{Dialect, ForwardedFor, Http};
use http::header::{CONNECTION, DATE, HOST, SERVER, TE, TRANSFER_ENCODING, UPGRADE};
use http::{HeaderMap, HeaderName, HeaderValue, Uri, Version, request, response};

const KEEP_ALIVE: HeaderName = HeaderName::from_static("keep-alive");
const PROXY_CONNECTION: HeaderName = HeaderName::from_static("proxy-connection");
const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const FORWARDED_PORT: HeaderName = HeaderName::from_static("x-forwarded-port");
const TLS_VERSION: HeaderName = HeaderName::from_static("x-amzn-tls-version");
const TLS_CIPHER: HeaderName = HeaderName::from_static("x-amzn-tls-cipher-suite");

/// Makes a client's request into the one that a member gets.
pub(crate) fn to_member(head: &mut request::Parts, http: &Http, client: &Client, speech: Speech) {
    let http2 = matches!(speech, Speech::Http2 | Speech::Https2);
    let trailers = http2 && head.headers.get(TE).is_some_and(|te| te == "trailers");
    drop_hops(&mut head.headers);
    head.headers.remove(TE);
    if trailers {
        head.headers
            .insert(TE, HeaderValue::from_static("trailers"));
    }
    if http.headers.drop_invalid {
        drop_invalid(&mut head.headers);
    }
    host(head, http, client);
    forwarded(&mut head.headers, http, client);
    if http.dialect == Dialect::AwsApplication {
        trace::add(&mut head.headers);
    }
    if http2 {
        to_http2(head, speech);
    } else {
        head.version = Version::HTTP_11;
        if head.uri.authority().is_some() {
            let path = head.uri.path_and_query().cloned();
            head.uri = path.map(Uri::from).unwrap_or_default();
        }
    }
}

/// HTTP/2 has the host in the URL.
fn to_http2(head: &mut request::Parts, speech: Speech) {
    head.version = Version::HTTP_2;
    let host = head.headers.remove(HOST);
    let host = host.as_ref().and_then(|host| host.to_str().ok());
    let tls = speech == Speech::Https2;
    let scheme = if tls { "https" } else { "http" };
    let path = head.uri.path_and_query().map_or("/", |path| path.as_str());
    let uri = Uri::builder().scheme(scheme).authority(host.unwrap_or("-"));
    // A host that makes no URL can't come from one either: then the old URL stays.
    if let Ok(uri) = uri.path_and_query(path).build() {
        head.uri = uri;
    }
}

/// `Host`: what the client said, with the listener's port unless that is the usual one.
/// <https://docs.aws.amazon.com/elasticloadbalancing/latest/application/edit-load-balancer-attributes.html#host-header-preservation>
fn host(head: &mut request::Parts, http: &Http, client: &Client) {
    let from_uri = head.uri.authority().map(|authority| authority.as_str());
    if let Some(host) = from_uri.and_then(|host| HeaderValue::from_str(host).ok()) {
        head.headers.insert(HOST, host);
    }
    let port = client.front.port;
    if http.headers.preserve_host
        || http.dialect != Dialect::AwsApplication
        || matches!(port, 80 | 443)
    {
        return;
    }
    let Some(host) = head.headers.get(HOST).and_then(|host| host.to_str().ok()) else {
        return;
    };
    if !host.contains(':')
        && let Ok(with_port) = HeaderValue::from_maybe_shared(format!("{host}:{port}"))
    {
        head.headers.insert(HOST, with_port);
    }
}

fn forwarded(headers: &mut HeaderMap, http: &Http, client: &Client) {
    let tls = client.tls.as_ref();
    let proto = if tls.is_some() { "https" } else { "http" };
    match http.headers.forwarded_for {
        ForwardedFor::Append => {
            let value = match headers.get(FORWARDED_FOR) {
                Some(_) => appended(headers, http, client),
                None => own_address(http, client),
            };
            headers.insert(FORWARDED_FOR, value);
        }
        ForwardedFor::Preserve => {}
        ForwardedFor::Remove => {
            headers.remove(FORWARDED_FOR);
        }
    }
    headers.insert(FORWARDED_PROTO, HeaderValue::from_static(proto));
    headers.insert(FORWARDED_PORT, client.front.port_value.clone());
    if let (Some(tls), true) = (tls, http.headers.tls_details) {
        headers.insert(TLS_VERSION, HeaderValue::from_static(tls.version));
        if let Ok(cipher) = HeaderValue::from_str(&tls.cipher) {
            headers.insert(TLS_CIPHER, cipher);
        }
    }
}

fn own_address(http: &Http, client: &Client) -> HeaderValue {
    if http.headers.client_port {
        let text = client.peer.to_string();
        return HeaderValue::from_maybe_shared(text).unwrap_or(client.address.clone());
    }
    client.address.clone()
}

fn appended(headers: &HeaderMap, http: &Http, client: &Client) -> HeaderValue {
    let mut all = Vec::new();
    for value in headers.get_all(FORWARDED_FOR) {
        all.extend_from_slice(value.as_bytes());
        all.extend_from_slice(b", ");
    }
    let own = own_address(http, client);
    all.extend_from_slice(own.as_bytes());
    HeaderValue::from_maybe_shared(all).unwrap_or(own)
}

/// Takes away what concerns one connection only.
/// <https://www.rfc-editor.org/rfc/rfc9110#section-7.6.1>
fn drop_hops(headers: &mut HeaderMap) {
    if let Some(named) = headers.remove(CONNECTION)
        && !named.as_bytes().eq_ignore_ascii_case(b"keep-alive")
        && !named.as_bytes().eq_ignore_ascii_case(b"close")
        && let Ok(named) = named.to_str()
    {
        for name in named.split(',') {
            headers.remove(name.trim());
        }
    }
    for name in [KEEP_ALIVE, PROXY_CONNECTION, TRANSFER_ENCODING, UPGRADE] {
        headers.remove(name);
    }
}

fn drop_invalid(headers: &mut HeaderMap) {
    let odd = |name: &&HeaderName| !is_plain(name.as_str());
    let odd: Vec<HeaderName> = headers.keys().filter(odd).cloned().collect();
    for name in odd {
        headers.remove(name);
    }
}

/// Makes a member's answer into the one that the client gets.
pub(crate) fn to_client(head: &mut response::Parts, http: &Http) {
    drop_hops(&mut head.headers);
    if !http.headers.server {
        head.headers.remove(SERVER);
    }
    finish(&mut head.headers, http);
}

/// What all answers have, a member's and the balancer's own.
pub(crate) fn finish(headers: &mut HeaderMap, http: &Http) {
    if !headers.contains_key(DATE) {
        headers.insert(DATE, crate::calendar::date());
    }
    for (name, value) in &http.headers.set_on_answers {
        let name = HeaderName::try_from(name.as_str());
        if let (Ok(name), Ok(value)) = (name, HeaderValue::from_str(value)) {
            headers.insert(name, value);
        }
    }
}
