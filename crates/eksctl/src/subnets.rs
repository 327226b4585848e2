//! How a VPC's range is cut into subnets.
//!
//! As many blocks of the same size as a power of two allows for a public and a private subnet in each zone: eight for
//! three or four zones. The public ones come first.
//! <https://docs.aws.amazon.com/eks/latest/eksctl/vpc-configuration.html>

use crate::Error;
use ipnet::Ipv4Net;

/// A zone's subnets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Zone {
    /// The zone's name.
    pub name: String,
    /// The public subnet's range.
    pub public: Ipv4Net,
    /// The private subnet's range.
    pub private: Ipv4Net,
}

/// Cuts a range for zones, in their order.
///
/// # Errors
/// The range is not between /16 and /24, or there are too many zones.
pub fn cut(range: Ipv4Net, zones: &[String]) -> Result<Vec<Zone>, Error> {
    if !(16..=24).contains(&range.prefix_len()) {
        return Err(Error::Invalid(format!(
            "VPC CIDR prefix must be between /16 and /24, not {range}"
        )));
    }
    let bits = match zones.len() * 2 {
        0..=2 => 1,
        3..=8 => 3,
        9..=16 => 4,
        _ => {
            return Err(Error::Invalid(
                "cannot create more than 16 subnets".to_owned(),
            ));
        }
    };
    let too_small = |_| Error::Invalid(format!("{range} is too small for {} zones", zones.len()));
    let blocks: Vec<Ipv4Net> = range
        .subnets(range.prefix_len() + bits)
        .map_err(too_small)?
        .collect();
    let (public, private) = blocks.split_at(zones.len());
    let zones = zones.iter().zip(public).zip(private);
    Ok(zones
        .map(|((name, public), private)| Zone {
            name: name.clone(),
            public: *public,
            private: *private,
        })
        .collect())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn zones(count: usize) -> Vec<String> {
        ('a'..='z')
            .take(count)
            .map(|letter| format!("us-west-2{letter}"))
            .collect()
    }

    /// AWS-EKSCTL: eight /19s, of which three are public, three private and two reserved.
    #[test]
    fn three_zones_take_six_of_eight_blocks() {
        let cut = cut("192.168.0.0/16".parse().unwrap(), &zones(3)).unwrap();
        let told: Vec<String> = cut
            .iter()
            .map(|zone| format!("public:{} private:{}", zone.public, zone.private))
            .collect();
        assert_eq!(
            told,
            [
                "public:192.168.0.0/19 private:192.168.96.0/19",
                "public:192.168.32.0/19 private:192.168.128.0/19",
                "public:192.168.64.0/19 private:192.168.160.0/19",
            ]
        );
    }

    #[test]
    fn other_numbers_of_zones_and_ranges() {
        let one = cut("10.0.0.0/16".parse().unwrap(), &zones(1)).unwrap();
        assert_eq!(one[0].private.to_string(), "10.0.128.0/17");
        let five = cut("10.0.0.0/24".parse().unwrap(), &zones(5)).unwrap();
        assert_eq!(five[4].private.to_string(), "10.0.0.144/28");
        assert!(cut("10.0.0.0/25".parse().unwrap(), &zones(2)).is_err());
        assert!(cut("10.0.0.0/16".parse().unwrap(), &zones(9)).is_err());
    }
}
