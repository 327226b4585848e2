//! Pipes and terminals as streams of the async runtime.

use nix::fcntl::{FcntlArg, OFlag, fcntl};
use std::io;
use std::os::fd::OwnedFd;
use std::pin::Pin;
use std::task::{Context, Poll};
use tokio::io::AsyncWrite;
use tokio::net::unix::pipe;

/// The end of a pipe or a terminal, to read from. Must be called on a runtime.
///
/// # Errors
/// It can't be waited for.
pub(crate) fn reader(fd: OwnedFd) -> io::Result<pipe::Receiver> {
    // Whatever can be waited for and read will do.
    pipe::Receiver::from_owned_fd_unchecked(unblocked(fd)?)
}

/// The end of a pipe or a terminal, to write to. Must be called on a runtime.
///
/// # Errors
/// It can't be waited for.
pub(crate) fn writer(fd: OwnedFd) -> io::Result<Writer> {
    let open = pipe::Sender::from_owned_fd_unchecked(unblocked(fd)?)?;
    Ok(Writer { open: Some(open) })
}

fn unblocked(fd: OwnedFd) -> io::Result<OwnedFd> {
    let flags = OFlag::from_bits_truncate(fcntl(&fd, FcntlArg::F_GETFL)?);
    fcntl(&fd, FcntlArg::F_SETFL(flags | OFlag::O_NONBLOCK))?;
    Ok(fd)
}

/// An end to write to; shutting it down closes it.
#[derive(Debug)]
pub(crate) struct Writer {
    open: Option<pipe::Sender>,
}

impl AsyncWrite for Writer {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        match &mut self.open {
            Some(open) => Pin::new(open).poll_write(context, bytes),
            None => Poll::Ready(Err(io::ErrorKind::BrokenPipe.into())),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.open = None;
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    #[tokio::test]
    async fn a_pipe_carries_and_ends() {
        let (outer, inner) = io::pipe().unwrap();
        let (mut reader, mut writer) =
            (reader(outer.into()).unwrap(), writer(inner.into()).unwrap());
        let sent = vec![7; 300_000];
        let (written, heard) = tokio::join!(
            async {
                writer.write_all(&sent).await.unwrap();
                writer.shutdown().await.unwrap();
                writer.write_all(b"x").await
            },
            async {
                let mut heard = Vec::new();
                reader.read_to_end(&mut heard).await.unwrap();
                heard
            }
        );
        assert_eq!(heard, sent);
        assert!(written.is_err());
    }

    #[tokio::test]
    async fn a_socket_carries_too() {
        let (ours, theirs) = std::os::unix::net::UnixStream::pair().unwrap();
        let mut reader = reader(ours.into()).unwrap();
        let mut writer = writer(theirs.into()).unwrap();
        writer.write_all(b"hello").await.unwrap();
        let mut heard = [0; 5];
        reader.read_exact(&mut heard).await.unwrap();
        assert_eq!(&heard, b"hello");
    }
}
