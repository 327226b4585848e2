//! The tables decide as the rules do.

use super::*;
use fabric::{AddressMatch, AddressSet, AddressTerm, NumberRange};
use proptest::prelude::*;
use std::net::Ipv4Addr;

#[derive(Clone, Copy, Debug)]
struct Packet {
    protocol: Protocol,
    source: Ipv4Addr,
    destination: Ipv4Addr,
    first: u16,
    second: u16,
}

/// What the rules say, read one by one.
fn by_rules(
    kind: FilterKind,
    rules: &[FilterRule],
    sets: &[AddressSet],
    packet: Packet,
) -> Option<Outcome> {
    let address = |operand: &AddressMatch, address: Ipv4Addr| match operand {
        AddressMatch::Any => true,
        AddressMatch::AnyOf(terms) => terms.iter().any(|term| match term {
            AddressTerm::Prefix(prefix) => prefix.contains(&address),
            AddressTerm::Set(id) => sets
                .iter()
                .filter(|set| set.id == *id)
                .any(|set| set.members.iter().any(|member| member.contains(&address))),
        }),
    };
    let number = |ranges: &[NumberRange], number: u16| {
        ranges.is_empty() || ranges.iter().any(|range| range.contains(number))
    };
    let matching = rules.iter().find(|rule| {
        let transport = match &rule.protocol {
            ProtocolMatch::Any => true,
            ProtocolMatch::Whole(protocol) => *protocol == packet.protocol,
            ProtocolMatch::Ports {
                protocol,
                source,
                destination,
            } => {
                *protocol == packet.protocol
                    && number(source, packet.first)
                    && number(destination, packet.second)
            }
            ProtocolMatch::Icmp { kind, code } => {
                let [icmp_kind, icmp_code] = packet.first.to_be_bytes();
                packet.protocol == Protocol::ICMP
                    && kind.is_none_or(|kind| kind == icmp_kind)
                    && code.is_none_or(|code| code == icmp_code)
            }
        };
        transport
            && address(&rule.source, packet.source)
            && address(&rule.destination, packet.destination)
            && (kind == FilterKind::FirstMatch || rule.action == FilterAction::Allow)
    })?;
    Some(outcome(matching.action)).filter(|outcome| *outcome == Outcome::Allow)
}

/// What the tables say, looked up as the kernel's chains do: group by group, tier by tier.
fn by_tables(program: &Program, packet: Packet) -> Option<Outcome> {
    let groups = program
        .protocols
        .get(&packet.protocol)
        .unwrap_or(&program.rest);
    groups
        .iter()
        .find_map(|group| in_group(group, packet))
        .filter(|outcome| *outcome == Outcome::Allow)
}

fn in_group(group: &Group, packet: Packet) -> Option<Outcome> {
    let mut combinations: Vec<Vec<u32>> = vec![Vec::new()];
    for (field, table) in &group.tables {
        let tiers: Vec<u32> = match table {
            Table::Addresses(addresses) => {
                let address = match field {
                    Field::Source => packet.source,
                    _ => packet.destination,
                };
                let single = addresses
                    .single
                    .iter()
                    .find(|(single, _)| *single == address)
                    .map(|(_, class)| *class);
                let range = addresses
                    .ranges
                    .iter()
                    .find(|(low, high, _)| (*low..=*high).contains(&address))
                    .map(|(_, _, class)| *class);
                single.into_iter().chain(range.or(addresses.rest)).collect()
            }
            Table::Numbers(numbers) => {
                let number = match field {
                    Field::First => packet.first,
                    _ => packet.second,
                };
                let range = numbers
                    .ranges
                    .iter()
                    .find(|(range, _)| range.contains(number))
                    .map(|(_, class)| *class);
                range.or(numbers.rest).into_iter().collect()
            }
        };
        combinations = combinations
            .iter()
            .flat_map(|begun| {
                tiers.iter().map(move |class| {
                    let mut longer = begun.clone();
                    longer.push(*class);
                    longer
                })
            })
            .collect();
    }
    combinations
        .iter()
        .find_map(|combination| group.outcomes.get(combination).copied())
}

