//! The chapter's minimal web server.
//!
//! | path | answer |
//! | --- | --- |
//! | `/` | `Hello` |
//! | `/healthz` | `Healthy` |
//! | `/host` | `NODE: <node>, POD IP:<address>`, from the environment |
//! | `/data` | `Database Connected`, once a query was answered |
//!
//! The environment says the rest: `PORT` (8080), `MY_NODE_NAME`, `MY_POD_IP`, `DB_HOST`, `DB_PORT`
//! (5432), `DB_USER`, `DB_PASSWORD`.

#![allow(clippy::print_stdout, clippy::print_stderr)] // its log is its output

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use std::convert::Infallible;
use std::env;
use std::io;
use std::net::Ipv4Addr;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::timeout;
use tokio_postgres::NoTls;

/// A database that doesn't answer within this time is not connected.
const PATIENCE: Duration = Duration::from_secs(3);

/// Serves until it can't.
///
/// # Errors
/// The port is taken, or is no port.
pub fn run() -> io::Result<()> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?
        .block_on(serve())
}

async fn serve() -> io::Result<()> {
    let port = variable("PORT", "8080").parse().map_err(io::Error::other)?;
    let listener = TcpListener::bind((Ipv4Addr::UNSPECIFIED, port)).await?;
    println!("Server started on port {port}");
    // The first process of a container is ended by no signal that it doesn't take.
    let mut ended = signal(SignalKind::terminate())?;
    loop {
        let (stream, _) = tokio::select! {
            accepted = listener.accept() => accepted?,
            _ = ended.recv() => return Ok(()),
        };
        tokio::spawn(async move {
            let served = http1::Builder::new()
                .serve_connection(TokioIo::new(stream), service_fn(answer))
                .await;
            if let Err(error) = served {
                eprintln!("connection: {error}");
            }
        });
    }
}

fn variable(name: &str, default: &str) -> String {
    env::var(name).unwrap_or_else(|_| default.to_owned())
}

async fn answer(request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    let (status, text) = match request.uri().path() {
        "/" => (StatusCode::OK, "Hello".to_owned()),
        "/healthz" => (StatusCode::OK, "Healthy".to_owned()),
        "/host" => (StatusCode::OK, host()),
        "/data" => match timeout(PATIENCE, query()).await {
            Ok(Ok(())) => (StatusCode::OK, "Database Connected".to_owned()),
            Ok(Err(error)) => (StatusCode::SERVICE_UNAVAILABLE, causes(&error)),
            Err(_) => (
                StatusCode::SERVICE_UNAVAILABLE,
                "the database does not answer".to_owned(),
            ),
        },
        _ => (StatusCode::NOT_FOUND, "404 page not found".to_owned()),
    };
    let mut response = Response::new(Full::from(text));
    *response.status_mut() = status;
    Ok(response)
}

fn host() -> String {
    let (node, address) = (variable("MY_NODE_NAME", ""), variable("MY_POD_IP", ""));
    format!("NODE: {node}, POD IP:{address}")
}

/// An error with what caused it: the database's own words are the last.
fn causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(&format!(": {error}"));
        cause = error.source();
    }
    text
}

async fn query() -> Result<(), tokio_postgres::Error> {
    let mut config = tokio_postgres::Config::new();
    config
        .host(variable("DB_HOST", "postgres"))
        .port(variable("DB_PORT", "5432").parse().unwrap_or(5432))
        .user(variable("DB_USER", "postgres"))
        .password(variable("DB_PASSWORD", ""))
        .dbname(variable("DB_NAME", "postgres"));
    let (client, connection) = config.connect(NoTls).await?;
    let carrying = tokio::spawn(connection);
    client.simple_query("SELECT 1").await?;
    drop(client);
    // The connection ends with its client.
    let _ = carrying.await;
    Ok(())
}
