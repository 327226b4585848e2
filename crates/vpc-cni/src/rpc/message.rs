//! The messages.

use super::protobuf::{Malformed, Writer, fields};
use std::net::Ipv4Addr;

/// A pod asks for a network.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AddNetworkRequest {
    /// The pod's name.
    pub pod: String,
    /// The pod's namespace.
    pub namespace: String,
    /// The id of the pod's sandbox, as the runtime says it beside [`Self::container`].
    pub infra_container: String,
    /// Where the node sees the pod's network namespace.
    pub netns: String,
    /// The link that the pod shall have.
    pub link: String,
    /// The network's name.
    pub network: String,
    /// The container.
    pub container: String,
    /// The plugin's version.
    pub version: String,
}

/// An address for a pod.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Assignment {
    /// The address.
    pub address: Ipv4Addr,
    /// The device index of its interface.
    pub device: u32,
    /// The table that what it sends is routed by.
    pub table: u32,
}

/// The answer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AddNetworkReply {
    /// Whether there is an address.
    pub success: bool,
    /// The addresses.
    pub assignments: Vec<Assignment>,
    /// Whether somebody else translates what leaves the VPC.
    pub external_snat: bool,
    /// The VPC's ranges.
    pub vpc_ranges: Vec<String>,
}

/// A pod's network is given back.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DelNetworkRequest {
    /// The pod's name.
    pub pod: String,
    /// The pod's namespace.
    pub namespace: String,
    /// The id of the pod's sandbox.
    pub infra_container: String,
    /// Why: `PodDeleted` or `SetupNSFailed`.
    pub reason: String,
    /// The link in the pod.
    pub link: String,
    /// The network's name.
    pub network: String,
    /// The container.
    pub container: String,
    /// The plugin's version.
    pub version: String,
    /// The pod's UID.
    pub uid: String,
}

/// The answer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DelNetworkReply {
    /// Whether there was something to give back.
    pub success: bool,
    /// What it was.
    pub assignments: Vec<Assignment>,
}

/// A message on the wire.
pub trait Message: Sized {
    /// Its bytes.
    fn encode(&self) -> Vec<u8>;

    /// From its bytes.
    ///
    /// # Errors
    /// They are none of a message.
    fn decode(bytes: &[u8]) -> Result<Self, Malformed>;
}

impl Assignment {
    fn encode(&self) -> Vec<u8> {
        let mut to = Writer::default();
        to.text(1, &self.address.to_string())
            .number(3, u64::from(self.device))
            .number(4, u64::from(self.table));
        to.0
    }

    fn decode(bytes: &[u8]) -> Result<Self, Malformed> {
        let mut read = Self {
            address: Ipv4Addr::UNSPECIFIED,
            device: 0,
            table: 0,
        };
        let number = |value: u64| u32::try_from(value).map_err(|_| Malformed);
        for (field, value) in fields(bytes)? {
            match field {
                1 => read.address = value.text().parse().map_err(|_| Malformed)?,
                3 => read.device = number(value.number())?,
                4 => read.table = number(value.number())?,
                _ => {}
            }
        }
        Ok(read)
    }
}

fn decode_assignment(value: super::protobuf::Value<'_>) -> Result<Assignment, Malformed> {
    match value {
        super::protobuf::Value::Bytes(bytes) => Assignment::decode(bytes),
        super::protobuf::Value::Number(_) => Err(Malformed),
    }
}

impl Message for AddNetworkRequest {
    fn encode(&self) -> Vec<u8> {
        let mut to = Writer::default();
        to.text(1, &self.pod)
            .text(2, &self.namespace)
            .text(3, &self.infra_container)
            .text(4, &self.netns)
            .text(5, &self.link)
            .text(6, &self.network)
            .text(7, &self.container)
            .text(8, &self.version);
        to.0
    }

    fn decode(bytes: &[u8]) -> Result<Self, Malformed> {
        let mut read = Self::default();
        for (field, value) in fields(bytes)? {
            match field {
                1 => read.pod = value.text(),
                2 => read.namespace = value.text(),
                3 => read.infra_container = value.text(),
                4 => read.netns = value.text(),
                5 => read.link = value.text(),
                6 => read.network = value.text(),
                7 => read.container = value.text(),
                8 => read.version = value.text(),
                _ => {}
            }
        }
        Ok(read)
    }
}

impl Message for AddNetworkReply {
    fn encode(&self) -> Vec<u8> {
        let mut to = Writer::default();
        to.switch(1, self.success);
        for assignment in &self.assignments {
            to.bytes(2, &assignment.encode());
        }
        to.switch(5, self.external_snat);
        for range in &self.vpc_ranges {
            to.text(6, range);
        }
        to.0
    }

