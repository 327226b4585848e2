//! Ports, forwarded by kubectl.

use super::{Carrier, Client, PATIENCE, newest, noise, release, releases, text};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::Child;
use std::time::Instant;
use streams::Ended;

/// A port-forward, until it is dropped.
struct Forward {
    child: Child,
    local: SocketAddr,
}

impl Forward {
    fn start(client: &Client, port: u16) -> Self {
        let mut child = client
            .command(&[
                "port-forward",
                "--address=127.0.0.1",
                "p",
                &format!(":{port}"),
            ])
            .spawn()
            .unwrap();
        let mut line = Vec::new();
        let stdout = child.stdout.as_mut().unwrap();
        while !line.ends_with(b"\n") {
            let mut byte = [0];
            assert!(stdout.read(&mut byte).unwrap() > 0, "kubectl ended");
            line.push(byte[0]);
        }
        // Forwarding from 127.0.0.1:40123 -> 80
        let local = text(&line).split_whitespace().nth(2).unwrap();
        Self {
            local: local.parse().unwrap(),
            child,
        }
    }
}

impl Drop for Forward {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Gives back what it gets, and ends once the caller has.
pub(crate) fn echo() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            std::thread::spawn(move || {
                let mut from = stream.try_clone().unwrap();
                let _ = std::io::copy(&mut from, &mut stream);
                let _ = stream.shutdown(std::net::Shutdown::Write);
            });
        }
    });
    port
}

/// Sends everything, ends its direction, and reads to the end.
fn exchange(to: SocketAddr, data: &[u8]) -> Vec<u8> {
    let mut stream = TcpStream::connect(to).unwrap();
    let mut half = stream.try_clone().unwrap();
    let data = data.to_vec();
    let writer = std::thread::spawn(move || {
        half.write_all(&data).unwrap();
        half.shutdown(std::net::Shutdown::Write).unwrap();
    });
    let mut back = Vec::new();
    stream.read_to_end(&mut back).unwrap();
    writer.join().unwrap();
    back
}

/// K8S-NET: port-forward carries connections, many at once, each to its end, by every release that is
/// installed.
#[test]
fn port_forward() {
    let port = echo();
    for minor in releases() {
        for carrier in [Carrier::WebSocket, Carrier::Spdy] {
            let client = Client::new(&release(minor), carrier);
            let forward = Forward::start(&client, port);
            // Since 1.30.
            let websocket = if minor < 30 { "Spdy" } else { "Tunnel" };
            client.assert_spoken(websocket, "Spdy");
            assert_eq!(exchange(forward.local, b"hello"), b"hello");
            let callers: Vec<_> = (0..50)
                .map(|caller| {
                    let to = forward.local;
                    std::thread::spawn(move || {
                        let data = noise(20_000 + caller * 1000);
                        assert!(exchange(to, &data) == data, "caller {caller}");
                    })
                })
                .collect();
            for caller in callers {
                caller.join().unwrap();
            }
            drop(forward);
            let ended = client.server.ended.recv_timeout(PATIENCE).unwrap();
            assert_eq!(ended, Ended::ClientGone);
        }
    }
}

/// K8S-NET: much through one forwarded connection, both ways at once.
#[test]
fn much_through_a_port() {
    let port = echo();
    let data = noise(64 * 1024 * 1024);
    for client in newest() {
        let forward = Forward::start(&client, port);
        assert!(
            exchange(forward.local, &data) == data,
            "{:?}",
            client.carrier
        );
    }
}

/// K8S-NET: a port where nobody listens is an error that kubectl shows.
#[test]
fn a_port_where_nobody_listens() {
    for client in newest() {
        let port = TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap()
            .port();
        let mut forward = Forward::start(&client, port);
        assert_eq!(exchange(forward.local, b""), b"");
        let mut errors = String::new();
        let stderr = forward.child.stderr.as_mut().unwrap();
        let since = Instant::now();
        let expected = format!("error forwarding port {port} to pod p, uid u: Connection refused");
        while !errors.contains(&expected) && since.elapsed() < PATIENCE {
            let mut buffer = [0; 1024];
            let read = stderr.read(&mut buffer).unwrap();
            assert!(read > 0, "{errors}");
            errors.push_str(text(&buffer[..read]));
        }
        assert!(errors.contains(&expected), "{errors}");
    }
}
