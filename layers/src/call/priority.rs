//! Which calls go first if calls have to wait.

/// Whether a person waits for the answer: see [`Call::set_priority`](crate::Call::set_priority).
///
/// Of those that wait for the same, the interactive ones go first, each kind in the order it came; one place in ten goes to the oldest
/// batch. In a full queue an interactive call takes the place of the batch that came last. Nor does an interactive call share one of a
/// batch, before that one is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Priority {
    /// A person waits for the answer.
    #[default]
    Interactive,
    /// It may wait.
    Batch,
}
