//! `/exec` and `/attach`: programs in containers, and containers' own streams, to a caller and back.

use super::Server;
use super::answer::{Body, text, whole};
use super::route::Place;
use crate::fd::{reader, writer};
use crate::shared::Shared;
use cri::{ContainerId, ContainerState, ExecSpec, Process, Streams};
use http::{Response, StatusCode};
use hyper::Request;
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use std::io;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::Duration;
use streams::{Exec, Exit, Size, Wanted, negotiate_exec, serve_exec};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::mpsc;

/// What happens by itself is looked for this often, should nobody tell of it.
const LOOK: Duration = Duration::from_secs(5);

type Input = Option<Box<dyn AsyncWrite + Send + Unpin>>;
type Output = Option<Box<dyn AsyncRead + Send + Unpin>>;

impl Server {
    pub(super) async fn exec(&self, request: Request<Incoming>, place: Place) -> Response<Body> {
        let Some(id) = place.running().map(|instance| instance.id.clone()) else {
            return place.missing();
        };
        let shared = self.shared.clone();
        self.upgrade(request, |wanted| begin(shared, id, wanted))
    }

    pub(super) async fn attach(&self, request: Request<Incoming>, place: Place) -> Response<Body> {
        let Some(id) = place.running().map(|instance| instance.id.clone()) else {
            return place.missing();
        };
        let shared = self.shared.clone();
        self.upgrade(request, |wanted| join(shared, id, wanted))
    }

    /// Agrees on a protocol, and serves what a function begins.
    fn upgrade<F>(
        &self,
        mut request: Request<Incoming>,
        begin: impl FnOnce(Wanted) -> F + Send + 'static,
    ) -> Response<Body>
    where
        F: Future<Output = Result<Exec, String>> + Send,
    {
        let wanted = match Wanted::from_uri(request.uri()) {
            Ok(wanted) => wanted,
            Err(nothing) => return text(StatusCode::BAD_REQUEST, nothing.to_string()),
        };
        let accepted = match negotiate_exec(&request) {
            Ok(accepted) => accepted,
            Err(refusal) => return refusal.response().map(whole),
        };
        let upgraded = hyper::upgrade::on(&mut request);
        let protocol = accepted.protocol;
        self.spawn(async move {
            let Ok(io) = upgraded.await else { return };
            let exec = begin(wanted.clone()).await.unwrap_or_else(failed);
            serve_exec(TokioIo::new(io), protocol, &wanted, exec).await;
        });
        accepted.response.map(|()| whole(""))
    }
}

/// What couldn't be begun.
fn failed(why: String) -> Exec {
    Exec {
        stdin: None,
        stdout: None,
        stderr: None,
        resize: None,
        exit: Box::pin(async move { Exit::Failed(why) }),
    }
}

/// Runs a program in a container.
async fn begin(shared: Arc<Shared>, id: ContainerId, wanted: Wanted) -> Result<Exec, String> {
    let spec = ExecSpec {
        command: wanted.command.clone(),
        terminal: wanted.tty,
        stdin: wanted.stdin,
    };
    let begun = shared.blocking(move |means| means.runtime.exec(&id, &spec));
    let (process, streams) = begun
        .await
        .ok_or("the runtime failed")?
        .map_err(|error| error.to_string())?;
    let process: Arc<dyn Process> = process.into();
    let resize = streams.terminal.as_ref().map(OwnedFd::try_clone);
    let resize = resize.transpose().map_err(told)?.map(terminal_sizes);
    let (stdin, stdout, stderr) = ends(streams).map_err(told)?;
    Ok(Exec {
        stdin,
        stdout,
        stderr,
        resize,
        exit: Box::pin(async move {
            match shared.lasting(move |_| process.wait()).await {
                Some(Ok(0)) => Exit::Success,
                Some(Ok(code)) => Exit::Code(code),
                Some(Err(error)) => Exit::Failed(error.to_string()),
                None => Exit::Failed("the runtime failed".to_owned()),
            }
        }),
    })
}

/// Joins a container's own streams, until it ends.
async fn join(shared: Arc<Shared>, id: ContainerId, wanted: Wanted) -> Result<Exec, String> {
    let joined = id.clone();
    let joined = shared.blocking(move |means| means.runtime.attach(&joined));
    let streams = joined
        .await
        .ok_or("the runtime failed")?
        .map_err(|error| error.to_string())?;
    let resize = wanted.tty.then(|| sizes(shared.clone(), id.clone()));
    let (stdin, stdout, stderr) = ends(streams).map_err(told)?;
    Ok(Exec {
        stdin: stdin.filter(|_| wanted.stdin),
        stdout,
        stderr,
        resize,
        exit: Box::pin(async move {
            ended(&shared, &id).await;
            Exit::Success
        }),
    })
}

fn told(error: io::Error) -> String {
    error.to_string()
}

/// The outer ends of a program's streams.
fn ends(streams: Streams) -> io::Result<(Input, Output, Output)> {
    if let Some(terminal) = streams.terminal {
        let input = writer(terminal.try_clone()?)?;
        return Ok((Some(Box::new(input)), output(Some(terminal))?, None));
    }
    let input: Input = match streams.stdin {
        Some(fd) => Some(Box::new(writer(fd)?)),
        None => None,
    };
    Ok((input, output(streams.stdout)?, output(streams.stderr)?))
}

fn output(fd: Option<OwnedFd>) -> io::Result<Output> {
    Ok(match fd {
        Some(fd) => Some(Box::new(reader(fd)?)),
        None => None,
    })
}

/// Where the sizes of a terminal of ours go.
fn terminal_sizes(terminal: OwnedFd) -> mpsc::Sender<Size> {
    let (sizes, mut told) = mpsc::channel::<Size>(1);
    tokio::spawn(async move {
        while let Some(size) = told.recv().await {
            let size = rustix::termios::Winsize {
                ws_col: size.width,
                ws_row: size.height,
                ws_xpixel: 0,
                ws_ypixel: 0,
            };
            // A terminal whose program has ended needs none.
            let _ = rustix::termios::tcsetwinsize(&terminal, size);
        }
    });
    sizes
}

/// Where the sizes of a container's own terminal go.
fn sizes(shared: Arc<Shared>, id: ContainerId) -> mpsc::Sender<Size> {
    let (sizes, mut told) = mpsc::channel::<Size>(1);
    tokio::spawn(async move {
        while let Some(size) = told.recv().await {
            let id = id.clone();
            shared
                .blocking(move |means| means.runtime.resize(&id, size.width, size.height))
                .await;
        }
    });
    sizes
}

/// Waits for a container's end.
async fn ended(shared: &Shared, id: &ContainerId) {
    let mut happenings = shared.happenings.subscribe();
    loop {
        let looked = id.clone();
        let found = shared.blocking(move |means| means.runtime.container(&looked));
        let running = found
            .await
            .flatten()
            .is_some_and(|container| matches!(container.state, ContainerState::Running { .. }));
        if !running {
            return;
        }
        tokio::select! {
            _ = happenings.changed() => {}
            () = tokio::time::sleep(LOOK) => {}
        }
    }
}
