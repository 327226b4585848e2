//! What rules are made of.

use super::Name;
use crate::netlink::message::Message;

const EXPRESSION_NAME: u16 = 1;
const EXPRESSION_DATA: u16 = 2;
const DATA_VALUE: u16 = 1;
const DATA_VERDICT: u16 = 2;
const VERDICT_CODE: u16 = 1;
const VERDICT_CHAIN: u16 = 2;
/// NF_NAT_RANGE_PROTO_RANDOM_FULLY: ports that nobody can guess and that two flows at once don't both get.
pub(crate) const RANDOM_PORT: u32 = 1 << 4;
/// NF_NAT_RANGE_PROTO_RANDOM: ports by a hash with a secret.
pub(crate) const HASHED_PORT: u32 = 1 << 2;
/// The code of an ICMP message that says so.
const PORT_UNREACHABLE: u8 = 3;
/// The register that a verdict is written to.
const REGISTER_VERDICT: u32 = 0;
/// The first of the sixteen 32-bit registers.
const REGISTER_FIRST: u32 = 8;

/// One of the sixteen 32-bit registers; longer values take the following ones too, which is how
/// keys are put together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Register(pub(crate) u8);

impl Register {
    fn number(self) -> u32 {
        REGISTER_FIRST + u32::from(self.0)
    }
}

/// What becomes of a packet, or where its evaluation goes on.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Verdict {
    /// It passes this base chain.
    Accept,
    /// It is gone.
    Drop,
    /// On to a chain, and back after its end.
    Jump(Name),
    /// On to a chain, and not back.
    Goto(Name),
}

impl Verdict {
    /// Writes it as a data attribute's content.
    pub(super) fn put(&self, message: &mut Message) {
        let (code, chain) = match self {
            Self::Drop => (0, None),
            Self::Accept => (1, None),
            Self::Jump(chain) => (-3, Some(chain)),
            Self::Goto(chain) => (-4i32, Some(chain)),
        };
        message.nest(DATA_VERDICT, |verdict| {
            verdict.put(VERDICT_CODE, &code.to_be_bytes());
            if let Some(chain) = chain {
                verdict.put_text(VERDICT_CHAIN, chain);
            }
        });
    }
}

/// What is known about a packet beside its bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum MetaKey {
    /// Its mark.
    Mark,
    /// The link it came in by, in the machine's byte order; 0 for one made here.
    InputLink,
    /// The link it leaves by.
    OutputLink,
    /// Its transport protocol, one byte.
    Protocol,
    /// The name of the link it came in by, 16 bytes with zeros at the end.
    InputName,
    /// The name of the link it leaves by.
    OutputName,
}

impl MetaKey {
    fn number(self) -> u32 {
        match self {
            Self::Mark => 3,
            Self::InputLink => 4,
            Self::OutputLink => 5,
            Self::Protocol => 16,
            Self::InputName => 6,
            Self::OutputName => 7,
        }
    }
}

/// What connection tracking knows about a packet's flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CtKey {
    /// Its state bits.
    State,
    /// Whether the packet goes the flow's first packet's way (0) or back (1), one byte.
    Direction,
    /// Its status bits.
    Status,
    /// The flow's mark.
    Mark,
    /// The destination address of its first packet, as it came.
    OriginalDestination,
    /// The destination port of its first packet, as it came.
    OriginalPort,
}

impl CtKey {
    fn number(self) -> u32 {
        match self {
            Self::State => 0,
            Self::Direction => 1,
            Self::Status => 2,
            Self::Mark => 3,
            Self::OriginalPort => 12,
            Self::OriginalDestination => 20,
        }
    }

    /// Which way's packets it is about, for those that are about one.
    fn direction(self) -> Option<u8> {
        matches!(self, Self::OriginalDestination | Self::OriginalPort).then_some(0)
    }
}

/// Which header an offset counts from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Header {
    /// The IP header.
    Network,
    /// What follows it.
    Transport,
}

impl Header {
    fn number(self) -> u32 {
        match self {
            Self::Network => 1,
            Self::Transport => 2,
        }
    }
}

/// How a register is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Compare {
    /// It is this.
    Equal,
    /// It is not this.
    NotEqual,
}

/// Where what a lookup finds goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LookupTo {
    /// Nowhere: the rule goes on if the key is in the set.
    Found,
    /// Nowhere: the rule goes on if the key is not in the set.
    Missing,
    /// The map's value, to a register.
    Register(Register),
    /// The map's value is the rule's verdict.
    Verdict,
}

