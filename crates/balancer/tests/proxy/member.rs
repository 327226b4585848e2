//! Members of pools.

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use std::convert::Infallible;
use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// Takes connections and gives each to a function.
pub async fn each<F>(mut serve: impl FnMut(TcpStream) -> F + Send + 'static) -> SocketAddr
where
    F: Future<Output = ()> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let at = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(serve(stream));
        }
    });
    at
}

/// A web server that answers by a function, and how many connections it took.
pub async fn web<F>(
    answer: impl Fn(Request<Incoming>) -> F + Clone + Send + 'static,
) -> (SocketAddr, Arc<AtomicUsize>)
where
    F: Future<Output = Response<Full<Bytes>>> + Send + 'static,
{
    let taken = Arc::new(AtomicUsize::new(0));
    let count = taken.clone();
    let at = each(move |stream| {
        count.fetch_add(1, Ordering::SeqCst);
        let answer = answer.clone();
        async move {
            let service = service_fn(move |request| {
                let answered = answer(request);
                async move { Ok::<_, Infallible>(answered.await) }
            });
            let builder = hyper::server::conn::http1::Builder::new();
            let _ = builder
                .serve_connection(TokioIo::new(stream), service)
                .await;
        }
    })
    .await;
    (at, taken)
}

/// A web server that tells what it was asked: the first line, the headers, and the body's length.
pub async fn echo(name: &'static str) -> SocketAddr {
    web(move |request| told(name, request)).await.0
}

async fn told(name: &'static str, request: Request<Incoming>) -> Response<Full<Bytes>> {
    let mut text = format!("{name}\n{} {}\n", request.method(), request.uri());
    for (key, value) in request.headers() {
        text.push_str(&format!("{key}: {}\n", value.to_str().unwrap()));
    }
    let body = request.into_body().collect().await.unwrap().to_bytes();
    text.push_str(&format!("length: {}\n", body.len()));
    Response::new(Full::new(text.into()))
}

/// The same over HTTP/2, with a trailer.
pub async fn echo2(name: &'static str) -> SocketAddr {
    each(move |stream| async move {
        let service = service_fn(move |request| async move {
            let told = told(name, request).await;
            let mut trailers = http::HeaderMap::new();
            trailers.insert("grpc-status", "0".parse().unwrap());
            let trailers = async move { Some(Ok(trailers)) };
            Ok::<_, Infallible>(told.map(|body| body.with_trailers(trailers)))
        });
        let builder = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
        let _ = builder
            .serve_connection(TokioIo::new(stream), service)
            .await;
    })
    .await
}

/// Says something, whatever it is asked, and closes.
pub async fn says(text: &'static str) -> SocketAddr {
    each(move |mut stream| async move {
        let mut asked = [0; 4096];
        let _ = stream.read(&mut asked).await;
        let _ = stream.write_all(text.as_bytes()).await;
    })
    .await
}

/// Says nothing.
pub async fn silent() -> SocketAddr {
    each(|stream| async move {
        std::future::pending::<()>().await;
        drop(stream);
    })
    .await
}

/// Where nobody listens.
pub async fn nobody() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    listener.local_addr().unwrap()
}
