//! Functions as targets: a request becomes an event in JSON, its result an answer.
//! <https://docs.aws.amazon.com/elasticloadbalancing/latest/application/lambda-functions.html>

use super::body::Answer;
use super::handle::Way;
use super::headers;
use crate::means::InvokeError;
use crate::own::{Gateway, Refusal};
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use bytes::Bytes;
use fabric::balancer::{Function, Speech};
use fabric::id::PoolId;
use http::header::{CONTENT_ENCODING, CONTENT_TYPE};
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode, request};
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use serde_json::{Map, Value, json};

/// How long a request's body may be: 1 MB.
const LONGEST: usize = 1024 * 1024;

/// Calls a function with a request.
///
/// # Errors
/// It can't be called, or fails, or what it says is no answer.
pub(crate) async fn call(
    way: &mut Way<'_>,
    function: &Function,
    pool: &PoolId,
    mut head: request::Parts,
    body: Incoming,
) -> Result<Response<Answer>, Refusal> {
    headers::to_member(&mut head, &way.http.http, way.client, Speech::Http1);
    let body = Limited::new(body, LONGEST).collect().await;
    let body = body.map_err(|_| Refusal::BodyTooLarge)?.to_bytes();
    let event = event(&head, &body, pool, function.many_valued);
    let functions = way.client.front.means.functions.as_ref();
    let waiting = way.client.activity.wait();
    let result = functions
        .invoke(&function.name, event.to_string().into())
        .await;
    drop(waiting);
    let result = result.map_err(|error| {
        tracing::info!(function = function.name, %error, "a function gave no answer");
        Refusal::BadGateway(match error {
            InvokeError::NotCalled(_) => Gateway::FunctionNotCalled,
            InvokeError::Failed(_) => Gateway::FunctionFailed,
        })
    })?;
    let answer = answer(&result).ok_or(Refusal::BadGateway(Gateway::FunctionAnswer))?;
    if let Some(entry) = &mut way.entry {
        entry.target_answered(answer.status().as_u16());
    }
    let (mut head, body) = answer.into_parts();
    headers::to_client(&mut head, &way.http.http);
    Ok(Response::from_parts(head, Answer::own(body)))
}

/// The event that a request becomes.
fn event(head: &request::Parts, body: &Bytes, pool: &PoolId, many: bool) -> Value {
    let text = is_text(&head.headers)
        .then(|| std::str::from_utf8(body).ok())
        .flatten();
    let mut event = json!({
        "requestContext": { "elb": { "targetGroupArn": pool.as_str() } },
        "httpMethod": head.method.as_str(),
        "path": head.uri.path(),
        "body": text.map_or_else(|| BASE64.encode(body), str::to_owned),
        "isBase64Encoded": text.is_none(),
    });
    let query = head.uri.query().unwrap_or_default();
    let pairs = query.split('&').filter(|pair| !pair.is_empty());
    let pairs = pairs.map(|pair| pair.split_once('=').unwrap_or((pair, "")));
    let named = head.headers.iter();
    let named = named.map(|(name, value)| (name.as_str(), value.to_str().unwrap_or_default()));
    if many {
        event["multiValueQueryStringParameters"] = lists(pairs);
        event["multiValueHeaders"] = lists(named);
    } else {
        event["queryStringParameters"] = last(pairs);
        event["headers"] = last(named);
    }
    event
}

fn is_text(headers: &HeaderMap) -> bool {
    let kind = headers
        .get(CONTENT_TYPE)
        .and_then(|kind| kind.to_str().ok());
    let textual = [
        "text/",
        "application/json",
        "application/javascript",
        "application/xml",
    ];
    !headers.contains_key(CONTENT_ENCODING)
        && kind.is_none_or(|kind| textual.iter().any(|one| kind.starts_with(one)))
}

fn last<'a>(pairs: impl Iterator<Item = (&'a str, &'a str)>) -> Value {
    let owned = |(key, value): (&str, &str)| (key.to_owned(), Value::from(value));
    Value::Object(pairs.map(owned).collect())
}

fn lists<'a>(pairs: impl Iterator<Item = (&'a str, &'a str)>) -> Value {
    let mut all = Map::new();
    for (key, value) in pairs {
        let list = all.entry(key).or_insert_with(|| json!([]));
        if let Value::Array(list) = list {
            list.push(value.into());
        }
    }
    Value::Object(all)
}

/// The answer that a function's result is.
fn answer(result: &[u8]) -> Option<Response<Bytes>> {
    let result: Value = serde_json::from_slice(result).ok()?;
    let code = result.get("statusCode")?.as_u64()?;
    let status = StatusCode::from_u16(u16::try_from(code).ok()?).ok()?;
    let body = result
        .get("body")
        .and_then(Value::as_str)
        .unwrap_or_default();
    let encoded = result.get("isBase64Encoded").and_then(Value::as_bool);
    let body = match encoded {
        Some(true) => BASE64.decode(body).ok()?,
        _ => body.as_bytes().to_vec(),
    };
    let mut response = Response::new(Bytes::from(body));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    for (key, many) in [("headers", false), ("multiValueHeaders", true)] {
        let Some(Value::Object(named)) = result.get(key) else {
            continue;
        };
        for (name, value) in named {
            let name = HeaderName::try_from(name.as_str()).ok()?;
            let values = match value {
                Value::Array(values) if many => values.clone(),
                other => vec![other.clone()],
            };
            for value in values {
                let text = value
                    .as_str()
                    .map_or_else(|| value.to_string(), str::to_owned);
                headers.append(name.clone(), HeaderValue::from_str(&text).ok()?);
            }
        }
    }
    headers.remove(http::header::CONTENT_LENGTH);
    Some(response)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use http::Request;

    /// AWS-ALB: an event has what the request had, as single values or as lists.
    #[test]
    fn events() {
        let request = Request::builder().uri("/a?x=1&x=2&y").header("X-One", "1");
        let (head, ()) = request.body(()).unwrap().into_parts();
        let pool = PoolId::new("arn:pool");
        let single = event(&head, &Bytes::from_static(b"hi"), &pool, false);
        assert_eq!(single["queryStringParameters"], json!({"x": "2", "y": ""}));
        assert_eq!(single["headers"], json!({"x-one": "1"}));
        assert_eq!(
            single["requestContext"]["elb"]["targetGroupArn"],
            "arn:pool"
        );
        assert_eq!(
            (&single["body"], &single["isBase64Encoded"]),
            (&json!("hi"), &json!(false))
        );
        let many = event(&head, &Bytes::from_static(b"\xff"), &pool, true);
        assert_eq!(
            many["multiValueQueryStringParameters"],
            json!({"x": ["1", "2"], "y": [""]})
        );
        assert_eq!(many["isBase64Encoded"], true);
    }

    /// AWS-ALB: a function's result is an answer only if it has a status.
    #[test]
    fn answers() {
        let result = br#"{"statusCode": 201, "headers": {"X-A": "b"}, "body": "aGk=", "isBase64Encoded": true}"#;
        let response = answer(result).unwrap();
        assert_eq!(response.status(), 201);
        assert_eq!(response.headers()["x-a"], "b");
        assert_eq!(&response.body()[..], b"hi");
        assert!(answer(br#"{"body": "x"}"#).is_none());
        assert!(answer(b"no").is_none());
    }
}
