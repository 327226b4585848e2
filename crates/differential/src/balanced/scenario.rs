//! Scenarios with balancers, in terms that survive the loss of any step.

use crate::scenario::{self as account, Protocol};
use crate::shrink::Parts;
use fabric::balancer::{MemberState, SourceSeen};

/// An account, balancers in it, and what is sent.
#[derive(Clone, Debug, PartialEq)]
pub struct Scenario {
    /// Where it was drawn from; ids follow from it.
    pub seed: u64,
    /// How it is built, in phases that [`Step::Then`] ends.
    pub steps: Vec<Step>,
    /// What is sent in each phase.
    pub flows: Vec<Attempt>,
}

/// What a listener does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Passes TCP on.
    Tcp,
    /// Passes UDP on.
    Udp,
    /// Passes both on.
    Both,
    /// Ends TCP connections.
    Stream,
}

/// One building step. What has a number is found by it.
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs)]
pub enum Step {
    /// A step of the account.
    Account(account::Step),
    Balancer {
        number: usize,
        vpc: usize,
    },
    Node {
        balancer: usize,
        number: usize,
        subnet: usize,
        groups: Vec<usize>,
        guard: bool,
        public: bool,
    },
    /// Another one with the same number takes its place.
    Pool {
        balancer: usize,
        number: usize,
        cross_zone: bool,
        source: SourceSeen,
        stays: bool,
    },
    Listener {
        balancer: usize,
        port: u16,
        kind: Kind,
        pool: usize,
    },
    /// Another one of the same instance and address takes its place.
    Member {
        balancer: usize,
        pool: usize,
        instance: usize,
        address: usize,
        port: u16,
        zonal: bool,
        state: MemberState,
    },
    /// All members of an instance go.
    Gone {
        balancer: usize,
        pool: usize,
        instance: usize,
    },
    /// The flows are sent; then it goes on.
    Then,
}

/// Who is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum To {
    /// A balancer's node, by both numbers.
    Node(usize, usize),
    /// Its public address.
    PublicOf(usize, usize),
    /// A place of the account.
    Place(account::Place),
}

/// A flow to try.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Attempt {
    /// Who calls.
    pub from: account::Place,
    /// Who is called.
    pub to: To,
    /// By what.
    pub protocol: Protocol,
    /// The called port.
    pub port: u16,
}

impl Parts for Scenario {
    type Step = Step;
    type Flow = Attempt;

    fn steps(&self) -> &[Step] {
        &self.steps
    }

    fn flows(&self) -> &[Attempt] {
        &self.flows
    }

    fn with(&self, steps: Vec<Step>, flows: Vec<Attempt>) -> Self {
        Self {
            seed: self.seed,
            steps,
            flows,
        }
    }
}
