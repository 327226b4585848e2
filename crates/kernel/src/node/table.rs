//! A program's table.

use super::NodeError;
use crate::apply::Transaction;
use crate::lint;
use crate::netlink::nftables::{NFPROTO_IPV4, table_names};
use crate::netlink::socket::{Family, Socket};
use crate::plan::Realised;
use fabric::Fabric;

/// A table in one namespace, kept as the last applied fabric says.
///
/// What can't be known (what an earlier run left, what a refused change did) is not read back: the
/// next apply builds a table beside it, under another name, and removes the old one with the
/// transaction that makes the new one work.
#[derive(Debug)]
pub(super) struct Table {
    socket: Socket,
    /// What its name begins with.
    base: &'static str,
    /// Its name, once it is there.
    name: Option<String>,
    /// Tables that the next transaction removes.
    stale: Vec<String>,
    realised: Realised,
}

impl Table {
    /// In the calling thread's network namespace.
    pub(super) fn here(base: &'static str) -> Result<Self, NodeError> {
        let mut socket = Socket::open_here(Family::Netfilter).map_err(NodeError::Open)?;
        let there = table_names(&mut socket, Some(NFPROTO_IPV4)).map_err(NodeError::Open)?;
        let number = |table: &str| {
            let rest = table.strip_prefix(base)?;
            rest.is_empty()
                .then_some(0)
                .or_else(|| rest.strip_prefix('~')?.parse::<u32>().ok())
        };
        Ok(Self {
            socket,
            base,
            name: None,
            stale: there
                .into_iter()
                .filter(|table| number(table).is_some())
                .collect(),
            realised: Realised::default(),
        })
    }

    /// The socket, for what else is to be asked of the namespace.
    pub(super) fn socket(&mut self) -> &mut Socket {
        &mut self.socket
    }

    /// Makes the kernel do as a fabric says; gives how much changed.
    pub(super) fn apply(&mut self, desired: &Fabric) -> Result<usize, NodeError> {
        let name = self.name.clone().unwrap_or_else(|| self.fresh_name());
        let plan = self.realised.plan(desired);
        debug_assert_eq!(lint::faults(&plan, &self.realised), Vec::<String>::new());
        let transaction = Transaction::in_table(&name, &plan.changes).replacing(&self.stale);
        if transaction.is_empty() {
            return Ok(0);
        }
        tracing::debug!(table = name, changes = plan.changes.len(), "applying");
        let sent = transaction.send(&mut self.socket);
        if let Err((what, cause)) = sent {
            self.realised = Realised::default();
            self.name = None;
            if !self.stale.contains(&name) {
                self.stale.push(name);
            }
            return Err(NodeError::Refused { what, cause });
        }
        self.stale.clear();
        self.name = Some(name);
        Ok(plan.changes.len())
    }

    fn fresh_name(&self) -> String {
        let numbered = (1u32..).map(|number| format!("{}~{number}", self.base));
        std::iter::once(self.base.to_owned())
            .chain(numbered)
            .find(|name| !self.stale.contains(name))
            .unwrap_or_else(|| self.base.to_owned())
    }

    /// Takes everything away.
    pub(super) fn remove(mut self) -> Result<(), NodeError> {
        self.stale.extend(self.name.take());
        let transaction = Transaction::in_table(self.base, &[]).replacing(&self.stale);
        transaction
            .send(&mut self.socket)
            .map_err(|(what, cause)| NodeError::Refused { what, cause })
    }
}
