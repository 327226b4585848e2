//! Kubeconfig files: they work alone, with no environment.
//!
//! <https://kubernetes.io/docs/concepts/configuration/organize-cluster-access-kubeconfig/>

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

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
    /// Who uses it.
    pub user: KubeUser,
}

/// How a client of a cluster shows who it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum KubeUser {
    /// By a token: the administrator's.
    Token(String),
    /// As the principal of IAM whose keys the client has, by `aws eks get-token`.
    Iam {
        /// The cluster's region.
        region: String,
        /// The cluster's name.
        cluster: String,
    },
}

impl Kubeconfig {
    /// As a file. `environment` is what the cloud's own tool needs to find the lab and its keys. JSON is YAML too, and
    /// no text in it needs YAML's quoting rules.
    pub fn file(&self, environment: &[(&str, String)]) -> String {
        let name = &self.name;
        let mut cluster = json!({
            "server": self.server,
            "certificate-authority-data": STANDARD.encode(&self.authority),
        });
        if let Some(proxy) = &self.proxy {
            cluster["proxy-url"] = proxy.as_str().into();
        }
        let config = json!({
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": name, "cluster": cluster}],
            "users": [{"name": name, "user": self.user.value(environment)}],
            "contexts": [{"name": name, "context": {"cluster": name, "user": name}}],
            "current-context": name,
        });
        let mut text = serde_json::to_string_pretty(&config).unwrap_or_default();
        text.push('\n');
        text
    }
}

impl KubeUser {
    fn value(&self, environment: &[(&str, String)]) -> Value {
        match self {
            Self::Token(token) => json!({"token": token}),
            // As `aws eks update-kubeconfig` writes it.
            Self::Iam { region, cluster } => json!({"exec": {
                "apiVersion": "client.authentication.k8s.io/v1beta1",
                "command": "aws",
                "args": [
                    "--region", region, "eks", "get-token", "--cluster-name", cluster, "--output", "json",
                ],
                "env": environment
                    .iter()
                    .map(|(name, value)| json!({"name": name, "value": value}))
                    .collect::<Vec<_>>(),
                "interactiveMode": "Never",
            }}),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// OPS-CLI: a kubeconfig works alone; an EKS cluster's asks `aws` for tokens, with the lab's keys.
    #[test]
    fn a_file_has_all_that_it_needs() {
        let mut config = Kubeconfig {
            name: "demo".to_owned(),
            server: "https://x".to_owned(),
            proxy: Some("socks5://127.0.0.1:1".to_owned()),
            authority: "PEM".to_owned(),
            user: KubeUser::Token("t".to_owned()),
        };
        let read = |config: &Kubeconfig| -> Value {
            let keys = [("AWS_ACCESS_KEY_ID", "AKIA".to_owned())];
            serde_json::from_str(&config.file(&keys)).unwrap()
        };
        let file = read(&config);
        assert_eq!(file["users"][0]["user"], json!({"token": "t"}));
        assert_eq!(
            file["clusters"][0]["cluster"]["proxy-url"],
            "socks5://127.0.0.1:1"
        );
        config.user = KubeUser::Iam {
            region: "us-west-2".to_owned(),
            cluster: "demo".to_owned(),
        };
        let exec = &read(&config)["users"][0]["user"]["exec"];
        assert_eq!(exec["command"], "aws");
        assert_eq!(
            exec["env"][0],
            json!({"name": "AWS_ACCESS_KEY_ID", "value": "AKIA"})
        );
    }
}
