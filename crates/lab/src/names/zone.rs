//! Which names there are, and what they stand for, for whoever asks.
//!
//! Private names (`ip-10-0-0-4.us-west-2.compute.internal`) are known in their VPC. Public ones
//! (`ec2-198-51-100-1.us-west-2.compute.amazonaws.com`) are known everywhere, in their own VPC as
//! the private address: <https://docs.aws.amazon.com/vpc/latest/userguide/vpc-dns.html>.
//! The clouds' service endpoints are known everywhere as an address of the lab's internet, so a
//! host without a way out knows the name and can't reach it.

use crate::internet;
use aws::model::eks::dns as clusters;
use aws::model::load_balancer::dns;
use aws::model::network_interface::{NetworkInterface, PrivateAddress, PublicAddress};
use aws::model::{State, VpcId};
use std::net::Ipv4Addr;
use std::sync::atomic::{AtomicUsize, Ordering};

/// What is asked. Names are lower case, without the last dot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Question {
    /// A name's addresses.
    Address(String),
    /// An address's name (`4.0.0.10.in-addr.arpa`).
    Pointer(String),
    /// A name's something else.
    Other(String),
}

/// Who asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Asker {
    /// Somebody in a VPC.
    Vpc(VpcId),
    /// Somebody on the internet.
    Internet,
}

/// What a resolver says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// These.
    Records {
        /// How long they hold, in seconds.
        ttl: u32,
        /// The records' data.
        data: Vec<Data>,
    },
    /// The name exists, without anything of the kind asked for.
    Empty,
    /// There is no such name.
    NoSuchName,
    /// The resolver doesn't serve this asker.
    Refused,
}

/// One record's data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Data {
    /// An address.
    Address(Ipv4Addr),
    /// Another name for this one.
    Alias(String),
    /// The name of an address.
    Pointer(String),
}

/// Whose turn it is to be the first of several addresses.
static TURN: AtomicUsize = AtomicUsize::new(0);

/// What Amazon's resolver gives.
const TTL: u32 = 60;

/// The services whose endpoints the lab has.
const SERVICES: &[&str] = &[
    "acm",
    "autoscaling",
    "ec2",
    "ecr",
    "eks",
    "elasticloadbalancing",
    "iam",
    "ssm",
    "sts",
];

/// Answers as the resolver that the asker reaches does.
pub fn resolve(state: &State, asker: &Asker, question: &Question) -> Answer {
    match asker {
        Asker::Internet => resolve_public(state, question),
        Asker::Vpc(vpc) => match state.vpcs.get(vpc) {
            Some(found) if found.dns_support => resolve_in(state, vpc, question),
            _ => Answer::Refused,
        },
    }
}

/// Answers as a resolver on the internet does.
pub fn resolve_public(state: &State, question: &Question) -> Answer {
    match question {
        Question::Address(name) => match several(state, None, name) {
            Some(addresses) => balanced(addresses),
            None => found(public_address(state, name).map(Data::Address)),
        },
        Question::Pointer(name) => {
            let holder = reversed(name).and_then(|public| holder(state, public));
            found(
                holder
                    .and_then(|holder| holder.public_name(state))
                    .map(Data::Pointer),
            )
        }
        Question::Other(name) => {
            exists(several(state, None, name).is_some() || public_address(state, name).is_some())
        }
    }
}

fn resolve_in(state: &State, vpc: &VpcId, question: &Question) -> Answer {
    match question {
        Question::Address(name) => match several(state, Some(vpc), name) {
            Some(addresses) => balanced(addresses),
            None => found(address_in(state, vpc, name).map(Data::Address)),
        },
        Question::Other(name) => exists(
            several(state, Some(vpc), name).is_some() || address_in(state, vpc, name).is_some(),
        ),
        Question::Pointer(name) => {
            let own = reversed(name).and_then(|address| owner_in(state, vpc, address));
            match own {
                Some((interface, address)) => {
                    let name = private_name(&interface.region, address);
                    found(Some(Data::Pointer(name)))
                }
                None => resolve_public(state, question),
            }
        }
    }
}

fn found(data: Option<Data>) -> Answer {
    data.map_or(Answer::NoSuchName, |data| Answer::Records {
        ttl: TTL,
        data: vec![data],
    })
}

