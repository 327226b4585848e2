//! Sets, maps and verdict maps, and their elements.

use super::{LIST_ELEMENT, Verdict, message};
use crate::netlink::message::Message;

const NEW_SET: u16 = 9;
const DELETE_SET: u16 = 11;
const NEW_ELEMENT: u16 = 12;
const DELETE_ELEMENT: u16 = 14;

const SET_TABLE: u16 = 1;
const SET_NAME: u16 = 2;
const SET_FLAGS: u16 = 3;
const SET_KEY_TYPE: u16 = 4;
const SET_KEY_LENGTH: u16 = 5;
const SET_DATA_TYPE: u16 = 6;
const SET_DATA_LENGTH: u16 = 7;
const SET_DESCRIPTION: u16 = 9;
const SET_ID: u16 = 10;
const DESCRIPTION_SIZE: u16 = 1;
const FLAG_INTERVAL: u32 = 4;
const FLAG_MAP: u32 = 8;
const FLAG_TIMEOUT: u32 = 0x10;
const FLAG_EVALUATED: u32 = 0x20;
/// `nft`'s number of an integer of any length; the kernel passes it through.
const TYPE_INTEGER: u32 = 4;
const TYPE_VERDICT: u32 = 0xffff_ff00;

const LIST_TABLE: u16 = 1;
const LIST_SET: u16 = 2;
const LIST_ELEMENTS: u16 = 3;
const ELEMENT_KEY: u16 = 1;
const ELEMENT_DATA: u16 = 2;
const ELEMENT_FLAGS: u16 = 3;
const ELEMENT_INTERVAL_END: u32 = 1;
const ELEMENT_CATCH_ALL: u32 = 2;
const DATA_VALUE: u16 = 1;

/// The most that one message holds: its attributes count their length in 16 bits.
const LARGEST: usize = 48 * 1024;

/// What a set keeps beside its keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DataKind {
    /// Nothing: it is a plain set.
    Nothing,
    /// Values of this many bytes.
    Value(u8),
    /// Verdicts.
    Verdict,
}

/// How a set is built.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SetShape {
    /// Bytes of a key.
    pub(crate) key: u8,
    /// What is kept with a key.
    pub(crate) data: DataKind,
    /// Whether keys are ranges, in the order of their bytes (a tree), or single (a hash table).
    pub(crate) ranges: bool,
    /// How many elements rules may add themselves, each for a time; none if they may not.
    pub(crate) learns: Option<u32>,
}

/// What an element keeps.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Data {
    /// Nothing.
    Nothing,
    /// These bytes.
    Value(Vec<u8>),
    /// This verdict.
    Verdict(Verdict),
}

/// Which keys an element stands for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Keys {
    /// One.
    One(Vec<u8>),
    /// All from one to another, both included.
    Range(Vec<u8>, Vec<u8>),
    /// All that no other element stands for.
    Rest,
}

/// An element.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Element {
    pub(crate) keys: Keys,
    pub(crate) data: Data,
}

/// Makes a set. The number tells sets of one transaction apart.
pub(crate) fn set_add(table: &str, name: &str, shape: SetShape, number: u32) -> Message {
    let mut flags = 0;
    if shape.ranges {
        flags |= FLAG_INTERVAL;
    }
    if shape.data != DataKind::Nothing {
        flags |= FLAG_MAP;
    }
    if shape.learns.is_some() {
        flags |= FLAG_TIMEOUT | FLAG_EVALUATED;
    }
    let mut message = message(NEW_SET, libc::NLM_F_CREATE);
    message
        .put_text(SET_TABLE, table)
        .put_text(SET_NAME, name)
        .put_be32(SET_FLAGS, flags)
        .put_be32(SET_KEY_TYPE, TYPE_INTEGER)
        .put_be32(SET_KEY_LENGTH, u32::from(shape.key))
        .put_be32(SET_ID, number);
    match shape.data {
        DataKind::Nothing => {}
        DataKind::Value(length) => {
            message
                .put_be32(SET_DATA_TYPE, TYPE_INTEGER)
                .put_be32(SET_DATA_LENGTH, u32::from(length));
        }
        DataKind::Verdict => {
            message.put_be32(SET_DATA_TYPE, TYPE_VERDICT);
        }
    }
    if let Some(size) = shape.learns {
        message.nest(SET_DESCRIPTION, |description| {
            description.put_be32(DESCRIPTION_SIZE, size);
        });
    }
    message
}

/// Removes a set that no rule refers to.
pub(crate) fn set_delete(table: &str, name: &str) -> Message {
    let mut message = message(DELETE_SET, 0);
    message.put_text(SET_TABLE, table).put_text(SET_NAME, name);
    message
}

/// Adds elements, in as few messages as hold them.
pub(crate) fn elements_add<'a>(
    table: &str,
    set: &str,
    elements: impl IntoIterator<Item = &'a Element>,
) -> Vec<Message> {
    element_messages(NEW_ELEMENT, libc::NLM_F_CREATE, table, set, elements)
}

/// Removes elements, in as few messages as hold them.
pub(crate) fn elements_delete<'a>(
    table: &str,
    set: &str,
    elements: impl IntoIterator<Item = &'a Element>,
) -> Vec<Message> {
    element_messages(DELETE_ELEMENT, 0, table, set, elements)
}

fn element_messages<'a>(
    kind: u16,
    flags: i32,
    table: &str,
    set: &str,
    elements: impl IntoIterator<Item = &'a Element>,
) -> Vec<Message> {
    let mut elements = elements.into_iter().peekable();
    let mut messages = Vec::new();
    while elements.peek().is_some() {
        let mut message = message(kind, flags);
        message.put_text(LIST_TABLE, table).put_text(LIST_SET, set);
        message.nest(LIST_ELEMENTS, |list| {
            while list.len() < LARGEST
                && let Some(element) = elements.next()
            {
                put_element(list, element);
            }
        });
        messages.push(message);
    }
    messages
}

fn put_element(list: &mut Message, element: &Element) {
    match &element.keys {
        Keys::One(key) => put_one(list, Some(key), 0, &element.data),
        Keys::Range(low, high) => {
            put_one(list, Some(low), 0, &element.data);
            if let Some(after) = successor(high) {
                put_one(list, Some(&after), ELEMENT_INTERVAL_END, &Data::Nothing);
            }
        }
        Keys::Rest => put_one(list, None, ELEMENT_CATCH_ALL, &element.data),
    }
}

fn put_one(list: &mut Message, key: Option<&[u8]>, flags: u32, data: &Data) {
    list.nest(LIST_ELEMENT, |element| {
        if flags != 0 {
            element.put_be32(ELEMENT_FLAGS, flags);
        }
        if let Some(key) = key {
            element.nest(ELEMENT_KEY, |value| {
                value.put(DATA_VALUE, key);
            });
        }
        match data {
            Data::Nothing => {}
            Data::Value(bytes) => {
                element.nest(ELEMENT_DATA, |value| {
                    value.put(DATA_VALUE, bytes);
                });
            }
            Data::Verdict(verdict) => {
                element.nest(ELEMENT_DATA, |value| verdict.put(value));
            }
        }
    });
}

/// The next key in the order of bytes; none after the last. A range of the kernel's trees ends
/// before a key, so the last range of all has no end.
fn successor(key: &[u8]) -> Option<Vec<u8>> {
    let mut next = key.to_vec();
    for byte in next.iter_mut().rev() {
        let (sum, carried) = byte.overflowing_add(1);
        *byte = sum;
        if !carried {
            return Some(next);
        }
    }
    None
}
