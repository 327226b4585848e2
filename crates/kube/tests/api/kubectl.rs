//! An unmodified kubectl.
