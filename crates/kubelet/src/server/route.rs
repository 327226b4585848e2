//! Which path is answered by what.

use super::Server;
use super::answer::{Body, document, respond, text, whole};
use super::{metrics, summary};
use crate::lifecycle::{Instance, patch};
use crate::roster::Resident;
use http::{Method, Response, StatusCode};
use hyper::Request;
use hyper::body::Incoming;
use serde_json::{Value, json};
use std::time::SystemTime;

/// A container that a path names.
#[derive(Debug)]
pub(super) struct Place {
    pub(super) resident: Resident,
    pub(super) container: String,
}

impl Place {
    /// The instance that runs.
    pub(super) fn running(&self) -> Option<&Instance> {
        let seen = &self.resident.seen;
        seen.latest(&self.container)
            .filter(|instance| instance.running())
    }

    /// What is answered where none runs.
    pub(super) fn missing(&self) -> Response<Body> {
        let words = format!("container not found ({:?})", self.container);
        text(StatusCode::NOT_FOUND, words)
    }
}

impl Server {
    pub(super) async fn route(&self, request: Request<Incoming>) -> Response<Body> {
        let path = request.uri().path().to_owned();
        let parts: Vec<&str> = path.split('/').skip(1).collect();
        let get = request.method() == Method::GET;
        match parts[..] {
            ["healthz"] if get => text(StatusCode::OK, "ok"),
            ["pods" | "runningpods"] if get => document(&self.pods()),
            ["metrics", "resource"] if get => {
                let usage = self.meter.read(&self.shared, &self.roster).await;
                let told = metrics::told(&usage, SystemTime::now());
                let form = "text/plain; version=0.0.4; charset=utf-8";
                respond(StatusCode::OK, form, whole(told))
            }
            ["stats", "summary"] if get => {
                let usage = self.meter.read(&self.shared, &self.roster).await;
                let node = &self.shared.config.name;
                document(&summary::told(node, &usage, SystemTime::now()))
            }
            ["containerLogs", namespace, pod, container] if get => {
                match self.roster.find(namespace, pod) {
                    Some(resident) => self.logs(&request, &resident, container).await,
                    None => {
                        let words = format!("pod {pod:?} not found\n");
                        text(StatusCode::NOT_FOUND, words)
                    }
                }
            }
            ["exec", namespace, pod, container] => {
                self.at(namespace, pod, "", container, request, Self::exec)
                    .await
            }
            ["exec", namespace, pod, uid, container] => {
                self.at(namespace, pod, uid, container, request, Self::exec)
                    .await
            }
            ["attach", namespace, pod, container] => {
                self.at(namespace, pod, "", container, request, Self::attach)
                    .await
            }
            ["attach", namespace, pod, uid, container] => {
                self.at(namespace, pod, uid, container, request, Self::attach)
                    .await
            }
            ["run", namespace, pod, container] => {
                self.at(namespace, pod, "", container, request, Self::run)
                    .await
            }
            ["run", namespace, pod, uid, container] => {
                self.at(namespace, pod, uid, container, request, Self::run)
                    .await
            }
            ["portForward", namespace, pod] => {
                self.at(namespace, pod, "", "", request, Self::forward)
                    .await
            }
            ["portForward", namespace, pod, uid] => {
                self.at(namespace, pod, uid, "", request, Self::forward)
                    .await
            }
            _ => text(StatusCode::NOT_FOUND, "404 page not found\n"),
        }
    }

    /// Answers a request about a container by a function.
    async fn at(
        &self,
        namespace: &str,
        pod: &str,
        uid: &str,
        container: &str,
        request: Request<Incoming>,
        answer: impl AsyncFn(&Self, Request<Incoming>, Place) -> Response<Body>,
    ) -> Response<Body> {
        let found = self.roster.find(namespace, pod);
        let found = found.filter(|found| uid.is_empty() || found.wanted.pod.metadata.uid == uid);
        match found {
            Some(resident) => {
                let place = Place {
                    resident,
                    container: container.to_owned(),
                };
                answer(self, request, place).await
            }
            None => text(StatusCode::NOT_FOUND, "pod does not exist"),
        }
    }

    /// The node's pods, with the statuses that the kubelet knows.
    fn pods(&self) -> Value {
        let pods = self.roster.all().into_iter().map(|resident| {
            let mut pod = (*resident.wanted.object).clone();
            let mut status = patch(&resident.wanted.pod, &resident.status)["status"].take();
            for addresses in ["hostIPs", "podIPs"] {
                if let Some(list) = status[addresses].as_array_mut() {
                    list.retain(|address| address["$patch"].is_null());
                }
            }
            pod["status"] = status;
            pod
        });
        let pods: Vec<Value> = pods.collect();
        json!({"kind": "PodList", "apiVersion": "v1", "metadata": {}, "items": pods})
    }
}
