//! A server with one pod: as much of an API server as kubectl asks for before it streams, and the machine's
//! own processes and ports as the pod's.

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use std::convert::Infallible;
use std::fs::File;
use std::net::SocketAddr;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use streams::{
    Ended, Exec, Exit, Refusal, Size, Target, Wanted, negotiate_exec, negotiate_port_forward,
    serve_exec, serve_port_forward,
};
use tokio::net::{TcpListener, TcpStream};
use tokio::process::Command;
use tokio::runtime::Runtime;
use tokio::sync::mpsc;

const POD: &str = r#"{"kind":"Pod","apiVersion":"v1","metadata":{"name":"p","namespace":"default","uid":"u"},
"spec":{"containers":[{"name":"c","image":"i","stdin":true,"tty":false}]},
"status":{"phase":"Running","containerStatuses":[{"name":"c","ready":true,"state":{"running":{}}}]}}"#;

/// The running server. What it was asked to speak and how each session ended is told.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    pub(crate) spoken: Receiver<String>,
    pub(crate) ended: Receiver<Ended>,
    _runtime: Runtime,
}

struct Told {
    spoken: Sender<String>,
    ended: Sender<Ended>,
}

impl Server {
    pub(crate) fn start() -> Self {
        let runtime = Runtime::new().unwrap();
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let address = listener.local_addr().unwrap();
        let ((spoken, to_spoken), (ended, to_ended)) = (channel(), channel());
        let told = Arc::new(Told { spoken, ended });
        runtime.spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let told = told.clone();
                let service = service_fn(move |request| answer(request, told.clone()));
                let connection = http1::Builder::new()
                    .serve_connection(TokioIo::new(stream), service)
                    .with_upgrades();
                tokio::spawn(connection);
            }
        });
        Self {
            address,
            spoken: to_spoken,
            ended: to_ended,
            _runtime: runtime,
        }
    }
}

