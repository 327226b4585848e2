//! Changes of chains, sets and elements as nftables transactions.

use crate::netlink::nftables::set::{Element, elements_add, elements_delete, set_add, set_delete};
use crate::netlink::nftables::timeout::{timeout_add, timeout_delete};
use crate::netlink::nftables::{
    Name, Rule, chain_add, chain_delete, rule_append, rules_clear, table_add, table_delete,
    transaction,
};
use crate::netlink::socket::Socket;
use crate::netlink::{Message, NetlinkError};
use crate::plan::object::Chain;
use crate::plan::{Change, Object, Thing};
use std::collections::{BTreeMap, BTreeSet};

/// The table that all of ours lives in.
pub(crate) const TABLE: &str = "skylab";

/// A request and what it is about, for errors.
type Request = (Message, String);

/// A change of a place's nftables.
pub(crate) struct Transaction<'a> {
    /// New sets with their elements, and new chains without rules: nothing refers to them yet, so
    /// where one transaction can't hold everything they go ahead.
    ahead: Vec<Request>,
    /// Everything that changes what happens to packets.
    main: Vec<Request>,
    changes: &'a [Change],
    table: &'a str,
}

impl<'a> Transaction<'a> {
    /// The requests that carry a place's changes out.
    pub(super) fn of(changes: &'a [Change]) -> Self {
        Self::in_table(TABLE, changes)
    }

    /// The same, in a table of this name.
    pub(crate) fn in_table(table: &'a str, changes: &'a [Change]) -> Self {
        let mut transaction = Self {
            ahead: Vec::new(),
            main: Vec::new(),
            changes,
            table,
        };
        transaction.ruleset();
        let new_sets = transaction.new_sets();
        let new_chains = transaction.new_chains();
        transaction.new_timeouts();
        let added = elements(changes, |change| change.after.as_ref());
        for (set, elements) in added.iter().filter(|(set, _)| new_sets.contains(**set)) {
            transaction.ahead.extend(
                elements_add(transaction.table, set, elements)
                    .into_iter()
                    .map(|message| (message, format!("fill set {set}"))),
            );
        }
        transaction.take_away();
        transaction.rules();
        for (set, elements) in added.iter().filter(|(set, _)| !new_sets.contains(**set)) {
            transaction.main.extend(
                elements_add(transaction.table, set, elements)
                    .into_iter()
                    .map(|message| (message, format!("add to set {set}"))),
            );
        }
        transaction.remove_empty();
        if !(new_sets.is_empty() && new_chains.is_empty()) {
            // Adding a table that is there already does nothing.
            transaction
                .ahead
                .insert(0, (table_add(table), "add the table".to_owned()));
        }
        transaction
    }

    /// The removal of all that is ours, whatever there is.
    pub(super) fn of_nothing() -> Self {
        Self {
            ahead: Vec::new(),
            main: no_table(TABLE),
            changes: &[],
            table: TABLE,
        }
    }

    /// With the same stroke, other tables go.
    pub(crate) fn replacing(mut self, tables: &[String]) -> Self {
        self.main
            .extend(tables.iter().flat_map(|table| no_table(table)));
        self
    }

    /// Whether it changes single elements, rather than whole rulesets.
    pub(super) fn is_by_piece(&self) -> bool {
        let element = |change: &Change| matches!(change.key.thing, Thing::Element(..));
        self.changes.iter().any(element)
    }

    /// Whether nothing changes.
    pub(crate) fn is_empty(&self) -> bool {
        self.ahead.is_empty() && self.main.is_empty()
    }

    /// Sends it: as one transaction where the socket can hold it.
    pub(crate) fn send(self, socket: &mut Socket) -> Result<(), (String, NetlinkError)> {
        let size = |requests: &[Request]| -> usize {
            requests.iter().map(|(message, _)| message.len()).sum()
        };
        let largest = socket.largest();
        if size(&self.ahead) + size(&self.main) + FRAME <= largest {
            let mut all = self.ahead;
            all.extend(self.main);
            return send(socket, all);
        }
        for part in [self.ahead, self.main] {
            let mut batch: Vec<Request> = Vec::new();
            let mut length = FRAME;
            for request in part {
                if length + request.0.len() > largest {
                    send(socket, std::mem::take(&mut batch))?;
                    length = FRAME;
                }
                length += request.0.len();
                batch.push(request);
            }
            send(socket, batch)?;
        }
        Ok(())
    }

    fn new_sets(&mut self) -> BTreeSet<Name> {
        let mut names = BTreeSet::new();
        for change in self.changes {
            if let (Thing::Set(name), None, Some(Object::Set(shape))) =
                (&change.key.thing, &change.before, &change.after)
            {
                names.insert(name.clone());
                let number = names.len() as u32;
                self.ahead.push((
                    set_add(self.table, name, *shape, number),
                    format!("add set {name}"),
                ));
            }
        }
        names
    }

    /// Policies that rules refer to. They come with chains, which need the table too.
    fn new_timeouts(&mut self) {
        for change in self.changes {
            if let (Thing::Timeout(name), None, Some(Object::Timeout(timeout))) =
                (&change.key.thing, &change.before, &change.after)
            {
                let add = timeout_add(self.table, name, *timeout);
                self.ahead.push((add, format!("add timeout {name}")));
            }
        }
    }

