//! Answers of the balancer's own, in the words of the cloud whose balancer it is.

mod application;
mod classic;
mod refusal;

pub(crate) use refusal::{Gateway, Refusal};

use bytes::Bytes;
use fabric::balancer::http::Dialect;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, LOCATION, SERVER};
use http::{HeaderValue, Response, StatusCode};
use hyper::ext::ReasonPhrase;

/// What application load balancers call themselves.
const AWSELB: HeaderValue = HeaderValue::from_static("awselb/2.0");

/// A refusal as an answer.
pub(crate) fn refuse(refusal: Refusal, dialect: Dialect, says_server: bool) -> Response<Bytes> {
    let status = refusal.status();
    let mut response = match dialect {
        Dialect::AwsClassic => empty(status, classic::reason(refusal)),
        Dialect::AwsApplication | Dialect::AwsNetwork => match application::page(status) {
            Some(page) => html(status, page),
            None => empty(status, ""),
        },
    };
    if dialect == Dialect::AwsApplication && says_server {
        response.headers_mut().insert(SERVER, AWSELB);
    }
    response
}

/// An answer that sends the client elsewhere.
pub(crate) fn redirect(status: u16, location: &str, says_server: bool) -> Response<Bytes> {
    let mut response = match application::page(status) {
        Some(page) => html(status, page),
        None => empty(status, ""),
    };
    let headers = response.headers_mut();
    if says_server {
        headers.insert(SERVER, AWSELB);
    }
    match HeaderValue::from_str(location) {
        Ok(location) => {
            headers.insert(LOCATION, location);
            response
        }
        // A host or a query that no header can carry.
        Err(_) => refuse(Refusal::BadRequest, Dialect::AwsApplication, says_server),
    }
}

/// An answer that a rule gives.
pub(crate) fn fixed(fixed: &fabric::balancer::http::Fixed, says_server: bool) -> Response<Bytes> {
    let mut response = Response::new(Bytes::copy_from_slice(fixed.body.as_bytes()));
    *response.status_mut() = status(fixed.status);
    let headers = response.headers_mut();
    if says_server {
        headers.insert(SERVER, AWSELB);
    }
    let kind = fixed.content_type.as_deref().unwrap_or("text/plain");
    let kind = HeaderValue::from_str(&format!("{kind}; charset=utf-8"));
    if let (Ok(kind), false) = (kind, fixed.body.is_empty()) {
        headers.insert(CONTENT_TYPE, kind);
    }
    headers.insert(CONTENT_LENGTH, fixed.body.len().into());
    response
}

fn html(code: u16, page: Bytes) -> Response<Bytes> {
    let length = page.len();
    let mut response = Response::new(page);
    *response.status_mut() = status(code);
    let reason = application::text(code).and_then(|text| text.get(4..));
    if let Some(reason) = reason {
        set_reason(&mut response, reason);
    }
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/html"));
    headers.insert(CONTENT_LENGTH, length.into());
    response
}

fn empty(code: u16, reason: &'static str) -> Response<Bytes> {
    let mut response = Response::new(Bytes::new());
    *response.status_mut() = status(code);
    set_reason(&mut response, reason);
    response.headers_mut().insert(CONTENT_LENGTH, 0.into());
    response
}

fn set_reason(response: &mut Response<Bytes>, reason: &'static str) {
    if let Ok(reason) = ReasonPhrase::try_from(reason.as_bytes()) {
        response.extensions_mut().insert(reason);
    }
}

fn status(code: u16) -> StatusCode {
    // Rules have statuses of three digits, or they aren't rules.
    StatusCode::from_u16(code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}
