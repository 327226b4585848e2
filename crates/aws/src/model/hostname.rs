//! The names that AWS gives to addresses.
//!
//! <https://docs.aws.amazon.com/vpc/latest/userguide/vpc-dns.html>

use std::net::Ipv4Addr;

/// The region whose names have no region in them.
const FIRST_REGION: &str = "us-east-1";

fn dashed(ip: Ipv4Addr) -> String {
    let [a, b, c, d] = ip.octets();
    format!("{a}-{b}-{c}-{d}")
}

/// The domain of a region's private names.
pub fn private_domain(region: &str) -> String {
    match region {
        FIRST_REGION => "ec2.internal".to_owned(),
        _ => format!("{region}.compute.internal"),
    }
}

/// The domain of a region's public names.
pub fn public_domain(region: &str) -> String {
    match region {
        FIRST_REGION => "compute-1.amazonaws.com".to_owned(),
        _ => format!("{region}.compute.amazonaws.com"),
    }
}

/// The IP name of a private address: `ip-10-0-0-5.us-west-2.compute.internal`.
pub fn private(region: &str, ip: Ipv4Addr) -> String {
    format!("ip-{}.{}", dashed(ip), private_domain(region))
}

/// The name of a public address: `ec2-198-51-100-1.us-west-2.compute.amazonaws.com`.
pub fn public(region: &str, ip: Ipv4Addr) -> String {
    format!("ec2-{}.{}", dashed(ip), public_domain(region))
}
