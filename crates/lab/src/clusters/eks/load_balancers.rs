//! The AWS Load Balancer Controller as an add-on, configured by its chart's values.
//! <https://github.com/aws/eks-charts/blob/master/stable/aws-load-balancer-controller/values.yaml>

use super::Definition;
use load_balancer_controller::manifest;
use serde_json::{Value, json};

/// The add-on's name.
pub(super) const NAME: &str = "aws-load-balancer-controller";

/// The objects of a version, with its configuration.
pub(super) fn objects(definition: &Definition, version: &str, values: &Value) -> Vec<Value> {
    let registry = vpc_cni::manifest::registry(&definition.key.region);
    let mut objects = manifest::objects(&manifest::Where {
        region: &definition.key.region,
        cluster: &definition.key.name,
        vpc: &definition.vpc,
        registry: &registry,
        tag: version,
    });
    for object in &mut objects {
        match object["kind"].as_str().unwrap_or_default() {
            "Deployment" => configure(object, values),
            "MutatingWebhookConfiguration" if !takes_services(version, values) => {
                if let Some(webhooks) = object["webhooks"].as_array_mut() {
                    webhooks.retain(|of| of["name"] != "mservice.elbv2.k8s.aws");
                }
            }
            "IngressClass" | "IngressClassParams" => {
                if let Some(name) = values["ingressClass"].as_str() {
                    object["metadata"]["name"] = json!(name);
                }
            }
            _ => {}
        }
    }
    objects
}

/// Whether services of type LoadBalancer become the controller's: from version 2.5 on, unless that is switched off.
/// <https://github.com/kubernetes-sigs/aws-load-balancer-controller/releases/tag/v2.5.0>
fn takes_services(version: &str, values: &Value) -> bool {
    let mut numbers = version.trim_start_matches('v').split('.');
    let mut number = || numbers.next().and_then(|of| of.parse::<u32>().ok());
    let new = number().zip(number()).is_none_or(|of| of >= (2, 5));
    new && values["enableServiceMutatorWebhook"] != false
}

/// Values as the controller's flags.
fn configure(deployment: &mut Value, values: &Value) {
    let mut flags = Vec::new();
    if let Some(on) = values["enableServiceMutatorWebhook"].as_bool() {
        flags.push(format!("--enable-service-mutator-webhook={on}"));
    }
    if let Some(kind) = values["defaultTargetType"].as_str() {
        flags.push(format!("--default-target-type={kind}"));
    }
    if let Some(tags) = values["defaultTags"].as_object() {
        let pairs = tags.iter();
        let pairs =
            pairs.map(|(key, value)| format!("{key}={}", value.as_str().unwrap_or_default()));
        flags.push(format!(
            "--default-tags={}",
            pairs.collect::<Vec<_>>().join(",")
        ));
    }
    if let Some(class) = values["ingressClass"].as_str() {
        flags.push(format!("--ingress-class={class}"));
    }
    let container = &mut deployment["spec"]["template"]["spec"]["containers"][0];
    if let Some(args) = container["args"].as_array_mut() {
        args.extend(flags.into_iter().map(Value::from));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// AWS-LBC: services are the controller's from version 2.5 on, unless its values say otherwise.
    #[test]
    fn versions_before_2_5_leave_services_alone() {
        let none = json!({});
        assert!(takes_services("v2.11.0", &none) && takes_services("v2.5.1", &none));
        assert!(!takes_services("v2.2.0", &none) && !takes_services("v2.4.7", &none));
        let off = json!({"enableServiceMutatorWebhook": false});
        assert!(!takes_services("v2.11.0", &off));
    }
}
