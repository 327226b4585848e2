//! A guest's own files and environment: who it is, whom it asks for names, whom it trusts.

use super::Appointment;
use super::boot::Identity;
use crate::{clusters, internet, names};
use aws::compile;
use aws::model::instance::Instance;
use aws::model::{State, image};
use kernel::guest::GuestFile;
use std::net::Ipv4Addr;

/// The bundle of certificates that a guest trusts. Debian's place for it; the environment names it
/// for programs that look elsewhere.
const BUNDLE: &str = "/etc/ssl/certs/ca-certificates.crt";
/// Where programs are looked for, after the places where this machine's user keeps them.
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

pub(super) fn of_instance(state: &State, instance: &Instance, bundle: &str) -> Identity {
    let primary = instance
        .interfaces
        .first()
        .and_then(|id| state.network_interfaces.get(id))
        .and_then(|interface| interface.addresses.first())
        .map_or(Ipv4Addr::LOCALHOST, |address| address.ip);
    let hostname = names::private_name(&instance.region, primary);
    let (servers, search) = resolvers(state, instance);
    let mut files = base(&hostname, primary, &servers, &search, bundle);
    if let Some(key) = authorized_key(state, instance) {
        files.push(file("/root/.ssh/authorized_keys", &key, 0o600));
    }
    if image::find(instance.image.as_str()).is_some_and(|of| of.kubernetes_node) {
        files.push(file("/etc/eks/bootstrap.sh", &bootstrap(), 0o755));
    }
    let mut environment = environment();
    for name in ["AWS_REGION", "AWS_DEFAULT_REGION"] {
        environment.push((name.to_owned(), instance.region.clone()));
    }
    Identity {
        hostname,
        files,
        environment,
    }
}

pub(super) fn of_site(address: Ipv4Addr, bundle: &str) -> Identity {
    let hostname = if address == internet::CLIENT {
        "internet".to_owned()
    } else {
        format!("internet-{}", address.to_string().replace('.', "-"))
    };
    let servers = [internet::RESOLVER.to_string()];
    let files = base(&hostname, address, &servers, "", bundle);
    Identity {
        hostname,
        files,
        environment: environment(),
    }
}

pub(super) fn of_appointed(appointment: &Appointment, bundle: &str) -> Identity {
    let Appointment {
        hostname,
        address,
        servers,
        files,
    } = appointment;
    let servers: Vec<String> = servers.iter().map(ToString::to_string).collect();
    let mut all = base(hostname, *address, &servers, "", bundle);
    all.extend(files.iter().cloned());
    Identity {
        hostname: hostname.clone(),
        files: all,
        environment: environment(),
    }
}

/// What scripts of user data call on Amazon Linux 2 to make their instance a node: it leaves its arguments for what
/// starts the kubelet.
fn bootstrap() -> String {
    let path = clusters::BOOTSTRAP;
    format!(
        "#!/bin/sh\nset -e\nmkdir -p \"$(dirname {path})\"\nprintf '%s\\n' \"$@\" >{path}.new\n\
         mv {path}.new {path}\n"
    )
}

/// The name servers and the search domains that DHCP gives.
/// <https://docs.aws.amazon.com/vpc/latest/userguide/VPC_DHCP_Options.html>
fn resolvers(state: &State, instance: &Instance) -> (Vec<String>, String) {
    let Some(vpc) = state.vpcs.get(&instance.vpc) else {
        return (Vec::new(), String::new());
    };
    let set = vpc
        .dhcp_options
        .as_ref()
        .and_then(|id| state.dhcp_options.get(id));
    let option = |name: &str| -> Vec<String> {
        set.iter()
            .flat_map(|set| &set.options)
            .filter(|(key, _)| key == name)
            .flat_map(|(_, values)| values.clone())
            .collect()
    };
    let amazon = compile::resolver(vpc).map(|address| address.to_string());
    let servers = option("domain-name-servers")
        .into_iter()
        .filter_map(|server| match server.as_str() {
            "AmazonProvidedDNS" => amazon.clone(),
            _ => Some(server),
        })
        .collect();
    (servers, option("domain-name").join(" "))
}

fn authorized_key(state: &State, instance: &Instance) -> Option<String> {
    let name = instance.key_name.as_ref()?;
    let pair = state
        .key_pairs
        .values()
        .find(|pair| pair.name == *name && pair.region == instance.region)?;
    Some(format!("{}\n", pair.public_key.trim_end()))
}

fn base(
    hostname: &str,
    address: Ipv4Addr,
    servers: &[String],
    search: &str,
    bundle: &str,
) -> Vec<GuestFile> {
    let mut resolver = String::new();
    for server in servers {
        resolver.push_str(&format!("nameserver {server}\n"));
    }
    if !search.is_empty() {
        resolver.push_str(&format!("search {search}\n"));
    }
    let short = hostname.split('.').next().unwrap_or(hostname);
    let hosts = format!("127.0.0.1 localhost\n{address} {hostname} {short}\n");
    vec![
        file("/etc/hostname", &format!("{hostname}\n"), 0o644),
        file("/etc/hosts", &hosts, 0o644),
        file("/etc/resolv.conf", &resolver, 0o644),
        file(BUNDLE, bundle, 0o644),
    ]
}

fn file(path: &str, contents: &str, mode: u32) -> GuestFile {
    GuestFile {
        path: path.into(),
        contents: contents.as_bytes().to_vec(),
        mode,
    }
}

pub(crate) fn environment() -> Vec<(String, String)> {
    let own = std::env::var("PATH").unwrap_or_default();
    let path = [own.as_str(), PATH]
        .into_iter()
        .filter(|part| !part.is_empty())
        .collect::<Vec<_>>()
        .join(":");
    let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    vec![
        pair("PATH", &path),
        pair("HOME", "/root"),
        pair("USER", "root"),
        pair("LANG", "C.UTF-8"),
        pair("AWS_CA_BUNDLE", BUNDLE),
        pair("REQUESTS_CA_BUNDLE", BUNDLE),
        pair("SSL_CERT_FILE", BUNDLE),
    ]
}
