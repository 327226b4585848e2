//! How nodes that end connections share them among a pool's members.

/// How nodes that end connections treat a pool's members. The default is plain turns.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Conduct {
    /// Who gets the next request or connection.
    pub algorithm: Algorithm,
    /// What keeps a client with its member, if anything does.
    pub stickiness: Option<Stickiness>,
    /// For how many seconds the share of a member that became healthy grows to a full one.
    pub slow_start: u32,
    /// Whether connections to a member are cut when it leaves the pool.
    pub cut_when_gone: bool,
    /// What connections to members begin with, if anything.
    pub preamble: Option<Preamble>,
    /// Whether members are spoken to in gRPC, so that other requests aren't for them.
    pub grpc: bool,
    /// The function that is called, in a pool that has one instead of members.
    pub function: Option<Function>,
}

/// Who gets the next request or connection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Algorithm {
    /// Members take turns.
    #[default]
    RoundRobin,
    /// Whoever has the fewest requests unanswered.
    LeastOutstanding,
    /// Chance, each member being as likely as another.
    Random,
}

/// What keeps a client with its member.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stickiness {
    /// A cookie of the balancer's own.
    Own {
        /// For how many seconds it holds; 0 for as long as the client's session.
        seconds: u32,
    },
    /// A cookie of the balancer's own that lives as long as one of the application's does.
    Application {
        /// The name of the application's cookie.
        cookie: String,
        /// For how many seconds it holds; 0 for as long as the application's cookie.
        seconds: u32,
    },
}

/// What a connection to a member begins with: who the client is, by the PROXY protocol.
/// <https://www.haproxy.org/download/1.8/doc/proxy-protocol.txt>
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Preamble {
    /// Version 1, a line of text.
    ProxyV1,
    /// Version 2, binary.
    ProxyV2,
}

/// A function that answers requests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Function {
    /// Its name, by the cloud's id.
    pub name: String,
    /// Whether headers and query parameters are given to it as lists of values.
    pub many_valued: bool,
}
