//! Interfaces: made, attached, given addresses, and all that taken back.

use super::xml::Element;
use super::{Ec2, Ec2Error, Parameters, parameter};
use crate::limits::Limits;
use ipnet::Ipv4Net;
use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;

/// What EC2 says of an interface.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Described {
    /// Its id.
    pub id: String,
    /// Its link-layer address.
    pub mac: String,
    /// What it says of itself.
    pub description: String,
    /// Its attachment's id, if it is attached.
    pub attachment: Option<String>,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
}

/// An interface to make.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewInterface<'a> {
    /// What it says of itself.
    pub description: &'a str,
    /// Its subnet.
    pub subnet: &'a str,
    /// Its security groups.
    pub groups: &'a [String],
    /// How many secondary addresses, or prefixes.
    pub units: usize,
    /// Whether they are prefixes.
    pub prefixes: bool,
    /// Its tags.
    pub tags: &'a BTreeMap<String, String>,
}

/// A subnet that interfaces can be made in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subnet {
    /// Its id.
    pub id: String,
    /// How many addresses are free.
    pub free: u32,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
}

fn numbered<'a>(
    name: &str,
    values: impl IntoIterator<Item = &'a String>,
) -> impl Iterator<Item = (String, String)> {
    let values = values.into_iter().enumerate();
    values.map(move |(index, value)| parameter(format!("{name}.{}", index + 1), value))
}

fn filter(number: usize, name: &str, value: &str) -> [(String, String); 2] {
    [
        parameter(format!("Filter.{number}.Name"), name),
        parameter(format!("Filter.{number}.Value.1"), value),
    ]
}

fn tag_parameters(prefix: &str, tags: &BTreeMap<String, String>) -> Parameters {
    let mut parameters = Vec::new();
    for (index, (key, value)) in tags.iter().enumerate() {
        let number = index + 1;
        parameters.push(parameter(format!("{prefix}Tag.{number}.Key"), key));
        parameters.push(parameter(format!("{prefix}Tag.{number}.Value"), value));
    }
    parameters
}

fn tags(element: &Element) -> BTreeMap<String, String> {
    // Interfaces have `tagSet` as everything else has.
    let items = element.items("tagSet");
    items
        .map(|item| (item.text("key"), item.text("value")))
        .collect()
}

fn described(element: &Element) -> Described {
    let attachment = element.child("attachment").text("attachmentId");
    Described {
        id: element.text("networkInterfaceId"),
        mac: element.text("macAddress"),
        description: element.text("description"),
        attachment: (!attachment.is_empty()).then_some(attachment),
        tags: tags(element),
    }
}

impl Ec2 {
    /// Interfaces by their ids.
    ///
    /// # Errors
    /// EC2 refuses.
    pub async fn interfaces(&self, ids: &[String]) -> Result<Vec<Described>, Ec2Error> {
        let asked = numbered("NetworkInterfaceId", ids).collect();
        self.describe(asked).await
    }

    async fn describe(&self, asked: Parameters) -> Result<Vec<Described>, Ec2Error> {
        let answer = self.call("DescribeNetworkInterfaces", asked).await?;
        let all = answer.items("networkInterfaceSet");
        Ok(all.map(described).collect())
    }

    /// Interfaces of this cluster's nodes, or of any, that are attached to nothing.
    ///
    /// # Errors
    /// EC2 refuses.
    pub async fn left_behind(
        &self,
        vpc: &str,
        cluster: Option<&str>,
    ) -> Result<Vec<Described>, Ec2Error> {
        let mut asked: Parameters = filter(1, "status", "available").into();
        asked.extend(filter(2, "tag-key", super::INSTANCE_TAG));
        asked.extend(filter(3, "vpc-id", vpc));
        if let Some(cluster) = cluster {
            let name = format!("tag:{}", super::CLUSTER_TAG);
            asked.extend(filter(4, &name, cluster));
        }
        self.describe(asked).await
    }

