//! How far a stream of typed events has come, and whether its end can be believed.

use std::hash::{DefaultHasher, Hash, Hasher};

use bytes::Bytes;
use smallvec::SmallVec;

use super::{ContentSize, EventProbe, Step};
use crate::{Api, finish::End, json::Text};

/// The most items that may be open at once: beyond that a stream without its last event is not whole.
const MOST_OPEN: usize = 64;

/// What was seen of a stream.
#[derive(Debug)]
pub struct StreamState {
    api: Api,
    /// Items that have begun and not ended.
    open: SmallVec<[Open; 2]>,
    /// More were open at once than are followed.
    is_lost: bool,
    /// Whether the item that ended last is the answer itself.
    answered: bool,
    /// What was shown so far.
    shown: ContentSize,
    /// The answer has said why it ended.
    finished: bool,
    /// The last event has come.
    ended: bool,
    /// An item has come, whatever it shows.
    has_items: bool,
    /// The item of the last delta.
    last: u64,
    /// A hash of the id of the message that has begun.
    message: Option<u64>,
    /// What the first event says was taken: the later ones may leave it out.
    pub usage: Option<Bytes>,
}

/// What the beginning of a message is in its place of the stream.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Beginning {
    First,
    Repeated,
    Splice,
}

#[derive(Debug)]
struct Open {
    index: u64,
    /// What was shown of it, and of its last part.
    shown: ContentSize,
    part: ContentSize,
}

/// What an event is in its place of the stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct EventEffect {
    /// Whether it shows something that was not shown before.
    pub shows: bool,
    /// Whether it only repeats what came before.
    pub is_snapshot: bool,
    /// Whether it says why the answer ended.
    pub finishes: bool,
    /// Roughly how many tokens of the model it shows that were not shown before.
    pub tokens: u32,
    /// Whether another message begins with it within one of which something was shown: what follows is no part of that one.
    pub is_splice: bool,
}

impl StreamState {
    /// Of a stream of this API; `None` if its events have no types.
    #[must_use]
    pub fn of(api: Api) -> Option<Self> {
        matches!(api, Api::Responses | Api::Messages).then(|| Self {
            api,
            open: SmallVec::new(),
            is_lost: false,
            answered: false,
            shown: ContentSize::default(),
            finished: false,
            ended: false,
            has_items: false,
            last: 0,
            message: None,
            usage: None,
        })
    }

    /// The API of the stream.
    #[inline]
    #[must_use]
    pub const fn api(&self) -> Api {
        self.api
    }

    /// Whether its last event has come, and said that it is whole.
    #[inline]
    #[must_use]
    pub const fn is_ended(&self) -> bool {
        self.ended
    }

    /// Whether an item has come, whatever it shows.
    #[inline]
    #[must_use]
    pub const fn has_items(&self) -> bool {
        self.has_items
    }

    /// Whether it is whole if nothing more comes, and the framing shows that this is all.
    #[must_use]
    pub fn is_whole_without_end(&self) -> bool {
        match self.api {
            // Seen of OpenRouter: a stream that ends behind its last item.
            Api::Responses => self.answered && self.open.is_empty() && !self.is_lost,
            _ => false,
        }
    }

    /// A message has said why it ended, and its blocks have ended.
    fn is_finished_message(&self) -> bool {
        self.api == Api::Messages && self.finished && self.open.is_empty()
    }

    /// The same if `[DONE]` came.
    #[must_use]
    pub fn is_whole_when_done(&self) -> bool {
        self.is_whole_without_end() || self.is_finished_message()
    }

