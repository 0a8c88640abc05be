//! The numbered blocks of an answer and of its continuation, as one series.

use std::collections::VecDeque;

use crate::{Block, BlockEdge, BlockKind, Frame, Shown, Splice, protocol::is_end};

/// The most blocks of a continuation that may be open at once: no API has more than a few.
const MOST_OPEN: usize = 64;

/// The blocks that were shown, and how those of the continuation are numbered after them.
///
/// The first text of a continuation belongs to the block that is open, if one is. Until the continuation is joined, the ends and beginnings of its
/// own blocks of text are left out; so are its blocks of reasoning, always.
pub(super) struct Blocks<D> {
    /// The block that was shown and has not ended.
    open: Option<(u64, BlockKind)>,
    /// The number of the next block.
    next: u64,
    /// Whether some block was shown that is neither of text nor of reasoning.
    has_others: bool,
    /// Whether frames of a continuation are being read.
    continues: bool,
    /// The open blocks of the continuation, and where each of them stands in the answer; nowhere if it is left out.
    places: Vec<(u64, Option<u64>)>,
    /// The beginning of a block of text, which is shown with the first piece of it.
    start: Option<D>,
}

/// What becomes of a frame of a continuation.
pub(super) enum Fitted<D> {
    Frame(D),
    /// It is left out.
    Nothing,
    /// It cannot be part of the answer.
    Unfit,
}

impl<D> Default for Blocks<D> {
    fn default() -> Self {
        Self {
            open: None,
            next: 0,
            has_others: false,
            continues: false,
            places: Vec::new(),
            start: None,
        }
    }
}

impl<D: Frame> Blocks<D> {
    /// Whether a text can continue what was shown.
    pub(super) fn is_continuable(&self) -> bool {
        !self.has_others && self.open.is_none_or(|(_, kind)| kind == BlockKind::Text)
    }

    /// A continuation begins.
    pub(super) fn begin(&mut self) {
        self.continues = true;
        self.places.clear();
        self.start = None;
    }

    /// A frame of the answer itself is shown. Returns whether it is: one of a continuation needs [`show`](Self::show).
    pub(super) fn is_first(&mut self, frame: &D) -> bool {
        if !self.continues {
            self.note(frame.block(), frame);
        }
        !self.continues
    }

    /// Gives a frame of the continuation its place. `is_undecided` says that the continuation is not joined yet.
    pub(super) fn fit(&mut self, frame: D, is_undecided: bool) -> Fitted<D> {
        let Some(block) = frame.block() else {
            return Fitted::Frame(frame);
        };
        match block.edge {
            BlockEdge::Opens(BlockKind::Reasoning) => self.place(block.index, None),
            BlockEdge::Opens(BlockKind::Text) => self.fit_start(frame, block, is_undecided),
            BlockEdge::Opens(BlockKind::Other) => Fitted::Frame(frame),
            BlockEdge::Within => {
                let place = match self.places.iter().find(|(index, _)| *index == block.index) {
                    Some((_, place)) => *place,
                    // It was never begun: a piece of the block that is open, or of none.
                    None => match self.open {
                        Some((open, _)) => Some(open),
                        None => return Fitted::Unfit,
                    },
                };
                let says_nothing = is_undecided && !matches!(frame.shown(), Shown::Text(_));
                match place.filter(|_| !says_nothing) {
                    Some(place) => frame.spliced(Splice::Block(place)).map_or(Fitted::Unfit, Fitted::Frame),
                    None => Fitted::Nothing,
                }
            }
            BlockEdge::Closes => {
                let at = self.places.iter().position(|(index, _)| *index == block.index);
                let place = at.and_then(|at| self.places.swap_remove(at).1);
                match place.filter(|_| !is_undecided) {
                    Some(place) => frame.spliced(Splice::Block(place)).map_or(Fitted::Unfit, Fitted::Frame),
                    None => Fitted::Nothing,
                }
            }
        }
    }

    /// A block of text begins.
    fn fit_start(&mut self, frame: D, block: Block, is_undecided: bool) -> Fitted<D> {
        let continued = self.open.filter(|(_, kind)| is_undecided && *kind == BlockKind::Text);
        let place = continued.map_or(self.next, |(open, _)| open);
        let placed = self.place(block.index, Some(place));
        if matches!(placed, Fitted::Unfit) {
            return placed;
        }
        // The text that it begins with is a piece of the block like any other.
        let piece = match frame.shown() {
            Shown::Nothing => None,
            Shown::Text(_) => match frame.spliced(Splice::Piece(place)) {
                Some(piece) => Some(piece),
                None => return Fitted::Unfit,
            },
            _ => return Fitted::Unfit,
        };
        if continued.is_none() && (self.start.is_none() || !is_undecided) {
            let start = if piece.is_some() { frame.with_text("") } else { frame };
            self.start = Some(start);
        }
        piece.map_or(Fitted::Nothing, Fitted::Frame)
    }

    fn place(&mut self, index: u64, place: Option<u64>) -> Fitted<D> {
        self.places.retain(|(known, _)| *known != index);
        if self.places.len() == MOST_OPEN {
            return Fitted::Unfit;
        }
        self.places.push((index, place));
        Fitted::Nothing
    }

    /// A frame of the continuation that is shown, behind what must be shown before it: the end of the block that is open, the beginning of its own.
    pub(super) fn show(&mut self, frame: D, out: &mut VecDeque<D>) {
        let block = frame.block();
        match block {
            Some(Block {
                edge: BlockEdge::Closes,
                ..
            }) if self.start.take().is_some() => return,
            Some(Block {
                edge: BlockEdge::Opens(_),
                index,
            }) => {
                self.start = None;
                self.begin_block(frame, index, out);
                return;
            }
            Some(_) => {
                if let Some(start) = self.start.take() {
                    let index = start.block().map_or(self.next, |block| block.index);
                    self.begin_block(start, index, out);
                }
            }
            None if is_end(&frame) => {
                self.start = None;
                self.end_block(&frame, out);
                out.push_back(frame.spliced(Splice::Whole).unwrap_or(frame));
                return;
            }
            None => {}
        }
        self.note(block, &frame);
        out.push_back(frame);
    }

    /// A block of the continuation begins, behind the end of the one that is open.
    fn begin_block(&mut self, frame: D, index: u64, out: &mut VecDeque<D>) {
        self.end_block(&frame, out);
        let _is_known = self.place(index, Some(self.next));
        let frame = frame.spliced(Splice::Block(self.next)).unwrap_or(frame);
        self.note(frame.block(), &frame);
        out.push_back(frame);
    }

    fn end_block(&mut self, frame: &D, out: &mut VecDeque<D>) {
        if let Some((open, _)) = self.open.take() {
            out.extend(frame.spliced(Splice::End(open)));
        }
    }

    /// Takes note of what was shown.
    fn note(&mut self, block: Option<Block>, frame: &D) {
        let Some(Block { index, edge }) = block else { return };
        self.next = self.next.max(index.saturating_add(1));
        match edge {
            BlockEdge::Opens(kind) => {
                self.open = Some((index, kind));
                self.has_others |= kind == BlockKind::Other;
            }
            BlockEdge::Within if self.open.is_none_or(|(open, _)| open != index) => {
                let kind = match frame.shown() {
                    Shown::Text(_) => BlockKind::Text,
                    Shown::Nothing | Shown::Reasoning => BlockKind::Reasoning,
                    Shown::Other | Shown::Whole => BlockKind::Other,
                };
                self.open = Some((index, kind));
            }
            BlockEdge::Within => {}
            BlockEdge::Closes => self.open = None,
        }
    }
}