/// How a rule changes a set that learns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Learn {
    /// Adds an element, with the value in a register, for so many seconds.
    Add(Register, u32),
    /// The same; if the element is there, it stays for so long again.
    Keep(Register, u32),
    /// Removes an element, if it is there, whatever its value: the kernel wants a register for that all
    /// the same.
    Forget(Register),
}

/// A part of a rule. A lookup or comparison that fails ends its rule; the next rule follows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Expression {
    /// Loads a fact about the packet.
    Meta(MetaKey, Register),
    /// Sets the packet's mark.
    SetMark(Register),
    /// Loads a fact about the flow; without a flow the rule ends.
    Ct(CtKey, Register),
    /// Sets the flow's mark.
    SetCtMark(Register),
    /// Loads bytes of the packet.
    Payload {
        header: Header,
        offset: u32,
        length: u32,
        to: Register,
    },
    /// Writes bytes of the packet and corrects checksums.
    Write {
        header: Header,
        offset: u32,
        length: u32,
        from: Register,
        /// Where the Internet checksum over these bytes stands.
        checksum: u32,
        /// Whether the transport's checksum covers them too, by its pseudo header.
        pseudo_header: bool,
    },
    /// Goes on if the register compares.
    Compare(Register, Compare, Vec<u8>),
    /// `to = from & mask ^ flip`.
    Bitwise {
        from: Register,
        to: Register,
        mask: Vec<u8>,
        flip: Vec<u8>,
    },
    /// Looks a key, which begins in a register, up in a set or map.
    Lookup {
        set: Name,
        key: Register,
        to: LookupTo,
    },
    /// Loads a constant.
    Constant(Register, Vec<u8>),
    /// Ends with a verdict.
    Verdict(Verdict),
    /// Translates the flow's source to the address in a register and, if given, a port between
    /// those in two others.
    SourceNat {
        address: Register,
        ports: Option<(Register, Register)>,
        /// How a port is chosen, 0 for the kernel's own way ([`RANDOM_PORT`], [`HASHED_PORT`]).
        flags: u32,
    },
    /// Translates the flow's destination to the address and port in two registers.
    DestinationNat { address: Register, port: Register },
    /// Translates the flow's source to the address of the link that it leaves by, and to any port.
    Masquerade,
    /// Ends the packet and tells its sender that the port can't be reached.
    Reject,
    /// Loads a random number below another one.
    Random { below: u32, to: Register },
    /// Loads what the packet's source is to this namespace (`RTN_LOCAL` and the like), in the
    /// machine's byte order.
    SourceType(Register),
    /// The same of its destination.
    DestinationType(Register),
    /// Changes a set that learns; the key begins in a register. The rule ends if the set is full.
    Learn {
        set: Name,
        key: Register,
        how: Learn,
    },
    /// Gives the packet's flow, if this is its first one, a policy of when it is forgotten.
    Forget(Name),
    /// Gives the packet to a local socket on the port in a register, its addresses as they are.
    Intercept(Register),
}

fn value(message: &mut Message, kind: u16, bytes: &[u8]) {
    message.nest(kind, |data| {
        data.put(DATA_VALUE, bytes);
    });
}

