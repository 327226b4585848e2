//! `aws-cni`: the plugin that runtimes call. It asks the agent for an address, and makes the pod's link and
//! rules.
//!
//! ```json
//! {"type": "aws-cni", "vethPrefix": "eni", "mtu": "9001", "podSGEnforcingMode": "strict"}
//! ```
//!
//! When the agent isn't there, ADD fails and DEL succeeds: the agent finds out at its next start which pods
//! are gone. CHECK is not implemented, as upstream's isn't, and configurations say so (`disableCheck`).

pub mod names;
mod pod;
mod result;

use crate::checkpoint;
use crate::rpc::client::{self, CallError};
use crate::rpc::message::*;
use crate::rpc::{HEALTH_SERVICE, SOCKET, VERSION};
use cni::{Call, Plugin, PluginError};
use pod::Pod;
use result::Attached;
use serde_json::Value;
use std::future::Future;
use std::io;
use std::path::{Path, PathBuf};

/// The file that the agent keeps assignments in, as the node sees it.
const CHECKPOINT: &str = "/var/run/aws-node/ipam.json";
const DEFAULT_MTU: u16 = 9001;

/// Runs the plugin as its runtime calls it. Gives the exit code.
pub fn main() -> i32 {
    let variable = |name: &str| std::env::var(name).ok();
    cni::run(&AwsCni::default(), variable, io::stdin(), io::stdout())
}

/// The plugin.
#[derive(Clone, Debug)]
pub struct AwsCni {
    /// The agent's socket.
    pub socket: PathBuf,
    /// The agent's file.
    pub checkpoint: PathBuf,
}

impl Default for AwsCni {
    fn default() -> Self {
        Self {
            socket: SOCKET.into(),
            checkpoint: CHECKPOINT.into(),
        }
    }
}

fn internal(message: impl ToString) -> PluginError {
    PluginError::new(PluginError::INTERNAL, message)
}

fn wait<T>(
    call: impl Future<Output = Result<T, CallError>>,
) -> Result<Result<T, CallError>, PluginError> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(internal)?;
    Ok(runtime.block_on(call))
}

fn argument<'a>(call: &'a Call, name: &str) -> &'a str {
    call.arguments.get(name).map_or("", String::as_str)
}

fn text<'a>(config: &'a Value, field: &str, default: &'a str) -> &'a str {
    config[field].as_str().unwrap_or(default)
}

fn mtu(config: &Value) -> Result<u16, PluginError> {
    match config["mtu"].as_str() {
        None => Ok(DEFAULT_MTU),
        Some(text) => text.parse().map_err(|_| {
            let message = format!("add cmd: failed to load k8s config: mtu {text:?}");
            PluginError::new(PluginError::CONFIG, message)
        }),
    }
}

fn deletion(call: &Call, reason: &str) -> DelNetworkRequest {
    DelNetworkRequest {
        pod: argument(call, "K8S_POD_NAME").to_owned(),
        namespace: argument(call, "K8S_POD_NAMESPACE").to_owned(),
        infra_container: argument(call, "K8S_POD_INFRA_CONTAINER_ID").to_owned(),
        reason: reason.to_owned(),
        link: call.link.clone(),
        network: text(&call.config, "name", "").to_owned(),
        container: call.container.clone(),
        version: VERSION.to_owned(),
        uid: argument(call, "K8S_POD_UID").to_owned(),
    }
}

impl AwsCni {
    fn delete(
        &self,
        request: &DelNetworkRequest,
    ) -> Result<Result<DelNetworkReply, CallError>, PluginError> {
        wait(client::delete(&self.socket, request))
    }

    /// Whether the agent's file still has the container's assignment.
    fn is_kept(&self, call: &Call) -> bool {
        let all = checkpoint::read(&self.checkpoint).unwrap_or_default();
        all.keys()
            .any(|owner| owner.container == call.container && owner.link == call.link)
    }

