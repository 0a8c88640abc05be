//! One plain answer out of the chunks of a streamed one.

mod answer;
mod merge;

pub(crate) use answer::Gathered;