    fn new_chains(&mut self) -> BTreeSet<Name> {
        let mut names = BTreeSet::new();
        for change in self.changes {
            if let (Thing::Chain(name), None, Some(Object::Chain(chain))) =
                (&change.key.thing, &change.before, &change.after)
            {
                names.insert(name.clone());
                // A base chain works from the moment it is there: it comes with its rules.
                let part = if chain.base.is_some() {
                    &mut self.main
                } else {
                    &mut self.ahead
                };
                part.push((
                    chain_add(self.table, name, chain.base),
                    format!("add chain {name}"),
                ));
            }
        }
        names
    }

    /// Old rules and elements. A set that goes takes its elements along.
    fn take_away(&mut self) {
        let mut gone = BTreeSet::new();
        for change in self.changes {
            match (&change.key.thing, &change.before) {
                (Thing::Chain(name), Some(Object::Chain(chain))) if !chain.rules.is_empty() => {
                    self.main
                        .push((rules_clear(self.table, name), format!("clear chain {name}")));
                }
                (Thing::Set(name), Some(_)) if change.after.is_none() => {
                    gone.insert(name.clone());
                }
                _ => {}
            }
        }
        let removed = elements(self.changes, |change| change.before.as_ref());
        for (set, elements) in removed.iter().filter(|(set, _)| !gone.contains(**set)) {
            self.main.extend(
                elements_delete(self.table, set, elements)
                    .into_iter()
                    .map(|message| (message, format!("remove from set {set}"))),
            );
        }
    }

    fn rules(&mut self) {
        for change in self.changes {
            if let (Thing::Chain(name), Some(Object::Chain(chain))) =
                (&change.key.thing, &change.after)
            {
                append(&mut self.main, self.table, name, &chain.rules);
            }
        }
    }

    fn remove_empty(&mut self) {
        let gone = || {
            self.changes
                .iter()
                .filter(|change| change.before.is_some() && change.after.is_none())
        };
        let mut requests = Vec::new();
        for change in gone() {
            if let Thing::Timeout(name) = &change.key.thing {
                let delete = timeout_delete(self.table, name);
                requests.push((delete, format!("remove timeout {name}")));
            }
        }
        for change in gone() {
            if let Thing::Set(name) = &change.key.thing {
                requests.push((set_delete(self.table, name), format!("remove set {name}")));
            }
        }
        for change in gone() {
            if let Thing::Chain(name) = &change.key.thing {
                requests.push((
                    chain_delete(self.table, name),
                    format!("remove chain {name}"),
                ));
            }
        }
        self.main.extend(requests);
    }

    /// A host's chains, all at once.
    fn ruleset(&mut self) {
        for change in self.changes {
            if change.key.thing != Thing::Ruleset {
                continue;
            }
            self.main.extend(no_table(self.table));
            if let Some(Object::Ruleset(chains)) = &change.after {
                self.main
                    .push((table_add(self.table), "add the table".to_owned()));
                for (name, Chain { base, rules }) in chains {
                    self.main.push((
                        chain_add(self.table, name, *base),
                        format!("add chain {name}"),
                    ));
                    append(&mut self.main, self.table, name, rules);
                }
            }
        }
    }
}

/// A host's root may have removed the table: adding it first makes removing it safe.
fn no_table(table: &str) -> Vec<Request> {
    vec![
        (table_add(table), "add the table".to_owned()),
        (table_delete(table), "remove the table".to_owned()),
    ]
}

/// What the two messages around a transaction take.
const FRAME: usize = 64;

fn append(requests: &mut Vec<Request>, table: &str, chain: &Name, rules: &[Rule]) {
    for rule in rules {
        requests.push((
            rule_append(table, chain, rule),
            format!("add a rule to chain {chain}"),
        ));
    }
}

/// The elements of changes' one side, by set.
fn elements<'a>(
    changes: &'a [Change],
    side: impl Fn(&'a Change) -> Option<&'a Object>,
) -> BTreeMap<&'a Name, Vec<Element>> {
    let mut sets: BTreeMap<&Name, Vec<Element>> = BTreeMap::new();
    for change in changes {
        if let (Thing::Element(set, keys), Some(Object::Element(data))) =
            (&change.key.thing, side(change))
        {
            sets.entry(set).or_default().push(Element {
                keys: keys.clone(),
                data: data.clone(),
            });
        }
    }
    sets
}

fn send(socket: &mut Socket, requests: Vec<Request>) -> Result<(), (String, NetlinkError)> {
    if requests.is_empty() {
        return Ok(());
    }
    let (messages, whats): (Vec<Message>, Vec<String>) = requests.into_iter().unzip();
    socket.transaction(transaction(messages)).map_err(|cause| {
        let what = match &cause {
            // The first message only begins the transaction.
            NetlinkError::Refused { message, .. } => {
                message.checked_sub(1).and_then(|index| whats.get(index))
            }
            NetlinkError::Io(_) => None,
        };
        let what = what.map_or("change nftables", String::as_str);
        (what.to_owned(), cause)
    })
}
