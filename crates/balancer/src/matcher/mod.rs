//! Rules, compiled: which one takes a request, at a cost that hardly grows with their number.
//!
//! Each rule stands in a few small indexes: by how its hosts end, by how its paths begin. What a
//! request finds there are the rules that *may* take it, as a set of bits; their conditions are then
//! asked in order of priority. So the answer always is [`fabric::balancer::http::decide`]'s, and the
//! indexes only spare questions whose answer is no.

mod set;
mod trie;

use fabric::balancer::http::{Case, Condition, Http, Request, Rule};
use set::Set;
use std::sync::Arc;
use trie::{Ends, Trie};

/// The rules of a listener, compiled.
#[derive(Debug)]
pub struct Matcher {
    rules: Vec<Arc<Rule>>,
    default: Arc<Rule>,
    /// Those that ask nothing of the host that an index could tell, and the others.
    any_host: Set,
    hosts: Trie,
    /// The same of paths.
    any_path: Set,
    paths: Trie,
}

impl Matcher {
    /// Compiles rules.
    pub fn new(http: &Http) -> Self {
        let count = http.rules.len();
        let mut matcher = Self {
            rules: http.rules.clone(),
            default: http.default.clone(),
            any_host: Set::empty(count),
            hosts: Trie::new(count),
            any_path: Set::empty(count),
            paths: Trie::new(count),
        };
        for (number, rule) in http.rules.iter().enumerate() {
            matcher.enter_host(number, rule);
            matcher.enter_path(number, rule);
        }
        matcher
    }

    fn enter_host(&mut self, number: usize, rule: &Rule) {
        let patterns = rule
            .conditions
            .iter()
            .find_map(|condition| match condition {
                Condition::Host(patterns) => Some(patterns),
                _ => None,
            });
        let Some(patterns) = patterns.filter(|all| all.iter().all(ignores_case)) else {
            self.any_host.insert(number);
            return;
        };
        for pattern in patterns {
            let (tail, whole) = pattern.tail();
            self.hosts.insert(&tail, Ends::of(whole), number);
        }
    }

    fn enter_path(&mut self, number: usize, rule: &Rule) {
        let patterns = rule
            .conditions
            .iter()
            .find_map(|condition| match condition {
                Condition::Path(patterns) => Some(patterns),
                _ => None,
            });
        let keeps_case = |all: &&Vec<_>| !all.iter().any(ignores_case);
        let Some(patterns) = patterns.filter(keeps_case) else {
            self.any_path.insert(number);
            return;
        };
        for pattern in patterns {
            let (head, whole) = pattern.head();
            self.paths.insert(&head, Ends::of(whole), number);
        }
    }

    /// The rule that takes a request.
    pub fn decide(&self, request: &Request<'_>) -> &Arc<Rule> {
        if self.rules.is_empty() {
            return &self.default;
        }
        let mut by_host = self.any_host.clone();
        let host = request.host.bytes().rev().map(|b| b.to_ascii_lowercase());
        self.hosts.collect(host, &mut by_host);
        let mut by_path = self.any_path.clone();
        self.paths.collect(request.path.bytes(), &mut by_path);
        by_host.keep(&by_path);
        by_host
            .iter()
            .map(|number| &self.rules[number])
            .find(|rule| rule.takes(request))
            .unwrap_or(&self.default)
    }
}

fn ignores_case(pattern: &fabric::balancer::http::Pattern) -> bool {
    pattern.case() == Case::Ignored
}