    /// Makes an interface; its id and link-layer address.
    ///
    /// # Errors
    /// EC2 refuses.
    pub async fn create_interface(&self, new: &NewInterface<'_>) -> Result<Described, Ec2Error> {
        let count = if new.prefixes {
            "Ipv4PrefixCount"
        } else {
            "SecondaryPrivateIpAddressCount"
        };
        let mut asked = vec![
            parameter("Description", new.description),
            parameter("SubnetId", new.subnet),
            parameter(count, new.units),
            parameter("TagSpecification.1.ResourceType", "network-interface"),
        ];
        asked.extend(numbered("SecurityGroupId", new.groups));
        asked.extend(tag_parameters("TagSpecification.1.", new.tags));
        let answer = self.call("CreateNetworkInterface", asked).await?;
        Ok(described(answer.child("networkInterface")))
    }

    /// The device indexes that an instance uses.
    ///
    /// # Errors
    /// EC2 refuses.
    pub async fn devices(&self, instance: &str) -> Result<BTreeSet<u32>, Ec2Error> {
        let asked = vec![parameter("InstanceId.1", instance)];
        let answer = self.call("DescribeInstances", asked).await?;
        let reservations = answer.items("reservationSet");
        let instances = reservations.flat_map(|found| found.items("instancesSet"));
        let interfaces = instances.flat_map(|found| found.items("networkInterfaceSet"));
        Ok(interfaces
            .filter_map(|found| found.child("attachment").text("deviceIndex").parse().ok())
            .collect())
    }

    /// Attaches an interface; the attachment's id.
    ///
    /// # Errors
    /// EC2 refuses.
    pub async fn attach(
        &self,
        interface: &str,
        instance: &str,
        device: u32,
    ) -> Result<String, Ec2Error> {
        let asked = vec![
            parameter("NetworkInterfaceId", interface),
            parameter("InstanceId", instance),
            parameter("DeviceIndex", device),
        ];
        let answer = self.call("AttachNetworkInterface", asked).await?;
        Ok(answer.text("attachmentId"))
    }

    /// Has an interface deleted with its instance.
    ///
    /// # Errors
    /// EC2 refuses.
    pub async fn delete_on_termination(
        &self,
        interface: &str,
        attachment: &str,
    ) -> Result<(), Ec2Error> {
        let asked = vec![
            parameter("NetworkInterfaceId", interface),
            parameter("Attachment.AttachmentId", attachment),
            parameter("Attachment.DeleteOnTermination", "true"),
        ];
        self.call("ModifyNetworkInterfaceAttribute", asked)
            .await
            .map(drop)
    }

    /// Puts an interface's security groups in the place of those it had.
    ///
    /// # Errors
    /// EC2 refuses.
    pub async fn set_groups(&self, interface: &str, groups: &[String]) -> Result<(), Ec2Error> {
        let mut asked = vec![parameter("NetworkInterfaceId", interface)];
        asked.extend(numbered("SecurityGroupId", groups));
        self.call("ModifyNetworkInterfaceAttribute", asked)
            .await
            .map(drop)
    }

    /// Detaches an interface.
    ///
    /// # Errors
    /// EC2 refuses.
    pub async fn detach(&self, attachment: &str) -> Result<(), Ec2Error> {
        let asked = vec![parameter("AttachmentId", attachment)];
        self.call("DetachNetworkInterface", asked).await.map(drop)
    }

    /// Deletes an interface.
    ///
    /// # Errors
    /// EC2 refuses.
    pub async fn delete_interface(&self, interface: &str) -> Result<(), Ec2Error> {
        let asked = vec![parameter("NetworkInterfaceId", interface)];
        self.call("DeleteNetworkInterface", asked).await.map(drop)
    }

