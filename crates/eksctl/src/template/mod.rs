//! Stacks as CloudFormation templates.

mod cluster;
mod fargate;
mod managed;
mod role;
mod unmanaged;
mod user_data;

pub use cluster::cluster;
pub use fargate::fargate;
pub use managed::managed;
pub use role::service_account;
pub use unmanaged::{Boot, unmanaged};
pub(crate) use user_data::user_data;

use serde_json::{Map, Value, json};

/// The name of a cluster's stack.
pub fn cluster_stack(cluster: &str) -> String {
    format!("eksctl-{cluster}-cluster")
}

/// The name of a node group's stack.
pub fn group_stack(cluster: &str, group: &str) -> String {
    format!("eksctl-{cluster}-nodegroup-{group}")
}

/// The name of the stack of the role that a cluster's pods on Fargate take.
pub fn fargate_stack(cluster: &str) -> String {
    format!("eksctl-{cluster}-fargate")
}

/// The name of the stack of a service account's role.
pub fn account_stack(cluster: &str, namespace: &str, name: &str) -> String {
    format!("eksctl-{cluster}-addon-iamserviceaccount-{namespace}-{name}")
}

/// A template under way.
#[derive(Debug, Default)]
struct Builder {
    resources: Map<String, Value>,
    outputs: Map<String, Value>,
}

fn reference(name: &str) -> Value {
    json!({ "Ref": name })
}

fn attribute(resource: &str, name: &str) -> Value {
    json!({ "Fn::GetAtt": [resource, name] })
}

fn substituted(text: &str) -> Value {
    json!({ "Fn::Sub": text })
}

/// What the cluster's stack exports under a name.
fn imported(cluster: &str, output: &str) -> Value {
    json!({ "Fn::ImportValue": format!("{}::{output}", cluster_stack(cluster)) })
}

/// A policy of AWS's by its name.
fn managed_policy(name: &str) -> Value {
    substituted(&format!("arn:${{AWS::Partition}}:iam::aws:policy/{name}"))
}

/// The policy by which a service takes a role.
fn trust(service: &str) -> Value {
    json!({
        "Version": "2012-10-17",
        "Statement": [{
            "Action": ["sts:AssumeRole"],
            "Effect": "Allow",
            "Principal": { "Service": [substituted(service)] },
        }],
    })
}

impl Builder {
    fn add(&mut self, name: &str, kind: &str, properties: Value) {
        let resource = json!({ "Type": kind, "Properties": properties });
        self.resources.insert(name.to_owned(), resource);
    }

    /// The same with the name that eksctl tags everything with.
    fn tagged(&mut self, name: &str, kind: &str, properties: Value) {
        self.tagged_also(name, kind, properties, &[]);
    }

    fn tagged_also(
        &mut self,
        name: &str,
        kind: &str,
        mut properties: Value,
        tags: &[(&str, &str)],
    ) {
        let own = tags
            .iter()
            .map(|(key, value)| json!({ "Key": key, "Value": value }));
        let named =
            json!({ "Key": "Name", "Value": substituted(&format!("${{AWS::StackName}}/{name}")) });
        properties["Tags"] = own.chain([named]).collect();
        self.add(name, kind, properties);
    }

    fn after(&mut self, name: &str, needed: &str) {
        if let Some(resource) = self.resources.get_mut(name) {
            resource["DependsOn"] = json!([needed]);
        }
    }

    fn export(&mut self, name: &str, value: Value) {
        let export = json!({ "Name": substituted(&format!("${{AWS::StackName}}::{name}")) });
        self.outputs
            .insert(name.to_owned(), json!({ "Value": value, "Export": export }));
    }

    fn output(&mut self, name: &str, value: Value) {
        self.outputs
            .insert(name.to_owned(), json!({ "Value": value }));
    }

    fn finish(self, description: &str) -> String {
        let template = json!({
            "AWSTemplateFormatVersion": "2010-09-09",
            "Description": description,
            "Resources": self.resources,
            "Outputs": self.outputs,
        });
        serde_json::to_string_pretty(&template).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests;