impl Expression {
    fn name(&self) -> &'static str {
        match self {
            Self::Meta(..) | Self::SetMark(_) => "meta",
            Self::Ct(..) | Self::SetCtMark(_) => "ct",
            Self::Payload { .. } | Self::Write { .. } => "payload",
            Self::Compare(..) => "cmp",
            Self::Bitwise { .. } => "bitwise",
            Self::Lookup { .. } => "lookup",
            Self::Constant(..) | Self::Verdict(_) => "immediate",
            Self::SourceNat { .. } | Self::DestinationNat { .. } => "nat",
            Self::Masquerade => "masq",
            Self::Reject => "reject",
            Self::Random { .. } => "numgen",
            Self::SourceType(_) | Self::DestinationType(_) => "fib",
            Self::Learn { .. } => "dynset",
            Self::Forget(_) => "objref",
            Self::Intercept(_) => "tproxy",
        }
    }

    /// Writes it as a list element's content.
    pub(super) fn put(&self, message: &mut Message) {
        message
            .put_text(EXPRESSION_NAME, self.name())
            .nest(EXPRESSION_DATA, |data| self.put_data(data));
    }

    /// The attribute numbers are those of the enums nft_*_attributes in linux/netfilter/nf_tables.h.
    fn put_data(&self, data: &mut Message) {
        match self {
            Self::Meta(key, to) => {
                data.put_be32(2, key.number()).put_be32(1, to.number());
            }
            Self::SetMark(from) => {
                data.put_be32(2, MetaKey::Mark.number())
                    .put_be32(3, from.number());
            }
            Self::Ct(key, to) => {
                data.put_be32(2, key.number()).put_be32(1, to.number());
                if let Some(direction) = key.direction() {
                    data.put(3, &[direction]);
                }
            }
            Self::SetCtMark(from) => {
                data.put_be32(2, CtKey::Mark.number())
                    .put_be32(4, from.number());
            }
            Self::Payload {
                header,
                offset,
                length,
                to,
            } => {
                data.put_be32(1, to.number())
                    .put_be32(2, header.number())
                    .put_be32(3, *offset)
                    .put_be32(4, *length);
            }
            Self::Write {
                header,
                offset,
                length,
                from,
                checksum,
                pseudo_header,
            } => {
                data.put_be32(5, from.number())
                    .put_be32(2, header.number())
                    .put_be32(3, *offset)
                    .put_be32(4, *length)
                    .put_be32(6, 1)
                    .put_be32(7, *checksum)
                    .put_be32(8, u32::from(*pseudo_header));
            }
            Self::Compare(register, operation, bytes) => {
                data.put_be32(1, register.number())
                    .put_be32(2, u32::from(*operation == Compare::NotEqual));
                value(data, 3, bytes);
            }
            Self::Bitwise {
                from,
                to,
                mask,
                flip,
            } => {
                data.put_be32(1, from.number())
                    .put_be32(2, to.number())
                    .put_be32(3, mask.len() as u32);
                value(data, 4, mask);
                value(data, 5, flip);
            }
            Self::Lookup { set, key, to } => put_lookup(data, set, *key, *to),
            Self::Constant(to, bytes) => {
                data.put_be32(1, to.number());
                value(data, 2, bytes);
            }
            Self::Verdict(verdict) => {
                data.put_be32(1, REGISTER_VERDICT)
                    .nest(2, |value| verdict.put(value));
            }
            Self::SourceNat {
                address,
                ports,
                flags,
            } => {
                data.put_be32(1, 0)
                    .put_be32(2, u32::from(super::NFPROTO_IPV4))
                    .put_be32(3, address.number());
                if let Some((low, high)) = ports {
                    data.put_be32(5, low.number()).put_be32(6, high.number());
                }
                if *flags != 0 {
                    data.put_be32(7, *flags);
                }
            }
            Self::DestinationNat { address, port } => {
                data.put_be32(1, 1)
                    .put_be32(2, u32::from(super::NFPROTO_IPV4))
                    .put_be32(3, address.number())
                    .put_be32(5, port.number());
            }
            Self::Masquerade => {
                data.put_be32(1, RANDOM_PORT);
            }
            Self::Reject => {
                data.put_be32(1, 0).put(2, &[PORT_UNREACHABLE]);
            }
            Self::Random { below, to } => {
                data.put_be32(1, to.number())
                    .put_be32(2, *below)
                    .put_be32(3, 1);
            }
            Self::SourceType(to) => {
                data.put_be32(1, to.number()).put_be32(2, 3).put_be32(3, 1);
            }
            Self::DestinationType(to) => {
                data.put_be32(1, to.number()).put_be32(2, 3).put_be32(3, 2);
            }
            Self::Learn { set, key, how } => put_learn(data, set, *key, *how),
            Self::Forget(policy) => {
                data.put_be32(1, super::timeout::TYPE).put_text(2, policy);
            }
            Self::Intercept(port) => {
                data.put_be32(1, u32::from(super::NFPROTO_IPV4))
                    .put_be32(3, port.number());
            }
        }
    }
}

fn put_learn(data: &mut Message, set: &str, key: Register, how: Learn) {
    let operation = match how {
        Learn::Add(..) => 0,
        Learn::Keep(..) => 1,
        Learn::Forget(_) => 2,
    };
    data.put_text(1, set)
        .put_be32(3, operation)
        .put_be32(4, key.number());
    let (value, seconds) = match how {
        Learn::Add(value, seconds) | Learn::Keep(value, seconds) => (value, Some(seconds)),
        Learn::Forget(value) => (value, None),
    };
    data.put_be32(5, value.number());
    if let Some(seconds) = seconds {
        data.put_be64(6, u64::from(seconds) * 1000);
    }
}

fn put_lookup(data: &mut Message, set: &str, key: Register, to: LookupTo) {
    data.put_text(1, set).put_be32(2, key.number());
    match to {
        LookupTo::Found => {}
        LookupTo::Missing => {
            data.put_be32(5, 1);
        }
        LookupTo::Register(to) => {
            data.put_be32(3, to.number());
        }
        LookupTo::Verdict => {
            data.put_be32(3, REGISTER_VERDICT);
        }
    }
}
