//! A role's keys for a service account's token.
//! <https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRoleWithWebIdentity.html>

use crate::answer::text;
use crate::credentials::{Credentials, CredentialsError, EARLY};
use crate::http::{Http, Origin};
use crate::sign::host;
use http::Method;
use serde_json::json;
use std::sync::{Mutex, PoisonError};
use wire::Timestamp;
use wire::call::{Call, Service, read};

/// Takes a role by a token in a file, which is read again each time: others renew it.
#[derive(Debug)]
pub struct WebIdentity {
    http: Http,
    region: String,
    role: String,
    file: String,
    session: Option<String>,
    known: Mutex<Option<Credentials>>,
}

impl WebIdentity {
    pub(crate) fn new(
        http: Http,
        region: &str,
        role: String,
        file: String,
        session: Option<String>,
    ) -> Self {
        Self {
            http,
            region: region.to_owned(),
            role,
            file,
            session,
            known: Mutex::default(),
        }
    }

    pub(crate) async fn current(&self, now: i64) -> Result<Credentials, CredentialsError> {
        let known = self.lock().clone();
        if let Some(known) = known.filter(|known| known.ends > now + EARLY) {
            return Ok(known);
        }
        let fresh = self.take(now).await?;
        *self.lock() = Some(fresh.clone());
        Ok(fresh)
    }

    async fn take(&self, now: i64) -> Result<Credentials, CredentialsError> {
        let token = tokio::fs::read_to_string(&self.file).await;
        let token = token.map_err(|error| CredentialsError::Token {
            path: self.file.clone(),
            why: error.to_string(),
        })?;
        let session = self.session.clone().unwrap_or_else(|| now.to_string());
        let parameters = json!({
            "RoleArn": self.role, "RoleSessionName": session, "WebIdentityToken": token.trim(),
        });
        let call = Call::new(Service::Sts, "AssumeRoleWithWebIdentity", parameters);
        // The token is what says who asks: nothing is signed.
        let request = call.request().map_err(CredentialsError::Refused)?;
        let origin = format!("https://{}", host(Service::Sts, &self.region));
        let origin = Origin::parse(&origin).map_err(CredentialsError::Unreachable)?;
        let sent = self.http.send(
            &origin,
            Method::POST,
            &request.path,
            &request.headers,
            request.body,
        );
        let answer = sent.await.map_err(CredentialsError::Unreachable)?;
        let told = read(Service::Sts, answer.status, None, &answer.text);
        let told = told.map_err(CredentialsError::Refused)?;
        let given = &told["Credentials"];
        let ends = Timestamp::parse(text(given, "Expiration"));
        Ok(Credentials {
            access_key_id: text(given, "AccessKeyId").to_owned(),
            secret_access_key: text(given, "SecretAccessKey").to_owned(),
            token: text(given, "SessionToken").to_owned(),
            ends: ends.map_or(now, |end| end.0),
        })
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<Credentials>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
