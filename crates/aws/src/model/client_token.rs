//! Idempotency tokens: what a request with a token made, so that the same request gives it again.
//!
//! EC2 remembers a token for at least a day, by region and operation.
//! <https://docs.aws.amazon.com/ec2/latest/devguide/ec2-api-idempotency.html>

use super::{Context, Refusal, State};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::fmt::Debug;
use std::sync::Arc;

/// How long a token is remembered, in seconds.
const REMEMBERED: i64 = 24 * 3600;
/// Old tokens are looked for whenever this many more are known.
const SWEEP: usize = 1024;

/// A token that was used.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClientToken {
    /// The hash of the request that brought it.
    pub request: String,
    /// The id of what it made.
    pub made: String,
    /// When, in seconds since 1970.
    pub used: i64,
}

/// A request's token; a request without one is like a request with a token that nobody used before.
#[derive(Debug)]
pub struct Token {
    /// The table's key; none without a token.
    key: Option<String>,
    request: String,
    /// The id of what the same request made before.
    pub made: Option<String>,
}

impl Token {
    /// Reads a request's token, which has no more than so many characters.
    ///
    /// # Errors
    /// `InvalidClientToken`; `IdempotentParameterMismatch` for one that came with another request.
    pub fn of(
        state: &State,
        context: &Context,
        operation: &str,
        request: &impl Debug,
        token: Option<&str>,
        longest: usize,
    ) -> Result<Self, Refusal> {
        let Some(token) = token.filter(|token| !token.is_empty()) else {
            return Ok(Self {
                key: None,
                request: String::new(),
                made: None,
            });
        };
        if token.len() > longest || !token.is_ascii() {
            return Err(Refusal::new(
                "InvalidClientToken",
                format!("The client token is not valid: it can have {longest} ASCII characters."),
            ));
        }
        let request = format!("{:x}", Sha256::digest(format!("{request:?}")));
        let key = format!("{}/{operation}/{token}", context.region);
        let used = state.client_tokens.get(&key);
        let used = used.filter(|used| used.used > context.now - REMEMBERED);
        if used.is_some_and(|used| used.request != request) {
            return Err(Refusal::new(
                "IdempotentParameterMismatch",
                "The client token you have provided is associated with a request that has other parameters.",
            ));
        }
        Ok(Self {
            made: used.map(|used| used.made.clone()),
            key: Some(key),
            request,
        })
    }

    /// Remembers what the request made.
    pub fn keep(self, state: &mut State, context: &Context, made: &str) {
        let Some(key) = self.key else { return };
        if (state.client_tokens.len() + 1).is_multiple_of(SWEEP) {
            forget_old(state, context.now);
        }
        let used = ClientToken {
            request: self.request,
            made: made.to_owned(),
            used: context.now,
        };
        state.client_tokens.insert(key, Arc::new(used));
    }
}

fn forget_old(state: &mut State, now: i64) {
    let old: Vec<String> = state
        .client_tokens
        .iter()
        .filter(|(_, used)| used.used <= now - REMEMBERED)
        .map(|(key, _)| key.clone())
        .collect();
    for key in old {
        state.client_tokens.remove(&key);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::model::{Pace, Settings};

    fn context(now: i64) -> Context {
        Context {
            region: "us-west-2".to_owned(),
            now,
            pace: Pace::Fast,
            quotas: true,
            caller: String::new(),
            entropy: [0; 32],
        }
    }

    fn token(state: &State, now: i64, request: &str, token: &str) -> Result<Token, Refusal> {
        Token::of(state, &context(now), "CreateVpc", &request, Some(token), 64)
    }

    /// A token stands for its request for a day, and not for the same in another region.
    #[test]
    fn tokens_are_remembered_for_a_day() {
        let mut state = State::empty(Settings {
            account: "123456789012".to_owned(),
            seed: 1,
        });
        let first = token(&state, 100, "a", "t").unwrap();
        assert_eq!(first.made, None);
        first.keep(&mut state, &context(100), "vpc-1");
        let again = token(&state, 200, "a", "t").unwrap();
        assert_eq!(again.made.as_deref(), Some("vpc-1"));
        let other = token(&state, 200, "b", "t").unwrap_err();
        assert_eq!(other.code, "IdempotentParameterMismatch");
        let later = 100 + REMEMBERED;
        assert_eq!(token(&state, later, "b", "t").unwrap().made, None);
        let mut elsewhere = context(200);
        elsewhere.region = "us-east-1".to_owned();
        let elsewhere = Token::of(&state, &elsewhere, "CreateVpc", &"b", Some("t"), 64);
        assert_eq!(elsewhere.unwrap().made, None);
        let long = token(&state, 0, "a", &"t".repeat(65)).unwrap_err();
        assert_eq!(long.code, "InvalidClientToken");
        for number in 0..SWEEP {
            let fresh = token(&state, later, "a", &format!("t{number}")).unwrap();
            fresh.keep(&mut state, &context(later), "vpc-2");
        }
        assert!(!state.client_tokens.contains_key("us-west-2/CreateVpc/t"));
    }
}
