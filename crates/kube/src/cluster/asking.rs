//! Webhooks are asked: HTTPS from the API server's place in the network.

use crate::api::Question;
use crate::api::webhook::Digest;
use crate::outward::{Outward, Trust};
use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::Request;
use hyper::header::{ACCEPT, CONTENT_TYPE, HOST, USER_AGENT};
use serde_json::Value;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinSet;
use tokio::time::timeout;

/// No answer is longer.
const LONGEST: usize = 3 << 20;

/// A question's answer, or why there is none.
type Answered = (Digest, Result<Value, String>);

/// Asks all at once.
pub(super) async fn ask(outward: &Arc<Outward>, questions: Vec<Question>) -> Vec<Answered> {
    let mut asked = JoinSet::new();
    for question in questions {
        let outward = outward.clone();
        asked.spawn(async move {
            let patience = Duration::from_secs(question.seconds);
            let answer = timeout(patience, one(&outward, &question)).await;
            let answer =
                answer.unwrap_or_else(|_| Err(told(&question, "context deadline exceeded")));
            (question.id, answer)
        });
    }
    asked.join_all().await
}

fn told(question: &Question, why: impl std::fmt::Display) -> String {
    format!("Post {:?}: {why}", question.url)
}

async fn one(outward: &Outward, question: &Question) -> Result<Value, String> {
    let at = &question.at;
    let trust = Trust::Named {
        name: at.name.clone(),
        authorities: at.authorities.clone(),
    };
    let connection = outward
        .connect(&at.host, at.port, &trust)
        .await
        .map_err(|error| told(question, error))?;
    let body = Full::new(Bytes::from(question.review.to_string()));
    let request = Request::post(&at.path)
        .header(HOST, &at.called)
        .header(CONTENT_TYPE, "application/json")
        .header(ACCEPT, "application/json, */*")
        .header(USER_AGENT, "kube-apiserver-admission")
        .body(body.map_err(|never| match never {}).boxed_unsync())
        .map_err(|error| told(question, error))?;
    let answer = Outward::send(connection, request)
        .await
        .map_err(|error| told(question, error))?;
    let code = answer.status();
    let body = Limited::new(answer.into_body(), LONGEST).collect().await;
    let body = body.map_err(|error| told(question, error))?.to_bytes();
    match code.as_u16() {
        200..=299 => serde_json::from_slice(&body)
            .map_err(|error| format!("couldn't get version/kind; json parse error: {error}")),
        404 => Err("the server could not find the requested resource".to_owned()),
        500 => {
            let said = String::from_utf8_lossy(&body);
            let said = said.trim();
            Err(format!(
                "an error on the server ({said:?}) has prevented the request from succeeding"
            ))
        }
        code => Err(format!(
            "the server responded with the status code {code} but did not return more information"
        )),
    }
}
