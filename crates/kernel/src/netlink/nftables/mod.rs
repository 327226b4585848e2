//! nftables: transactions of tables, chains, rules, sets and their elements.
//!
//! Only the family `ip` is used. Everything of ours lives in one table a namespace.

pub(crate) mod expression;
pub(crate) mod set;
pub(crate) mod timeout;

use super::message::{Message, attributes};
use super::socket::{NetlinkError, Socket};
pub(crate) use expression::{
    Compare, CtKey, Expression, Learn, LookupTo, MetaKey, Register, Verdict,
};
pub(crate) use set::{Data, DataKind, SetShape};
use std::sync::Arc;

/// A table's, chain's or set's name.
pub(crate) type Name = Arc<str>;
/// A rule: what it does, in order, until an expression breaks off.
pub(crate) type Rule = Vec<Expression>;

/// The family that all of ours is in.
pub(crate) const NFPROTO_IPV4: u8 = 2;
const NFNETLINK_V0: u8 = 0;
const SUBSYSTEM: u16 = 10;
const BATCH_BEGIN: u16 = 0x10;
const BATCH_END: u16 = 0x11;
const LIST_ELEMENT: u16 = 1;

const NEW_TABLE: u16 = 0;
const GET_TABLE: u16 = 1;
const DELETE_TABLE: u16 = 2;
const NEW_CHAIN: u16 = 3;
const DELETE_CHAIN: u16 = 5;
const NEW_RULE: u16 = 6;
const DELETE_RULE: u16 = 8;

const TABLE_NAME: u16 = 1;
const CHAIN_TABLE: u16 = 1;
const CHAIN_NAME: u16 = 3;
const CHAIN_HOOK: u16 = 4;
const CHAIN_POLICY: u16 = 5;
const CHAIN_TYPE: u16 = 7;
const HOOK_NUMBER: u16 = 1;
const HOOK_PRIORITY: u16 = 2;
const RULE_TABLE: u16 = 1;
const RULE_CHAIN: u16 = 2;
const RULE_EXPRESSIONS: u16 = 4;

/// The names of the tables in a socket's namespace: of our family, or of any.
pub(crate) fn table_names(
    socket: &mut Socket,
    family: Option<u8>,
) -> Result<Vec<String>, NetlinkError> {
    let header = [family.unwrap_or_default(), NFNETLINK_V0, 0, 0];
    let question = Message::new(message_kind(GET_TABLE), libc::NLM_F_DUMP, &header);
    let mut names = Vec::new();
    socket.dump(question, |kind, payload| {
        if kind == message_kind(NEW_TABLE) {
            names.extend(table_name(payload));
        }
    })?;
    Ok(names)
}

/// The name in a message about a table.
fn table_name(payload: &[u8]) -> Option<String> {
    // Past the family header.
    let attributes = attributes(payload.get(4..).unwrap_or_default());
    let (_, name) = attributes.iter().find(|(kind, _)| *kind == TABLE_NAME)?;
    let name = String::from_utf8_lossy(name);
    Some(name.trim_end_matches('\0').to_owned())
}

/// A message of nftables' as netlink numbers it.
fn message_kind(kind: u16) -> u16 {
    SUBSYSTEM << 8 | kind
}

fn message(kind: u16, flags: i32) -> Message {
    Message::new(
        message_kind(kind),
        flags,
        &[NFPROTO_IPV4, NFNETLINK_V0, 0, 0],
    )
}

fn batch_end(kind: u16) -> Message {
    let [high, low] = SUBSYSTEM.to_be_bytes();
    Message::new(kind, 0, &[0, NFNETLINK_V0, high, low])
}

/// Wraps requests as one transaction.
pub(crate) fn transaction(requests: Vec<Message>) -> Vec<Message> {
    let mut batch = Vec::with_capacity(requests.len() + 2);
    batch.push(batch_end(BATCH_BEGIN));
    batch.extend(requests);
    batch.push(batch_end(BATCH_END));
    batch
}

/// Makes a table.
pub(crate) fn table_add(name: &str) -> Message {
    let mut message = message(NEW_TABLE, libc::NLM_F_CREATE);
    message.put_text(TABLE_NAME, name);
    message
}

/// Removes a table and all in it.
pub(crate) fn table_delete(name: &str) -> Message {
    let mut message = message(DELETE_TABLE, 0);
    message.put_text(TABLE_NAME, name);
    message
}

/// Where in a packet's way a base chain sits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Hook {
    /// Before routing.
    Prerouting,
    /// To this namespace itself.
    Input,
    /// Through this namespace.
    Forward,
    /// From this namespace itself.
    Output,
    /// Before leaving.
    Postrouting,
}

impl Hook {
    fn number(self) -> u32 {
        match self {
            Self::Prerouting => 0,
            Self::Input => 1,
            Self::Forward => 2,
            Self::Output => 3,
            Self::Postrouting => 4,
        }
    }
}

/// What makes a chain a base chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Base {
    /// Its hook.
    pub(crate) hook: Hook,
    /// Lower ones run first.
    pub(crate) priority: i32,
    /// Whether it is of type `nat` (else `filter`).
    pub(crate) translates: bool,
    /// Whether a packet that reaches its end passes.
    pub(crate) passes: bool,
}

/// Makes a chain without rules.
pub(crate) fn chain_add(table: &str, name: &str, base: Option<Base>) -> Message {
    let mut message = message(NEW_CHAIN, libc::NLM_F_CREATE);
    message
        .put_text(CHAIN_TABLE, table)
        .put_text(CHAIN_NAME, name);
    if let Some(base) = base {
        message
            .nest(CHAIN_HOOK, |hook| {
                hook.put_be32(HOOK_NUMBER, base.hook.number())
                    .put(HOOK_PRIORITY, &base.priority.to_be_bytes());
            })
            .put_be32(CHAIN_POLICY, u32::from(base.passes))
            .put_text(CHAIN_TYPE, if base.translates { "nat" } else { "filter" });
    }
    message
}

/// Removes a chain that nothing refers to and that has no rules left.
pub(crate) fn chain_delete(table: &str, name: &str) -> Message {
    let mut message = message(DELETE_CHAIN, 0);
    message
        .put_text(CHAIN_TABLE, table)
        .put_text(CHAIN_NAME, name);
    message
}

/// Removes all rules of a chain.
pub(crate) fn rules_clear(table: &str, chain: &str) -> Message {
    let mut message = message(DELETE_RULE, 0);
    message
        .put_text(RULE_TABLE, table)
        .put_text(RULE_CHAIN, chain);
    message
}

/// Appends a rule to a chain.
pub(crate) fn rule_append(table: &str, chain: &str, rule: &[Expression]) -> Message {
    let mut message = message(NEW_RULE, libc::NLM_F_CREATE | libc::NLM_F_APPEND);
    message
        .put_text(RULE_TABLE, table)
        .put_text(RULE_CHAIN, chain)
        .nest(RULE_EXPRESSIONS, |list| {
            for expression in rule {
                list.nest(LIST_ELEMENT, |element| expression.put(element));
            }
        });
    message
}

#[cfg(test)]
mod tests;
