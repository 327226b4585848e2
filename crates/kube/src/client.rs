//! A caller of a cluster's API: what controllers use, with no way past it.

use crate::api::{Answer, Method, Outcome, Request, Status, User};
use crate::audit::Source;
use crate::cluster::Cluster;
use crate::resource::{Resource, built_in};
use serde_json::Value;

/// A caller.
#[derive(Clone, Debug)]
pub struct Client {
    cluster: Cluster,
    user: User,
    agent: &'static str,
}

impl Client {
    /// A part of the control plane, which may do anything; `agent` names it.
    pub fn of_control_plane(cluster: Cluster, agent: &'static str) -> Self {
        let user = User {
            name: format!("system:{agent}"),
            groups: vec![
                crate::api::rbac::MASTERS.to_owned(),
                "system:authenticated".to_owned(),
            ],
            ..User::default()
        };
        Self {
            cluster,
            user,
            agent,
        }
    }

    /// What it is called.
    pub(crate) fn agent(&self) -> &'static str {
        self.agent
    }

    /// The cluster.
    pub fn cluster(&self) -> &Cluster {
        &self.cluster
    }

    /// Sends a request with a JSON body and gives the answer's document.
    ///
    /// # Errors
    /// Kubernetes' own.
    pub async fn send(
        &self,
        method: Method,
        path: &str,
        content_type: &str,
        body: &Value,
    ) -> Result<Value, Status> {
        let sent = self.send_with(method, (path, Vec::new()), content_type, body);
        sent.await
    }

    /// As [`Client::send`], with parameters.
    async fn send_with(
        &self,
        method: Method,
        (path, query): (&str, Vec<(String, String)>),
        content_type: &str,
        body: &Value,
    ) -> Result<Value, Status> {
        let request = Request {
            method,
            path: path.to_owned(),
            query,
            content_type: content_type.to_owned(),
            accept: "application/json".to_owned(),
            user_agent: self.agent.to_owned(),
            body: serde_json::to_vec(body).map_err(Status::internal)?,
        };
        let source = Source {
            uri: path.to_owned(),
            ..Source::default()
        };
        let record = self.cluster.begin(&self.user, &request, &source);
        match self.cluster.request(&self.user, request).await {
            Ok(Outcome {
                answer: Answer::Document { body, code, .. },
                annotations,
                ..
            }) => {
                self.cluster.end(record, Ok(code), &annotations, false);
                Ok(body)
            }
            Ok(Outcome { annotations, .. }) => {
                self.cluster.end(record, Ok(200), &annotations, false);
                Ok(Value::Null)
            }
            Err(status) => {
                self.cluster.end(record, Err(&status), &[], false);
                Err(status)
            }
        }
    }

    /// Makes an object.
    ///
    /// # Errors
    /// Kubernetes' own.
    pub async fn create(&self, resource: &Resource, object: &Value) -> Result<Value, Status> {
        let path = path(resource, crate::object::namespace(object), "", "");
        self.send(Method::Post, &path, JSON, object).await
    }

    /// Puts an object, or what lies below it, in the place of the one there is.
    ///
    /// # Errors
    /// Kubernetes' own.
    pub async fn replace(
        &self,
        resource: &Resource,
        below: &str,
        object: &Value,
    ) -> Result<Value, Status> {
        let (namespace, name) = (
            crate::object::namespace(object),
            crate::object::name(object),
        );
        let path = path(resource, namespace, name, below);
        self.send(Method::Put, &path, JSON, object).await
    }

    /// Changes an object by a merge patch.
    ///
    /// # Errors
    /// Kubernetes' own.
    pub async fn patch(
        &self,
        resource: &Resource,
        namespace: &str,
        name: &str,
        patch: &Value,
    ) -> Result<Value, Status> {
        let path = path(resource, namespace, name, "");
        self.send(Method::Patch, &path, "application/merge-patch+json", patch)
            .await
    }

    /// Applies an object's fields as one of their managers; by force where others manage them too.
    /// <https://kubernetes.io/docs/reference/using-api/server-side-apply/>
    ///
    /// # Errors
    /// Kubernetes' own; 409 where others manage a field and have another value.
    pub async fn apply(
        &self,
        resource: &Resource,
        object: &Value,
        manager: &str,
        force: bool,
    ) -> Result<Value, Status> {
        let (namespace, name) = (
            crate::object::namespace(object),
            crate::object::name(object),
        );
        let path = path(resource, namespace, name, "");
        let query = [
            ("fieldManager", manager.to_owned()),
            ("force", force.to_string()),
        ];
        let query = query.map(|(name, value)| (name.to_owned(), value)).to_vec();
        let form = "application/apply-patch+yaml";
        self.send_with(Method::Patch, (&path, query), form, object)
            .await
    }

    /// Deletes an object.
    ///
    /// # Errors
    /// Kubernetes' own.
    pub async fn delete(
        &self,
        resource: &Resource,
        namespace: &str,
        name: &str,
        options: &Value,
    ) -> Result<Value, Status> {
        let path = path(resource, namespace, name, "");
        self.send(Method::Delete, &path, JSON, options).await
    }
}

const JSON: &str = "application/json";

/// A path in the API; without a name, that of all objects.
pub fn path(resource: &Resource, namespace: &str, name: &str, below: &str) -> String {
    let mut path = if resource.group.is_empty() {
        format!("/api/{}", resource.version)
    } else {
        format!("/apis/{}/{}", resource.group, resource.version)
    };
    if resource.namespaced && !namespace.is_empty() {
        path.push_str("/namespaces/");
        path.push_str(namespace);
    }
    for part in [&*resource.plural, name, below] {
        if !part.is_empty() {
            path.push('/');
            path.push_str(part);
        }
    }
    path
}

/// The built-in resource with a name over all groups, such as `deployments.apps`.
pub fn resource(qualified: &str) -> Option<&'static Resource> {
    built_in()
        .iter()
        .map(AsRef::as_ref)
        .find(|resource| resource.qualified() == qualified)
}
