//! The name servers of a `resolv.conf`.

use std::net::{IpAddr, SocketAddr};

/// Reads the name servers of a `resolv.conf` (resolv.conf(5)).
pub(crate) fn servers(text: &str) -> Vec<SocketAddr> {
    text.lines()
        .filter_map(|line| {
            let mut words = line.split_whitespace();
            let address: IpAddr = match (words.next()?, words.next()?) {
                ("nameserver", address) => address.parse().ok()?,
                _ => return None,
            };
            Some(SocketAddr::new(address, 53))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_are_read() {
        let text = "# by hand\nsearch a b\nnameserver 10.0.0.2\nnameserver  fd00::2 \nnameserver x\noptions ndots:5\n";
        let expected = ["10.0.0.2:53", "[fd00::2]:53"];
        let found: Vec<_> = servers(text).iter().map(ToString::to_string).collect();
        assert_eq!(found, expected);
    }
}
