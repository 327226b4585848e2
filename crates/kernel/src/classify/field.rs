//! A packet's fields, and the tables that give their classes.

use super::address::Addresses;
use super::number::Numbers;

/// What rules look at, beside the protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Field {
    /// The source address.
    Source,
    /// The destination address.
    Destination,
    /// The first two bytes after the IP header: the source port, or ICMP's type and code.
    First,
    /// The two bytes after these: the destination port.
    Second,
}

impl Field {
    /// All of them, in the order in which keys are put together.
    pub(crate) const ALL: [Self; 4] = [Self::Source, Self::Destination, Self::First, Self::Second];

    /// A letter for names.
    pub(crate) fn letter(self) -> char {
        match self {
            Self::Source => 's',
            Self::Destination => 'd',
            Self::First => 'f',
            Self::Second => 'p',
        }
    }
}

/// A field's classes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Table {
    /// Of addresses.
    Addresses(Addresses),
    /// Of ports or types.
    Numbers(Numbers),
}
