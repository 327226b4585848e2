//! Asks a name server for an address, as a guest's resolver does.

use hickory_proto::op::{Message, MessageType, OpCode, Query, ResponseCode};
use hickory_proto::rr::{Name, RData, RecordType};
use std::io;
use std::net::{Ipv4Addr, UdpSocket};
use std::time::Duration;

/// How long one attempt waits, and how many there are, as in `resolv.conf`'s defaults, though sooner.
const PATIENCE: Duration = Duration::from_secs(2);
const ATTEMPTS: u16 = 3;
/// No answer by UDP is longer.
const LONGEST: usize = 4096;

/// The first address of a name, or the address that it is. The calling thread must be in the network of
/// whoever asks, and waits.
///
/// # Errors
/// There is no such name, or no server answers.
pub(crate) fn ask(server: Ipv4Addr, host: &str) -> io::Result<Ipv4Addr> {
    if let Ok(address) = host.parse() {
        return Ok(address);
    }
    let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0))?;
    socket.set_read_timeout(Some(PATIENCE))?;
    socket.connect((server, 53))?;
    for id in 1..=ATTEMPTS {
        socket.send(&question(id, host)?)?;
        let mut buffer = [0; LONGEST];
        match socket.recv(&mut buffer) {
            Ok(length) => return answer(&buffer[..length], host),
            Err(error)
                if matches!(
                    error.kind(),
                    io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut
                ) => {}
            Err(error) => return Err(error),
        }
    }
    let why = format!("lookup {host} on {server}:53: i/o timeout");
    Err(io::Error::new(io::ErrorKind::TimedOut, why))
}

fn question(id: u16, host: &str) -> io::Result<Vec<u8>> {
    let mut message = Message::new(id, MessageType::Query, OpCode::Query);
    message.metadata.recursion_desired = true;
    let name = Name::from_ascii(format!("{}.", host.trim_end_matches('.')));
    message.add_query(Query::query(name.map_err(io::Error::other)?, RecordType::A));
    message.to_vec().map_err(io::Error::other)
}

fn answer(reply: &[u8], host: &str) -> io::Result<Ipv4Addr> {
    let message = Message::from_vec(reply).map_err(io::Error::other)?;
    let address = message
        .answers
        .iter()
        .find_map(|record| match &record.data {
            RData::A(address) => Some(address.0),
            _ => None,
        });
    address.ok_or_else(|| {
        let why = match message.metadata.response_code {
            ResponseCode::NXDomain | ResponseCode::NoError => "no such host",
            _ => "server misbehaving",
        };
        io::Error::new(io::ErrorKind::NotFound, format!("lookup {host}: {why}"))
    })
}
