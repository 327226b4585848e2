//! A node's role at work: signed requests to AWS, and the tokens by which it calls the cluster.
//!
//! A token is the address of a signed `sts:GetCallerIdentity` request; whoever checks it sends the request.
//! <https://docs.aws.amazon.com/eks/latest/userguide/cluster-auth.html>

use super::imds::{Credentials, Metadata, MetadataError};
use crate::caller::{CallError, Caller};
use crate::cloud::unix_time;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use http::{Method, Request};
use std::io;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use wire::sigv4::{Key, Presigned, Signable, presign, sign};

/// What tokens begin with.
pub(in crate::clusters::eks) const TOKEN: &str = "k8s-aws-v1.";
/// The header that says for which cluster a token is.
pub(in crate::clusters::eks) const CLUSTER: &str = "x-k8s-aws-id";
/// How long the address in a token is good, in seconds.
const LIFETIME: u32 = 60;
/// How often the role's credentials are read again; they are renewed long before they end.
const RENEWAL: Duration = Duration::from_secs(300);

/// Why AWS doesn't answer.
#[derive(Debug, thiserror::Error)]
pub(in crate::clusters::eks) enum AwsError {
    /// It isn't reached.
    #[error("{service}: {source}")]
    Call {
        /// The service.
        service: &'static str,
        /// What happened.
        source: CallError,
    },
    /// It refuses.
    #[error("{service}: HTTP status {status}: {answer}")]
    Refused {
        /// The service.
        service: &'static str,
        /// The status.
        status: u16,
        /// The words.
        answer: String,
    },
}

/// A node's role.
pub(in crate::clusters::eks) struct Session {
    caller: Caller,
    region: String,
    cluster: String,
    credentials: Mutex<Credentials>,
}

impl Session {
    /// A role's session for a cluster of a region.
    pub(in crate::clusters::eks) fn new(
        caller: Caller,
        region: &str,
        cluster: &str,
        credentials: Credentials,
    ) -> Self {
        Self {
            caller,
            region: region.to_owned(),
            cluster: cluster.to_owned(),
            credentials: Mutex::new(credentials),
        }
    }

    fn credentials(&self) -> Credentials {
        let held = self.credentials.lock();
        held.unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Reads the credentials again and again, until the task is ended.
    pub(in crate::clusters::eks) async fn renew(&self) {
        loop {
            tokio::time::sleep(RENEWAL).await;
            match self.read().await {
                Ok(fresh) => {
                    let held = self.credentials.lock();
                    *held.unwrap_or_else(PoisonError::into_inner) = fresh;
                }
                Err(error) => tracing::debug!(%error, "a node's credentials are not renewed"),
            }
        }
    }

    async fn read(&self) -> Result<Credentials, MetadataError> {
        let metadata = Metadata::begin(&self.caller).await?;
        metadata.credentials().await
    }

    /// Calls an operation of EC2 by its query.
    pub(super) async fn ec2(&self, query: &str) -> Result<String, AwsError> {
        let form = [(
            "content-type",
            "application/x-www-form-urlencoded; charset=utf-8",
        )];
        let host = format!("ec2.{}.amazonaws.com", self.region);
        self.call("ec2", &host, Method::POST, "/", (&form, query))
            .await
    }

    /// Gets what is at a path of EKS.
    pub(super) async fn eks(&self, path: &str) -> Result<String, AwsError> {
        let host = format!("eks.{}.amazonaws.com", self.region);
        self.call("eks", &host, Method::GET, path, (&[], "")).await
    }

    /// Asks for a password of a region's container registries.
    pub(super) async fn ecr_token(&self, region: &str) -> Result<String, AwsError> {
        let operation = [
            ("content-type", "application/x-amz-json-1.1"),
            (
                "x-amz-target",
                "AmazonEC2ContainerRegistry_V20150921.GetAuthorizationToken",
            ),
        ];
        let host = format!("api.ecr.{region}.amazonaws.com");
        self.call("ecr", &host, Method::POST, "/", (&operation, "{}"))
            .await
    }

    async fn call(
        &self,
        service: &'static str,
        host: &str,
        method: Method,
        path: &str,
        (more, body): (&[(&str, &str)], &str),
    ) -> Result<String, AwsError> {
        let held = self.credentials();
        let mut headers = vec![
            ("host".to_owned(), host.to_owned()),
            ("x-amz-security-token".to_owned(), held.token.clone()),
        ];
        let more = more.iter();
        headers.extend(more.map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        let signable = Signable {
            method: method.as_str(),
            path,
            query: "",
            headers: &headers,
            body: body.as_bytes(),
        };
        let signed = sign(&signable, &self.key(&held, service), unix_time());
        headers.extend(signed);
        let mut request = Request::builder()
            .method(&method)
            .uri(format!("https://{host}{path}"));
        for (name, value) in headers.iter().filter(|(name, _)| name != "host") {
            request = request.header(name, value);
        }
        let request = request
            .body(Bytes::copy_from_slice(body.as_bytes()))
            .map_err(|_| AwsError::Call {
                service,
                source: CallError::Address(host.to_owned()),
            })?;
        let answer = self.caller.send(request).await;
        let answer = answer.map_err(|source| AwsError::Call { service, source })?;
        let text = String::from_utf8_lossy(answer.body()).into_owned();
        if answer.status().is_success() {
            return Ok(text);
        }
        Err(AwsError::Refused {
            service,
            status: answer.status().as_u16(),
            answer: text,
        })
    }

    fn key<'a>(&'a self, held: &'a Credentials, service: &'a str) -> Key<'a> {
        Key {
            access_key: &held.access_key_id,
            secret: &held.secret_access_key,
            region: &self.region,
            service,
        }
    }
}

impl kube_client::Tokens for Session {
    fn token(&self) -> io::Result<String> {
        let held = self.credentials();
        let headers = [(CLUSTER.to_owned(), self.cluster.clone())];
        let request = Presigned {
            host: &format!("sts.{}.amazonaws.com", self.region),
            query: "Action=GetCallerIdentity&Version=2011-06-15",
            headers: &headers,
            session: Some(&held.token),
            lifetime: LIFETIME,
        };
        let address = presign(&request, &self.key(&held, "sts"), unix_time());
        Ok(format!("{TOKEN}{}", URL_SAFE_NO_PAD.encode(address)))
    }
}