/// What the name of a load balancer or of a cluster's endpoint stands for, asked in a VPC or on the internet.
fn several(state: &State, asker: Option<&VpcId>, name: &str) -> Option<Vec<Ipv4Addr>> {
    dns::addresses(state, name).or_else(|| clusters::addresses(state, asker, name))
}

/// Such a name's addresses, another first each time: AWS rotates them.
fn balanced(mut addresses: Vec<Ipv4Addr>) -> Answer {
    if addresses.is_empty() {
        return Answer::Empty;
    }
    let turn = TURN.fetch_add(1, Ordering::Relaxed) % addresses.len();
    addresses.rotate_left(turn);
    Answer::Records {
        ttl: TTL,
        data: addresses.into_iter().map(Data::Address).collect(),
    }
}

fn exists(exists: bool) -> Answer {
    if exists {
        Answer::Empty
    } else {
        Answer::NoSuchName
    }
}

/// A name's address, asked in a VPC.
fn address_in(state: &State, vpc: &VpcId, name: &str) -> Option<Ipv4Addr> {
    if let Some((region, address)) = parse_private(name) {
        let (interface, _) = owner_in(state, vpc, address)?;
        return (interface.region == region).then_some(address);
    }
    let public = public_address(state, name)?;
    let private = holder(state, public)
        .filter(|holder| holder.interface.vpc == *vpc)
        .map(|holder| holder.address.ip);
    Some(private.unwrap_or(public))
}

/// A public name's address, asked on the internet.
fn public_address(state: &State, name: &str) -> Option<Ipv4Addr> {
    if is_service(name) {
        return Some(internet::ENDPOINTS);
    }
    let (region, address) = parse_public(name)?;
    let holder = holder(state, address)?;
    (holder.interface.region == region && holder.named(state)).then_some(address)
}

/// Whether a name is one of the clouds' service endpoints that the lab has.
pub(crate) fn is_service(name: &str) -> bool {
    let Some(rest) = name.strip_suffix(".amazonaws.com") else {
        return false;
    };
    // Where clusters' issuers of tokens are is a name below EKS's own.
    let rest = match rest.strip_prefix("oidc.") {
        Some(below) if below.starts_with("eks.") => below,
        _ => rest,
    };
    if registry(name).is_some() {
        return true;
    }
    // The registry's API has a longer name than the registry.
    let rest = rest.strip_prefix("api.").unwrap_or(rest);
    let (service, region) = rest.split_once('.').unwrap_or((rest, ""));
    let regional = !region.contains('.')
        && region
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b == b'-');
    SERVICES.contains(&service) && regional
}

/// The account and the region of a container registry's name: `<account>.dkr.ecr.<region>.amazonaws.com`.
pub(crate) fn registry(name: &str) -> Option<(&str, &str)> {
    let rest = name.strip_suffix(".amazonaws.com")?;
    let (account, region) = rest.split_once(".dkr.ecr.")?;
    let number = account.len() == 12 && account.bytes().all(|byte| byte.is_ascii_digit());
    let regional = region
        .bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    (number && regional && !region.is_empty()).then_some((account, region))
}

/// The private name of an address, as Amazon makes them.
pub fn private_name(region: &str, address: Ipv4Addr) -> String {
    format!("ip-{}.{}", dashed(address), private_domain(region))
}

/// What a region's private names end in.
pub fn private_domain(region: &str) -> String {
    match region {
        "us-east-1" => "ec2.internal".to_owned(),
        region => format!("{region}.compute.internal"),
    }
}

fn public_name(region: &str, address: Ipv4Addr) -> String {
    match region {
        "us-east-1" => format!("ec2-{}.compute-1.amazonaws.com", dashed(address)),
        region => format!("ec2-{}.{region}.compute.amazonaws.com", dashed(address)),
    }
}

fn dashed(address: Ipv4Addr) -> String {
    address.to_string().replace('.', "-")
}

fn parse_private(name: &str) -> Option<(&str, Ipv4Addr)> {
    let (host, domain) = name.split_once('.')?;
    let region = match domain {
        "ec2.internal" => "us-east-1",
        domain => domain.strip_suffix(".compute.internal")?,
    };
    Some((region, undashed(host.strip_prefix("ip-")?)?))
}

