//! What keeps a public trait from being implemented outside of this crate, so that methods can be added to it.

/// A type of which this crate implements a sealed trait.
pub trait Sealed {}
