//! The numbered blocks that the answers of some APIs are made of.

/// The place of a frame in an answer that is made of numbered blocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Block {
    /// The number of its block.
    pub index: u64,
    /// What the frame does to that block.
    pub edge: BlockEdge,
}

impl Block {
    /// A place in the block of this number.
    #[must_use]
    pub const fn new(index: u64, edge: BlockEdge) -> Self {
        Self { index, edge }
    }
}

/// What a frame does to its block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum BlockEdge {
    /// It begins the block. The frame may have the first of its content.
    Opens(BlockKind),
    /// It is a piece of the block.
    Within,
    /// It ends the block.
    Closes,
}

/// What a block has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum BlockKind {
    /// Text of the answer: a block that another text can continue.
    Text,
    /// The model's thoughts.
    Reasoning,
    /// Anything else, such as a tool call.
    Other,
}

/// How a frame of a continuation becomes one of the answer that it continues.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Splice {
    /// The same frame, in the block of this number.
    Block(u64),
    /// The text of this frame, which begins a block, as a piece of the block of this number, which is open.
    Piece(u64),
    /// The end of the block of this number, whatever this frame is.
    End(u64),
    /// The same frame, if it belongs to no block. What it leaves to the beginning of its own answer, such as a part of the usage, it says itself:
    /// that beginning is left out.
    Whole,
}
