//! A caller of the lab's own APIs: signed requests over loopback, one connection each.
//!
//! For the demos, which use the clouds' APIs as anybody would, and for tests.

use crate::cloud::unix_time;
use crate::control::Ports;
use crate::credentials::Credentials;
use serde_json::Value;
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::time::{SystemTime, UNIX_EPOCH};
use wire::call::{Call, Caller, read};
use wire::error::ApiError;
use wire::query::encode;
use wire::rest_json::ERROR_TYPE;
use wire::sigv4::{Key, Signable, sign};

/// The API version of EC2 that requests name.
const EC2_VERSION: &str = "2016-11-15";

/// A caller with a lab's keys.
#[derive(Clone)]
pub struct Client {
    address: SocketAddr,
    access_key: String,
    secret: String,
    region: String,
}

/// A document that an API answered with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Document {
    operation: String,
    text: String,
}

/// Why a call failed.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The lab doesn't answer.
    #[error("the lab does not answer {operation}: {source}")]
    Connection {
        /// The operation.
        operation: String,
        /// What the kernel says.
        source: io::Error,
    },
    /// The API refused.
    #[error("{operation} was refused: {code}: {message}")]
    Refused {
        /// The operation.
        operation: String,
        /// The cloud's code.
        code: String,
        /// The cloud's words.
        message: String,
    },
    /// The answer lacks something.
    #[error("the answer to {operation} has no {element}")]
    Missing {
        /// The operation.
        operation: String,
        /// The element.
        element: String,
    },
}

impl Client {
    /// A caller of a running lab, in a region.
    pub fn new(ports: Ports, credentials: &Credentials, region: &str) -> Self {
        Self {
            address: (Ipv4Addr::LOCALHOST, ports.aws).into(),
            access_key: credentials.aws_access_key_id.clone(),
            secret: credentials.aws_secret_access_key.clone(),
            region: region.to_owned(),
        }
    }

    /// Calls an EC2 operation with parameters named as on the wire (`Filter.1.Name`).
    ///
    /// # Errors
    /// The lab is gone or refuses.
    pub fn ec2(
        &self,
        operation: &str,
        parameters: &[(&str, &str)],
    ) -> Result<Document, ClientError> {
        let mut body = format!("Action={operation}&Version={EC2_VERSION}");
        for (name, value) in parameters {
            body.push_str(&format!("&{}={}", encode(name), encode(value)));
        }
        let failed = |source| ClientError::Connection {
            operation: operation.to_owned(),
            source,
        };
        let (status, text) = self.post("ec2", &body).map_err(failed)?;
        let document = Document {
            operation: operation.to_owned(),
            text,
        };
        if status == 200 {
            return Ok(document);
        }
        Err(ClientError::Refused {
            operation: operation.to_owned(),
            code: document.one("Code").unwrap_or_else(|_| status.to_string()),
            message: document.one("Message").unwrap_or_default(),
        })
    }

    /// Makes a call of any service; gives its answer as a value.
    ///
    /// # Errors
    /// The service's own; `InternalFailure` where the lab doesn't answer.
    pub fn call(&self, call: &Call) -> Result<Value, ApiError> {
        let request = call.request()?;
        let failed = |error: io::Error| {
            ApiError::new(
                "InternalFailure",
                format!("the lab does not answer: {error}"),
            )
        };
        let host = self.address.to_string();
        let caller = Caller {
            access_key: &self.access_key,
            secret: &self.secret,
            region: &self.region,
            host: &host,
        };
        let query = match request.query.as_str() {
            "" => String::new(),
            query => format!("?{query}"),
        };
        let mut text = format!(
            "{} {}{query} HTTP/1.1\r\nconnection: close\r\n",
            request.method, request.path
        );
        for (name, value) in request.signed(&caller, unix_time()) {
            text.push_str(&format!("{name}: {value}\r\n"));
        }
        text.push_str(&format!(
            "content-length: {}\r\n\r\n{}",
            request.body.len(),
            request.body
        ));
        let mut response = String::new();
        let mut stream = TcpStream::connect(self.address).map_err(failed)?;
        stream.write_all(text.as_bytes()).map_err(failed)?;
        stream.read_to_string(&mut response).map_err(failed)?;
        let (status, body) =
            split(&response).ok_or_else(|| failed(io::ErrorKind::InvalidData.into()))?;
        let head = response.split("\r\n\r\n").next().unwrap_or_default();
        let mut lines = head.lines().filter_map(|line| line.split_once(": "));
        let kind = lines.find(|(name, _)| name.eq_ignore_ascii_case(ERROR_TYPE));
        read(call.service, status, kind.map(|(_, kind)| kind), &body)
    }

    fn post(&self, service: &str, body: &str) -> io::Result<(u16, String)> {
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let mut headers = vec![
            pair("host", &self.address.to_string()),
            pair("content-type", "application/x-www-form-urlencoded"),
        ];
        let signable = Signable {
            method: "POST",
            path: "/",
            query: "",
            headers: &headers,
            body: body.as_bytes(),
        };
        let key = Key {
            access_key: &self.access_key,
            secret: &self.secret,
            region: &self.region,
            service,
        };
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        let signed = sign(
            &signable,
            &key,
            i64::try_from(now.as_secs()).unwrap_or(i64::MAX),
        );
        headers.extend(signed);
        let mut request = "POST / HTTP/1.1\r\nconnection: close\r\n".to_owned();
        for (name, value) in &headers {
            request.push_str(&format!("{name}: {value}\r\n"));
        }
        request.push_str(&format!("content-length: {}\r\n\r\n{body}", body.len()));
        let mut stream = TcpStream::connect(self.address)?;
        stream.write_all(request.as_bytes())?;
        let mut response = String::new();
        stream.read_to_string(&mut response)?;
        split(&response).ok_or_else(|| io::ErrorKind::InvalidData.into())
    }
}

/// A response's status and body.
fn split(response: &str) -> Option<(u16, String)> {
    let (head, body) = response.split_once("\r\n\r\n")?;
    let status = head.split(' ').nth(1)?.parse().ok()?;
    Some((status, body.to_owned()))
}

impl Document {
    /// The text of the first element of a name.
    ///
    /// # Errors
    /// There is none.
    pub fn one(&self, element: &str) -> Result<String, ClientError> {
        self.all(element)
            .into_iter()
            .next()
            .ok_or_else(|| ClientError::Missing {
                operation: self.operation.clone(),
                element: element.to_owned(),
            })
    }

    /// The texts of all elements of a name, in order. The lab's documents have neither attributes on
    /// elements with texts nor elements nested in their own kind, so that this is enough.
    pub fn all(&self, element: &str) -> Vec<String> {
        let (open, close) = (format!("<{element}>"), format!("</{element}>"));
        let rest = self.text.split(&open).skip(1);
        rest.filter_map(|rest| Some(rest.split_once(&close)?.0.to_owned()))
            .collect()
    }
}