    /// Gives an interface more addresses or prefixes.
    ///
    /// # Errors
    /// EC2 refuses.
    pub async fn assign(
        &self,
        interface: &str,
        units: usize,
        prefixes: bool,
    ) -> Result<Vec<Ipv4Net>, Ec2Error> {
        let count = if prefixes {
            "Ipv4PrefixCount"
        } else {
            "SecondaryPrivateIpAddressCount"
        };
        let asked = vec![
            parameter("NetworkInterfaceId", interface),
            parameter(count, units),
        ];
        let answer = self.call("AssignPrivateIpAddresses", asked).await?;
        if prefixes {
            let all = answer.items("assignedIpv4PrefixSet");
            return Ok(all
                .filter_map(|item| item.text("ipv4Prefix").parse().ok())
                .collect());
        }
        let all = answer.items("assignedPrivateIpAddressesSet");
        let addresses = all.filter_map(|item| {
            let address: Ipv4Addr = item.text("privateIpAddress").parse().ok()?;
            Some(Ipv4Net::from(address))
        });
        Ok(addresses.collect())
    }

    /// Takes addresses and prefixes from an interface.
    ///
    /// # Errors
    /// EC2 refuses.
    pub async fn unassign(&self, interface: &str, units: &[Ipv4Net]) -> Result<(), Ec2Error> {
        let mut asked = vec![parameter("NetworkInterfaceId", interface)];
        let (single, ranges): (Vec<Ipv4Net>, Vec<Ipv4Net>) = units
            .iter()
            .copied()
            .partition(|unit| unit.prefix_len() == 32);
        let single: Vec<String> = single.iter().map(|unit| unit.addr().to_string()).collect();
        let ranges: Vec<String> = ranges.iter().map(ToString::to_string).collect();
        asked.extend(numbered("PrivateIpAddress", &single));
        asked.extend(numbered("Ipv4Prefix", &ranges));
        self.call("UnassignPrivateIpAddresses", asked)
            .await
            .map(drop)
    }

    /// Tags something.
    ///
    /// # Errors
    /// EC2 refuses.
    pub async fn tag(
        &self,
        resource: &str,
        tags: &BTreeMap<String, String>,
    ) -> Result<(), Ec2Error> {
        let mut asked = vec![parameter("ResourceId.1", resource)];
        asked.extend(tag_parameters("", tags));
        self.call("CreateTags", asked).await.map(drop)
    }

    /// The subnets of a VPC in a zone.
    ///
    /// # Errors
    /// EC2 refuses.
    pub async fn subnets(&self, vpc: &str, zone: &str) -> Result<Vec<Subnet>, Ec2Error> {
        let mut asked: Parameters = filter(1, "vpc-id", vpc).into();
        asked.extend(filter(2, "availability-zone", zone));
        let answer = self.call("DescribeSubnets", asked).await?;
        let all = answer.items("subnetSet").map(|item| Subnet {
            id: item.text("subnetId"),
            free: item
                .text("availableIpAddressCount")
                .parse()
                .unwrap_or_default(),
            tags: tags(item),
        });
        Ok(all.collect())
    }

    /// The limits of an instance type that the table of published ones doesn't have.
    ///
    /// # Errors
    /// EC2 refuses; nothing where it doesn't say.
    pub async fn limits(&self, instance_type: &str) -> Result<Option<Limits>, Ec2Error> {
        let asked = vec![parameter("InstanceType.1", instance_type)];
        let answer = self.call("DescribeInstanceTypes", asked).await?;
        let Some(found) = answer.items("instanceTypeSet").next() else {
            return Ok(None);
        };
        let network = found.child("networkInfo");
        let number = |of: &Element, name: &str| of.text(name).parse().ok();
        let read = || {
            Some(Limits {
                processors: number(found.child("vCpuInfo"), "defaultVCpus")?,
                interfaces: number(network, "maximumNetworkInterfaces")?,
                addresses: number(network, "ipv4AddressesPerInterface")?,
            })
        };
        Ok(read())
    }
}
