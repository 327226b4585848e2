//! What is told of a pod, and how it is written.

use super::container_status::close;
use super::{Ending, Lifecycle, Scene, condition, phase};
use crate::pod::{ContainerStatus, Pod, PodStatus, Role, State};
use serde_json::{Value, json};

impl Lifecycle {
    /// The pod's status as it is now.
    pub(super) fn status_of(&self, scene: &Scene<'_>) -> PodStatus {
        let before = &self.status;
        let mut status = PodStatus {
            start_time: before.start_time.clone(),
            host_ip: scene.host.to_string(),
            reason: before.reason.clone(),
            message: before.message.clone(),
            ..PodStatus::default()
        };
        if self.rejected.is_none() {
            let of = |roles: &[Role]| self.container_statuses(scene, before, roles);
            status.init_container_statuses = of(&[Role::Init, Role::Sidecar]);
            status.container_statuses = of(&[Role::Main]);
            status.ephemeral_container_statuses = of(&[Role::Ephemeral]);
        }
        let sandbox = scene.seen.sandbox();
        let address = sandbox.and_then(|sandbox| sandbox.address);
        status.pod_ip = match address {
            Some(address) => address.to_string(),
            None if self.ending.is_some() => before.pod_ip.clone(),
            None if scene.pod.spec.host_network => status.host_ip.clone(),
            None => String::new(),
        };
        self.fill_phase(scene, &mut status);
        status.conditions = condition::all(
            scene.pod,
            &status,
            &before.conditions,
            sandbox.is_some(),
            self.ending.as_ref().and_then(Ending::disrupted),
            scene.now,
        );
        status
    }

    fn fill_phase(&self, scene: &Scene<'_>, status: &mut PodStatus) {
        let before = &self.status;
        let over = self.ending.is_some();
        let failure = self.ending.as_ref().and_then(|e| e.failure.as_ref());
        let lost = |phase: &str| matches!(phase, "Succeeded" | "Failed");
        status.phase = phase::of(scene.pod, status, over).to_owned();
        if let Some((reason, message)) = failure {
            status.phase = "Failed".to_owned();
            status.reason.clone_from(reason);
            status.message.clone_from(message);
        } else if lost(&before.phase) {
            // Nothing leads out of these.
            status.phase.clone_from(&before.phase);
        }
        let settled = scene.seen.running().next().is_none();
        if over && settled && lost(&status.phase) && self.rejected.is_none() {
            let began = status.container_statuses.iter().any(began);
            if began {
                close(&mut status.init_container_statuses);
                close(&mut status.container_statuses);
            }
        }
    }
}

/// Whether a container was ever made.
fn began(status: &ContainerStatus) -> bool {
    let ended = |state: &Option<State>| matches!(state, Some(State::Terminated(_)));
    !status.container_id.is_empty() || ended(&status.state) || ended(&status.last_state)
}

/// A status as the API has it: a strategic merge patch that leaves nothing of what was said before.
pub(crate) fn patch(pod: &Pod, status: &PodStatus) -> Value {
    let said = |text: &str| {
        if text.is_empty() {
            Value::Null
        } else {
            Value::from(text)
        }
    };
    // Lists of addresses merge by address; only a new list takes the old ones away.
    let addresses = |address: &str| {
        if address.is_empty() {
            Value::Null
        } else {
            json!([{"$patch": "replace"}, {"ip": address}])
        }
    };
    let containers = |statuses: &[ContainerStatus]| {
        if statuses.is_empty() {
            return Value::Null;
        }
        let written = statuses.iter().map(|status| {
            let mut written = serde_json::to_value(status).unwrap_or_default();
            if written["lastState"].is_null() {
                written["lastState"] = json!({});
            }
            written
        });
        Value::Array(written.collect())
    };
    let conditions = status.conditions.iter();
    let conditions: Vec<_> = conditions.filter(|of| condition::is_ours(of)).collect();
    json!({
        "metadata": {"uid": pod.metadata.uid},
        "status": {
            "phase": status.phase,
            "reason": said(&status.reason),
            "message": said(&status.message),
            "startTime": status.start_time,
            "hostIP": said(&status.host_ip),
            "hostIPs": addresses(&status.host_ip),
            "podIP": said(&status.pod_ip),
            "podIPs": addresses(&status.pod_ip),
            "qosClass": pod.qos().as_str(),
            "conditions": conditions,
            "initContainerStatuses": containers(&status.init_container_statuses),
            "containerStatuses": containers(&status.container_statuses),
            "ephemeralContainerStatuses": containers(&status.ephemeral_container_statuses),
        },
    })
}
