//! Sends a request to a member and waits for the head of its answer.

use super::{Outgoing, Progress, Relayed};
use crate::activity::Activity;
use crate::live::{ConnectFailure, Member, Outstanding, Upstream, connect, connect_shared};
use crate::means::Network;
use fabric::balancer::Speech;
use http::{Request, Response};
use hyper::client::conn::TrySendError;
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::time::{Instant, Sleep, sleep_until};

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// There was no connection.
    #[error("no connection: {0}")]
    Connect(#[from] ConnectFailure),
    /// The member was silent for too long.
    #[error("the target was silent for too long")]
    Silent,
    /// The client was, before its request was whole.
    #[error("the client was silent for too long")]
    ClientSilent,
    /// The client broke its request off.
    #[error("the client broke its request off")]
    ClientBroke,
    /// The member closed the connection, or its answer isn't understood.
    #[error("{0}")]
    Broken(hyper::Error),
}

/// How long to wait for an answer.
pub(crate) struct Patience<'a> {
    /// For how long nobody may say a thing.
    pub(crate) limit: Duration,
    /// When the client last said one.
    pub(crate) client: &'a Activity,
    /// How far its request has come, if that has a body.
    pub(crate) progress: Option<&'a Arc<Progress>>,
}

/// Sends a request and waits for the head of its answer. A request is sent once: again only if
/// nothing of it was written, because the connection had ended meanwhile.
///
/// # Errors
/// There is no answer.
pub(crate) async fn send(
    network: &dyn Network,
    member: &Arc<Member>,
    speech: Speech,
    mut request: Request<Outgoing>,
    patience: Patience<'_>,
) -> Result<Response<Relayed>, Failure> {
    let outstanding = Outstanding::with(member.clone());
    if matches!(speech, Speech::Http2 | Speech::Https2) {
        return send_shared(network, outstanding, speech, request, patience).await;
    }
    loop {
        let (mut upstream, used) = match member.idle() {
            Some(upstream) => (upstream, true),
            None => {
                let fresh = Box::pin(connect(network, member.address, speech));
                (fresh.await?, false)
            }
        };
        match exchange(&mut upstream, request, &patience).await {
            Ok(response) => {
                let relayed = |body| Relayed::new(body, Some(upstream), outstanding);
                return Ok(response.map(relayed));
            }
            Err(Attempt::Unsent(unsent)) if used => request = *unsent,
            Err(Attempt::Unsent(_)) => return Err(Failure::Connect(closed())),
            Err(Attempt::Failed(failure)) => return Err(failure),
        }
    }
}

fn closed() -> ConnectFailure {
    let closed = std::io::Error::from(std::io::ErrorKind::ConnectionAborted);
    ConnectFailure::Refused(closed)
}

enum Attempt {
    Unsent(Box<Request<Outgoing>>),
    Failed(Failure),
}

async fn exchange(
    upstream: &mut Upstream,
    request: Request<Outgoing>,
    patience: &Patience<'_>,
) -> Result<Response<hyper::body::Incoming>, Attempt> {
    let mut answer = pin!(upstream.sender.try_send_request(request));
    let connection = &mut upstream.connection;
    let mut timer = pin!(sleep_until(patience.deadline()));
    let mut ended = false;
    poll_fn(|context| {
        if !ended {
            ended = connection.as_mut().poll(context).is_ready();
        }
        if let Poll::Ready(answer) = answer.as_mut().poll(context) {
            return Poll::Ready(answer.map_err(|error| failed(error, patience)));
        }
        patience
            .poll(timer.as_mut(), context)
            .map(|f| Err(Attempt::Failed(f)))
    })
    .await
}

fn failed(mut error: TrySendError<Request<Outgoing>>, patience: &Patience<'_>) -> Attempt {
    match error.take_message() {
        Some(request) => Attempt::Unsent(Box::new(request)),
        None => Attempt::Failed(patience.blame(error.into_error())),
    }
}

async fn send_shared(
    network: &dyn Network,
    outstanding: Outstanding,
    speech: Speech,
    request: Request<Outgoing>,
    patience: Patience<'_>,
) -> Result<Response<Relayed>, Failure> {
    let member = outstanding.member().clone();
    let mut shared = match member.shared() {
        Some(shared) => shared,
        None => {
            let fresh = Box::pin(connect_shared(network, member.address, speech)).await?;
            member.share(fresh.clone());
            fresh
        }
    };
    shared.ready().await.map_err(Failure::Broken)?;
    let mut answer = pin!(shared.send_request(request));
    let mut timer = pin!(sleep_until(patience.deadline()));
    let answer = poll_fn(|context| {
        if let Poll::Ready(answer) = answer.as_mut().poll(context) {
            return Poll::Ready(answer.map_err(|error| patience.blame(error)));
        }
        patience.poll(timer.as_mut(), context).map(Err)
    });
    let relayed = |body| Relayed::new(body, None, outstanding);
    Ok(answer.await?.map(relayed))
}

impl Patience<'_> {
    fn deadline(&self) -> Instant {
        Instant::now() + self.limit
    }

    /// Ready when it is at its end.
    fn poll(&self, mut timer: Pin<&mut Sleep>, context: &mut Context<'_>) -> Poll<Failure> {
        loop {
            ready!(timer.as_mut().poll(context));
            let silent = self.client.silent_for();
            let whole = self.progress.is_none_or(|progress| progress.has_ended());
            // The client's bytes keep the connection alive as long as its request isn't whole.
            if whole || silent >= self.limit {
                let failure = if whole {
                    Failure::Silent
                } else {
                    Failure::ClientSilent
                };
                return Poll::Ready(failure);
            }
            timer.as_mut().reset(Instant::now() + (self.limit - silent));
        }
    }

    /// Whose fault it is that there is no answer.
    fn blame(&self, error: hyper::Error) -> Failure {
        if self.progress.is_some_and(|progress| progress.is_broken()) {
            Failure::ClientBroke
        } else {
            Failure::Broken(error)
        }
    }
}
