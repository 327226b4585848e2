//! Every namespace has a service account and the cluster's certificate.
//!
//! <https://kubernetes.io/docs/reference/access-authn-authz/service-accounts-admin/>

use crate::api::Status;
use crate::client::{Client, resource};
use crate::object;
use crate::store::Key;
use serde_json::{Value, json};

/// The config map with the certificate.
const ROOT: &str = "kube-root-ca.crt";

pub(super) async fn reconcile(client: &Client, namespace: &str) -> Result<(), Status> {
    let published = client.cluster().now();
    let store = &published.store;
    let active = store
        .get(&Key::new("namespaces", "", namespace))
        .is_some_and(|found| !object::is_terminating(found));
    if !active {
        return Ok(());
    }
    let metadata = |name: &str| json!({"name": name, "namespace": namespace});
    if store
        .get(&Key::new("serviceaccounts", namespace, "default"))
        .is_none()
    {
        let account = json!({
            "apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata("default"),
        });
        create(client, "serviceaccounts", &account).await?;
    }
    let data = json!({"ca.crt": client.cluster().settings().authority});
    match store.get(&Key::new("configmaps", namespace, ROOT)) {
        None => {
            let map = json!({
                "apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata(ROOT), "data": data,
            });
            create(client, "configmaps", &map).await
        }
        Some(map) if map["data"] != data => {
            let kind = resource("configmaps").ok_or_else(Status::no_such_path)?;
            let patch = json!({"data": data});
            client.patch(kind, namespace, ROOT, &patch).await.map(drop)
        }
        Some(_) => Ok(()),
    }
}

async fn create(client: &Client, kind: &str, object: &Value) -> Result<(), Status> {
    let kind = resource(kind).ok_or_else(Status::no_such_path)?;
    match client.create(kind, object).await {
        // Somebody was faster, or the namespace goes meanwhile.
        Err(status) if ![403, 404, 409].contains(&status.code) => Err(status),
        _ => Ok(()),
    }
}
