//! The time service of a VPC, 169.254.169.123: SNTP (RFC 4330, a server that only answers).
//!
//! <https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/configure-ec2-ntp.html>

use std::io;
use std::time::{Duration, SystemTime};
use tokio::net::UdpSocket;

/// Seconds from NTP's epoch (1900) to 1970.
const EPOCH: u64 = 2_208_988_800;
const PACKET: usize = 48;

/// Answers on a socket until it fails.
///
/// # Errors
/// The socket is gone.
pub async fn serve(socket: UdpSocket) -> io::Result<()> {
    let mut buffer = [0; 128];
    loop {
        let (length, peer) = socket.recv_from(&mut buffer).await?;
        let received = SystemTime::now();
        if let Some(answer) = answer(&buffer[..length], received) {
            // One caller that can't be answered is no reason to stop.
            let _ = socket.send_to(&answer, peer).await;
        }
    }
}

/// The answer to a client's packet; nothing to what is none.
fn answer(request: &[u8], now: SystemTime) -> Option<[u8; PACKET]> {
    let first = *request.first().filter(|_| request.len() >= PACKET)?;
    let (version, mode) = ((first >> 3) & 7, first & 7);
    if !(1..=4).contains(&version) || mode != 3 {
        return None;
    }
    let mut packet = [0; PACKET];
    packet[0] = (version << 3) | 4; // mode 4: a server
    packet[1] = 3; // stratum: this machine's clock is somebody else's client
    packet[2] = request[2]; // poll interval, as asked
    packet[3] = (-20_i8).cast_unsigned(); // precision: about a microsecond
    packet[12..16].copy_from_slice(&[169, 254, 169, 123]);
    let time = timestamp(now);
    packet[16..24].copy_from_slice(&time); // when the clock was last set
    packet[24..32].copy_from_slice(&request[40..48]); // the caller's time, back
    packet[32..40].copy_from_slice(&time); // received
    packet[40..48].copy_from_slice(&time); // sent
    Some(packet)
}

/// A time as NTP writes it: seconds since 1900 and their 2^32nd parts.
fn timestamp(time: SystemTime) -> [u8; 8] {
    let since: Duration = time
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default();
    let seconds = since.as_secs() + EPOCH;
    let fraction = (u64::from(since.subsec_nanos()) << 32) / 1_000_000_000;
    ((seconds << 32) | fraction).to_be_bytes()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn answers_clients_only() {
        let mut request = [0; PACKET];
        request[0] = (4 << 3) | 3;
        request[40..48].copy_from_slice(b"mytimeis");
        let now = SystemTime::UNIX_EPOCH + Duration::from_millis(1500);
        let answer = super::answer(&request, now).unwrap();
        assert_eq!(answer[0], (4 << 3) | 4);
        assert_eq!(&answer[24..32], b"mytimeis");
        assert_eq!(
            u64::from(u32::from_be_bytes(answer[40..44].try_into().unwrap())),
            EPOCH + 1
        );
        assert_eq!(answer[44], 0x80, "half a second");
        request[0] = (4 << 3) | 4;
        assert!(
            super::answer(&request, now).is_none(),
            "a server's packet gets no answer"
        );
        assert!(super::answer(&request[..20], now).is_none());
    }
}
