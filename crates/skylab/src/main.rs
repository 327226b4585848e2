//! The skylab command.
fn main() {}
