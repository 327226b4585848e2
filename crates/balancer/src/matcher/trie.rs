//! Texts by how they begin.

use super::set::Set;

/// A tree of bytes: each place has the numbers of those who wait there.
#[derive(Debug)]
pub(super) struct Trie {
    nodes: Vec<Node>,
    bound: usize,
}

#[derive(Debug)]
struct Node {
    /// The bytes that lead on, sorted.
    next: Vec<(u8, u32)>,
    /// Who waits for anything that begins so.
    begins: Option<Set>,
    /// Who waits for this and no more.
    exactly: Option<Set>,
}

/// What may follow an entry's text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ends {
    /// Nothing.
    Here,
    /// Anything.
    Anywhere,
}

impl Ends {
    /// Of a text that is whole, or only the beginning.
    pub(super) fn of(whole: bool) -> Self {
        if whole { Self::Here } else { Self::Anywhere }
    }
}

const EMPTY: Node = Node {
    next: Vec::new(),
    begins: None,
    exactly: None,
};

impl Trie {
    /// A tree of numbers below a bound.
    pub(super) fn new(bound: usize) -> Self {
        let nodes = vec![EMPTY];
        Self { nodes, bound }
    }

    /// Enters a number under a text.
    pub(super) fn insert(&mut self, text: &[u8], ends: Ends, number: usize) {
        let mut at = 0;
        for byte in text {
            at = self.step(at, *byte);
        }
        let node = &mut self.nodes[at];
        let set = match ends {
            Ends::Here => &mut node.exactly,
            Ends::Anywhere => &mut node.begins,
        };
        set.get_or_insert_with(|| Set::empty(self.bound))
            .insert(number);
    }

    /// The node that a byte leads to, made if it isn't there.
    fn step(&mut self, at: usize, byte: u8) -> usize {
        match self.nodes[at].next.binary_search_by_key(&byte, |n| n.0) {
            Ok(found) => self.nodes[at].next[found].1 as usize,
            Err(place) => {
                let fresh = self.nodes.len();
                self.nodes.push(EMPTY);
                // A listener's rules don't have four billion bytes.
                self.nodes[at].next.insert(place, (byte, fresh as u32));
                fresh
            }
        }
    }

    /// Adds the numbers of all entries that fit a text to a set.
    pub(super) fn collect(&self, text: impl Iterator<Item = u8>, to: &mut Set) {
        let mut node = &self.nodes[0];
        for byte in text {
            if let Some(waiting) = &node.begins {
                to.add(waiting);
            }
            match node.next.binary_search_by_key(&byte, |n| n.0) {
                Ok(found) => node = &self.nodes[node.next[found].1 as usize],
                Err(_) => return,
            }
        }
        for waiting in [&node.begins, &node.exactly].into_iter().flatten() {
            to.add(waiting);
        }
    }
}
