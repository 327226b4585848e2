//! What happens to a request that a rule takes.

use super::Redirect;
use crate::id::PoolId;
use std::collections::BTreeMap;
use std::sync::Arc;

/// What happens to a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Action {
    /// Who the user is must be known first.
    pub authenticate: Option<Arc<Authenticate>>,
    /// What happens then.
    pub outcome: Outcome,
}

/// What becomes of a request in the end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// A pool gets it.
    Forward(Forward),
    /// The client is sent elsewhere.
    Redirect(Redirect),
    /// The balancer answers.
    Fixed(Fixed),
}

/// Pools that get requests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Forward {
    /// The pools and their weights.
    pub pools: Vec<Weighted>,
    /// For how many seconds a client stays with its pool, if it does.
    pub sticky: Option<u32>,
}

/// A pool and its share.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Weighted {
    /// The pool.
    pub pool: PoolId,
    /// Its share, of the sum of all: 0 to 999.
    pub weight: u32,
}

/// An answer of the balancer's own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fixed {
    /// The status.
    pub status: u16,
    /// The body's type.
    pub content_type: Option<String>,
    /// The body.
    pub body: String,
}

/// How a balancer finds out who a user is: OpenID Connect's authorization code flow.
/// <https://docs.aws.amazon.com/elasticloadbalancing/latest/application/listener-authenticate-users.html>
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Authenticate {
    /// Who knows users.
    pub provider: IdentityProvider,
    /// What is asked for, words with spaces between them.
    pub scope: String,
    /// The name of the cookie that holds the session.
    pub session_cookie: String,
    /// After how many seconds the user must sign in again.
    pub session_timeout: u32,
    /// More parameters of the request to authorize, at most ten.
    pub extra: BTreeMap<String, String>,
    /// What happens to requests of users who aren't signed in.
    pub unauthenticated: Unauthenticated,
}

/// Who knows users.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdentityProvider {
    /// Its name as issuer of tokens.
    pub issuer: String,
    /// Where users sign in, a URL.
    pub authorization_endpoint: String,
    /// Where codes become tokens, a URL.
    pub token_endpoint: String,
    /// Where it tells about a user, a URL.
    pub user_info_endpoint: String,
    /// The balancer's name there.
    pub client: String,
    /// Where the balancer's secret there is found: secrets have no place in a fabric.
    pub secret: String,
}

/// What happens to requests of users who aren't signed in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Unauthenticated {
    /// 401.
    Deny,
    /// They go on, without word of who it is.
    Allow,
    /// The user is sent to sign in.
    Authenticate,
}

impl Forward {
    /// All requests go to one pool.
    pub fn to(pool: PoolId) -> Self {
        let pools = vec![Weighted { pool, weight: 1 }];
        Self {
            pools,
            sticky: None,
        }
    }
}

impl Action {
    /// Without asking who the user is.
    pub fn plain(outcome: Outcome) -> Self {
        Self {
            authenticate: None,
            outcome,
        }
    }
}
