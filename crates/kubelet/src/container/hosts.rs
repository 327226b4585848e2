//! A pod's `/etc/hosts`.
//! <https://kubernetes.io/docs/tasks/network/customize-hosts-file-for-pods/>

use super::sandbox;
use crate::pod::Pod;
use std::fmt::Write;
use std::net::Ipv4Addr;

/// Where containers find it.
pub(crate) const PATH: &str = "/etc/hosts";

/// What a pod with a network of its own finds there.
const HEAD: &str = "# Kubernetes-managed hosts file.
127.0.0.1\tlocalhost
::1\tlocalhost ip6-localhost ip6-loopback
fe00::0\tip6-localnet
fe00::0\tip6-mcastprefix
fe00::1\tip6-allnodes
fe00::2\tip6-allrouters
";

/// The file of a pod at an address.
pub(crate) fn of(pod: &Pod, address: Ipv4Addr, domain: &str) -> String {
    let mut text = HEAD.to_owned();
    let (hostname, domain) = sandbox::names(pod, domain);
    let name = match domain {
        Some(domain) => format!("{hostname}.{domain}\t{hostname}"),
        None => hostname,
    };
    // Writing to a string can't fail.
    let _ = writeln!(text, "{address}\t{name}");
    aliases(pod, &mut text);
    text
}

/// The file of a pod on its node's network, from the node's own.
pub(crate) fn of_node(pod: &Pod, own: &str) -> String {
    let mut text = format!("# Kubernetes-managed hosts file (host network).\n{own}");
    aliases(pod, &mut text);
    text
}

fn aliases(pod: &Pod, text: &mut String) {
    if pod.spec.host_aliases.is_empty() {
        return;
    }
    text.push_str("\n# Entries added by HostAliases.\n");
    for alias in &pod.spec.host_aliases {
        let _ = writeln!(text, "{}\t{}", alias.ip, alias.hostnames.join("\t"));
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use serde_json::json;

    /// K8S-RUN: the documented file.
    #[test]
    fn hosts_are_told() {
        let pod = Pod::read(&json!({
            "metadata": {"name": "web", "namespace": "shop"},
            "spec": {"hostname": "a", "subdomain": "b",
                "hostAliases": [{"ip": "127.0.0.1", "hostnames": ["foo.local", "bar.local"]}]},
        }))
        .unwrap();
        let text = of(&pod, Ipv4Addr::new(10, 200, 0, 4), "cluster.local");
        assert!(text.starts_with("# Kubernetes-managed hosts file.\n127.0.0.1\tlocalhost\n"));
        assert!(text.ends_with(
            "10.200.0.4\ta.b.shop.svc.cluster.local\ta\n\n# Entries added by HostAliases.\n127.0.0.1\tfoo.local\tbar.local\n"
        ));
        let text = of_node(&pod, "127.0.0.1 node\n");
        assert!(
            text.starts_with("# Kubernetes-managed hosts file (host network).\n127.0.0.1 node\n")
        );
    }
}
