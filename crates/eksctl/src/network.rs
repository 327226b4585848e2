//! Where a cluster lies: in a VPC of its own, or in one that is there.
//!
//! <https://docs.aws.amazon.com/eks/latest/eksctl/vpc-configuration.html>

use crate::config::{CIDR, ClusterConfig};
use crate::subnets::{Zone, cut};
use crate::{Error, Level, Means};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use wire::call::Service::Ec2;

/// Zones in which control planes don't run.
/// <https://docs.aws.amazon.com/eks/latest/userguide/network-reqs.html>
const AVOIDED: [&str; 3] = ["use1-az3", "usw1-az2", "cac1-az3"];

/// A cluster's network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Network {
    /// A VPC that is made for it.
    Own {
        /// Its range.
        range: String,
        /// How it is cut.
        zones: Vec<Zone>,
    },
    /// One that is there.
    There {
        /// The VPC.
        vpc: String,
        /// Its public subnets.
        public: Vec<String>,
        /// Its private ones.
        private: Vec<String>,
    },
}

/// What a config means, with what it leaves open chosen.
///
/// # Errors
/// The range can't be, or the subnets can't be used.
pub fn plan(means: &dyn Means, config: &mut ClusterConfig) -> Result<Network, Error> {
    let ids = |of: &std::collections::BTreeMap<String, crate::config::Subnet>| -> Vec<String> {
        of.iter()
            .map(|(name, of)| of.id.clone().unwrap_or_else(|| name.clone()))
            .collect()
    };
    let (public, private) = (
        ids(&config.vpc.subnets.public),
        ids(&config.vpc.subnets.private),
    );
    if !public.is_empty() || !private.is_empty() {
        return there(means, config.vpc.id.as_deref(), public, private);
    }
    if let Some(vpc) = &config.vpc.id {
        let message = format!("vpc.subnets must be given with vpc.id {vpc:?}");
        return Err(Error::Invalid(message));
    }
    let zones = planned_zones(means, config)?;
    for zone in &zones {
        let line = format!(
            "subnets for {} - public:{} private:{}",
            zone.name, zone.public, zone.private
        );
        means.say(Level::Info, &line);
    }
    let range = config.vpc.cidr.clone().unwrap_or_else(|| CIDR.to_owned());
    Ok(Network::Own { range, zones })
}

/// A VPC that is there, by its subnets.
fn there(
    means: &dyn Means,
    wanted: Option<&str>,
    public: Vec<String>,
    private: Vec<String>,
) -> Result<Network, Error> {
    let all: Vec<&String> = public.iter().chain(&private).collect();
    let answer = means.call(Ec2, "DescribeSubnets", json!({ "SubnetId": all }))?;
    let found = answer.get("subnetSet").and_then(Value::as_array);
    let of = found.into_iter().flatten();
    let vpcs: BTreeSet<&str> = of
        .filter_map(|subnet| subnet.get("vpcId")?.as_str())
        .collect();
    let mut each = vpcs.iter();
    let vpc = match (each.next(), each.next()) {
        (Some(vpc), None) if wanted.is_none_or(|wanted| wanted == *vpc) => (*vpc).to_owned(),
        _ => {
            let message = "given subnets are not all of the same VPC, or of another than vpc.id";
            return Err(Error::Invalid(message.to_owned()));
        }
    };
    let line = format!(
        "using existing VPC ({vpc}) and subnets (private:[{}] public:[{}])",
        private.join(" "),
        public.join(" ")
    );
    means.say(Level::Success, &line);
    means.say(Level::Warning, "custom VPC/subnets will be used; if resulting cluster doesn't function as expected, make sure to review the configuration of VPC/subnets");
    Ok(Network::There {
        vpc,
        public,
        private,
    })
}

/// Chooses zones, if the config doesn't, and cuts the VPC's range for them.
fn planned_zones(means: &dyn Means, config: &mut ClusterConfig) -> Result<Vec<Zone>, Error> {
    if config.availability_zones.is_empty() {
        config.availability_zones = chosen_zones(means, &config.metadata.region)?;
        let zones = config.availability_zones.join(" ");
        means.say(
            Level::Info,
            &format!("setting availability zones to [{zones}]"),
        );
    }
    if config.availability_zones.len() < 2 {
        let message = "only 1 zone(s) specified, 2 are required (can be non-unique)";
        return Err(Error::Invalid(message.to_owned()));
    }
    let cidr = config.vpc.cidr.clone().unwrap_or_else(|| CIDR.to_owned());
    let range = cidr
        .parse()
        .map_err(|_| Error::Invalid(format!("{cidr:?} is not an IPv4 range")))?;
    cut(range, &config.availability_zones)
}

/// Three zones of a region in a random order; two in us-east-1.
fn chosen_zones(means: &dyn Means, region: &str) -> Result<Vec<String>, Error> {
    let answer = means.call(Ec2, "DescribeAvailabilityZones", json!({}))?;
    let zones = answer
        .get("availabilityZoneInfo")
        .and_then(Value::as_array)
        .cloned();
    let text = |zone: &Value, name: &str| zone.get(name).and_then(Value::as_str).map(str::to_owned);
    let mut names: Vec<String> = zones
        .unwrap_or_default()
        .iter()
        .filter(|zone| !text(zone, "zoneId").is_some_and(|id| AVOIDED.contains(&id.as_str())))
        .filter_map(|zone| text(zone, "zoneName"))
        .collect();
    let mut chance = means.chance();
    for end in (1..names.len()).rev() {
        let other = usize::try_from(chance % (end as u64 + 1)).unwrap_or(0);
        names.swap(end, other);
        chance /= end as u64 + 1;
    }
    names.truncate(if region == "us-east-1" { 2 } else { 3 });
    Ok(names)
}
