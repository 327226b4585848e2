//! Tokens of service accounts, renewed before they end.
//! <https://kubernetes.io/docs/concepts/storage/projected-volumes/#serviceaccounttoken>

use super::{Making, lock};
use crate::clock;
use crate::pod::TokenSource;
use kube_client::Error;
use serde_json::json;
use std::time::{Duration, SystemTime};

/// A token is renewed when it is this old, however long it would hold.
const OLDEST: Duration = Duration::from_secs(24 * 3600);

/// A token.
#[derive(Clone, Debug)]
pub(super) struct Token {
    text: String,
    /// When another one is asked for.
    renewal: SystemTime,
}

impl Making<'_> {
    /// The token for a source of a volume: the one there is, or a new one.
    pub(super) async fn token(&self, volume: &str, source: &TokenSource) -> Result<String, Error> {
        let key = format!("{volume}/{}", source.path);
        let known = lock(&self.belongings.tokens).get(&key).cloned();
        let now = SystemTime::now();
        if let Some(known) = &known
            && now < known.renewal
        {
            return Ok(known.text.clone());
        }
        match self.ask(source, now).await {
            Ok(token) => {
                let text = token.text.clone();
                lock(&self.belongings.tokens).insert(key, token);
                Ok(text)
            }
            // The old one holds for a while.
            Err(error) => match known {
                Some(known) => {
                    tracing::warn!(pod = %self.pod, %error, "a token can't be renewed");
                    Ok(known.text)
                }
                None => Err(error),
            },
        }
    }

    async fn ask(&self, source: &TokenSource, now: SystemTime) -> Result<Token, Error> {
        let metadata = &self.pod.metadata;
        let account = match self.pod.spec.service_account_name.as_str() {
            "" => "default",
            account => account,
        };
        let path = format!(
            "/api/v1/namespaces/{}/serviceaccounts/{account}/token",
            metadata.namespace
        );
        let audiences: Vec<&str> = Some(source.audience.as_str())
            .filter(|audience| !audience.is_empty())
            .into_iter()
            .collect();
        let request = json!({
            "kind": "TokenRequest", "apiVersion": "authentication.k8s.io/v1",
            "spec": {
                "audiences": audiences,
                "expirationSeconds": source.expiration_seconds.unwrap_or(3600),
                "boundObjectRef": {
                    "kind": "Pod", "apiVersion": "v1", "name": metadata.name, "uid": metadata.uid,
                },
            },
        });
        let answer = self.shared.means.client.create(&path, &request).await?;
        let status = &answer["status"];
        let text = status["token"].as_str().unwrap_or_default().to_owned();
        let end = clock::parse(status["expirationTimestamp"].as_str().unwrap_or_default());
        let renewal = renewal(now, end.unwrap_or(now + Duration::from_secs(3600)));
        Ok(Token { text, renewal })
    }
}

/// When four fifths of a token's time are over, or it is a day old.
fn renewal(now: SystemTime, end: SystemTime) -> SystemTime {
    let time = end.duration_since(now).unwrap_or_default();
    now + (time * 4 / 5).min(OLDEST)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::at;

    /// K8S-RUN: tokens are renewed after 80 % of their time, or a day.
    #[test]
    fn tokens_are_renewed_in_time() {
        assert_eq!(renewal(at(0), at(3600)), at(2880));
        assert_eq!(renewal(at(0), at(30 * 24 * 3600)), at(24 * 3600));
        assert_eq!(renewal(at(10), at(0)), at(10));
    }
}