fn some_address() -> impl Strategy<Value = Ipv4Addr> {
    (0u8..3, 0u8..6).prop_map(|(net, host)| Ipv4Addr::new(10, 0, net, host))
}

fn some_prefix() -> impl Strategy<Value = Ipv4Net> {
    (some_address(), prop_oneof![4 => Just(32u8), 1 => Just(31), 1 => Just(30), 1 => Just(24), 1 => Just(8), 1 => Just(0)])
        .prop_filter_map("length", |(address, length)| {
            Ipv4Net::new(address, length).ok()
        })
}

fn operand() -> impl Strategy<Value = AddressMatch> {
    let term = prop_oneof![
        some_prefix().prop_map(AddressTerm::Prefix),
        (0..3u8).prop_map(|set| AddressTerm::Set(format!("set-{set}").into())),
    ];
    prop_oneof![
        Just(AddressMatch::Any),
        prop::collection::vec(term, 0..3).prop_map(AddressMatch::AnyOf),
    ]
}

fn some_number() -> impl Strategy<Value = u16> {
    prop_oneof![0..6u16, Just(u16::MAX), 0x0300..0x0304u16]
}

fn some_ranges() -> impl Strategy<Value = Vec<NumberRange>> {
    let range = prop_oneof![
        (some_number(), some_number()).prop_map(|(a, b)| NumberRange::new(a, b)),
        some_number().prop_map(NumberRange::one),
    ];
    prop::collection::vec(range, 0..3)
}

fn some_protocol() -> impl Strategy<Value = Protocol> {
    prop_oneof![
        Just(Protocol::TCP),
        Just(Protocol::UDP),
        Just(Protocol::ICMP),
        Just(Protocol(47))
    ]
}

fn protocol_match() -> impl Strategy<Value = ProtocolMatch> {
    prop_oneof![
        Just(ProtocolMatch::Any),
        some_protocol().prop_map(ProtocolMatch::Whole),
        (any::<bool>(), some_ranges(), some_ranges()).prop_map(|(tcp, source, destination)| {
            let protocol = if tcp { Protocol::TCP } else { Protocol::UDP };
            ProtocolMatch::Ports {
                protocol,
                source,
                destination,
            }
        }),
        (
            prop::option::of(prop_oneof![Just(3u8), Just(0)]),
            prop::option::of(0..4u8)
        )
            .prop_map(|(kind, code)| ProtocolMatch::Icmp { kind, code }),
    ]
}

fn some_rule() -> impl Strategy<Value = FilterRule> {
    (any::<bool>(), protocol_match(), operand(), operand()).prop_map(
        |(allow, protocol, source, destination)| FilterRule {
            id: "rule".into(),
            action: if allow {
                FilterAction::Allow
            } else {
                FilterAction::Deny
            },
            protocol,
            source,
            destination,
        },
    )
}

fn some_packet() -> impl Strategy<Value = Packet> {
    (
        some_protocol(),
        some_address(),
        some_address(),
        some_number(),
        some_number(),
    )
        .prop_map(|(protocol, source, destination, first, second)| Packet {
            protocol,
            source,
            destination,
            first,
            second,
        })
}

fn some_sets() -> impl Strategy<Value = Vec<AddressSet>> {
    prop::collection::vec(prop::collection::vec(some_prefix(), 0..6), 3).prop_map(|sets| {
        sets.into_iter()
            .enumerate()
            .map(|(index, members)| AddressSet {
                id: format!("set-{index}").into(),
                members: members.into_iter().map(|member| member.trunc()).collect(),
            })
            .collect()
    })
}

