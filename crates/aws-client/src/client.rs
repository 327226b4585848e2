//! A client that signs its calls with its own keys.

use crate::Aws;
use crate::credentials::Provider;
use crate::http::{Http, HttpError, Origin};
use crate::sign::signed;
use http::Method;
use serde_json::Value;
use std::time::{SystemTime, UNIX_EPOCH};
use wire::call::{Call, read};
use wire::error::ApiError;

/// A client in one region.
#[derive(Debug)]
pub struct Client {
    http: Http,
    region: String,
    keys: Provider,
}

impl Client {
    /// A client that is who the environment says.
    ///
    /// # Errors
    /// The metadata service's address isn't one.
    pub fn new(
        http: Http,
        region: &str,
        variable: impl Fn(&str) -> Option<String>,
    ) -> Result<Self, HttpError> {
        Ok(Self {
            keys: Provider::of(&http, region, variable)?,
            http,
            region: region.to_owned(),
        })
    }
}

impl Aws for Client {
    async fn call(&self, call: Call) -> Result<Value, ApiError> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        let now = i64::try_from(now.unwrap_or_default().as_secs()).unwrap_or(i64::MAX);
        let keys = self.keys.current(now).await;
        let keys = keys.map_err(|error| failed(&format!("get credentials: {error}")))?;
        let request = signed(&call, &keys, &self.region, now)?;
        let origin = Origin::parse(&format!("https://{}", request.host));
        let origin = origin.map_err(|error| failed(&error))?;
        let method: Method = request.method.parse().map_err(|error| failed(&error))?;
        let (path, headers) = (&request.path, &request.headers);
        let sent = self.http.send(&origin, method, path, headers, request.body);
        let answer = sent.await.map_err(|error| failed(&error))?;
        let kind = answer.error_type.as_deref();
        read(call.service, answer.status, kind, &answer.text)
    }
}

fn failed(error: &dyn std::fmt::Display) -> ApiError {
    ApiError::new("RequestError", error.to_string())
}
