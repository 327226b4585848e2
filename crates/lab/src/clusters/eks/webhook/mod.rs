//! The webhooks that EKS runs beside a cluster's API server, which change pods as they are made.
//!
//! They are ordinary ones: the cluster has their configurations, and the API server calls them over TLS on its own
//! machine. Whoever deletes a configuration has no such changes until the control plane begins anew.

mod fargate;
mod identity;
mod patch;

use super::super::manifests;
use crate::cloud::Cloud;
use aws::model::State;
use aws::model::eks::ClusterKey;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use kube::api::Status;
use kube::cluster::Cluster;
use kube::object;
use kube::store::Store;
use serde_json::{Value, json};
use std::convert::Infallible;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

/// Where they listen on the control plane's machine.
pub(super) const AT: SocketAddrV4 = SocketAddrV4::new(Ipv4Addr::LOCALHOST, 23_443);
/// No review is longer.
const LONGEST: usize = 3 << 20;
/// A caller has so long for its request.
const PATIENCE: Duration = Duration::from_secs(15);

/// A webhook that changes new pods.
struct Webhook {
    /// The name of its configuration.
    configuration: &'static str,
    /// Its own name.
    name: &'static str,
    /// Where it answers.
    path: &'static str,
    /// The label of pods that it leaves alone, if there is one.
    unless: Option<&'static str>,
    /// What it makes of a pod; `None` for one that it leaves as it is.
    change: fn(&Facts<'_>, &Value) -> Option<Value>,
}

/// All of them.
const WEBHOOKS: [Webhook; 2] = [
    Webhook {
        configuration: "0500-amazon-eks-fargate-mutation.amazonaws.com",
        name: "0500-amazon-eks-fargate-mutation.amazonaws.com",
        path: "/fargate/mutate",
        unless: None,
        change: fargate::change,
    },
    Webhook {
        configuration: "pod-identity-webhook",
        name: "iam-for-pods.amazonaws.com",
        path: "/mutate",
        unless: Some("eks.amazonaws.com/skip-pod-identity-webhook"),
        change: identity::change,
    },
];

/// What a webhook knows when it is asked.
struct Facts<'a> {
    /// The account.
    state: &'a State,
    /// The cluster.
    cluster: &'a ClusterKey,
    /// What the cluster has.
    store: &'a Store,
    /// The namespace that the pod is made in.
    namespace: &'a str,
}

/// A cluster's webhooks.
pub(super) struct Webhooks {
    /// The cluster.
    pub(super) cluster: Cluster,
    /// The account.
    pub(super) cloud: Cloud,
    /// The cluster's name there.
    pub(super) key: ClusterKey,
    /// Speaks TLS for them.
    pub(super) tls: TlsAcceptor,
}

impl Webhooks {
    /// Puts the configurations into the cluster, where they are missing; `authority` vouches for the webhooks' names.
    ///
    /// # Errors
    /// The API refuses one.
    pub(super) async fn install(&self, authority: &str) -> Result<(), Status> {
        let objects = WEBHOOKS.iter().map(|webhook| webhook.object(authority));
        manifests::install_all(&self.cluster, objects.collect()).await
    }

    /// Answers until the task is ended.
    pub(super) async fn serve(self, listener: TcpListener) {
        let this = Arc::new(self);
        loop {
            match listener.accept().await {
                Ok((stream, _)) => drop(tokio::spawn(this.clone().converse(stream))),
                Err(error) => {
                    tracing::warn!(%error, "a webhook can't accept a connection");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
            }
        }
    }

    async fn converse(self: Arc<Self>, stream: TcpStream) {
        let Ok(Ok(stream)) = tokio::time::timeout(PATIENCE, self.tls.accept(stream)).await else {
            return;
        };
        let service = service_fn(|request| {
            let this = self.clone();
            async move { Ok::<_, Infallible>(this.answer(request).await) }
        });
        // A caller that breaks off is no news.
        let _ = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(PATIENCE)
            .serve_connection(TokioIo::new(stream), service)
            .await;
    }

    async fn answer(&self, request: Request<Incoming>) -> Response<Full<Bytes>> {
        let (head, body) = request.into_parts();
        let mut all = WEBHOOKS.iter();
        let Some(webhook) = all.find(|of| of.path == head.uri.path()) else {
            return plain(StatusCode::NOT_FOUND, "404 page not found");
        };
        let read = Limited::new(body, LONGEST).collect().await;
        let review = read
            .ok()
            .and_then(|body| serde_json::from_slice::<Value>(&body.to_bytes()).ok());
        let Some(review) = review else {
            return plain(StatusCode::BAD_REQUEST, "the body is no review");
        };
        let snapshot = self.cloud.snapshot();
        let now = self.cluster.now();
        let facts = Facts {
            state: &snapshot.state,
            cluster: &self.key,
            store: &now.store,
            namespace: object::text(&review, &["request", "namespace"]),
        };
        let answer = webhook.review(&facts, &review);
        Response::new(Full::new(Bytes::from(answer.to_string())))
    }
}

impl Webhook {
    /// Its configuration.
    fn object(&self, authority: &str) -> Value {
        let selector = match self.unless {
            Some(label) => {
                json!({"matchExpressions": [{"key": label, "operator": "DoesNotExist"}]})
            }
            None => json!({}),
        };
        json!({
            "apiVersion": "admissionregistration.k8s.io/v1",
            "kind": "MutatingWebhookConfiguration",
            "metadata": {"name": self.configuration},
            "webhooks": [{
                "name": self.name,
                "admissionReviewVersions": ["v1"],
                "clientConfig": {
                    "url": format!("https://{AT}{}", self.path),
                    "caBundle": STANDARD.encode(authority),
                },
                "failurePolicy": "Ignore",
                "matchPolicy": "Equivalent",
                "namespaceSelector": {},
                "objectSelector": selector,
                "reinvocationPolicy": "IfNeeded",
                "rules": [{
                    "apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"],
                    "resources": ["pods"], "scope": "*",
                }],
                "sideEffects": "None",
                "timeoutSeconds": 10,
            }],
        })
    }

    /// The answer to a review.
    fn review(&self, facts: &Facts<'_>, review: &Value) -> Value {
        let pod = &review["request"]["object"];
        let mut response = json!({"uid": review["request"]["uid"], "allowed": true});
        if let Some(changed) = (self.change)(facts, pod) {
            let patch = patch::between(pod, &changed).to_string();
            response["patchType"] = json!("JSONPatch");
            response["patch"] = json!(STANDARD.encode(patch));
        }
        json!({
            "apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "response": response,
        })
    }
}

fn plain(status: StatusCode, text: &'static str) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from_static(text.as_bytes())));
    *response.status_mut() = status;
    response
}
