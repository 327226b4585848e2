//! The agent that enforces network policies on a node.
//! <https://kubernetes.io/docs/concepts/services-networking/network-policies/>

use crate::AgentError;
use crate::feed::{Difference, differences};
use kernel::node::PolicyAgent;
use kube_client::{Client, Mirror, Objects};
use service_proxy::policies::Compiler;
use std::time::Duration;
use tokio::time::sleep;

/// Changes that come within this time are obeyed together.
const GATHER: Duration = Duration::from_millis(5);
/// After the kernel refused, it is tried again.
const RETRY: Duration = Duration::from_secs(1);
/// With nothing to wait for, the agent wakes this often.
const IDLE: Duration = Duration::from_secs(3600);

/// Runs a node's agent until the process ends.
///
/// # Errors
/// The kernel gives no access.
pub async fn run(client: Client, node: &str) -> Result<(), AgentError> {
    let mut pods = Mirror::start(client.clone(), "/api/v1/pods");
    let mut namespaces = Mirror::start(client.clone(), "/api/v1/namespaces");
    let mut policies = Mirror::start(client, "/apis/networking.k8s.io/v1/networkpolicies");
    let mut agent = PolicyAgent::here()?;
    let mut known = Known::default();
    known.namespaces(&*namespaces.ready().await);
    known.policies(&*policies.ready().await);
    known.pods(&*pods.ready().await);
    loop {
        let again = match agent.apply(&known.compiler.on(node)) {
            Ok(applied) => {
                tracing::debug!(changes = applied.changes, "obeyed");
                IDLE
            }
            Err(error) => {
                tracing::error!(%error, "the kernel does not obey the policies; trying again");
                RETRY
            }
        };
        tokio::select! {
            _ = pods.changed() => {}
            _ = namespaces.changed() => {}
            _ = policies.changed() => {}
            () = sleep(again) => {}
        }
        sleep(GATHER).await;
        for (mirror, learn) in [
            (&namespaces, Known::namespaces as fn(&mut Known, &Objects)),
            (&policies, Known::policies),
            (&pods, Known::pods),
        ] {
            if let Some(now) = mirror.now() {
                learn(&mut known, &now);
            }
        }
    }
}

/// What the compiler was told.
#[derive(Default)]
struct Known {
    compiler: Compiler,
    pods: Objects,
    namespaces: Objects,
    policies: Objects,
}

impl Known {
    fn pods(&mut self, now: &Objects) {
        for difference in differences(&self.pods, now) {
            match difference {
                Difference::Is(object) => self.compiler.pod(object),
                Difference::Gone(namespace, name) => self.compiler.pod_gone(namespace, name),
            }
        }
        self.pods = now.clone();
    }

    fn namespaces(&mut self, now: &Objects) {
        for difference in differences(&self.namespaces, now) {
            match difference {
                Difference::Is(object) => self.compiler.namespace(object),
                Difference::Gone(_, name) => self.compiler.namespace_gone(name),
            }
        }
        self.namespaces = now.clone();
    }

    fn policies(&mut self, now: &Objects) {
        for difference in differences(&self.policies, now) {
            match difference {
                Difference::Is(object) => self.compiler.policy(object),
                Difference::Gone(namespace, name) => self.compiler.policy_gone(namespace, name),
            }
        }
        self.policies = now.clone();
    }
}
