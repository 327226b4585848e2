//! What a balancer makes of requests: rules, and what they lead to.
//!
//! AWS's listener rules, Google's URL maps and Azure's path maps all compile to this. [`decide`] is its
//! meaning: whoever passes requests on, and whoever tells their way, asks it.

mod action;
mod condition;
mod decide;
mod pattern;
mod redirect;

pub use action::{
    Action, Authenticate, Fixed, Forward, IdentityProvider, Outcome, Unauthenticated, Weighted,
};
pub use condition::{Condition, Headers, Parameter, Request};
pub use decide::{Decision, decide, passed_over};
pub use pattern::{Case, Pattern};
pub use redirect::{Addressed, Redirect, Template};

use super::Tls;
use crate::id::RuleId;
use std::sync::Arc;

/// A listener that understands requests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Http {
    /// The TLS that clients speak, if they do.
    pub tls: Option<Tls>,
    /// Whether clients may speak HTTP/2.
    pub http2: bool,
    /// In whose words it speaks for itself.
    pub dialect: Dialect,
    /// What it does with requests, in order of priority.
    pub rules: Vec<Arc<Rule>>,
    /// What it does with requests that no rule takes; it has no conditions.
    pub default: Arc<Rule>,
    /// After how many seconds without a byte it closes a connection, a member's or a client's.
    pub idle_timeout: u32,
    /// After how many seconds it closes a client's connection between two requests, however busy.
    pub client_keep_alive: u32,
    /// What it does to headers.
    pub headers: HeaderConduct,
    /// How it takes requests that programs may read differently.
    pub desync: Desync,
    /// Whether each request makes a line in the access log.
    pub access_log: bool,
}

/// In whose words a balancer speaks for itself: its own answers, its cookies, its log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Dialect {
    /// An application load balancer of AWS.
    AwsApplication,
    /// A classic load balancer of AWS.
    AwsClassic,
    /// A network load balancer of AWS; it knows no requests, only connections.
    AwsNetwork,
}

/// One rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// Its id.
    pub id: RuleId,
    /// Its priority, the lowest first; 0 is the default rule's.
    pub priority: u32,
    /// What a request must be like, all of it.
    pub conditions: Vec<Condition>,
    /// What happens to the requests that it takes.
    pub action: Action,
}

/// What a listener does to headers.
/// <https://docs.aws.amazon.com/elasticloadbalancing/latest/application/x-forwarded-headers.html>
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeaderConduct {
    /// What it does to `X-Forwarded-For`.
    pub forwarded_for: ForwardedFor,
    /// Whether the client's port stands in `X-Forwarded-For` too.
    pub client_port: bool,
    /// Whether members see `Host` exactly as the client sent it, its port included.
    pub preserve_host: bool,
    /// Whether headers whose names aren't letters, digits and hyphens are dropped.
    pub drop_invalid: bool,
    /// Whether members are told the client's TLS version and cipher.
    pub tls_details: bool,
    /// Whether its own answers say what it is.
    pub server: bool,
    /// Headers set on all answers.
    pub set_on_answers: Vec<(String, String)>,
}

/// What a listener does to `X-Forwarded-For`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ForwardedFor {
    /// Adds the client's address to it.
    Append,
    /// Leaves it.
    Preserve,
    /// Takes it away.
    Remove,
}

/// How a listener takes requests that programs may read differently.
/// <https://docs.aws.amazon.com/elasticloadbalancing/latest/application/edit-load-balancer-attributes.html#desync-mitigation-mode>
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Desync {
    /// It lets through all that it can read itself.
    Monitor,
    /// It refuses those that are dangerous.
    Defensive,
    /// It refuses all that don't keep to the standard.
    Strictest,
}

impl Default for HeaderConduct {
    fn default() -> Self {
        Self {
            forwarded_for: ForwardedFor::Append,
            client_port: false,
            preserve_host: false,
            drop_invalid: false,
            tls_details: false,
            server: true,
            set_on_answers: Vec::new(),
        }
    }
}
