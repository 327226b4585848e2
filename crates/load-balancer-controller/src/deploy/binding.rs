//! The objects that bind services to target groups.

use super::Deployer;
use super::listener::Arns;
use crate::failure::Failure;
use crate::model::stack::{Binding, Owner, PeerSource, Stack};
use aws_client::Aws;
use kube_client::Patch;
use serde_json::{Value, json};
use std::time::Duration;

/// Where target group bindings are.
pub(crate) fn collection(namespace: &str) -> String {
    format!("/apis/elbv2.k8s.aws/v1beta1/namespaces/{namespace}/targetgroupbindings")
}

/// How long bindings may take to let their targets go, and how often that is looked at.
const PATIENCE: u32 = 100;
const LOOK: Duration = Duration::from_millis(100);

/// So many bindings are seen to at once.
const AT_ONCE: usize = 8;

/// The labels of a stack's bindings.
fn labels(stack: &Stack) -> Value {
    match (stack.owner, stack.name.split_once('/')) {
        (Owner::Ingress, Some((namespace, name))) => json!({
            "ingress.k8s.aws/stack-namespace": namespace, "ingress.k8s.aws/stack-name": name,
        }),
        (Owner::Ingress, None) => json!({"ingress.k8s.aws/stack": stack.name}),
        (Owner::Service, Some((namespace, name))) => json!({
            "service.k8s.aws/stack-namespace": namespace, "service.k8s.aws/stack-name": name,
        }),
        (Owner::Service, None) => json!({}),
    }
}

/// A binding's specification.
fn spec(binding: &Binding, arn: &str, vpc: &str, backend: &str) -> Value {
    let peers = binding.networking.iter().map(|peer| {
        let from = match &peer.from {
            PeerSource::Backend => json!({"securityGroup": {"groupID": backend}}),
            PeerSource::Group(id) => json!({"securityGroup": {"groupID": id}}),
            PeerSource::Range(range) => json!({"ipBlock": {"cidr": range}}),
        };
        let ports = peer.ports.iter();
        let ports = ports.map(|(protocol, port)| json!({"protocol": protocol, "port": port}));
        json!({"from": [from], "ports": ports.collect::<Vec<_>>()})
    });
    let peers: Vec<Value> = peers.collect();
    let mut spec = json!({
        "targetGroupARN": arn, "targetType": binding.target_type, "ipAddressType": "ipv4",
        "vpcID": vpc, "serviceRef": {"name": binding.service, "port": binding.port},
        "targetGroupProtocol": binding.protocol,
    });
    if !peers.is_empty() {
        spec["networking"] = json!({"ingress": peers});
    }
    if let Some(selector) = &binding.node_selector {
        spec["nodeSelector"] = selector.clone();
    }
    spec
}

impl<A: Aws> Deployer<A> {
    /// Makes a stack's bindings as they should be.
    pub(super) async fn bindings(
        &self,
        stack: &Stack,
        arns: &Arns,
        backend: &str,
    ) -> Result<(), Failure> {
        let there = self.bindings_of(stack).await?;
        for some in stack.bindings.chunks(AT_ONCE) {
            let each = some.iter().map(|wanted| {
                let arn = arns.get(&wanted.target_group).map_or("", String::as_str);
                let spec = spec(wanted, arn, &self.place.vpc, backend);
                self.one_binding(stack, wanted, spec, &there)
            });
            for made in crate::together::all(each).await {
                made?;
            }
        }
        Ok(())
    }

    async fn one_binding(
        &self,
        stack: &Stack,
        wanted: &Binding,
        spec: Value,
        there: &[Value],
    ) -> Result<(), Failure> {
        let (namespace, name) = (&wanted.namespace, &wanted.target_group);
        let found = there.iter().find(|of| {
            of["metadata"]["name"] == name.as_str()
                && of["metadata"]["namespace"] == namespace.as_str()
        });
        let path = collection(namespace);
        match found {
            Some(found) if found["spec"] == spec => {}
            Some(_) => {
                let patch = json!([{"op": "replace", "path": "/spec", "value": spec}]);
                let path = format!("{path}/{name}");
                self.kubernetes.patch(&path, Patch::Json, &patch).await?;
            }
            None => {
                let object = json!({
                    "apiVersion": "elbv2.k8s.aws/v1beta1", "kind": "TargetGroupBinding",
                    "metadata": {
                        "name": name, "namespace": namespace, "labels": labels(stack),
                    },
                    "spec": spec,
                });
                self.kubernetes.create(&path, &object).await?;
                tracing::info!(name, namespace, "created targetGroupBinding");
            }
        }
        Ok(())
    }

    async fn bindings_of(&self, stack: &Stack) -> Result<Vec<Value>, Failure> {
        let labels = labels(stack);
        let labels = labels.as_object().into_iter().flatten();
        let selector = labels.map(|(key, value)| {
            let value = value.as_str().unwrap_or_default();
            format!("{}%3D{value}", key.replace('/', "%2F"))
        });
        let selector = selector.collect::<Vec<_>>().join("%2C");
        let path = "/apis/elbv2.k8s.aws/v1beta1/targetgroupbindings";
        let list = self
            .kubernetes
            .get(&format!("{path}?labelSelector={selector}"))
            .await?;
        Ok(list["items"].as_array().cloned().unwrap_or_default())
    }

    /// Deletes the bindings that the stack has no more, and waits until they have let go of their targets.
    pub(super) async fn delete_bindings(&self, stack: &Stack) -> Result<(), Failure> {
        let gone = |all: Vec<Value>| -> Vec<(String, String)> {
            let text = |of: &Value, name: &str| {
                of["metadata"][name].as_str().unwrap_or_default().to_owned()
            };
            let all = all
                .iter()
                .map(|of| (text(of, "namespace"), text(of, "name")));
            all.filter(|(namespace, name)| {
                let mut wanted = stack.bindings.iter();
                !wanted.any(|of| of.namespace == *namespace && of.target_group == *name)
            })
            .collect()
        };
        let mut left = gone(self.bindings_of(stack).await?);
        for (namespace, name) in &left {
            let path = format!("{}/{name}", collection(namespace));
            match self.kubernetes.delete(&path, &Value::Null).await {
                Err(error) if !error.is_not_found() => return Err(error.into()),
                _ => {}
            }
        }
        for _ in 0..PATIENCE {
            if left.is_empty() {
                return Ok(());
            }
            tokio::time::sleep(LOOK).await;
            left = gone(self.bindings_of(stack).await?);
        }
        let (namespace, name) = left.swap_remove(0);
        Err(Failure::Waiting(format!(
            "targetGroupBinding {namespace}/{name} is not gone yet"
        )))
    }
}
