//! What the measurements measure: layers of ours and of peers, each built once, over an inner service whose answer is ready.
//!
//! Apart from the package of the benches, whose library brings a counting allocator along: times and counts are taken of
//! the very same things, and only the counts pay for being counted.

pub mod answers;
pub mod drive;
pub mod events;
pub mod failing;
pub mod leaf;
pub mod liter;
pub mod ours;
pub mod peers;
pub mod pieces;
pub mod prompt;
