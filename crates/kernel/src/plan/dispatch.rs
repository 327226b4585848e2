//! Words that the rules of several units share: names, registers, keys and often used expressions.

use crate::netlink::nftables::expression::Header;
use crate::netlink::nftables::set::Keys;
use crate::netlink::nftables::{
    Base, Compare, CtKey, Data, DataKind, Expression, Hook, LookupTo, MetaKey, Name, Register,
    SetShape, Verdict,
};
use crate::netlink::route::route::Action;
use fabric::Mac;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::net::Ipv4Addr;

/// Index of the loopback link, in every namespace.
pub(super) const LOOPBACK: u32 = 1;
/// The table of the addresses that a network's ports have.
pub(super) const LOCAL_TABLE: u32 = 250;
/// Worse than any other route's metric.
pub(super) const LAST_RESORT: u32 = u32::MAX;
/// The neighbour that stands for whatever is at the other end of a link. Addresses on links between
/// places are never seen in packets.
pub(super) const PEER: Ipv4Addr = Ipv4Addr::new(169, 254, 0, 1);
/// The address that a place without one of its own puts into ICMP errors.
pub(super) const PLACE_ADDRESS: Ipv4Addr = Ipv4Addr::new(169, 254, 0, 2);
/// The link-layer address of every end of a link that isn't a guest's.
pub(super) const ROUTER_MAC: Mac = Mac([0x06, 0, 0, 0, 0, 1]);

/// Input link → its segment's number.
pub(super) const SEGMENTS: &str = "segments";
/// Segment's number → the mark that selects its route table.
pub(super) const TABLES: &str = "tables";
/// Segment's number and output link: the links that lie in the segment.
pub(super) const INSIDE: &str = "inside";
/// Link and address: which addresses guarded links have.
pub(super) const OWN: &str = "own";
/// The same for whole ranges.
pub(super) const OWN_RANGES: &str = "own.ranges";
/// Links without a guard.
pub(super) const UNGUARDED: &str = "unguarded";
/// Addresses that the network itself answers at.
pub(super) const SERVICES: &str = "services";

pub(super) const R0: Register = Register(0);
pub(super) const R1: Register = Register(1);
pub(super) const R2: Register = Register(2);

/// Sends by a link to whatever is at its other end.
pub(super) fn across(link: u32) -> Action {
    Action::Via {
        link,
        via: PEER,
        source: None,
    }
}

/// The longest that a link's alternative name may be (ALTIFNAMSIZ).
pub(super) const LONGEST_LINK_NAME: usize = 127;
/// The longest part of a chain's or set's name, which may have 255 bytes, that is an id.
pub(super) const LONGEST_ID: usize = 200;

/// A name.
pub(super) fn name(text: &str) -> Name {
    Name::from(text)
}

/// An id as part of a name of at most so many bytes: itself where it is short enough, else its
/// beginning and what tells it from others that begin so (Azure's ids are paths).
pub(super) fn label(id: &str, most: usize) -> String {
    if id.len() <= most {
        return id.to_owned();
    }
    let mut hasher = DefaultHasher::new();
    id.hash(&mut hasher);
    let tail = format!("~{:016x}", hasher.finish());
    let mut end = most.saturating_sub(tail.len());
    while !id.is_char_boundary(end) {
        end -= 1;
    }
    format!("{}{tail}", id.get(..end).unwrap_or_default())
}

/// A filter chain on a hook.
pub(super) fn base(hook: Hook, priority: i32, passes: bool) -> Option<Base> {
    Some(Base {
        hook,
        priority,
        translates: false,
        passes,
    })
}

/// A hash table or tree.
pub(super) fn shape(key: u8, data: DataKind, ranges: bool) -> SetShape {
    SetShape {
        key,
        data,
        ranges,
        learns: None,
    }
}

/// A link's index as a key or part of one: the kernel has it in the machine's byte order.
pub(super) fn link_key(link: u32) -> Vec<u8> {
    link.to_ne_bytes().to_vec()
}

