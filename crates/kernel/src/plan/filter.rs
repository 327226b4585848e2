//! A filter's list of rules as chains, sets and maps ([`crate::classify`] says which).
//!
//! For each list there is a chain. What it lets through gets the verdict `accept`, what a first-match
//! filter denies `drop`; what it has no rule for leaves it by its end. A filter that leaves open flows
//! untracked has a second chain for its open rules.

use super::dispatch::*;
use super::layer;
use super::member::Kept;
use super::object::Place;
use super::unit::{View, Way};
use crate::classify::{Addresses, Field, Group, Outcome, Program, Sets, Table, is_any, is_every};
use crate::netlink::nftables::expression::Header;
use crate::netlink::nftables::set::Keys;
use crate::netlink::nftables::{
    Data, DataKind, Expression, LookupTo, MetaKey, Name, Register, Rule, Verdict,
};
use fabric::{
    AddressMatch, AddressTerm, Filter, FilterAction, FilterId, FilterKind, FilterRule, Protocol,
    ProtocolMatch, Tracking,
};

/// Where a field is loaded to before its class is looked up, behind all parts of a key.
const FIELD: Register = Register(8);

/// The chain of a list.
pub(super) fn chain(id: &FilterId, way: Way) -> Name {
    name(&format!(
        "filter.{}.{}",
        label(id.as_str(), LONGEST_ID),
        way.word()
    ))
}

/// The chain of a list's open rules.
pub(super) fn open_rules(id: &FilterId, way: Way) -> Name {
    name(&format!("{}.open", chain(id, way)))
}

/// Whether a filter leaves open flows untracked, and so tells its open rules apart.
fn tells_open(filter: &Filter) -> bool {
    filter.stateful
        && filter.tracking == Tracking::UnlessOpen
        && filter.kind == FilterKind::AnyAllow
}

/// The operand that names the other end.
fn peer(rule: &FilterRule, way: Way) -> &AddressMatch {
    match way {
        Way::Ingress => &rule.source,
        Way::Egress => &rule.destination,
    }
}

/// What ports have to know of a filter, which few changes of its rules change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Openness {
    /// Whether it tells its open rules apart.
    pub(super) tells_open: bool,
    /// Whether it lets everything in, of TCP and of UDP.
    ingress: [bool; 2],
    /// Whether it lets everything out, of TCP and of UDP.
    egress: [bool; 2],
}

impl Openness {
    pub(super) fn of(filter: &Filter) -> Self {
        let all = |way| [Protocol::TCP, Protocol::UDP].map(|of| passes_all(filter, way, of));
        Self {
            tells_open: tells_open(filter),
            ingress: all(Way::Ingress),
            egress: all(Way::Egress),
        }
    }

    /// Whether it lets everything of TCP or UDP go one way.
    pub(super) fn passes_all(&self, way: Way, protocol: Protocol) -> bool {
        let [tcp, udp] = match way {
            Way::Ingress => self.ingress,
            Way::Egress => self.egress,
        };
        if protocol == Protocol::TCP { tcp } else { udp }
    }
}

/// Whether an any-allow filter lets everything of a protocol go one way, between all addresses and
/// ports.
fn passes_all(filter: &Filter, way: Way, protocol: Protocol) -> bool {
    rules(filter, way).iter().any(|rule| {
        let whole = match &rule.protocol {
            ProtocolMatch::Any => true,
            ProtocolMatch::Whole(named) => *named == protocol,
            ProtocolMatch::Ports {
                protocol: named,
                source,
                destination,
            } => *named == protocol && is_every(source) && is_every(destination),
            ProtocolMatch::Icmp { .. } => false,
        };
        whole
            && rule.action == FilterAction::Allow
            && is_any(&rule.source)
            && is_any(&rule.destination)
    })
}

fn rules(filter: &Filter, way: Way) -> &[FilterRule] {
    match way {
        Way::Ingress => &filter.ingress,
        Way::Egress => &filter.egress,
    }
}

