//! Several things at once, on one task.

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::task::Poll;

/// Waits for all, and gives what came of them in their order.
pub(crate) async fn all<F: Future>(futures: impl IntoIterator<Item = F>) -> Vec<F::Output> {
    let mut open: Vec<Pin<Box<F>>> = futures.into_iter().map(Box::pin).collect();
    let mut done: Vec<Option<F::Output>> = open.iter().map(|_| None).collect();
    let waiting = poll_fn(|context| {
        let mut all = true;
        for (future, done) in open.iter_mut().zip(&mut done) {
            if done.is_some() {
                continue;
            }
            match future.as_mut().poll(context) {
                Poll::Ready(output) => *done = Some(output),
                Poll::Pending => all = false,
            }
        }
        if all { Poll::Ready(()) } else { Poll::Pending }
    });
    pin!(waiting).await;
    done.into_iter().flatten().collect()
}

/// Waits for the first.
pub(crate) async fn any<F: Future + Unpin>(futures: impl IntoIterator<Item = F>) -> F::Output {
    let mut open: Vec<F> = futures.into_iter().collect();
    poll_fn(|context| {
        let ready = open
            .iter_mut()
            .find_map(|future| match Pin::new(future).poll(context) {
                Poll::Ready(output) => Some(output),
                Poll::Pending => None,
            });
        ready.map_or(Poll::Pending, Poll::Ready)
    })
    .await
}
