//! EC2's API, as much of it as the agent calls: signed queries.
//! <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/Query-Requests.html>

mod interface;
mod xml;

use crate::http::{Http, HttpError, Origin};
use crate::imds::Imds;
pub use aws_client::instance::CredentialsError;
use aws_client::instance::Keys;
use http::Method;
pub use interface::{Described, NewInterface, Subnet};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};
use wire::query::encode;
use wire::sigv4::{Key, Signable, sign};
use xml::Element;

const VERSION: &str = "2016-11-15";

/// The tag of an interface with the id of the instance whose agent made it.
pub const INSTANCE_TAG: &str = "node.k8s.amazonaws.com/instance_id";
/// The tag with when that was.
pub const CREATED_TAG: &str = "node.k8s.amazonaws.com/createdAt";
/// The tag that tells agents to leave an interface alone.
pub const UNMANAGED_TAG: &str = "node.k8s.amazonaws.com/no_manage";
/// The tag with the cluster's name.
pub const CLUSTER_TAG: &str = "cluster.k8s.amazonaws.com/name";
/// The tag that says to EKS whose an interface is.
pub const OWNER_TAG: &str = "eks:eni:owner";
/// The tag of subnets that interfaces may be made in.
pub const SUBNET_TAG: &str = "kubernetes.io/role/cni";

/// Why a call failed.
#[derive(Debug, thiserror::Error)]
pub enum Ec2Error {
    /// There is nothing to sign with.
    #[error("operation error EC2: {operation}, get identity: get credentials: {source}")]
    Credentials {
        /// The operation.
        operation: &'static str,
        /// Why.
        source: CredentialsError,
    },
    /// EC2 can't be reached.
    #[error("operation error EC2: {operation}, {source}")]
    Http {
        /// The operation.
        operation: &'static str,
        /// Why.
        source: HttpError,
    },
    /// EC2 refuses.
    #[error(
        "operation error EC2: {operation}, https response error StatusCode: {status}, api error {code}: {message}"
    )]
    Refused {
        /// The operation.
        operation: &'static str,
        /// The status.
        status: u16,
        /// EC2's code.
        code: String,
        /// EC2's words.
        message: String,
    },
}

impl Ec2Error {
    /// EC2's code, if it answered with one.
    pub fn code(&self) -> Option<&str> {
        match self {
            Self::Refused { code, .. } => Some(code),
            _ => None,
        }
    }

    /// Which operation failed.
    pub fn operation(&self) -> &'static str {
        match self {
            Self::Credentials { operation, .. }
            | Self::Http { operation, .. }
            | Self::Refused { operation, .. } => operation,
        }
    }
}

/// How often an operation was called, and how often it failed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Count {
    /// Calls.
    pub calls: u64,
    /// Those that failed.
    pub errors: u64,
}

/// A client in one region.
#[derive(Debug)]
pub struct Ec2 {
    http: Http,
    origin: Origin,
    region: String,
    keys: Keys,
    counts: Mutex<BTreeMap<&'static str, Count>>,
}

/// Parameters as they are named on the wire (`Filter.1.Name`).
type Parameters = Vec<(String, String)>;

fn parameter(name: impl Into<String>, value: impl ToString) -> (String, String) {
    (name.into(), value.to_string())
}

impl Ec2 {
    /// At an address, or where the region's endpoint is for everybody.
    ///
    /// # Errors
    /// The address isn't one.
    pub fn new(
        http: Http,
        imds: Arc<Imds>,
        region: &str,
        address: Option<&str>,
    ) -> Result<Self, HttpError> {
        let default = || format!("https://ec2.{region}.amazonaws.com");
        let address = address.map_or_else(default, str::to_owned);
        Ok(Self {
            http,
            origin: Origin::parse(&address)?,
            region: region.to_owned(),
            keys: Keys::new(imds),
            counts: Mutex::new(BTreeMap::new()),
        })
    }

    /// How often each operation was called.
    pub fn counts(&self) -> BTreeMap<&'static str, Count> {
        let counts = self.counts.lock();
        counts.unwrap_or_else(PoisonError::into_inner).clone()
    }

    async fn call(
        &self,
        operation: &'static str,
        parameters: Parameters,
    ) -> Result<Element, Ec2Error> {
        let outcome = self.attempt(operation, parameters).await;
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        let count = counts.entry(operation).or_default();
        count.calls += 1;
        count.errors += u64::from(outcome.is_err());
        outcome
    }

    async fn attempt(
        &self,
        operation: &'static str,
        parameters: Parameters,
    ) -> Result<Element, Ec2Error> {
        let mut body = format!("Action={operation}&Version={VERSION}");
        for (name, value) in parameters {
            body.push_str(&format!("&{}={}", encode(&name), encode(&value)));
        }
        let headers = self.signed(&body).await;
        let headers = headers.map_err(|source| Ec2Error::Credentials { operation, source })?;
        let sent = self
            .http
            .send(&self.origin, Method::POST, "/", &headers, body);
        let answer = sent
            .await
            .map_err(|source| Ec2Error::Http { operation, source })?;
        let document = Element::parse(&answer.text);
        if answer.status == 200 {
            return Ok(document);
        }
        let said = |name: &str| document.deep(name).map(|found| found.own_text().to_owned());
        Err(Ec2Error::Refused {
            operation,
            status: answer.status,
            code: said("Code").unwrap_or_default(),
            message: said("Message").unwrap_or_default(),
        })
    }

    /// The headers of a signed request.
    async fn signed(&self, body: &str) -> Result<Parameters, CredentialsError> {
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        let now = i64::try_from(now.as_secs()).unwrap_or(i64::MAX);
        let keys = self.keys.current(now).await?;
        let mut headers = vec![
            parameter("host", self.origin.authority()),
            parameter("content-type", "application/x-www-form-urlencoded"),
            parameter("x-amz-security-token", &keys.token),
        ];
        let signable = Signable {
            method: "POST",
            path: "/",
            query: "",
            headers: &headers,
            body: body.as_bytes(),
        };
        let key = Key {
            access_key: &keys.access_key_id,
            secret: &keys.secret_access_key,
            region: &self.region,
            service: "ec2",
        };
        let signature = sign(&signable, &key, now);
        headers.extend(signature);
        Ok(headers)
    }
}
