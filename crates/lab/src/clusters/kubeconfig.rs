//! Kubeconfig files: they work alone, with no environment.
//!
//! <https://kubernetes.io/docs/concepts/configuration/organize-cluster-access-kubeconfig/>

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

/// What a kubeconfig says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kubeconfig {
    /// The cluster's name; its context and user are named alike.
    pub name: String,
    /// The API's URL, inside the lab.
    pub server: String,
    /// The proxy into the lab.
    pub proxy: Option<String>,
    /// The cluster's authority's certificate, in PEM.
    pub authority: String,
    /// The administrator's token.
    pub token: String,
}

impl Kubeconfig {
    /// As a file. JSON is YAML too, and no text in it needs YAML's quoting rules.
    pub fn file(&self) -> String {
        let name = &self.name;
        let mut cluster = serde_json::json!({
            "server": self.server,
            "certificate-authority-data": STANDARD.encode(&self.authority),
        });
        if let Some(proxy) = &self.proxy {
            cluster["proxy-url"] = proxy.as_str().into();
        }
        let config = serde_json::json!({
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": name, "cluster": cluster}],
            "users": [{"name": name, "user": {"token": self.token}}],
            "contexts": [{"name": name, "context": {"cluster": name, "user": name}}],
            "current-context": name,
        });
        let mut text = serde_json::to_string_pretty(&config).unwrap_or_default();
        text.push('\n');
        text
    }
}
