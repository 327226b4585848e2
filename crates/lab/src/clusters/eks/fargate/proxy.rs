//! A machine's service proxy: Fargate runs it beside the pod, since no daemon set does there.
//!
//! It calls the API as the machine's role, which the cluster knows as one of `system:node-proxier`.

use super::super::PORT;
use super::super::nodeadm::Session;
use kernel::guest::{ExecError, Guest, GuestCommand, GuestProcess};
use kube_client::Tokens as _;
use serde_json::{Value, json};
use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// Where programs look for a token and for whom to trust.
const ACCOUNT: &str = "/var/run/secrets/kubernetes.io/serviceaccount";
/// The role's tokens are good for a minute; a new one is there well before.
const RENEWAL: Duration = Duration::from_secs(20);

/// Why there is no service proxy.
#[derive(Debug, thiserror::Error)]
pub(super) enum ProxyError {
    #[error(transparent)]
    Files(#[from] io::Error),
    #[error(transparent)]
    Start(#[from] ExecError),
}

/// What lets Fargate's service proxies look at services.
/// <https://kubernetes.io/docs/reference/access-authn-authz/rbac/#other-component-roles>
pub(in crate::clusters::eks) fn rights() -> Vec<Value> {
    let (api, name) = ("rbac.authorization.k8s.io", "system:node-proxier");
    let rule = |group: &str, resources: &[&str], verbs: &[&str]| json!({"apiGroups": [group], "resources": resources, "verbs": verbs});
    let looks = ["get", "list", "watch"];
    vec![
        json!({
            "apiVersion": format!("{api}/v1"), "kind": "ClusterRole", "metadata": {"name": name},
            "rules": [
                rule("", &["services", "endpoints", "nodes"], &looks),
                rule("discovery.k8s.io", &["endpointslices"], &looks),
                rule("", &["events"], &["create", "patch", "update"]),
            ],
        }),
        json!({
            "apiVersion": format!("{api}/v1"), "kind": "ClusterRoleBinding",
            "metadata": {"name": "eks:kube-proxy-fargate"},
            "roleRef": {"apiGroup": api, "kind": "ClusterRole", "name": name},
            "subjects": [{"apiGroup": api, "kind": "Group", "name": name}],
        }),
    ]
}

/// A machine's service proxy. It ends with the machine.
pub(super) struct ServiceProxy {
    guest: Arc<Guest>,
    session: Arc<Session>,
    _process: GuestProcess,
}

impl ServiceProxy {
    /// Starts it.
    ///
    /// # Errors
    /// The machine refuses.
    pub(super) fn begin(
        guest: Arc<Guest>,
        session: Arc<Session>,
        node: &str,
        (host, authority): (&str, &str),
    ) -> Result<Self, ProxyError> {
        write(&guest, "ca.crt", authority)?;
        write(&guest, "token", &session.token()?)?;
        let variables = [
            ("KUBERNETES_SERVICE_HOST", host.to_owned()),
            ("KUBERNETES_SERVICE_PORT", PORT.to_string()),
        ];
        let words = ["skylab", "kube-proxy", "--hostname-override", node];
        let command = GuestCommand {
            arguments: words.map(str::to_owned).to_vec(),
            environment: variables
                .map(|(name, value)| (name.to_owned(), value))
                .to_vec(),
            directory: "/".to_owned(),
        };
        let streams = [nothing()?, nothing()?, nothing()?];
        let process = guest.exec(&command, streams)?;
        Ok(Self {
            guest,
            session,
            _process: process,
        })
    }

    /// Keeps its token fresh until the task is ended.
    pub(super) async fn keep(&self) {
        loop {
            tokio::time::sleep(RENEWAL).await;
            let token = self.session.token();
            if let Err(error) = token.and_then(|token| write(&self.guest, "token", &token)) {
                tracing::debug!(%error, "a service proxy's token is not renewed");
            }
        }
    }
}

fn write(guest: &Guest, name: &str, contents: &str) -> io::Result<()> {
    let file = Path::new(ACCOUNT).join(name);
    guest.files().write(&file, contents.as_bytes(), 0o600)
}

fn nothing() -> io::Result<OwnedFd> {
    let opened = File::options().read(true).write(true).open("/dev/null");
    Ok(opened?.into())
}
