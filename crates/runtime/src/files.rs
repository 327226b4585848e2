//! The files that every container of a sandbox sees: its names and whom it asks for others.

use cri::{Dns, SandboxSpec};
use std::fmt::Write;
use std::net::Ipv4Addr;

/// `/etc/hosts`, as kubelets write it for pods.
/// <https://kubernetes.io/docs/tasks/network/customize-hosts-file-for-pods/>
pub(crate) fn hosts(spec: &SandboxSpec, address: Option<Ipv4Addr>) -> String {
    let mut text = "# Kubernetes-managed hosts file.\n\
        127.0.0.1\tlocalhost\n\
        ::1\tlocalhost ip6-localhost ip6-loopback\n\
        fe00::0\tip6-localnet\n\
        fe00::0\tip6-mcastprefix\n\
        fe00::1\tip6-allnodes\n\
        fe00::2\tip6-allrouters\n"
        .to_owned();
    if let Some(address) = address {
        // Writing to a text can't fail.
        let _ = writeln!(text, "{address}\t{}", spec.hostname);
    }
    text.push_str(&aliases(spec));
    text
}

/// The node's `/etc/hosts` for those who share its network.
pub(crate) fn nodes_hosts(spec: &SandboxSpec, nodes: &str) -> String {
    format!(
        "# Kubernetes-managed hosts file (host network).\n{nodes}{}",
        aliases(spec)
    )
}

fn aliases(spec: &SandboxSpec) -> String {
    if spec.host_aliases.is_empty() {
        return String::new();
    }
    let mut text = "\n# Entries added by HostAliases.\n".to_owned();
    for (address, names) in &spec.host_aliases {
        let _ = writeln!(text, "{address}\t{}", names.join("\t"));
    }
    text
}

/// `/etc/resolv.conf`; nothing where the sandbox has no wishes and the node's serves.
pub(crate) fn resolver(dns: &Dns) -> Option<String> {
    let mut text = String::new();
    if !dns.searches.is_empty() {
        let _ = writeln!(text, "search {}", dns.searches.join(" "));
    }
    for server in &dns.servers {
        let _ = writeln!(text, "nameserver {server}");
    }
    if !dns.options.is_empty() {
        let _ = writeln!(text, "options {}", dns.options.join(" "));
    }
    (!text.is_empty()).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pods_hosts_file_has_its_own_name_and_its_aliases() {
        let spec = SandboxSpec {
            hostname: "web-0".to_owned(),
            host_aliases: vec![(
                "10.0.0.9".to_owned(),
                vec!["db".to_owned(), "db.x".to_owned()],
            )],
            ..SandboxSpec::default()
        };
        let text = hosts(&spec, Some(Ipv4Addr::new(10, 1, 0, 5)));
        assert!(text.starts_with("# Kubernetes-managed hosts file.\n127.0.0.1\tlocalhost\n"));
        assert!(
            text.ends_with(
                "10.1.0.5\tweb-0\n\n# Entries added by HostAliases.\n10.0.0.9\tdb\tdb.x\n"
            )
        );
        let text = nodes_hosts(&SandboxSpec::default(), "127.0.0.1 localhost\n");
        assert_eq!(
            text,
            "# Kubernetes-managed hosts file (host network).\n127.0.0.1 localhost\n"
        );
    }

    #[test]
    fn a_resolver_file_says_what_is_wished() {
        let dns = Dns {
            servers: vec!["10.96.0.10".to_owned()],
            searches: vec![
                "default.svc.cluster.local".to_owned(),
                "svc.cluster.local".to_owned(),
            ],
            options: vec!["ndots:5".to_owned()],
        };
        assert_eq!(
            resolver(&dns).as_deref(),
            Some(
                "search default.svc.cluster.local svc.cluster.local\nnameserver 10.96.0.10\noptions ndots:5\n"
            )
        );
        assert_eq!(resolver(&Dns::default()), None);
    }
}