async fn answer(
    request: Request<Incoming>,
    told: Arc<Told>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let path = request.uri().path().to_owned();
    let pod = "/api/v1/namespaces/default/pods/p";
    Ok(match path.strip_prefix(pod) {
        Some("") => json(POD),
        Some("/exec") => exec(request, told, false),
        Some("/attach") => exec(request, told, true),
        Some("/portforward") => port_forward(request, told),
        _ if path == "/version" => json(r#"{"major":"1","minor":"32","gitVersion":"v1.32.0"}"#),
        _ if path == "/api" => json(r#"{"kind":"APIVersions","versions":["v1"]}"#),
        _ if path == "/apis" => json(r#"{"kind":"APIGroupList","apiVersion":"v1","groups":[]}"#),
        _ if path == "/api/v1" => json(
            r#"{"kind":"APIResourceList","groupVersion":"v1","resources":[
            {"name":"pods","singularName":"pod","namespaced":true,"kind":"Pod","verbs":["get"]}]}"#,
        ),
        _ => {
            let mut response = Response::default();
            *response.status_mut() = hyper::StatusCode::NOT_FOUND;
            response
        }
    })
}

fn json(text: &'static str) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::from(text));
    response
        .headers_mut()
        .insert("content-type", "application/json".parse().unwrap());
    response
}

fn refused(refusal: &Refusal) -> Response<Full<Bytes>> {
    refusal.response().map(Full::from)
}

fn exec(mut request: Request<Incoming>, told: Arc<Told>, attach: bool) -> Response<Full<Bytes>> {
    let accepted = match negotiate_exec(&request) {
        Ok(accepted) => accepted,
        Err(refusal) => return refused(&refusal),
    };
    let mut wanted = Wanted::from_uri(request.uri()).unwrap();
    if attach {
        wanted.command.clear();
    }
    let upgrade = hyper::upgrade::on(&mut request);
    tokio::spawn(async move {
        let io = TokioIo::new(upgrade.await.unwrap());
        told.spoken
            .send(format!("{:?}", accepted.protocol))
            .unwrap();
        let exec = run(&wanted);
        let ended = serve_exec(io, accepted.protocol, &wanted, exec).await;
        let _ = told.ended.send(ended);
    });
    accepted.response.map(|()| Full::default())
}

fn port_forward(mut request: Request<Incoming>, told: Arc<Told>) -> Response<Full<Bytes>> {
    let accepted = match negotiate_port_forward(&request) {
        Ok(accepted) => accepted,
        Err(refusal) => return refused(&refusal),
    };
    let upgrade = hyper::upgrade::on(&mut request);
    tokio::spawn(async move {
        let io = TokioIo::new(upgrade.await.unwrap());
        told.spoken
            .send(format!("{:?}", accepted.protocol))
            .unwrap();
        let target = Target {
            pod: "p".into(),
            uid: "u".into(),
        };
        let dial = |port| TcpStream::connect(("127.0.0.1", port));
        let ended = serve_port_forward(io, accepted.protocol, target, dial).await;
        let _ = told.ended.send(ended);
    });
    accepted.response.map(|()| Full::default())
}

/// Starts what is wanted; what can't be started fails as a runtime says it.
fn run(wanted: &Wanted) -> Exec {
    let attached = ["sh", "-c", "echo attached; cat"].map(str::to_owned);
    let command = match wanted.command[..] {
        [] => &attached[..],
        _ => &wanted.command,
    };
    let attach = wanted.command.is_empty();
    if wanted.tty {
        return run_in_terminal(command, attach);
    }
    let child = Command::new(&command[0])
        .args(&command[1..])
        .stdin(if wanted.stdin {
            Stdio::piped()
        } else {
            Stdio::null()
        })
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let mut child = match child {
        Ok(child) => child,
        Err(error) => return failed(&error),
    };
    Exec {
        stdin: child.stdin.take().map(|stdin| Box::new(stdin) as _),
        stdout: child.stdout.take().map(|stdout| Box::new(stdout) as _),
        stderr: child.stderr.take().map(|stderr| Box::new(stderr) as _),
        resize: None,
        exit: Box::pin(exit(child, attach)),
    }
}

fn failed(error: &std::io::Error) -> Exec {
    let exit = Exit::Failed(error.to_string());
    Exec {
        stdin: None,
        stdout: None,
        stderr: None,
        resize: None,
        exit: Box::pin(std::future::ready(exit)),
    }
}

async fn exit(mut child: tokio::process::Child, attach: bool) -> Exit {
    match child.wait().await.unwrap().code() {
        Some(0) => Exit::Success,
        _ if attach => Exit::Success,
        Some(code) => Exit::Code(code),
        None => Exit::Code(137),
    }
}

fn run_in_terminal(command: &[String], attach: bool) -> Exec {
    let terminal = nix::pty::openpty(None, None).unwrap();
    let user = || Stdio::from(terminal.slave.try_clone().unwrap());
    let child = Command::new("setsid")
        .arg("--ctty")
        .args(command)
        .stdin(user())
        .stdout(user())
        .stderr(user())
        .spawn()
        .unwrap();
    drop(terminal.slave);
    let master = || File::from(terminal.master.try_clone().unwrap());
    let (sizes, mut to_size) = mpsc::channel::<Size>(4);
    let sized = master();
    tokio::spawn(async move {
        while let Some(size) = to_size.recv().await {
            let size = rustix::termios::Winsize {
                ws_row: size.height,
                ws_col: size.width,
                ws_xpixel: 0,
                ws_ypixel: 0,
            };
            rustix::termios::tcsetwinsize(&sized, size).unwrap();
        }
    });
    Exec {
        stdin: Some(Box::new(tokio::fs::File::from_std(master()))),
        stdout: Some(Box::new(tokio::fs::File::from_std(master()))),
        stderr: None,
        resize: Some(sizes),
        exit: Box::pin(exit(child, attach)),
    }
}