/// A number of ours as a key, part of one or value.
pub(super) fn number_key(number: u32) -> Vec<u8> {
    number.to_ne_bytes().to_vec()
}

/// A key made of a link and an address.
pub(super) fn link_address(link: u32, address: Ipv4Addr) -> Vec<u8> {
    [link.to_ne_bytes(), address.octets()].concat()
}

/// One key.
pub(super) fn one(key: Vec<u8>) -> Keys {
    Keys::One(key)
}

/// A verdict as an element's data.
pub(super) fn go_to(chain: &Name) -> Data {
    Data::Verdict(Verdict::Goto(chain.clone()))
}

/// `accept`.
pub(super) fn accept() -> Expression {
    Expression::Verdict(Verdict::Accept)
}

/// Loads the packet's source address.
pub(super) fn source(to: Register) -> Expression {
    Expression::Payload {
        header: Header::Network,
        offset: 12,
        length: 4,
        to,
    }
}

/// Loads the packet's destination address.
pub(super) fn destination(to: Register) -> Expression {
    Expression::Payload {
        header: Header::Network,
        offset: 16,
        length: 4,
        to,
    }
}

/// Goes on if the key that begins in a register is in a set.
pub(super) fn found(set: &str, key: Register) -> Expression {
    Expression::Lookup {
        set: name(set),
        key,
        to: LookupTo::Found,
    }
}

/// Goes on if the key that begins in a register is not in a set.
pub(super) fn missing(set: &str, key: Register) -> Expression {
    Expression::Lookup {
        set: name(set),
        key,
        to: LookupTo::Missing,
    }
}

/// Looks a key up and puts what it finds into a register.
pub(super) fn find(set: &str, key: Register, to: Register) -> Expression {
    Expression::Lookup {
        set: name(set),
        key,
        to: LookupTo::Register(to),
    }
}

/// Looks a key up and takes the verdict that it finds.
pub(super) fn decide(set: &str, key: Register) -> Expression {
    Expression::Lookup {
        set: name(set),
        key,
        to: LookupTo::Verdict,
    }
}

/// Goes on if a bit of the number in a register is set, or if it isn't; changes the register.
pub(super) fn bit_is(register: Register, bit: u32, set: bool) -> [Expression; 2] {
    let compare = if set {
        Compare::NotEqual
    } else {
        Compare::Equal
    };
    [
        Expression::Bitwise {
            from: register,
            to: register,
            mask: bit.to_ne_bytes().to_vec(),
            flip: vec![0; 4],
        },
        Expression::Compare(register, compare, vec![0; 4]),
    ]
}

/// Sets a bit of the number in a register.
pub(super) fn set_bit(register: Register, bit: u32) -> Expression {
    Expression::Bitwise {
        from: register,
        to: register,
        mask: (!bit).to_ne_bytes().to_vec(),
        flip: bit.to_ne_bytes().to_vec(),
    }
}

/// Goes on if the packet belongs to a flow and goes its first packet's way (or back).
pub(super) fn goes(register: Register, back: bool) -> [Expression; 2] {
    [
        Expression::Ct(CtKey::Direction, register),
        Expression::Compare(register, Compare::Equal, vec![u8::from(back)]),
    ]
}

/// Loads the link a packet came in by.
pub(super) fn input_link(to: Register) -> Expression {
    Expression::Meta(MetaKey::InputLink, to)
}

/// Loads the link a packet leaves by.
pub(super) fn output_link(to: Register) -> Expression {
    Expression::Meta(MetaKey::OutputLink, to)
}

#[cfg(test)]
mod tests {
    use super::label;

    #[test]
    fn long_ids_stay_apart_and_fit() {
        let path = |end: &str| format!("/subscriptions/{}/{end}", "é".repeat(200));
        let (a, b) = (label(&path("a"), 127), label(&path("b"), 127));
        assert!(a.len() <= 127 && b.len() <= 127 && a != b);
        assert_eq!(label("sg-1", 127), "sg-1");
    }
}
