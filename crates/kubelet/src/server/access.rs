//! Who asks a kubelet, and whether they may: client certificates, or tokens that the API vouches for;
//! what they may, the API says.
//! <https://kubernetes.io/docs/reference/access-authn-authz/kubelet-authn-authz/>

use super::subject::Caller;
use crate::shared::Shared;
use http::{HeaderMap, Method, StatusCode, header::AUTHORIZATION};
use serde_json::{Value, json};
use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// How long the API's answers hold.
const IDENTITY: Duration = Duration::from_secs(120);
const ALLOWED: Duration = Duration::from_secs(300);
const REFUSED: Duration = Duration::from_secs(30);
/// So many answers are remembered.
const REMEMBERED: usize = 1024;

/// Why somebody isn't answered.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Refusal {
    /// Nobody knows them.
    #[error("Unauthorized")]
    Unauthorized,
    /// They may not.
    #[error("Forbidden (user={user}, verb={verb}, resource=nodes, subresource(s)=[{subresource}])")]
    Forbidden {
        /// Who asked.
        user: String,
        /// What they wanted to do.
        verb: &'static str,
        /// With what.
        subresource: &'static str,
    },
    /// The API doesn't say.
    #[error(
        "Authorization error (user={user}, verb={verb}, resource=nodes, subresource(s)=[{subresource}])"
    )]
    Unknown {
        /// Who asked.
        user: String,
        /// What they wanted to do.
        verb: &'static str,
        /// With what.
        subresource: &'static str,
    },
}

impl Refusal {
    /// Its status.
    pub(super) fn status(&self) -> StatusCode {
        match self {
            Self::Unauthorized => StatusCode::UNAUTHORIZED,
            Self::Forbidden { .. } => StatusCode::FORBIDDEN,
            Self::Unknown { .. } => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }
}

/// Lets callers in.
#[derive(Debug)]
pub(super) struct Gate {
    tokens: Memory<String, Option<Caller>>,
    rights: Memory<(Caller, &'static str, &'static str), bool>,
}

impl Gate {
    pub(super) fn new() -> Self {
        Self {
            tokens: Memory::new(),
            rights: Memory::new(),
        }
    }

    /// Whether somebody may do what they ask for.
    pub(super) async fn check(
        &self,
        shared: &Shared,
        shown: Option<&Caller>,
        method: &Method,
        path: &str,
        headers: &HeaderMap,
    ) -> Result<(), Refusal> {
        let caller = match shown {
            Some(caller) => caller.clone(),
            None => self.of_token(shared, headers).await?,
        };
        let (verb, subresource) = (verb(method), subresource(path));
        let user = caller.user.clone();
        let key = (caller, verb, subresource);
        let known = self.rights.get(&key);
        let allowed = match known {
            Some(allowed) => allowed,
            None => {
                let Some(allowed) = review(shared, &key.0, verb, subresource).await else {
                    return Err(Refusal::Unknown {
                        user,
                        verb,
                        subresource,
                    });
                };
                let holds = if allowed { ALLOWED } else { REFUSED };
                self.rights.put(key, allowed, holds);
                allowed
            }
        };
        if allowed {
            return Ok(());
        }
        Err(Refusal::Forbidden {
            user,
            verb,
            subresource,
        })
    }

    async fn of_token(&self, shared: &Shared, headers: &HeaderMap) -> Result<Caller, Refusal> {
        let header = headers.get(AUTHORIZATION);
        let token = header
            .and_then(|value| value.to_str().ok())
            .and_then(|value| value.strip_prefix("Bearer "))
            .map(str::trim)
            .filter(|token| !token.is_empty())
            .ok_or(Refusal::Unauthorized)?
            .to_owned();
        if let Some(known) = self.tokens.get(&token) {
            return known.ok_or(Refusal::Unauthorized);
        }
        let review = json!({
            "kind": "TokenReview", "apiVersion": "authentication.k8s.io/v1",
            "spec": {"token": token},
        });
        let path = "/apis/authentication.k8s.io/v1/tokenreviews";
        let answer = shared.means.client.create(path, &review).await;
        let status = match answer {
            Ok(answer) => answer["status"].clone(),
            Err(error) => {
                tracing::debug!(%error, "a token can't be looked at");
                return Err(Refusal::Unauthorized);
            }
        };
        let caller = (status["authenticated"] == true).then(|| caller(&status["user"]));
        self.tokens.put(token, caller.clone(), IDENTITY);
        caller.ok_or(Refusal::Unauthorized)
    }
}

fn caller(user: &Value) -> Caller {
    let groups = user["groups"].as_array().into_iter().flatten();
    Caller {
        user: user["username"].as_str().unwrap_or_default().to_owned(),
        groups: groups
            .filter_map(|group| group.as_str().map(str::to_owned))
            .collect(),
    }
}

async fn review(shared: &Shared, caller: &Caller, verb: &str, subresource: &str) -> Option<bool> {
    let review = json!({
        "kind": "SubjectAccessReview", "apiVersion": "authorization.k8s.io/v1",
        "spec": {
            "user": caller.user, "groups": caller.groups,
            "resourceAttributes": {
                "verb": verb, "version": "v1", "resource": "nodes", "subresource": subresource,
                "name": shared.config.name,
            },
        },
    });
    let path = "/apis/authorization.k8s.io/v1/subjectaccessreviews";
    let answer = shared.means.client.create(path, &review).await;
    match answer {
        Ok(answer) => Some(answer["status"]["allowed"] == true),
        Err(error) => {
            tracing::debug!(%error, "a right can't be looked at");
            None
        }
    }
}

/// The API's verb for a method.
fn verb(method: &Method) -> &'static str {
    match *method {
        Method::POST => "create",
        Method::PUT => "update",
        Method::PATCH => "patch",
        Method::DELETE => "delete",
        _ => "get",
    }
}

/// What of a node a path belongs to.
fn subresource(path: &str) -> &'static str {
    let below = |root: &str| {
        path.strip_prefix(root)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    [
        ("/stats", "stats"),
        ("/metrics", "metrics"),
        ("/logs", "log"),
    ]
    .into_iter()
    .find(|(root, _)| below(root))
    .map_or("proxy", |(_, subresource)| subresource)
}

/// Answers that hold for a while.
#[derive(Debug)]
struct Memory<K, V> {
    known: Mutex<HashMap<K, (Instant, V)>>,
}

impl<K: Eq + Hash, V: Clone> Memory<K, V> {
    fn new() -> Self {
        Self {
            known: Mutex::new(HashMap::new()),
        }
    }

    fn get(&self, key: &K) -> Option<V> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let (until, value) = known.get(key)?;
        (*until > Instant::now()).then(|| value.clone())
    }

    fn put(&self, key: K, value: V, holds: Duration) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= REMEMBERED {
            known.clear();
        }
        known.insert(key, (Instant::now() + holds, value));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// K8S-RUN: the documented verbs and subresources.
    #[test]
    fn paths_are_parts_of_a_node() {
        for (path, of) in [
            ("/stats/summary", "stats"),
            ("/metrics/resource", "metrics"),
            ("/metrics", "metrics"),
            ("/metricsx", "proxy"),
            ("/logs/", "log"),
            ("/exec/a/b/c", "proxy"),
            ("/pods", "proxy"),
        ] {
            assert_eq!(subresource(path), of, "{path}");
        }
        assert_eq!(verb(&Method::POST), "create");
        assert_eq!(verb(&Method::GET), "get");
    }
}
