//! What a node's instance is told at its start, in a MIME document: nodeadm's configuration, or for Amazon Linux 2
//! how its script is called.
//!
//! <https://awslabs.github.io/amazon-eks-ami/nodeadm/doc/api/>
//! <https://awslabs.github.io/amazon-eks-ami/usage/al2/>

use super::*;
use std::fmt::Write;
use std::net::Ipv4Addr;

/// What separates the parts.
const BOUNDARY: &str = "//";

/// What a node is told.
#[derive(Clone, Debug)]
pub(super) struct NodeConfig<'a> {
    pub(super) cluster: &'a Cluster,
    pub(super) labels: BTreeMap<String, String>,
    pub(super) taints: &'a [Taint],
    pub(super) max_pods: Option<usize>,
    pub(super) has_nodeadm: bool,
}

impl NodeConfig<'_> {
    /// As YAML. Names, labels and ARNs have nothing that needs more than double quotes.
    fn yaml(&self) -> String {
        let cluster = self.cluster;
        let mut yaml = format!(
            "---\napiVersion: node.eks.aws/v1alpha1\nkind: NodeConfig\nspec:\n  cluster:\n    apiServerEndpoint: {}\n    certificateAuthority: {}\n    cidr: {}\n    name: {}\n  kubelet:\n    config:\n",
            cluster.endpoint_url(),
            cluster.authority.as_deref().unwrap_or_default(),
            cluster.service_cidr,
            cluster.key.name,
        );
        // Writing to a string does not fail.
        if let Some(max_pods) = self.max_pods {
            let _ = writeln!(yaml, "      maxPods: {max_pods}");
        }
        let _ = writeln!(yaml, "      clusterDNS:\n      - {}", name_server(cluster));
        let _ = writeln!(yaml, "    flags:");
        for flag in self.flags() {
            let _ = writeln!(yaml, "    - \"{flag}\"");
        }
        yaml
    }

    /// The kubelet's flags.
    fn flags(&self) -> Vec<String> {
        let labels = self.labels.iter();
        let labels: Vec<String> = labels
            .map(|(key, value)| format!("{key}={value}"))
            .collect();
        let taint = |of: &Taint| format!("{}={}:{}", of.key, of.value, of.kubernetes_effect());
        let taints: Vec<String> = self.taints.iter().map(taint).collect();
        let mut flags = vec![format!("--node-labels={}", labels.join(","))];
        if !taints.is_empty() {
            flags.push(format!("--register-with-taints={}", taints.join(",")));
        }
        flags
    }

    /// As a call of Amazon Linux 2's script.
    fn script(&self) -> String {
        let cluster = self.cluster;
        let mut flags = self.flags();
        flags.extend(self.max_pods.map(|most| format!("--max-pods={most}")));
        format!(
            "#!/bin/bash\nset -ex\nB64_CLUSTER_CA={}\nAPI_SERVER_URL={}\nK8S_CLUSTER_DNS_IP={}\n/etc/eks/bootstrap.sh {} --kubelet-extra-args '{}' --b64-cluster-ca $B64_CLUSTER_CA --apiserver-endpoint $API_SERVER_URL --dns-cluster-ip $K8S_CLUSTER_DNS_IP --use-max-pods false\n",
            cluster.authority.as_deref().unwrap_or_default(),
            cluster.endpoint_url(),
            name_server(cluster),
            cluster.key.name,
            flags.join(" "),
        )
    }

    /// As user data, after the parts of the user's own.
    ///
    /// # Errors
    /// `InvalidRequestException` for user data of the user's that has no parts.
    pub(super) fn user_data(&self, own: Option<&str>) -> Result<String, Refusal> {
        let mut document = format!(
            "MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=\"{BOUNDARY}\"\n\n"
        );
        let own = own.map(parts).transpose()?;
        for part in own.into_iter().flatten() {
            let _ = write!(document, "--{BOUNDARY}\n{}\n\n", part.trim());
        }
        let (kind, part) = match self.has_nodeadm {
            true => ("application/node.eks.aws", self.yaml()),
            false => ("text/x-shellscript; charset=\"us-ascii\"", self.script()),
        };
        let _ = write!(
            document,
            "--{BOUNDARY}\nContent-Type: {kind}\n\n{part}\n--{BOUNDARY}--\n"
        );
        Ok(document)
    }
}

/// The address of a cluster's name server: the tenth of services' range.
fn name_server(cluster: &Cluster) -> Ipv4Addr {
    let base = u32::from(cluster.service_cidr.network());
    Ipv4Addr::from(base.wrapping_add(10))
}

/// The parts of a MIME document, their headers with them.
fn parts(document: &str) -> Result<Vec<String>, Refusal> {
    let document = document.replace("\r\n", "\n");
    let broken = || impossible("User data was not in the MIME multipart format.");
    let (head, body) = document.split_once("\n\n").ok_or_else(broken)?;
    let boundary = head
        .split("boundary=")
        .nth(1)
        .map(|rest| rest.trim_start_matches('"'))
        .and_then(|rest| rest.split(['"', ';', '\n']).next())
        .map(str::trim)
        .filter(|boundary| !boundary.is_empty())
        .ok_or_else(broken)?;
    let (open, close) = (format!("--{boundary}"), format!("--{boundary}--"));
    let mut parts: Vec<String> = Vec::new();
    for line in body.lines() {
        if line.trim_end() == close {
            return Ok(parts);
        }
        if line.trim_end() == open {
            parts.push(String::new());
        } else if let Some(part) = parts.last_mut() {
            part.push_str(line);
            part.push('\n');
        }
    }
    Ok(parts)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// AWS-EKS: a user's parts go before EKS's own; what has no parts is refused.
    #[test]
    fn documents_have_parts() {
        let document = "MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=\"==B==\"\n\n--==B==\nContent-Type: text/x-shellscript\n\n#!/bin/sh\necho hi\n--==B==--\n";
        let found = parts(document).unwrap();
        assert_eq!(found.len(), 1);
        assert!(found[0].contains("echo hi"));
        assert_eq!(
            parts("#!/bin/sh\n\nexit").unwrap_err().code,
            "InvalidRequestException"
        );
    }
}