    fn decode(bytes: &[u8]) -> Result<Self, Malformed> {
        let mut read = Self::default();
        for (field, value) in fields(bytes)? {
            match field {
                1 => read.success = value.number() != 0,
                2 => read.assignments.push(decode_assignment(value)?),
                5 => read.external_snat = value.number() != 0,
                6 => read.vpc_ranges.push(value.text()),
                _ => {}
            }
        }
        Ok(read)
    }
}

impl Message for DelNetworkRequest {
    fn encode(&self) -> Vec<u8> {
        let mut to = Writer::default();
        to.text(1, &self.pod)
            .text(2, &self.namespace)
            .text(3, &self.infra_container)
            .text(5, &self.reason)
            .text(6, &self.link)
            .text(7, &self.network)
            .text(8, &self.container)
            .text(9, &self.version)
            .text(10, &self.uid);
        to.0
    }

    fn decode(bytes: &[u8]) -> Result<Self, Malformed> {
        let mut read = Self::default();
        for (field, value) in fields(bytes)? {
            match field {
                1 => read.pod = value.text(),
                2 => read.namespace = value.text(),
                3 => read.infra_container = value.text(),
                5 => read.reason = value.text(),
                6 => read.link = value.text(),
                7 => read.network = value.text(),
                8 => read.container = value.text(),
                9 => read.version = value.text(),
                10 => read.uid = value.text(),
                _ => {}
            }
        }
        Ok(read)
    }
}

impl Message for DelNetworkReply {
    fn encode(&self) -> Vec<u8> {
        let mut to = Writer::default();
        to.switch(1, self.success);
        for assignment in &self.assignments {
            to.bytes(2, &assignment.encode());
        }
        to.0
    }

    fn decode(bytes: &[u8]) -> Result<Self, Malformed> {
        let mut read = Self::default();
        for (field, value) in fields(bytes)? {
            match field {
                1 => read.success = value.number() != 0,
                2 => read.assignments.push(decode_assignment(value)?),
                _ => {}
            }
        }
        Ok(read)
    }
}

/// The question after a service's health.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HealthCheckRequest {
    /// Which service; empty for the server as a whole.
    pub service: String,
}

/// The answer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HealthCheckReply {
    /// Whether it serves.
    pub serving: bool,
}

impl Message for HealthCheckRequest {
    fn encode(&self) -> Vec<u8> {
        let mut to = Writer::default();
        to.text(1, &self.service);
        to.0
    }

    fn decode(bytes: &[u8]) -> Result<Self, Malformed> {
        let fields = fields(bytes)?;
        let service = fields.iter().find(|(field, _)| *field == 1);
        Ok(Self {
            service: service.map(|(_, value)| value.text()).unwrap_or_default(),
        })
    }
}

impl Message for HealthCheckReply {
    fn encode(&self) -> Vec<u8> {
        let mut to = Writer::default();
        // SERVING and NOT_SERVING.
        to.number(1, if self.serving { 1 } else { 2 });
        to.0
    }

    fn decode(bytes: &[u8]) -> Result<Self, Malformed> {
        let serving = fields(bytes)?
            .iter()
            .any(|(field, value)| *field == 1 && value.number() == 1);
        Ok(Self { serving })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// AWS-CNI: the fields have upstream's numbers.
    #[test]
    fn messages_have_upstreams_numbers() {
        let reply = AddNetworkReply {
            success: true,
            assignments: vec![Assignment {
                address: [10, 0, 0, 5].into(),
                device: 1,
                table: 2,
            }],
            external_snat: false,
            vpc_ranges: vec!["10.0.0.0/16".to_owned()],
        };
        let bytes = reply.encode();
        assert_eq!(
            bytes,
            b"\x08\x01\x12\x0e\x0a\x0810.0.0.5\x18\x01\x20\x02\x32\x0b10.0.0.0/16"
        );
        assert_eq!(AddNetworkReply::decode(&bytes), Ok(reply));
        let asked = DelNetworkRequest {
            reason: "PodDeleted".to_owned(),
            uid: "u".to_owned(),
            version: "v".to_owned(),
            ..DelNetworkRequest::default()
        };
        let bytes = asked.encode();
        assert_eq!(bytes, b"\x2a\x0aPodDeleted\x4a\x01v\x52\x01u");
        assert_eq!(DelNetworkRequest::decode(&bytes), Ok(asked));
    }

    #[test]
    fn nonsense_is_refused_and_the_unknown_skipped() {
        assert_eq!(AddNetworkRequest::decode(b"\x0a\xff"), Err(Malformed));
        assert_eq!(AddNetworkRequest::decode(b"\x08"), Err(Malformed));
        let unknown = AddNetworkRequest::decode(b"\xa0\x06\x01\x0a\x01p").unwrap();
        assert_eq!(unknown.pod, "p");
    }
}
