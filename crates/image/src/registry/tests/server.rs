//! A small HTTP server that answers as a test wants, and remembers what it was asked.

use rustls::{ServerConfig, ServerConnection, StreamOwned};
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

/// A request.
#[derive(Clone, Debug, Default)]
pub(super) struct Asked {
    pub(super) method: String,
    pub(super) path: String,
    /// By lower-case name.
    pub(super) headers: BTreeMap<String, String>,
    pub(super) body: String,
}

impl Asked {
    pub(super) fn authorization(&self) -> &str {
        self.headers.get("authorization").map_or("", String::as_str)
    }
}

/// An answer.
#[derive(Clone, Debug, Default)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: Vec<u8>,
    /// How much of the body is sent before the connection ends.
    pub(super) cut: Option<usize>,
}

impl Answer {
    pub(super) fn new(status: u16, body: impl Into<Vec<u8>>) -> Self {
        Self {
            status,
            body: body.into(),
            ..Self::default()
        }
    }

    pub(super) fn with(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.push((name.to_owned(), value.into()));
        self
    }
}

type Handler = dyn Fn(&Asked) -> Answer + Send + Sync;

/// A server on a loopback port, there until the process ends.
pub(super) struct Server {
    pub(super) port: u16,
    asked: Arc<Mutex<Vec<Asked>>>,
}

impl Server {
    pub(super) fn start(
        tls: Option<Arc<ServerConfig>>,
        handler: impl Fn(&Asked) -> Answer + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let (log, handler): (_, Arc<Handler>) = (asked.clone(), Arc::new(handler));
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (log, handler, tls) = (log.clone(), handler.clone(), tls.clone());
                // A client that goes away is no concern of a test's.
                std::thread::spawn(move || connection(stream, tls, &log, &*handler).ok());
            }
        });
        Self { port, asked }
    }

    /// What it was asked since the last time.
    pub(super) fn asked(&self) -> Vec<Asked> {
        std::mem::take(&mut *self.asked.lock().unwrap())
    }

    /// The same as lines.
    pub(super) fn lines(&self) -> Vec<String> {
        let asked = self.asked();
        asked
            .iter()
            .map(|one| format!("{} {}", one.method, one.path))
            .collect()
    }
}

fn connection(
    stream: TcpStream,
    tls: Option<Arc<ServerConfig>>,
    log: &Mutex<Vec<Asked>>,
    handler: &Handler,
) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    match tls {
        Some(tls) => {
            let connection = ServerConnection::new(tls).map_err(std::io::Error::other)?;
            requests(StreamOwned::new(connection, stream), log, handler)
        }
        None => requests(stream, log, handler),
    }
}

fn requests(
    stream: impl Read + Write,
    log: &Mutex<Vec<Asked>>,
    handler: &Handler,
) -> std::io::Result<()> {
    let mut stream = BufReader::new(stream);
    loop {
        let mut line = String::new();
        match stream.read_line(&mut line) {
            Ok(0) => return Ok(()),
            Ok(_) => {}
            // A client that speaks TLS, as other servers answer it.
            Err(_) => {
                return stream
                    .get_mut()
                    .write_all(b"HTTP/1.0 400 Bad Request\r\n\r\n");
            }
        }
        let mut words = line.split(' ').map(str::to_owned);
        let mut asked = Asked {
            method: words.next().unwrap_or_default(),
            path: words.next().unwrap_or_default(),
            ..Asked::default()
        };
        loop {
            let mut line = String::new();
            stream.read_line(&mut line)?;
            match line.trim().split_once(": ") {
                Some((name, value)) => {
                    asked.headers.insert(name.to_lowercase(), value.to_owned());
                }
                None => break,
            }
        }
        let length = asked.headers.get("content-length");
        let length = length.map_or(0, |length| length.parse().unwrap());
        let mut body = vec![0; length];
        stream.read_exact(&mut body)?;
        asked.body = String::from_utf8(body).unwrap();
        log.lock().unwrap().push(asked.clone());
        let answer = handler(&asked);
        let mut head = format!("HTTP/1.1 {} Whatever\r\n", answer.status);
        for (name, value) in &answer.headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        head.push_str(&format!("Content-Length: {}\r\n\r\n", answer.body.len()));
        let to = stream.get_mut();
        to.write_all(head.as_bytes())?;
        if asked.method != "HEAD" {
            let sent = answer.cut.unwrap_or(answer.body.len());
            to.write_all(&answer.body[..sent])?;
        }
        to.flush()?;
        if answer.cut.is_some() {
            return Ok(());
        }
    }
}
