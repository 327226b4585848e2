//! Routing rules: which table is asked, in which order.

use super::NEW;
use crate::netlink::message::Message;
use ipnet::Ipv4Net;

const ACTION_TO_TABLE: u8 = 1;
const SOURCE: u16 = 2;
const INPUT_NAME: u16 = 3;
const PRIORITY: u16 = 6;
const MARK: u16 = 10;
const TABLE: u16 = 15;
const MARK_MASK: u16 = 16;

/// The rules every namespace is born with, beside the one for table `local`, which stays.
pub(crate) const BORN_WITH: [KernelRule; 2] = [
    KernelRule {
        priority: 32766,
        table: 254,
        selector: Selector::All,
    },
    KernelRule {
        priority: 32767,
        table: 253,
        selector: Selector::All,
    },
];

/// Which packets a rule is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Selector {
    /// All.
    All,
    /// Those with this mark.
    Mark(u32),
    /// Those from these addresses.
    From(Ipv4Net),
    /// Those that came in by the link of this name.
    Input(&'static str),
}

/// A routing rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct KernelRule {
    pub(crate) priority: u32,
    pub(crate) table: u32,
    pub(crate) selector: Selector,
}

impl KernelRule {
    fn message(&self, kind: u16, flags: i32) -> Message {
        // struct fib_rule_hdr: family, destination and source length, tos, table, two reserved,
        // action, flags.
        let mut header = [0; 12];
        header[0] = libc::AF_INET as u8;
        header[7] = ACTION_TO_TABLE;
        if let Selector::From(from) = self.selector {
            header[2] = from.prefix_len();
        }
        let mut message = Message::new(kind, flags, &header);
        message
            .put_u32(PRIORITY, self.priority)
            .put_u32(TABLE, self.table);
        match &self.selector {
            Selector::All => {}
            Selector::Mark(mark) => {
                message.put_u32(MARK, *mark).put_u32(MARK_MASK, u32::MAX);
            }
            Selector::From(from) => {
                message.put(SOURCE, &from.network().octets());
            }
            Selector::Input(name) => {
                message.put_text(INPUT_NAME, name);
            }
        }
        message
    }

    /// Adds it.
    pub(crate) fn add(&self) -> Message {
        self.message(libc::RTM_NEWRULE, NEW)
    }

    /// Removes it.
    pub(crate) fn delete(&self) -> Message {
        self.message(libc::RTM_DELRULE, 0)
    }
}
