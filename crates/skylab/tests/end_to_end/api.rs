//! A small client of AWS's query APIs: signed requests on a plain connection.

use serde_json::Value;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::SystemTime;
use wire::query::encode;
use wire::sigv4::{Key, Signable, sign};

/// A client with a lab's keys.
pub(crate) struct Api {
    address: String,
    access_key: String,
    secret: String,
}

/// A response.
#[derive(Debug)]
pub(crate) struct Response {
    pub(crate) status: u16,
    pub(crate) body: String,
}

impl Api {
    pub(crate) fn new(variables: &Value) -> Self {
        let variable = |name: &str| variables[name].as_str().unwrap().to_owned();
        let endpoint = variable("AWS_ENDPOINT_URL");
        Self {
            address: endpoint.strip_prefix("http://").unwrap().to_owned(),
            access_key: variable("AWS_ACCESS_KEY_ID"),
            secret: variable("AWS_SECRET_ACCESS_KEY"),
        }
    }

    /// The same client with another secret.
    pub(crate) fn with_secret(&self, secret: &str) -> Self {
        Self {
            address: self.address.clone(),
            access_key: self.access_key.clone(),
            secret: secret.to_owned(),
        }
    }

    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    /// Calls an EC2 operation that must succeed.
    pub(crate) fn ec2(&self, action: &str, parameters: &[(&str, &str)]) -> Response {
        let response = self.call("ec2", action, parameters);
        assert_eq!(response.status, 200, "{action}: {}", response.body);
        response
    }

    /// Calls an operation.
    pub(crate) fn call(
        &self,
        service: &str,
        action: &str,
        parameters: &[(&str, &str)],
    ) -> Response {
        let mut body = format!("Action={action}&Version=2016-11-15");
        for (name, value) in parameters {
            body.push_str(&format!("&{}={}", encode(name), encode(value)));
        }
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let mut headers = vec![
            pair("host", &self.address),
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
            region: "us-west-2",
            service,
        };
        let now = SystemTime::now()
            .duration_since(SystemTime::UNIX_EPOCH)
            .unwrap();
        let signed = sign(&signable, &key, i64::try_from(now.as_secs()).unwrap());
        headers.extend(signed);
        self.send("POST", &headers, &body)
    }

    /// Sends a request as it is.
    pub(crate) fn send(&self, method: &str, headers: &[(String, String)], body: &str) -> Response {
        let mut request = format!("{method} / HTTP/1.1\r\nconnection: close\r\n");
        for (name, value) in headers {
            request.push_str(&format!("{name}: {value}\r\n"));
        }
        request.push_str(&format!("content-length: {}\r\n\r\n{body}", body.len()));
        self.send_raw(request.as_bytes())
    }

    /// Sends bytes, says that no more come, and reads what the lab may answer.
    pub(crate) fn send_and_hang_up(&self, bytes: &[u8]) {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        // The lab may hang up first.
        let _ = stream.write_all(bytes);
        let _ = stream.shutdown(std::net::Shutdown::Write);
        let _ = stream.read_to_end(&mut Vec::new());
    }

    /// Sends bytes and reads until the lab closes.
    pub(crate) fn send_raw(&self, bytes: &[u8]) -> Response {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        stream.write_all(bytes).unwrap();
        let mut response = Vec::new();
        // A lab that refuses rubbish may reset the connection.
        let _ = stream.read_to_end(&mut response);
        let response = String::from_utf8_lossy(&response).into_owned();
        let status = response
            .split(' ')
            .nth(1)
            .and_then(|status| status.parse().ok())
            .unwrap_or(0);
        let body = response
            .split_once("\r\n\r\n")
            .map_or(String::new(), |(_, body)| body.to_owned());
        Response { status, body }
    }
}

impl Response {
    /// The texts of all elements of a name, in order.
    pub(crate) fn all(&self, element: &str) -> Vec<String> {
        let (open, close) = (format!("<{element}>"), format!("</{element}>"));
        self.body
            .split(&open)
            .skip(1)
            .filter_map(|rest| Some(rest.split_once(&close)?.0.to_owned()))
            .collect()
    }

    /// The text of the first element of a name.
    pub(crate) fn one(&self, element: &str) -> String {
        let all = self.all(element);
        all.into_iter()
            .next()
            .unwrap_or_else(|| panic!("no <{element}> in {}", self.body))
    }
}
