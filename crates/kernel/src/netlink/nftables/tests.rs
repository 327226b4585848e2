//! Bytes on the wire, read against linux/netfilter/nf_tables.h by hand (lengths and types are in the
//! machine's order, here a little-endian one's; all numbers inside are big-endian).

use super::expression::Header;
use super::set::{Element, Keys, elements_add};
use super::*;

/// A message's bytes after its netlink header, four to a group.
fn wire(message: Message) -> String {
    let bytes = message.finish(0, false);
    bytes[16..]
        .chunks(4)
        .map(|word| word.iter().map(|byte| format!("{byte:02x}")).collect())
        .collect::<Vec<String>>()
        .join(" ")
}

#[test]
fn a_base_chain() {
    let base = Base {
        hook: Hook::Forward,
        priority: -10,
        translates: false,
        passes: false,
    };
    let expected = [
        "02000000",                   // family ip, version 0, resource 0
        "06000100 74000000",          // table "t"
        "06000300 63000000",          // name "c"
        "14000480",                   // hook, nested
        "08000100 00000002",          // number: forward
        "08000200 fffffff6",          // priority -10
        "08000500 00000000",          // policy: drop
        "0b000700 66696c74 65720000", // type "filter"
    ];
    assert_eq!(wire(chain_add("t", "c", Some(base))), expected.join(" "));
}

#[test]
fn a_rule_looks_a_composed_key_up() {
    let rule = [
        Expression::Meta(MetaKey::InputLink, Register(0)),
        Expression::Payload {
            header: Header::Network,
            offset: 12,
            length: 4,
            to: Register(1),
        },
        Expression::Lookup {
            set: "s".into(),
            key: Register(0),
            to: LookupTo::Verdict,
        },
    ];
    let expected = [
        "02000000",
        "06000100 74000000",
        "06000200 63000000",
        "88000480",                                     // expressions
        "24000180",                                     // an element
        "09000100 6d657461 00000000",                   // "meta"
        "14000280 08000200 00000004 08000100 00000008", // key iif, to register 8
        "34000180",
        "0c000100 7061796c 6f616400", // "payload"
        "24000280",
        "08000100 00000009 08000200 00000001", // to register 9, network header
        "08000300 0000000c 08000400 00000004", // offset 12, four bytes
        "2c000180",
        "0b000100 6c6f6f6b 75700000", // "lookup"
        "1c000280",
        "06000100 73000000 08000200 00000008", // set "s", key from register 8
        "08000300 00000000",                   // to the verdict register
    ];
    assert_eq!(wire(rule_append("t", "c", &rule)), expected.join(" "));
}

#[test]
fn a_range_is_two_elements_and_the_last_has_no_end() {
    let range = |low: u16, high: u16| Element {
        keys: Keys::Range(low.to_be_bytes().to_vec(), high.to_be_bytes().to_vec()),
        data: Data::Nothing,
    };
    let elements = [range(80, 90), range(0xff00, 0xffff)];
    let messages = elements_add("t", "s", &elements);
    assert_eq!(messages.len(), 1);
    let expected = [
        "02000000",
        "06000100 74000000",
        "06000200 73000000",
        "3c000380",
        "10000180 0c000180 06000100 00500000", // from 80
        "18000180 08000300 00000001 0c000180 06000100 005b0000", // ends before 91
        "10000180 0c000180 06000100 ff000000", // from 0xff00 on
    ];
    let got: Vec<String> = messages.into_iter().map(wire).collect();
    assert_eq!(got, [expected.join(" ")]);
}