fn parse_public(name: &str) -> Option<(&str, Ipv4Addr)> {
    let (host, domain) = name.split_once('.')?;
    let region = match domain {
        "compute-1.amazonaws.com" => "us-east-1",
        domain => domain.strip_suffix(".compute.amazonaws.com")?,
    };
    Some((region, undashed(host.strip_prefix("ec2-")?)?))
}

fn undashed(text: &str) -> Option<Ipv4Addr> {
    text.replace('-', ".").parse().ok()
}

/// The address that a name under `in-addr.arpa` stands for.
fn reversed(name: &str) -> Option<Ipv4Addr> {
    let digits: Ipv4Addr = name.strip_suffix(".in-addr.arpa")?.parse().ok()?;
    let [a, b, c, d] = digits.octets();
    Some(Ipv4Addr::new(d, c, b, a))
}

/// Whose private address this is, in a VPC.
fn owner_in<'a>(
    state: &'a State,
    vpc: &VpcId,
    address: Ipv4Addr,
) -> Option<(&'a NetworkInterface, Ipv4Addr)> {
    let interfaces = state.network_interfaces.values();
    interfaces
        .filter(|interface| interface.vpc == *vpc)
        .find(|interface| interface.addresses.iter().any(|own| own.ip == address))
        .map(|interface| (interface.as_ref(), address))
}

/// Who has a public address.
struct Holder<'a> {
    interface: &'a NetworkInterface,
    address: &'a PrivateAddress,
    public: Ipv4Addr,
}

impl Holder<'_> {
    /// Whether its VPC gives public names (enableDnsHostnames and enableDnsSupport).
    fn named(&self, state: &State) -> bool {
        state
            .vpcs
            .get(&self.interface.vpc)
            .is_some_and(|vpc| vpc.dns_hostnames && vpc.dns_support)
    }

    fn public_name(&self, state: &State) -> Option<String> {
        self.named(state)
            .then(|| public_name(&self.interface.region, self.public))
    }
}

fn holder(state: &State, public: Ipv4Addr) -> Option<Holder<'_>> {
    state.network_interfaces.values().find_map(|interface| {
        let address = interface.addresses.iter().find(|address| {
            let mapped = match &address.public {
                Some(PublicAddress::Automatic(address)) => Some(*address),
                Some(PublicAddress::Elastic(allocation)) => {
                    state.elastic_ips.get(allocation).map(|ip| ip.public_ip)
                }
                None => None,
            };
            mapped == Some(public)
        })?;
        Some(Holder {
            interface,
            address,
            public,
        })
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// AWS-VPC: names are Amazon's, us-east-1's old ones included.
    #[test]
    fn names_are_read_as_they_are_written() {
        let address = Ipv4Addr::new(10, 0, 0, 4);
        for region in ["us-east-1", "eu-west-1"] {
            assert_eq!(
                parse_private(&private_name(region, address)),
                Some((region, address))
            );
            assert_eq!(
                parse_public(&public_name(region, address)),
                Some((region, address))
            );
        }
        assert_eq!(
            private_name("us-east-1", address),
            "ip-10-0-0-4.ec2.internal"
        );
        assert_eq!(reversed("4.0.0.10.in-addr.arpa"), Some(address));
        assert_eq!(parse_private("ip-10-0-0.us-west-2.compute.internal"), None);
    }

    #[test]
    fn endpoints_are_names() {
        for name in [
            "ec2.us-west-2.amazonaws.com",
            "sts.amazonaws.com",
            "eks.us-west-2.amazonaws.com",
            "oidc.eks.us-west-2.amazonaws.com",
            "api.ecr.eu-west-1.amazonaws.com",
            "602401143452.dkr.ecr.us-west-2.amazonaws.com",
        ] {
            assert!(is_service(name), "{name}");
        }
        for name in [
            "s3.amazonaws.com",
            "ec2.a.b.amazonaws.com",
            "ec2.example.com",
            "oidc.ec2.us-west-2.amazonaws.com",
        ] {
            assert!(!is_service(name), "{name}");
        }
    }
}
