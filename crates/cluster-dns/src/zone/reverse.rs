//! Addresses as names, and the names of addresses.

use super::Zone;
use super::objects::{Key, Service};
use crate::plugin::kubernetes::Kubernetes;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Whether a name stands under one of the two reverse zones.
pub(super) fn is_reverse(name: &str) -> bool {
    name.ends_with(".in-addr.arpa.") || name.ends_with(".ip6.arpa.")
}

/// The address that a name under `in-addr.arpa` or `ip6.arpa` stands for.
pub(super) fn address(name: &str) -> Option<IpAddr> {
    if let Some(digits) = name.strip_suffix(".in-addr.arpa.") {
        let [a, b, c, d] = digits.parse::<Ipv4Addr>().ok()?.octets();
        return Some(Ipv4Addr::new(d, c, b, a).into());
    }
    let mut value = 0_u128;
    let mut count = 0;
    for digit in name.strip_suffix(".ip6.arpa.")?.rsplit('.') {
        let digit = match digit.as_bytes() {
            [digit] => char::from(*digit).to_digit(16)?,
            _ => return None,
        };
        value = value << 4 | u128::from(digit);
        count += 1;
    }
    (count == 32).then(|| Ipv6Addr::from(value).into())
}

/// The address that a pod's name stands for.
pub(super) fn undashed(name: &str) -> Option<IpAddr> {
    let dots = name.matches('-').count() == 3 && !name.contains("--");
    name.replace('-', if dots { "." } else { ":" }).parse().ok()
}

impl Zone {
    /// The names of an address: of the service that has it, or else of the endpoints.
    pub(super) fn names_at(&self, plugin: &Kubernetes, address: IpAddr) -> Vec<String> {
        let zone = plugin.primary_zone();
        let services = self.service_at.get(&address).into_iter().flatten();
        let mut shown = services.filter(|(namespace, _)| plugin.lists(namespace));
        if let Some((namespace, name)) = shown.next() {
            return vec![format!("{name}.{namespace}.svc.{zone}")];
        }
        let slices = self.slices_at.get(&address).into_iter().flatten();
        slices
            .filter_map(|key| self.slices.get(key))
            .filter(|slice| plugin.lists(&slice.service.0))
            .flat_map(|slice| {
                let (namespace, service) = &slice.service;
                let here = slice.endpoints.iter().filter(|end| end.address == address);
                here.map(move |endpoint| {
                    let name = endpoint.name(plugin.endpoint_pod_names);
                    format!("{name}.{service}.{namespace}.svc.{zone}")
                })
            })
            .collect()
    }

    /// The name server's own names and addresses: its service's, where it has one.
    pub(super) fn servers(&self, plugin: &Kubernetes, zone: &str) -> Vec<(String, IpAddr)> {
        let mut found = Vec::new();
        let at = |address| self.slices_at.get(address).into_iter().flatten();
        for slice in self.local.iter().flat_map(at) {
            let Some(slice) = self.slices.get(slice) else {
                continue;
            };
            let (namespace, service) = &slice.service;
            let name = format!("{service}.{namespace}.svc.{zone}");
            match self.services.get(&slice.service) {
                Some(Service::Cluster { addresses, .. }) => {
                    found.extend(addresses.iter().map(|address| (name.clone(), *address)));
                }
                Some(Service::Headless) => found.extend(slice.endpoints.iter().map(|endpoint| {
                    let own = endpoint.name(plugin.endpoint_pod_names);
                    (format!("{own}.{name}"), endpoint.address)
                })),
                _ => {}
            }
        }
        if found.is_empty() {
            let own = format!("ns.dns.{zone}");
            found.extend(self.local.iter().map(|address| (own.clone(), *address)));
        }
        found
    }

    /// Whether a namespace exists and is shown.
    pub(super) fn shows(&self, plugin: &Kubernetes, namespace: &str) -> bool {
        plugin.lists(namespace) && self.namespaces.contains(namespace)
    }

    pub(super) fn has_endpoints(&self, service: &Key) -> bool {
        self.slices_of(service)
            .any(|slice| !slice.endpoints.is_empty())
    }

    pub(super) fn has_pod(&self, namespace: &str, address: IpAddr) -> bool {
        let pods = self.pods_at.get(&address).into_iter().flatten();
        pods.filter_map(|key| key.split_once('/'))
            .any(|(its, _)| its == namespace)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_backwards() {
        let v4 = IpAddr::from([10, 0, 0, 4]);
        assert_eq!(address("4.0.0.10.in-addr.arpa."), Some(v4));
        let v6 = "1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.d.c.b.a.4.3.2.1.ip6.arpa.";
        assert_eq!(address(v6), "1234:abcd::1".parse().ok());
        for name in ["0.10.in-addr.arpa.", "1.ip6.arpa.", "a.example.", &v6[2..]] {
            assert_eq!(address(name), None, "{name}");
        }
    }

    #[test]
    fn pods_names_are_addresses() {
        assert_eq!(undashed("10-0-0-4"), Some(IpAddr::from([10, 0, 0, 4])));
        assert_eq!(undashed("1234-abcd--1"), "1234:abcd::1".parse().ok());
        for name in ["web", "10-0-0", "10-0-0-256", ""] {
            assert_eq!(undashed(name), None, "{name}");
        }
    }
}
