//! WebSockets: a request whose connection carries something else after the answer.

use super::body::Answer;
use super::forward::refusal;
use super::handle::Way;
use super::{Client, headers};
use crate::exchange::{Failure, Outgoing, Relayed};
use crate::journal::Entry;
use crate::live::{ConnectFailure, Member, Outstanding, Pool, open};
use crate::own::Refusal;
use crate::stream::pump;
use fabric::balancer::Speech;
use http::header::{CONNECTION, UPGRADE};
use http::{HeaderValue, Request, Response, StatusCode, request};
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::TokioIo;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::timeout;

/// Whether a request asks for another protocol, and the pool may be asked for one.
pub(crate) fn asked(head: &request::Parts, speech: Speech) -> bool {
    let Some(upgrade) = head.headers.get(UPGRADE) else {
        return false;
    };
    let connection = head
        .headers
        .get(CONNECTION)
        .and_then(|value| value.to_str().ok());
    let names = |value: &str| {
        value
            .split(',')
            .any(|one| one.trim().eq_ignore_ascii_case("upgrade"))
    };
    upgrade.as_bytes().eq_ignore_ascii_case(b"websocket")
        && connection.is_some_and(names)
        && head.extensions.get::<OnUpgrade>().is_some()
        && matches!(speech, Speech::Http1 | Speech::Https1)
}

/// Passes such a request on, and what follows it.
///
/// # Errors
/// It gets no member's answer.
pub(crate) async fn upgrade(
    way: &mut Way<'_>,
    pool: &Pool,
    member: &Arc<Member>,
    mut head: request::Parts,
    body: Incoming,
) -> Result<Response<Answer>, Refusal> {
    let outstanding = Outstanding::with(member.clone());
    let protocol = head.headers.get(UPGRADE).cloned();
    let clients = head.extensions.remove::<OnUpgrade>();
    headers::to_member(&mut head, &way.http.http, way.client, pool.words.speech);
    set_protocol(&mut head.headers, protocol);
    drop(body);
    let request = Request::from_parts(head, Outgoing::Empty);
    let limit = Duration::from_secs(way.http.http.idle_timeout.into());
    let asking = ask(way.client, member, pool.words.speech, request);
    let waiting = way.client.activity.wait();
    let answer = timeout(limit, asking).await.unwrap_or(Err(Failure::Silent));
    drop(waiting);
    let mut response = answer.map_err(|failure| refusal(&failure))?;
    if let Some(entry) = &mut way.entry {
        entry.target_answered(response.status().as_u16());
    }
    if response.status() != StatusCode::SWITCHING_PROTOCOLS {
        let (mut head, body) = response.into_parts();
        headers::to_client(&mut head, &way.http.http);
        let body = Answer::relayed(Relayed::new(body, None, outstanding));
        return Ok(Response::from_parts(head, body));
    }
    let protocol = response.headers().get(UPGRADE).cloned();
    let members = hyper::upgrade::on(&mut response);
    let (mut head, _) = response.into_parts();
    headers::to_client(&mut head, &way.http.http);
    set_protocol(&mut head.headers, protocol);
    let mut entry = way.entry.take();
    if let Some(entry) = &mut entry {
        entry.upgraded(head.status.as_u16());
    }
    if let Some(clients) = clients {
        tokio::spawn(carry(clients, members, outstanding, limit, entry));
    }
    Ok(Response::from_parts(head, Answer::own(bytes::Bytes::new())))
}

fn set_protocol(headers: &mut http::HeaderMap, protocol: Option<HeaderValue>) {
    if let Some(protocol) = protocol {
        headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
        headers.insert(UPGRADE, protocol);
    }
}

/// Asks on a connection of its own, which drives itself.
async fn ask(
    client: &Client,
    member: &Member,
    speech: Speech,
    request: Request<Outgoing>,
) -> Result<Response<Incoming>, Failure> {
    let network = client.front.means.network.as_ref();
    let wire = open(network, member.address, speech, None, &[]).await?;
    let mut builder = http1::Builder::new();
    builder.title_case_headers(true);
    let handshake = builder.handshake(TokioIo::new(wire)).await;
    let (mut sender, connection) = handshake.map_err(ConnectFailure::from)?;
    tokio::spawn(async move {
        // Who waits for the answer learns of a failure.
        let _ = connection.with_upgrades().await;
    });
    sender.send_request(request).await.map_err(Failure::Broken)
}

/// Carries bytes both ways until one side ends, both are silent for too long, or the member leaves.
async fn carry(
    clients: OnUpgrade,
    members: OnUpgrade,
    outstanding: Outstanding,
    idle: Duration,
    mut entry: Option<Box<Entry>>,
) {
    let both: Result<(Upgraded, Upgraded), hyper::Error> = tokio::try_join!(clients, members);
    let Ok((client, member)) = both else {
        return;
    };
    let (client, member_io) = (TokioIo::new(client), TokioIo::new(member));
    let member = outstanding.member().clone();
    let carried = pump(client, member_io, idle, member.left()).await;
    if let Some(entry) = &mut entry {
        entry.carried(carried);
    }
}