#[test]
fn verdict_maps_and_catch_all() {
    let shape = SetShape {
        key: 4,
        data: DataKind::Verdict,
        ranges: true,
        learns: None,
    };
    let expected = [
        "02000000",
        "06000100 74000000",
        "06000200 73000000",
        "08000300 0000000c", // flags: interval, map
        "08000400 00000004", // key type: integer
        "08000500 00000004", // key length
        "08000a00 00000007", // number
        "08000600 ffffff00", // data type: verdict
    ];
    assert_eq!(wire(set::set_add("t", "s", shape, 7)), expected.join(" "));
    let rest = Element {
        keys: Keys::Rest,
        data: Data::Verdict(Verdict::Goto("c".into())),
    };
    let got: Vec<String> = elements_add("t", "s", [&rest])
        .into_iter()
        .map(wire)
        .collect();
    let expected = [
        "08000300 00000002", // flags: catch-all
        "18000280 14000280", // data: a verdict
        "08000100 fffffffc", // goto
        "06000200 63000000", // chain "c"
    ];
    assert!(got[0].ends_with(&expected.join(" ")), "{}", got[0]);
}

#[test]
fn many_elements_take_several_messages() {
    let elements: Vec<Element> = (0..10_000u32)
        .map(|number| Element {
            keys: Keys::One(number.to_be_bytes().to_vec()),
            data: Data::Nothing,
        })
        .collect();
    let messages = elements_add("t", "s", &elements);
    assert!(messages.len() > 1);
    assert!(
        messages
            .iter()
            .all(|message| message.len() < usize::from(u16::MAX))
    );
}

#[test]
fn a_set_that_learns() {
    let shape = SetShape {
        key: 8,
        data: DataKind::Value(8),
        ranges: false,
        learns: Some(1000),
    };
    let expected = [
        "02000000",
        "06000100 74000000",
        "06000200 73000000",
        "08000300 00000038",                   // flags: map, timeout, evaluated
        "08000400 00000004",                   // key type: integer
        "08000500 00000008",                   // key length
        "08000a00 00000001",                   // number
        "08000600 00000004 08000700 00000008", // data type and length
        "0c000980 08000100 000003e8",          // description: size
    ];
    assert_eq!(wire(set::set_add("t", "s", shape, 1)), expected.join(" "));
}

/// What a rule of one expression has after the names of its table and chain.
fn wire_of(expression: Expression) -> String {
    let bytes = wire(rule_append("t", "c", &[expression]));
    let prefix = "02000000 06000100 74000000 06000200 63000000 ";
    let rest = bytes.strip_prefix(prefix).expect("a rule");
    // Past the list's and the element's heads.
    rest.split(' ').skip(2).collect::<Vec<_>>().join(" ")
}

#[test]
fn what_services_need() {
    let (a, b) = (Register(0), Register(1));
    for (expression, expected) in [
        (
            Expression::DestinationNat {
                address: a,
                port: b,
            },
            // "nat": destination, family ip, address and port from registers
            "08000100 6e617400 24000280 08000100 00000001 08000200 00000002 08000300 00000008 08000500 00000009",
        ),
        (
            Expression::Masquerade,
            "09000100 6d617371 00000000 0c000280 08000100 00000010",
        ),
        (
            Expression::Reject,
            "0b000100 72656a65 63740000 14000280 08000100 00000000 05000200 03000000",
        ),
        (
            Expression::Random { below: 3, to: b },
            "0b000100 6e756d67 656e0000 1c000280 08000100 00000009 08000200 00000003 08000300 00000001",
        ),
        (
            Expression::SourceType(a),
            // the type of the source address
            "08000100 66696200 1c000280 08000100 00000008 08000200 00000003 08000300 00000001",
        ),
        (
            Expression::Learn {
                set: "s".into(),
                key: a,
                how: Learn::Keep(b, 60),
            },
            "0b000100 64796e73 65740000 30000280 06000100 73000000 08000300 00000001 08000400 00000008 08000500 00000009 0c000600 00000000 0000ea60",
        ),
        (
            Expression::Ct(CtKey::OriginalPort, a),
            // the first packet's way
            "07000100 63740000 1c000280 08000200 0000000c 08000100 00000008 05000300 00000000",
        ),
    ] {
        assert_eq!(wire_of(expression.clone()), expected, "{expression:?}");
    }
}

#[test]
fn dumps_are_read() {
    // The kernel's words for one table.
    let bytes = table_add("filter").finish(1, false);
    assert_eq!(table_name(&bytes[16..]).as_deref(), Some("filter"));
    assert_eq!(table_name(&[]), None);
}
