//! Carries bytes both ways.

use crate::activity::Activity;
use std::future::Future;
use std::io;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf, copy_bidirectional};
use tokio::time::sleep;

/// What a connection carried.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Carried {
    /// Bytes that the client sent.
    pub(crate) from_client: u64,
    /// Bytes that it got.
    pub(crate) to_client: u64,
    /// How long the connection to the member took to be made.
    pub(crate) connecting: Duration,
}

/// Carries bytes between a client and a member until both have ended, one breaks, nothing was said for a
/// time, or `cut` is ready.
pub(crate) async fn pump(
    client: impl AsyncRead + AsyncWrite + Unpin,
    mut member: impl AsyncRead + AsyncWrite + Unpin,
    idle: Duration,
    cut: impl Future<Output = ()>,
) -> Carried {
    let activity = Arc::new(Activity::new());
    let mut client = Counted {
        io: client,
        activity: activity.clone(),
    };
    let copying = async {
        // However it ends, it has ended.
        let _ = copy_bidirectional(&mut client, &mut member).await;
    };
    let silence = async {
        loop {
            let silent = activity.silent_for();
            if silent >= idle {
                return;
            }
            sleep(idle - silent).await;
        }
    };
    let (mut copying, mut silence, mut cut) = (pin!(copying), pin!(silence), pin!(cut));
    tokio::select! {
        () = &mut copying => {}
        () = &mut silence => {}
        () = &mut cut => {}
    }
    Carried {
        from_client: activity.bytes_read(),
        to_client: activity.bytes_written(),
        connecting: Duration::ZERO,
    }
}

/// A client's side, counted.
struct Counted<T> {
    io: T,
    activity: Arc<Activity>,
}

impl<T: AsyncRead + Unpin> AsyncRead for Counted<T> {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let counted = self.get_mut();
        let before = into.filled().len();
        ready!(Pin::new(&mut counted.io).poll_read(context, into))?;
        counted.activity.has_read(into.filled().len() - before);
        Poll::Ready(Ok(()))
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for Counted<T> {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        from: &[u8],
    ) -> Poll<io::Result<usize>> {
        let counted = self.get_mut();
        let written = ready!(Pin::new(&mut counted.io).poll_write(context, from))?;
        counted.activity.has_written(written);
        Poll::Ready(Ok(written))
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().io).poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().io).poll_shutdown(context)
    }
}
