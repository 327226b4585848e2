//! A node's way into Elastic Container Registry: as its role, with a password for a while.
//!
//! <https://github.com/kubernetes/cloud-provider-aws/tree/master/cmd/ecr-credential-provider>

use super::session::Session;
use crate::clusters::node::RegistryLogin;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use cri::Credentials;
use std::sync::Arc;
use tokio::runtime::Handle;

/// A node's role at registries.
pub(super) struct RoleLogin {
    pub(super) session: Arc<Session>,
    pub(super) runtime: Handle,
}

impl RegistryLogin for RoleLogin {
    fn credentials(&self, domain: &str) -> Option<Credentials> {
        let (_, region) = crate::names::registry(domain)?;
        // Images are pulled by threads of their own, which may wait.
        let answer = self.runtime.block_on(self.session.ecr_token(region));
        let answer = match answer {
            Ok(answer) => answer,
            Err(error) => {
                tracing::info!(domain, %error, "no password for the registry");
                return None;
            }
        };
        let answer: serde_json::Value = serde_json::from_str(&answer).ok()?;
        let token = answer["authorizationData"][0]["authorizationToken"].as_str()?;
        let text = String::from_utf8(STANDARD.decode(token).ok()?).ok()?;
        let (username, password) = text.split_once(':')?;
        Some(Credentials {
            username: username.to_owned(),
            password: password.to_owned(),
        })
    }
}
