//! A streamed answer as a list of acts, under the clauses that concern one: the same for every API.

use std::time::Duration;

use bytes::Bytes;

use crate::answer::{Answer, Piece};
use crate::fault::{DoneForm, Fault, given};
use crate::track::{Act, Track};
use crate::wire::inside::Inside;
use crate::wire::{Api, Head, Writer};

/// Between the comments of a keep-alive.
const EVERY: Duration = Duration::from_secs(1);
const COMMENT: &[u8] = b": OPENROUTER PROCESSING\n\n";
const PING: &[u8] = b"event: ping\ndata: {\"type\":\"ping\"}\n\n";

struct Scene<'a> {
    answer: &'a Answer,
    faults: &'a [Fault],
    delay: Duration,
    api: Api,
    writer: Box<dyn Writer + 'a>,
    track: Track,
}

/// The acts of a streamed answer.
pub(crate) fn track(api: Api, head: &Head, answer: &Answer, faults: &[Fault]) -> Track {
    let mut scene = Scene {
        answer,
        faults,
        delay: given!(faults, Fault::Delay).unwrap_or(head.delay),
        api,
        writer: api.writer(head, answer, faults),
        track: Track::default(),
    };
    scene.play();
    scene.track.shaped(faults)
}

impl Scene<'_> {
    fn has(&self, fault: &Fault) -> bool {
        self.faults.contains(fault)
    }

    /// `[DONE]`, in the form that a clause asks for.
    fn done(&mut self) {
        let text = match given!(self.faults, Fault::DoneForm) {
            None => "data: [DONE]\n\n",
            Some(DoneForm::Spaced) => "data:  [DONE]\n\n",
            Some(DoneForm::Quoted) => "data: \"[DONE]\"\n\n",
        };
        self.track.send(text, 0);
    }

    /// The end of a stream, as far as the API has one.
    fn finally(&mut self) {
        if self.writer.has_done() && !self.has(&Fault::NoDone) {
            self.done();
        }
        self.writer.after(&mut self.track);
    }

    fn play(&mut self) {
        self.wait_for_first();
        if self.instead() || !self.content() {
            return;
        }
        self.writer.close(&mut self.track);
        if self.has(&Fault::NoFinish) {
            return;
        }
        self.writer.end(&mut self.track);
        for fault in self.faults {
            if let Fault::LastEvent(text) = fault {
                self.track.send(format!("{text}\n\n"), 0);
            }
        }
        self.finally();
    }

    /// Comments, for as long as the first token takes.
    fn wait_for_first(&mut self) {
        let comment = Bytes::from_static(COMMENT);
        for _ in 0..given!(self.faults, Fault::KeepAlive).unwrap_or(1) {
            self.track.send(comment.clone(), 0);
        }
        for fault in self.faults {
            let (every, left) = match fault {
                Fault::FirstToken(length) => (EVERY, Some(*length)),
                Fault::Drip(every, total) | Fault::DripCut(every, total) => (*every, Some(*total)),
                Fault::Comments => (EVERY, None),
                _ => continue,
            };
            self.track.acts.push_back(Act::Repeat {
                bytes: comment.clone(),
                every,
                left,
            });
            if matches!(fault, Fault::DripCut(..)) {
                self.track.acts.push_back(Act::Cut);
            }
        }
        for _ in 0..given!(self.faults, Fault::Pings).unwrap_or(0) {
            self.track.send(Bytes::from_static(PING), 0);
        }
    }

    /// Streams that are something else than an answer.
    fn instead(&mut self) -> bool {
        for fault in self.faults {
            match fault {
                Fault::EmptyStream => {
                    self.track.acts.push_back(Act::Void);
                    return true;
                }
                Fault::Error(code) => {
                    self.error(code, 0);
                    return true;
                }
                other if self.writer.instead(other, &mut self.track) => {
                    self.finally();
                    return true;
                }
                _ => {}
            }
        }
        false
    }

    fn error(&mut self, code: &str, pieces: u64) {
        if !self.has(&Fault::Billed) {
            self.track.acts.push_back(Act::Void);
        }
        let name = (self.api != Api::Chat).then_some("error");
        match Inside::new(code, self.faults).event_of_another(self.faults, name) {
            Some(event) => self.track.send(event, 0),
            None => self.writer.error(code, pieces, &mut self.track),
        }
        if self.has(&Fault::Done) {
            self.done();
        }
    }

    /// The pieces, and what happens between them; false if the stream ends among them.
    fn content(&mut self) -> bool {
        self.writer.begin(&mut self.track);
        for _ in 0..given!(self.faults, Fault::Empties).unwrap_or(0) {
            self.writer.empty(&mut self.track);
        }
        let total = self.answer.pieces.len();
        for place in 0..=total {
            if !self.between(place, total) {
                return false;
            }
            let Some(piece) = self.answer.pieces.get(place) else {
                continue;
            };
            if !self.delay.is_zero() {
                self.track.acts.push_back(Act::Wait(self.delay));
            }
            match piece {
                Piece::Reasoning(_) if self.answer.hidden => self.track.send(Bytes::from_static(COMMENT), 1),
                shown => self.writer.piece(shown, &mut self.track),
            }
        }
        true
    }

    /// What happens after so many pieces; false if the stream ends there.
    fn between(&mut self, place: usize, total: usize) -> bool {
        for fault in self.faults {
            let here = |at: &u32| usize::try_from(*at).unwrap_or(usize::MAX).min(total) == place;
            match fault {
                Fault::Stall(length, at) if here(at) => {
                    self.track.acts.push_back(Act::Wait(*length));
                }
                Fault::BadJson(at) if here(at) => self.track.send(self.writer.broken(), 0),
                Fault::Event(text, at) if here(at) => self.track.send(format!("{text}\n\n"), 0),
                Fault::Cut(at) if here(at) => {
                    self.track.acts.push_back(Act::Cut);
                    return false;
                }
                Fault::ErrorAt(code, at) if here(at) => {
                    self.error(code, place as u64);
                    return false;
                }
                _ => {}
            }
        }
        true
    }
}
