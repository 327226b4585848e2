//! Gives a request to a member of a pool.

use super::body::Answer;
use super::handle::Way;
use super::{function, headers, sticky, upgrade};
use crate::chance;
use crate::exchange::{Failure, Outgoing, Patience, Progress, Relayed, send};
use crate::live::{ConnectFailure, Member, Pool};
use crate::own::{Gateway, Refusal};
use fabric::balancer::Speech;
use fabric::balancer::http::{Forward, Weighted};
use http::header::{CONTENT_TYPE, HeaderMap};
use http::{Method, Request, Response, Version, request};
use hyper::body::{Body, Incoming};
use std::sync::Arc;
use std::time::Duration;

/// Gives a request to a member of one of a rule's pools.
///
/// # Errors
/// It gets no member's answer.
pub(crate) async fn forward(
    way: &mut Way<'_>,
    to: &Forward,
    mut head: request::Parts,
    body: Incoming,
) -> Result<Response<Answer>, Refusal> {
    let client = way.client;
    let dialect = way.http.http.dialect;
    let chosen = sticky::kept_pool(to, &head.headers, &client.front.seal).or_else(|| draw(to));
    let pool = chosen.and_then(|one| way.words.pools.get(&one.pool));
    let pool = pool.ok_or(Refusal::NoMember)?.clone();
    if let Some(entry) = &mut way.entry {
        entry.pool(&pool.words.id);
    }
    let mut response = if let Some(function) = &pool.words.conduct.function {
        Box::pin(function::call(way, function, &pool.words.id, head, body)).await?
    } else {
        compatible(&pool, &head)?;
        let kept = sticky::kept_member(&pool, dialect, &head.headers, &client.front.seal);
        let was_kept = kept.is_some();
        let member = kept
            .or_else(|| pool.next().cloned())
            .ok_or(Refusal::NoMember)?;
        if let Some(entry) = &mut way.entry {
            entry.sending(member.address);
        }
        let response = if upgrade::asked(&head, pool.words.speech) {
            Box::pin(upgrade::upgrade(way, &pool, &member, head, body)).await?
        } else {
            headers::to_member(&mut head, &way.http.http, client, pool.words.speech);
            let sent = exchange(way, &pool, &member, head, body).await?;
            let (mut head, body) = sent.into_parts();
            headers::to_client(&mut head, &way.http.http);
            Response::from_parts(head, Answer::relayed(body))
        };
        let mut response = response;
        let headers = response.headers_mut();
        sticky::keep_member(&pool, &member, was_kept, dialect, client, headers);
        response
    };
    sticky::keep_pool(to, &pool.words.id, client, response.headers_mut());
    Ok(response)
}

/// One of several pools, by their weights; none, if all weigh nothing.
fn draw(to: &Forward) -> Option<&Weighted> {
    if let [only] = to.pools.as_slice() {
        return Some(only).filter(|only| only.weight > 0);
    }
    let sum: u32 = to.pools.iter().map(|one| one.weight).sum();
    if sum == 0 {
        return None;
    }
    let mut mark = chance::below(sum);
    to.pools.iter().find(|one| {
        let hit = mark < one.weight;
        mark = mark.saturating_sub(one.weight);
        hit
    })
}

/// Whether a pool can be given a request of the client's version.
/// <https://docs.aws.amazon.com/elasticloadbalancing/latest/application/load-balancer-troubleshooting.html#http-464-issues>
fn compatible(pool: &Pool, head: &request::Parts) -> Result<(), Refusal> {
    let http2 = head.version == Version::HTTP_2;
    let to_http2 = matches!(pool.words.speech, Speech::Http2 | Speech::Https2);
    let grpc = is_grpc(&head.headers);
    let fits = match (to_http2, pool.words.conduct.grpc) {
        (true, true) => http2 && head.method == Method::POST,
        (true, false) => http2,
        (false, _) => !grpc,
    };
    if fits {
        Ok(())
    } else {
        Err(Refusal::Incompatible)
    }
}

/// Whether a request is a call by gRPC.
pub(crate) fn is_grpc(headers: &HeaderMap) -> bool {
    let kind = headers.get(CONTENT_TYPE);
    kind.is_some_and(|kind| kind.as_bytes().starts_with(b"application/grpc"))
}

async fn exchange(
    way: &mut Way<'_>,
    pool: &Pool,
    member: &Arc<Member>,
    head: request::Parts,
    body: Incoming,
) -> Result<Response<Relayed>, Refusal> {
    let progress = (!body.is_end_stream()).then(|| Arc::new(Progress::default()));
    let outgoing = match &progress {
        Some(progress) => Outgoing::Client {
            body,
            progress: progress.clone(),
        },
        None => Outgoing::Empty,
    };
    let request = Request::from_parts(head, outgoing);
    let patience = Patience {
        limit: Duration::from_secs(way.http.http.idle_timeout.into()),
        client: &way.client.activity,
        progress: progress.as_ref(),
    };
    let waiting = way.client.activity.wait();
    let network = way.client.front.means.network.as_ref();
    let sent = send(network, member, pool.words.speech, request, patience).await;
    drop(waiting);
    if let (Some(entry), Some(progress)) = (&mut way.entry, progress) {
        entry.received(progress);
    }
    match sent {
        Ok(response) => {
            if let Some(entry) = &mut way.entry {
                entry.target_answered(response.status().as_u16());
            }
            Ok(response)
        }
        Err(failure) => Err(refusal(&failure)),
    }
}

/// What a client is told of a failure.
pub(crate) fn refusal(failure: &Failure) -> Refusal {
    match failure {
        Failure::Connect(ConnectFailure::Timeout) | Failure::Silent => Refusal::GatewayTimeout,
        Failure::Connect(_) | Failure::Broken(_) => Refusal::BadGateway(Gateway::Target),
        Failure::ClientSilent => Refusal::RequestTimeout,
        Failure::ClientBroke => Refusal::BadRequest,
    }
}
