//! A command's streams as streams of SPDY, each with its `streamtype`.

use super::{Exec, Streams};
use crate::carrier::{Carrier, Ended};
use crate::outbound::Outbound;
use crate::protocol::Version;
use crate::spdy::{Inbound, Session, Writer};
use crate::wanted::Wanted;
use std::time::Duration;
use tokio::time::timeout;

/// So long a client may take to open its streams (`streamCreationTimeout`).
const PATIENCE: Duration = Duration::from_secs(30);

pub(super) async fn serve(
    carrier: Carrier,
    version: Version,
    wanted: &Wanted,
    exec: Exec,
) -> Ended {
    let mut session = Session::start(carrier, |_| true);
    let streams = match timeout(PATIENCE, collect(&mut session, version, wanted)).await {
        Ok(Some(streams)) => streams,
        Ok(None) => return Ended::ClientGone,
        Err(_) => {
            session.finish().await;
            return Ended::NoStreams;
        }
    };
    session.close_to_streams();
    let client = session.outgoing();
    let finished = streams.serve(exec, version, &wanted.command, &client).await;
    drop(client);
    match session.finish().await {
        Ended::Finished | Ended::ClientGone if finished => Ended::Finished,
        ended => ended,
    }
}

/// Waits until the client has opened what it asked for.
async fn collect(session: &mut Session, version: Version, wanted: &Wanted) -> Option<Streams> {
    let mut opened = Opened::default();
    while !opened.is_enough(version, wanted) {
        let stream = session.accept().await?;
        match stream.headers.get("streamtype") {
            Some("error") => opened.error = Some(stream.writer),
            Some("stdout") => opened.stdout = Some(stream.writer),
            Some("stderr") => opened.stderr = Some(stream.writer),
            Some("stdin") => opened.stdin = Some((stream.inbound, stream.writer)),
            Some("resize") => opened.resize = Some((stream.inbound, stream.writer)),
            _ => stream.writer.reset().await,
        }
    }
    let mut silent = Vec::new();
    let mut inbound = |opened: Option<(Inbound, Writer)>| {
        let (inbound, writer) = opened?;
        silent.push(Outbound::Stream(writer));
        Some(inbound)
    };
    Some(Streams {
        stdin: inbound(opened.stdin),
        resize: inbound(opened.resize),
        stdout: opened.stdout.map(Outbound::Stream),
        stderr: opened.stderr.map(Outbound::Stream),
        error: Outbound::Stream(opened.error?),
        silent,
    })
}

#[derive(Default)]
struct Opened {
    stdin: Option<(Inbound, Writer)>,
    stdout: Option<Writer>,
    stderr: Option<Writer>,
    error: Option<Writer>,
    resize: Option<(Inbound, Writer)>,
}

impl Opened {
    fn is_enough(&self, version: Version, wanted: &Wanted) -> bool {
        self.error.is_some()
            && self.stdin.is_some() >= wanted.stdin
            && self.stdout.is_some() >= wanted.stdout
            && self.stderr.is_some() >= wanted.stderr
            && self.resize.is_some() >= (wanted.tty && version.resizes())
    }
}
