//! The operations on the wire.