    /// Takes note of one event.
    pub fn apply(&mut self, piece: &EventProbe<'_>) -> EventEffect {
        let said = piece.content;
        if piece.step == Step::Opens {
            self.answered = false;
        }
        let beginning = match (piece.step, piece.id) {
            (Step::Envelope, Some(id)) if self.api == Api::Messages => self.begin(id),
            _ => Beginning::First,
        };
        let new = match piece.step {
            _ if beginning == Beginning::Splice => ContentSize::default(),
            Step::Envelope if beginning == Beginning::Repeated => said.beyond(self.shown),
            Step::Ping => ContentSize::default(),
            Step::Envelope | Step::Finishes => said,
            Step::Opens => self.open(piece.index).map_or(said, |open| open.show(said)),
            Step::Delta => {
                self.last = piece.index;
                self.open(piece.index).map_or(said, |open| open.show(said))
            }
            Step::OpensPart => self.open(piece.index).map_or(said, |open| {
                open.part = ContentSize::default();
                open.show(said)
            }),
            Step::ClosesPart => self
                .open(piece.index)
                .map_or(said, |open| open.show(said.beyond(open.part))),
            Step::Closes => {
                let shown = self.close(piece.index);
                self.answered = piece.is_answer;
                let mut rest = said.beyond(shown);
                // A call without arguments is a call once nothing more of it can come.
                if shown.calls && shown.other == 0 && rest.other == 0 {
                    rest.other = 1;
                }
                rest
            }
            Step::Ends | Step::Document => said.beyond(self.shown),
        };
        self.shown.add(new);
        self.has_items |= match piece.step {
            Step::Opens | Step::Closes => true,
            Step::Ends | Step::Document => piece.has_items(),
            _ => false,
        };
        let finishes = piece.end() != End::None;
        self.finished |= finishes;
        self.ended |= match piece.step {
            Step::Ends => self.finished,
            Step::Document => finishes,
            _ => false,
        };
        EventEffect {
            shows: !new.is_nothing(),
            is_snapshot: new.is_nothing() && !said.is_nothing(),
            finishes,
            tokens: new.tokens(),
            is_splice: beginning == Beginning::Splice,
        }
    }

    /// A message of this id begins. Some servers send its beginning twice; a proxy may splice a message into another one.
    fn begin(&mut self, id: Text<'_>) -> Beginning {
        let mut hasher = DefaultHasher::new();
        id.to_str().hash(&mut hasher);
        let own = hasher.finish();
        match self.message {
            Some(known) if known == own => return Beginning::Repeated,
            Some(_) if self.ended => return Beginning::First,
            Some(_) if !self.shown.is_nothing() => return Beginning::Splice,
            Some(_) => {
                // Nothing of the first one was shown: the second one is the answer.
                self.open.clear();
                (self.is_lost, self.answered, self.finished) = (false, false, false);
                (self.has_items, self.last, self.usage) = (false, 0, None);
            }
            None => {}
        }
        self.message = Some(own);
        Beginning::First
    }

    /// Takes note of one more delta of the item of the last one: of text, with so many bytes.
    pub fn apply_text(&mut self, bytes: usize) {
        let said = ContentSize {
            text: bytes,
            ..ContentSize::default()
        };
        let new = self.open(self.last).map_or(said, |open| open.show(said));
        self.shown.add(new);
    }

    /// The item of this index, which begins now if it has not.
    fn open(&mut self, index: u64) -> Option<&mut Open> {
        let at = match self.open.iter().position(|open| open.index == index) {
            Some(at) => at,
            None if self.open.len() == MOST_OPEN => {
                self.is_lost = true;
                return None;
            }
            None => {
                self.answered = false;
                self.open.push(Open {
                    index,
                    shown: ContentSize::default(),
                    part: ContentSize::default(),
                });
                self.open.len() - 1
            }
        };
        self.open.get_mut(at)
    }

    fn close(&mut self, index: u64) -> ContentSize {
        let at = self.open.iter().position(|open| open.index == index);
        at.map(|at| self.open.remove(at).shown).unwrap_or_default()
    }
}

impl Open {
    const fn show(&mut self, said: ContentSize) -> ContentSize {
        self.shown.add(said);
        self.part.add(said);
        said
    }
}
