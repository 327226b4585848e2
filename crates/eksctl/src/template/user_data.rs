//! What nodes of unmanaged groups are told at boot.

use crate::family::Family;
use serde_json::{Value, json};

/// What nodes of an unmanaged group are told at boot, in base64: nodeadm's configuration, or the script that
/// images of Amazon Linux 2 have.
/// <https://awslabs.github.io/amazon-eks-ami/nodeadm/>
pub(crate) fn user_data(cluster: &Value, group: &str, family: Family) -> String {
    let text = |pointer: &str| {
        cluster
            .pointer(pointer)
            .and_then(Value::as_str)
            .unwrap_or_default()
    };
    let name = text("/name");
    let labels =
        format!("alpha.eksctl.io/cluster-name={name},alpha.eksctl.io/nodegroup-name={group}");
    if family == Family::AmazonLinux2 {
        let (endpoint, authority) = (text("/endpoint"), text("/certificateAuthority/data"));
        let script = format!(
            "#!/bin/bash\n/etc/eks/bootstrap.sh {name} --kubelet-extra-args '--node-labels={labels}' --b64-cluster-ca {authority} --apiserver-endpoint {endpoint}\n"
        );
        return base64(script.as_bytes());
    }
    let config = json!({
        "apiVersion": "node.eks.aws/v1alpha1",
        "kind": "NodeConfig",
        "spec": {
            "cluster": {
                "name": name,
                "apiServerEndpoint": text("/endpoint"),
                "certificateAuthority": text("/certificateAuthority/data"),
                "cidr": text("/kubernetesNetworkConfig/serviceIpv4Cidr"),
            },
            "kubelet": { "flags": [format!("--node-labels={labels}")] },
        },
    });
    let config = serde_norway::to_string(&config).unwrap_or_default();
    let document = format!(
        "MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=//\n\n--//\nContent-Type: application/node.eks.aws\n\n{config}\n--//--\n"
    );
    base64(document.as_bytes())
}

fn base64(bytes: &[u8]) -> String {
    use base64::Engine;
    base64::engine::general_purpose::STANDARD.encode(bytes)
}
