//! A connection's bytes as they come.

use super::{Ended, LINGER, PIECE};
use crate::carrier::idle::Idle;
use bytes::{Bytes, BytesMut};
use std::io;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadHalf, WriteHalf};
use tokio::sync::mpsc;
use tokio::time::timeout;

/// Carries both directions until one of them ends.
pub(super) async fn exchange<Io: AsyncRead + AsyncWrite + Send + Unpin>(
    io: Io,
    incoming: mpsc::Sender<Bytes>,
    outgoing: mpsc::Receiver<Bytes>,
    idle: &Idle,
) -> Ended {
    let (read, write) = tokio::io::split(io);
    let reading = read_all(read, incoming, idle);
    tokio::pin!(reading);
    tokio::select! {
        _ = &mut reading => Ended::ClientGone,
        written = write_all(write, outgoing, idle) => {
            if written.is_err() {
                return Ended::ClientGone;
            }
            let _ = timeout(LINGER, reading).await;
            Ended::Finished
        }
    }
}

async fn read_all<Io: AsyncRead>(
    mut read: ReadHalf<Io>,
    incoming: mpsc::Sender<Bytes>,
    idle: &Idle,
) -> io::Result<()> {
    let mut buffer = BytesMut::new();
    loop {
        buffer.reserve(PIECE);
        if read.read_buf(&mut buffer).await? == 0 {
            return Ok(());
        }
        idle.touch();
        // Once nobody wants it, it is read for the connection's sake alone.
        let _ = incoming.send(buffer.split().freeze()).await;
    }
}

async fn write_all<Io: AsyncWrite>(
    mut write: WriteHalf<Io>,
    mut outgoing: mpsc::Receiver<Bytes>,
    idle: &Idle,
) -> io::Result<()> {
    while let Some(piece) = outgoing.recv().await {
        write.write_all(&piece).await?;
        if outgoing.is_empty() {
            write.flush().await?;
        }
        idle.touch();
    }
    write.shutdown().await
}
