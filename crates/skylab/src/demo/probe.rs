//! The programs that a demo runs at places, so that it needs none of the machine's.
//!
//! `serve` tells each caller who it is and whom it saw; `call` prints what it is told.

use crate::failure::Failure;
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddrV4, TcpListener, TcpStream};
use std::time::Duration;

/// How long a caller waits for its connection and its answer. Drops are silent: nothing else ends
/// the waiting.
const PATIENCE: Duration = Duration::from_secs(1);
/// A call's exit status when nothing came.
pub(super) const SILENT: u8 = 3;

/// Answers every caller on a port, until it is ended.
pub(crate) fn serve(port: u16, name: &str) -> Result<u8, Failure> {
    let listener = TcpListener::bind((Ipv4Addr::UNSPECIFIED, port))?;
    println!("ready");
    io::stdout().flush()?;
    loop {
        let (mut caller, from) = listener.accept()?;
        // A caller may have gone meanwhile.
        let _ = write!(caller, "{name} saw {}", from.ip());
    }
}

/// Calls once and prints the answer.
pub(crate) fn call(to: SocketAddrV4) -> Result<u8, Failure> {
    let answer = TcpStream::connect_timeout(&to.into(), PATIENCE).and_then(|mut stream| {
        stream.set_read_timeout(Some(PATIENCE))?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok(answer)
    });
    match answer {
        Ok(answer) => {
            print!("{answer}");
            Ok(0)
        }
        Err(error)
            if matches!(
                error.kind(),
                io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock
            ) =>
        {
            Ok(SILENT)
        }
        Err(error) => Err(error.into()),
    }
}