pub(super) fn plan(view: &mut View<'_>, place: &Place, id: &FilterId, way: Way) -> Option<()> {
    let main = chain(id, way);
    let Some(filter) = view.filter(id) else {
        // Those who refer to it find a chain that lets nothing through.
        view.want_chain(place, &main, None, Vec::new());
        return None;
    };
    let list: Vec<&FilterRule> = rules(filter, way).iter().collect();
    let sets = sets(view, &list);
    let mut kept = Kept::default();
    if !tells_open(filter) {
        let program = Program::compile(filter.kind, &list, &sets);
        emit(view, place, &main, &program, &Verdict::Accept);
        kept.list(main, program, Verdict::Accept);
        view.keep(kept);
        return Some(());
    }
    let (open, others): (Vec<_>, Vec<_>) =
        list.into_iter().partition(|rule| is_any(peer(rule, way)));
    let verdict = Verdict::Goto(layer::open_chain(view, place, way));
    let program = Program::compile(filter.kind, &open, &sets);
    emit(view, place, &open_rules(id, way), &program, &verdict);
    kept.list(open_rules(id, way), program, verdict);
    let program = Program::compile(filter.kind, &others, &sets);
    emit(view, place, &main, &program, &Verdict::Accept);
    kept.list(main, program, Verdict::Accept);
    view.keep(kept);
    Some(())
}

