//! Packets to measure with.

use super::world::World;
use std::time::Duration;

/// What makes a 64-byte packet with the headers of IP and UDP.
pub(crate) const PAYLOAD: [u8; 64 - 28] = [0; 64 - 28];

/// Packets that came through to the receiver's interface.
pub(crate) fn arrived(world: &World) -> u64 {
    world.inside("receiver", || {
        std::thread::sleep(Duration::from_millis(20));
        let devices = std::fs::read_to_string("/proc/thread-self/net/dev").expect("read");
        let line = devices
            .lines()
            .find(|line| line.trim_start().starts_with("eth0:"))
            .expect("eth0");
        line.split_whitespace()
            .nth(2)
            .and_then(|packets| packets.parse().ok())
            .expect("a number")
    })
}