    fn assign(&self, call: &Call, netns: &Path) -> Result<Assignment, PluginError> {
        let request = AddNetworkRequest {
            pod: argument(call, "K8S_POD_NAME").to_owned(),
            namespace: argument(call, "K8S_POD_NAMESPACE").to_owned(),
            infra_container: argument(call, "K8S_POD_INFRA_CONTAINER_ID").to_owned(),
            netns: netns.display().to_string(),
            link: call.link.clone(),
            network: text(&call.config, "name", "").to_owned(),
            container: call.container.clone(),
            version: VERSION.to_owned(),
        };
        let reply = wait(client::add(&self.socket, &request))?.map_err(|error| {
            internal(format!(
                "add cmd: Error received from AddNetwork gRPC call: {error}"
            ))
        })?;
        let assigned = reply.assignments.first().copied();
        assigned
            .filter(|_| reply.success)
            .ok_or_else(|| internal("add cmd: failed to assign an IP address to container"))
    }
}

impl Plugin for AwsCni {
    fn add(&self, call: &Call) -> Result<Value, PluginError> {
        let netns = call
            .netns
            .as_deref()
            .ok_or_else(|| PluginError::new(PluginError::ENVIRONMENT, "there is no CNI_NETNS"))?;
        let mtu = mtu(&call.config)?;
        let namespace = argument(call, "K8S_POD_NAMESPACE");
        let name = argument(call, "K8S_POD_NAME");
        let prefix = text(&call.config, "vethPrefix", "eni");
        let assignment = self.assign(call, netns)?;
        let attached = Attached {
            node_end: names::node_end(prefix, namespace, name),
            pod_end: call.link.clone(),
            netns: netns.display().to_string(),
            dummy: names::dummy(namespace, name),
            assignment,
        };
        let pod = Pod {
            container: &call.container,
            node_end: &attached.node_end,
            pod_end: &call.link,
            address: assignment.address,
            table: assignment.table,
            mtu,
        };
        if let Err(error) = pod.attach(netns) {
            // Whether or not the agent hears of it, the pod has no network, and that is the answer.
            let _ = self.delete(&deletion(call, "SetupNSFailed"));
            let message = format!("add command: failed to setup network: {error}");
            return Err(PluginError::new(PluginError::KERNEL, message));
        }
        Ok(attached.document(&call.version))
    }

    fn del(&self, call: &Call) -> Result<(), PluginError> {
        let before = result::read(&call.config["prevResult"]);
        let assignment = match self.delete(&deletion(call, "PodDeleted"))? {
            Ok(reply) => reply.assignments.first().copied(),
            // Only as long as nobody else can have the address.
            Err(error) if error.is_absence() => before.filter(|_| self.is_kept(call)),
            Err(error) => {
                return Err(internal(format!(
                    "del cmd: error received from DelNetwork gRPC call: {error}"
                )));
            }
        };
        if let Some(assignment) = assignment {
            pod::forget(assignment.address)?;
        }
        if let Some(netns) = &call.netns {
            pod::unlink(netns, &call.link)?;
        }
        Ok(())
    }

    fn check(&self, _: &Call) -> Result<(), PluginError> {
        Err(internal("CHECK is not implemented"))
    }

    fn status(&self, _: &Call) -> Result<(), PluginError> {
        let unavailable = |why: String| PluginError::new(PluginError::UNAVAILABLE, why);
        match wait(client::health(&self.socket, HEALTH_SERVICE))? {
            Ok(true) => Ok(()),
            Ok(false) => Err(unavailable("the agent is not serving".to_owned())),
            Err(error) => Err(unavailable(error.to_string())),
        }
    }

    fn gc(&self, call: &Call, valid: &[(String, String)]) -> Result<(), PluginError> {
        let network = text(&call.config, "name", "");
        let all = checkpoint::read(&self.checkpoint)
            .map_err(|error| PluginError::new(PluginError::IO, error))?;
        let gone = all.into_iter().filter(|(owner, _)| {
            let is = |(id, link): &(String, String)| *id == owner.container && *link == owner.link;
            owner.network == network && !valid.iter().any(is)
        });
        for (owner, allocation) in gone {
            let request = DelNetworkRequest {
                pod: allocation.pod,
                namespace: allocation.namespace,
                reason: "PodDeleted".to_owned(),
                link: owner.link,
                network: owner.network,
                container: owner.container,
                version: VERSION.to_owned(),
                ..DelNetworkRequest::default()
            };
            self.delete(&request)?.map_err(internal)?;
            pod::forget(allocation.address)?;
        }
        Ok(())
    }
}