fn compiled(kind: FilterKind, rules: &[FilterRule], sets: &[AddressSet]) -> Program {
    let rules: Vec<&FilterRule> = rules.iter().collect();
    let sets = sets.iter().map(|set| (&set.id, &set.members)).collect();
    Program::compile(kind, &rules, &sets)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    /// AWS-SG, AWS-NACL: lookups give what reading the rules gives, for either way to combine them.
    #[test]
    fn tables_decide_as_rules_do(
        first in any::<bool>(),
        rules in prop::collection::vec(some_rule(), 0..9),
        sets in some_sets(),
        packets in prop::collection::vec(some_packet(), 40),
    ) {
        let kind = if first { FilterKind::FirstMatch } else { FilterKind::AnyAllow };
        let program = compiled(kind, &rules, &sets);
        for packet in packets {
            prop_assert_eq!(
                by_tables(&program, packet),
                by_rules(kind, &rules, &sets, packet),
                "{:?}", packet
            );
        }
    }

    /// The same where first-match lists are too large to be worked out beforehand.
    #[test]
    fn runs_decide_as_rules_do(
        rules in prop::collection::vec(some_rule(), 0..9),
        sets in some_sets(),
        packets in prop::collection::vec(some_packet(), 40),
    ) {
        let all: Vec<&FilterRule> = rules.iter().collect();
        let map = sets.iter().map(|set| (&set.id, &set.members)).collect();
        for packet in packets {
            let mine: Vec<&FilterRule> = all
                .iter()
                .copied()
                .filter(|rule| matters_to(rule, Some(packet.protocol)))
                .collect();
            let groups = first_match(&mine, &map, 0);
            let got = groups.iter().find_map(|group| in_group(group, packet));
            prop_assert_eq!(
                got.filter(|outcome| *outcome == Outcome::Allow),
                by_rules(FilterKind::FirstMatch, &rules, &sets, packet)
            );
        }
    }

    /// Adding one address to a set changes no other address's class.
    #[test]
    fn members_leave_others_alone(
        rules in prop::collection::vec(some_rule(), 1..9),
        sets in some_sets(),
        newcomer in some_address(),
    ) {
        let before = compiled(FilterKind::AnyAllow, &rules, &sets);
        let mut more = sets;
        for set in more.iter_mut().take(1) {
            set.members.insert(newcomer.into());
        }
        let after = compiled(FilterKind::AnyAllow, &rules, &more);
        let singles = |program: &Program| {
            let mut singles = BTreeMap::new();
            for (protocol, groups) in &program.protocols {
                for group in groups {
                    for (field, table) in &group.tables {
                        if let Table::Addresses(addresses) = table {
                            for (address, class) in &addresses.single {
                                let at = (*protocol, group.name.clone(), *field, *address);
                                singles.insert(at, *class);
                            }
                        }
                    }
                }
            }
            singles
        };
        let (before, after) = (singles(&before), singles(&after));
        for (at, class) in &before {
            prop_assert!(at.3 == newcomer || after.get(at) == Some(class));
        }
    }
}

fn big(kind: FilterKind) -> Vec<FilterRule> {
    (0..10_000u32)
        .map(|index| FilterRule {
            id: "rule".into(),
            action: if kind == FilterKind::FirstMatch && index % 2 == 1 {
                FilterAction::Deny
            } else {
                FilterAction::Allow
            },
            protocol: ProtocolMatch::Ports {
                protocol: Protocol::TCP,
                source: Vec::new(),
                destination: vec![NumberRange::new(
                    1000 + (index % 5000) as u16,
                    1010 + (index % 5000) as u16,
                )],
            },
            source: AddressMatch::AnyOf(vec![AddressTerm::Prefix(Ipv4Net::from(Ipv4Addr::from(
                0x0a00_0000 + index * 7,
            )))]),
            destination: AddressMatch::Any,
        })
        .collect()
}

/// AWS-SG: 10,000 rules compile, into tables no larger than the rules ask for.
#[test]
fn ten_thousand_rules_compile() {
    let rules = big(FilterKind::AnyAllow);
    let program = compiled(FilterKind::AnyAllow, &rules, &[]);
    let groups = &program.protocols[&Protocol::TCP];
    assert_eq!(groups.len(), 1);
    assert!(groups[0].outcomes.len() < 200_000);
}
