//! Variables that tell of services.
//! <https://kubernetes.io/docs/tutorials/services/connect-applications-service/#environment-variables>

use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Where the API's own service is, which every pod is told of.
const MASTER: (&str, &str) = ("default", "kubernetes");

/// The variables of a namespace's services, where links are wanted, and of the API's own.
pub(super) fn variables(
    services: &[Arc<Value>],
    namespace: &str,
    links: bool,
) -> BTreeMap<String, String> {
    let mut variables = BTreeMap::new();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let place = |service: &Value| {
        let metadata = &service["metadata"];
        (text(&metadata["namespace"]), text(&metadata["name"]))
    };
    let master = |service: &Value| {
        let (namespace, name) = place(service);
        (namespace.as_str(), name.as_str()) == MASTER
    };
    // A namespace's own `kubernetes` counts more than the API's.
    for service in services.iter().filter(|service| master(service)) {
        add(service, &mut variables);
    }
    for service in services {
        if links && !master(service) && place(service).0 == namespace {
            add(service, &mut variables);
        }
    }
    variables
}

fn add(service: &Value, variables: &mut BTreeMap<String, String>) {
    let address = service["spec"]["clusterIP"].as_str().unwrap_or_default();
    let ports = service["spec"]["ports"].as_array().map_or(&[][..], |p| p);
    if matches!(address, "" | "None") || ports.is_empty() {
        return;
    }
    let name = shouted(service["metadata"]["name"].as_str().unwrap_or_default());
    let mut put = |key: String, value: String| {
        variables.insert(key, value);
    };
    put(format!("{name}_SERVICE_HOST"), address.to_owned());
    for (index, port) in ports.iter().enumerate() {
        let number = port["port"].as_u64().unwrap_or_default();
        let protocol = port["protocol"].as_str().unwrap_or("TCP").to_owned();
        let url = format!("{}://{address}:{number}", protocol.to_lowercase());
        if index == 0 {
            put(format!("{name}_SERVICE_PORT"), number.to_string());
            put(format!("{name}_PORT"), url.clone());
        }
        if let Some(called) = port["name"].as_str().filter(|name| !name.is_empty()) {
            put(
                format!("{name}_SERVICE_PORT_{}", shouted(called)),
                number.to_string(),
            );
        }
        let prefix = format!("{name}_PORT_{number}_{protocol}");
        put(prefix.clone(), url);
        put(format!("{prefix}_PROTO"), protocol.to_lowercase());
        put(format!("{prefix}_PORT"), number.to_string());
        put(format!("{prefix}_ADDR"), address.to_owned());
    }
}

fn shouted(name: &str) -> String {
    name.replace('-', "_").to_uppercase()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn service(namespace: &str, name: &str, address: &str) -> Arc<Value> {
        Arc::new(json!({
            "metadata": {"namespace": namespace, "name": name},
            "spec": {"clusterIP": address, "ports": [
                {"name": "client", "port": 6379, "protocol": "TCP"},
                {"port": 53, "protocol": "UDP"},
            ]},
        }))
    }

    /// K8S-RUN: the documented variables of `redis-primary`, and who is told of which services.
    #[test]
    fn services_are_told() {
        let all = [
            service("default", "kubernetes", "10.96.0.1"),
            service("shop", "redis-primary", "10.0.0.11"),
            service("shop", "headless", "None"),
            service("other", "secret", "10.0.0.12"),
        ];
        let told = variables(&all, "shop", true);
        for (name, value) in [
            ("REDIS_PRIMARY_SERVICE_HOST", "10.0.0.11"),
            ("REDIS_PRIMARY_SERVICE_PORT", "6379"),
            ("REDIS_PRIMARY_SERVICE_PORT_CLIENT", "6379"),
            ("REDIS_PRIMARY_PORT", "tcp://10.0.0.11:6379"),
            ("REDIS_PRIMARY_PORT_6379_TCP", "tcp://10.0.0.11:6379"),
            ("REDIS_PRIMARY_PORT_6379_TCP_PROTO", "tcp"),
            ("REDIS_PRIMARY_PORT_6379_TCP_PORT", "6379"),
            ("REDIS_PRIMARY_PORT_6379_TCP_ADDR", "10.0.0.11"),
            ("REDIS_PRIMARY_PORT_53_UDP", "udp://10.0.0.11:53"),
            ("KUBERNETES_SERVICE_HOST", "10.96.0.1"),
        ] {
            assert_eq!(told.get(name).map(String::as_str), Some(value), "{name}");
        }
        assert!(
            !told
                .keys()
                .any(|name| name.starts_with("SECRET") || name.starts_with("HEADLESS"))
        );
        let told = variables(&all, "shop", false);
        assert!(told.keys().all(|name| name.starts_with("KUBERNETES_")));
        assert!(!told.is_empty());
    }
}