fn sets<'a>(view: &mut View<'a>, rules: &[&'a FilterRule]) -> Sets<'a> {
    let mut sets = Sets::new();
    for operand in rules
        .iter()
        .flat_map(|rule| [&rule.source, &rule.destination])
    {
        let AddressMatch::AnyOf(terms) = operand else {
            continue;
        };
        for term in terms {
            if let AddressTerm::Set(id) = term
                && let Some(set) = view.address_set(id)
            {
                sets.insert(id, &set.members);
            }
        }
    }
    sets
}

/// Writes chains that tell protocols apart and then try the groups one after the other.
fn emit(view: &mut View<'_>, place: &Place, chain: &Name, program: &Program, allow: &Verdict) {
    let mut rules = Vec::new();
    if !program.protocols.is_empty() {
        let map = name(&format!("{chain}.protocols"));
        view.want_set(place, &map, shape(1, DataKind::Verdict, false));
        for (protocol, groups) in &program.protocols {
            let branch = branch(chain, *protocol);
            view.want_element(place, &map, one(vec![protocol.0]), go_to(&branch));
            let rules = emit_groups(view, place, &branch, groups, allow);
            view.want_chain(place, &branch, None, rules);
        }
        rules.push(vec![
            Expression::Meta(MetaKey::Protocol, R0),
            decide(&map, R0),
        ]);
    }
    rules.extend(emit_groups(view, place, chain, &program.rest, allow));
    view.want_chain(place, chain, None, rules);
}

/// A list's chain for one protocol.
pub(super) fn branch(chain: &Name, protocol: Protocol) -> Name {
    let word = match protocol {
        Protocol::ICMP => "icmp",
        Protocol::TCP => "tcp",
        Protocol::UDP => "udp",
        Protocol(number) => return name(&format!("{chain}.{number}")),
    };
    name(&format!("{chain}.{word}"))
}

/// What a class leads to, as an element: where there is one table, the verdict itself.
pub(super) fn element_of(group: &Group, class: u32, allow: &Verdict) -> Option<Data> {
    if group.tables.len() > 1 {
        return Some(Data::Value(number_key(class)));
    }
    let outcome = group.outcomes.get(&vec![class])?;
    Some(Data::Verdict(verdict(*outcome, allow)))
}

fn verdict(outcome: Outcome, allow: &Verdict) -> Verdict {
    match outcome {
        Outcome::Allow => allow.clone(),
        Outcome::Deny => Verdict::Drop,
    }
}

/// What the sets of one of a group's tables begin with.
pub(super) fn table_base(chain: &Name, group: &Group, field: Field) -> String {
    match group.tables.as_slice() {
        [_] => format!("{chain}.{}", group.name),
        _ => format!("{chain}.{}.{}", group.name, field.letter()),
    }
}

/// The set of a table's single addresses.
pub(super) fn single(base: &str) -> Name {
    name(&format!("{base}.single"))
}

fn emit_groups(
    view: &mut View<'_>,
    place: &Place,
    chain: &Name,
    groups: &[Group],
    allow: &Verdict,
) -> Vec<Rule> {
    let mut rules = Vec::new();
    for group in groups {
        let data = |class: u32| element_of(group, class, allow);
        match group.tables.as_slice() {
            [] => {
                if let Some(outcome) = group.outcomes.values().next() {
                    rules.push(vec![Expression::Verdict(verdict(*outcome, allow))]);
                }
            }
            [(field, table)] => {
                // One field: its table can hold the verdicts themselves.
                let base = table_base(chain, group, *field);
                let sets = emit_table(view, place, &base, *field, table, DataKind::Verdict, &data);
                rules.extend(
                    sets.iter()
                        .map(|set| vec![load(*field), decide(set, FIELD)]),
                );
            }
            _ => rules.extend(emit_product(view, place, chain, group, allow)),
        }
    }
    rules
}

/// The rules of a group of several fields: one for every choice of tiers.
fn emit_product(
    view: &mut View<'_>,
    place: &Place,
    chain: &Name,
    group: &Group,
    allow: &Verdict,
) -> Vec<Rule> {
    let outcomes = name(&format!("{chain}.{}.outcomes", group.name));
    let length = 4 * group.tables.len() as u8;
    view.want_set(place, &outcomes, shape(length, DataKind::Verdict, false));
    for (combination, outcome) in &group.outcomes {
        let key = combination
            .iter()
            .flat_map(|class| class.to_ne_bytes())
            .collect();
        let data = Data::Verdict(verdict(*outcome, allow));
        view.want_element(place, &outcomes, one(key), data);
    }
    let mut rules: Vec<Rule> = vec![Vec::new()];
    for (index, (field, table)) in group.tables.iter().enumerate() {
        let base = table_base(chain, group, *field);
        let data = |class: u32| element_of(group, class, allow);
        let sets = emit_table(view, place, &base, *field, table, DataKind::Value(4), &data);
        let to = LookupTo::Register(Register(index as u8));
        rules = rules
            .iter()
            .flat_map(|begun| {
                sets.iter().map(move |set| {
                    let mut rule = begun.clone();
                    let set = set.clone();
                    rule.extend([
                        load(*field),
                        Expression::Lookup {
                            set,
                            key: FIELD,
                            to,
                        },
                    ]);
                    rule
                })
            })
            .collect();
    }
    for rule in &mut rules {
        rule.push(decide(&outcomes, R0));
    }
    rules
}

/// Writes a field's table; the sets to look it up in, in order.
fn emit_table(
    view: &mut View<'_>,
    place: &Place,
    base: &str,
    field: Field,
    table: &Table,
    kind: DataKind,
    data: &dyn Fn(u32) -> Option<Data>,
) -> Vec<Name> {
    match table {
        Table::Addresses(addresses) => emit_addresses(view, place, base, addresses, kind, data),
        Table::Numbers(numbers) => {
            let set = name(&format!("{base}.{}s", field.letter()));
            view.want_set(place, &set, shape(2, kind, true));
            for (range, class) in &numbers.ranges {
                let end = |number: u16| number.to_be_bytes().to_vec();
                let keys = Keys::Range(end(range.low), end(range.high));
                element(view, place, &set, keys, data(*class));
            }
            if let Some(class) = numbers.rest {
                element(view, place, &set, Keys::Rest, data(class));
            }
            vec![set]
        }
    }
}

fn emit_addresses(
    view: &mut View<'_>,
    place: &Place,
    base: &str,
    addresses: &Addresses,
    kind: DataKind,
    data: &dyn Fn(u32) -> Option<Data>,
) -> Vec<Name> {
    let (single, ranges) = (single(base), name(&format!("{base}.ranges")));
    let mut used = Vec::new();
    // The tier of single addresses stays even when it is empty: members come and go.
    view.want_set(place, &single, shape(4, kind, false));
    for (address, class) in &addresses.single {
        let keys = one(address.octets().to_vec());
        element(view, place, &single, keys, data(*class));
    }
    used.push(single);
    if !addresses.ranges.is_empty() || addresses.rest.is_some() {
        view.want_set(place, &ranges, shape(4, kind, true));
        for (low, high, class) in &addresses.ranges {
            let keys = Keys::Range(low.octets().to_vec(), high.octets().to_vec());
            element(view, place, &ranges, keys, data(*class));
        }
        if let Some(class) = addresses.rest {
            element(view, place, &ranges, Keys::Rest, data(class));
        }
        used.push(ranges);
    }
    used
}

fn element(view: &mut View<'_>, place: &Place, set: &Name, keys: Keys, data: Option<Data>) {
    if let Some(data) = data {
        view.want_element(place, set, keys, data);
    }
}

fn load(field: Field) -> Expression {
    let transport = |offset| Expression::Payload {
        header: Header::Transport,
        offset,
        length: 2,
        to: FIELD,
    };
    match field {
        Field::Source => source(FIELD),
        Field::Destination => destination(FIELD),
        Field::First => transport(0),
        Field::Second => transport(2),
    }
}
