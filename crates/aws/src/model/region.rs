//! Regions and availability zones.
//!
//! Zone names are an account's own: `us-west-2a` of one account may be another's `us-west-2b`; ids such
//! as `usw2-az1` name the places themselves. The mapping here is fixed and not the identity, so that
//! nobody learns to take the one for the other.
//! <https://docs.aws.amazon.com/ram/latest/userguide/working-with-az-ids.html>

/// A region.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Region {
    /// Its name.
    pub name: &'static str,
    /// Its name for people.
    pub long_name: &'static str,
    /// What its zones' ids begin with.
    pub zone_prefix: &'static str,
    /// The number in the id of zone a, b, c, …
    pub zones: &'static [u8],
}

/// The regions of a lab.
pub const REGIONS: &[Region] = &[
    Region {
        name: "us-east-1",
        long_name: "US East (N. Virginia)",
        zone_prefix: "use1",
        zones: &[6, 1, 2, 4, 3, 5],
    },
    Region {
        name: "us-east-2",
        long_name: "US East (Ohio)",
        zone_prefix: "use2",
        zones: &[1, 2, 3],
    },
    Region {
        name: "us-west-1",
        long_name: "US West (N. California)",
        zone_prefix: "usw1",
        zones: &[1, 3],
    },
    Region {
        name: "us-west-2",
        long_name: "US West (Oregon)",
        zone_prefix: "usw2",
        zones: &[2, 1, 3, 4],
    },
    Region {
        name: "eu-west-1",
        long_name: "Europe (Ireland)",
        zone_prefix: "euw1",
        zones: &[3, 1, 2],
    },
    Region {
        name: "eu-central-1",
        long_name: "Europe (Frankfurt)",
        zone_prefix: "euc1",
        zones: &[2, 3, 1],
    },
    Region {
        name: "ap-northeast-1",
        long_name: "Asia Pacific (Tokyo)",
        zone_prefix: "apne1",
        zones: &[4, 1, 2],
    },
    Region {
        name: "ap-southeast-1",
        long_name: "Asia Pacific (Singapore)",
        zone_prefix: "apse1",
        zones: &[1, 2, 3],
    },
];

/// A zone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Zone {
    /// The account's name for it, such as `us-west-2a`.
    pub name: String,
    /// Its id, such as `usw2-az2`.
    pub id: String,
}

/// The region with a name.
pub fn find(name: &str) -> Option<&'static Region> {
    REGIONS.iter().find(|region| region.name == name)
}

impl Region {
    /// Its zones, by name.
    pub fn zones(&self) -> impl Iterator<Item = Zone> + '_ {
        self.zones.iter().zip('a'..).map(|(number, letter)| Zone {
            name: format!("{}{letter}", self.name),
            id: format!("{}-az{number}", self.zone_prefix),
        })
    }

    /// A zone by its name.
    pub fn zone(&self, name: &str) -> Option<Zone> {
        self.zones().find(|zone| zone.name == name)
    }
}

/// The names of a region's zones; none for what isn't a region.
pub fn zones(region: &str) -> Vec<String> {
    find(region)
        .map(|region| region.zones().map(|zone| zone.name).collect())
        .unwrap_or_default()
}

/// The id of a zone with this name, in whichever region.
pub fn zone_id(name: &str) -> String {
    let region = name
        .strip_suffix(|letter: char| letter.is_ascii_lowercase())
        .and_then(find);
    region
        .and_then(|region| region.zone(name))
        .map(|zone| zone.id)
        .unwrap_or_default()
}
