//! One plain answer out of the chunks of a streamed one.
//!
//! A `message` that comes next to deltas or after them is the answer so far, and adds nothing to what the deltas brought, unless it continues
//! where they end. A member that this version does not know is put together by its type: texts are joined, of numbers and
//! booleans the last one counts, objects are merged, lists are appended.
//!
//! The work is linear in the bytes of the stream, whatever the number of pieces, tool calls or choices.

mod answer;
mod choice;
#[cfg(test)]
mod edges_tests;
mod entries;
mod item;
mod item_pieces;
mod items;
#[cfg(test)]
mod items_tests;
mod merge;
mod node;
mod output_item;
mod parts;
#[cfg(test)]
mod tests;
mod typed;
mod whole;

pub use answer::{AssembleError, Assembler};
pub use typed::merged;
pub use whole::JsonCompleteness;
