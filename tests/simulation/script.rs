//! One exchange from its start to its end: what the upstream sends, when, and how the connection ends.

use std::{collections::VecDeque, time::Duration};

use tower_openrouter::Api;

use super::{
    draw::Draw,
    faults::{Fate, Fault},
    wire::{Answer, Told, Written},
};

/// How the connection ends behind the last byte.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    Clean,
    Broken,
    Never,
}

/// What comes in the place of a response's head.
#[derive(Debug, Clone)]
pub(crate) enum Head {
    Answer,
    Connect,
    Reset,
    Never,
    Refused(String),
}

/// Bytes that come together, after a pause.
#[derive(Debug, Clone)]
pub(crate) struct Piece {
    pub(crate) after: Duration,
    pub(crate) bytes: Vec<u8>,
}

/// One exchange.
#[derive(Debug, Clone)]
pub(crate) struct Script {
    pub(crate) fate: Fate,
    pub(crate) head_after: Duration,
    pub(crate) head: Head,
    pub(crate) pieces: VecDeque<Piece>,
    pub(crate) end: End,
    /// What of an answer is complete where.
    pub(crate) written: Written,
}

impl Script {
    /// The exchange with this answer, if nothing goes wrong, and this fault.
    pub(crate) fn of(fault: &Fault, answer: &Answer, streamed: bool, draw: &mut Draw) -> Self {
        let longest = draw.pick(&[1, 2, 200, 900]);
        let head_after = draw.millis(0..longest);
        let mut answer = answer.clone();
        if matches!(fault, Fault::Empty) {
            answer.words.clear();
            (answer.told, answer.finish) = (Told::Nothing, "stop");
        }
        let longest_pause = draw.pick(&[0, 20, 300]);
        let mut written = if streamed {
            answer.events(longest_pause, draw)
        } else {
            answer.document(draw)
        };
        let mut script = Self {
            fate: Fate::Unhealthy,
            head_after,
            head: Head::Answer,
            pieces: VecDeque::new(),
            end: End::Clean,
            written: Written::default(),
        };
        match fault {
            Fault::None => {
                // A model that is to continue a whole answer has nothing to say, and one that begins from the start continues nothing.
                if !answer.words.is_empty() && !answer.is_restart {
                    script.fate = Fate::Good;
                }
                let is_ended = answer.api != Api::Chat || written.bytes.ends_with(b"[DONE]\n\n");
                if streamed && is_ended {
                    script.end = draw.weighed(&[(18, End::Clean), (1, End::Broken), (1, End::Never)]);
                }
            }
            Fault::Connect => script.head = Head::Connect,
            Fault::Reset => script.head = Head::Reset,
            Fault::Silent => script.head = Head::Never,
            Fault::Refused(refusal) => {
                script.fate = refusal.fate;
                script.head = Head::Refused(refusal.json(answer.api));
            }
            Fault::Inside(refusal, place) => {
                if streamed {
                    written.interrupt(*place);
                    written.put(&refusal.event(answer.api));
                } else {
                    written = never_whole();
                    written.put(&refusal.json(answer.api));
                }
            }
            Fault::Cut(place, broken) => {
                written.cut(*place);
                script.end = if *broken { End::Broken } else { End::Clean };
            }
            Fault::Stall(place) => {
                written.cut(*place);
                script.end = End::Never;
            }
            Fault::Drip(pause) => {
                written = never_whole();
                let sign = match (streamed, answer.api) {
                    (false, _) => " ",
                    (true, Api::Messages) => "event: ping\ndata: {\"type\":\"ping\"}\n\n",
                    (true, _) => ": still here\n\n",
                };
                for _ in 0..600 {
                    written.waits.push((written.bytes.len(), *pause));
                    written.put(sign);
                }
                script.end = End::Never;
            }
            Fault::Garbage(bytes) => {
                written = never_whole();
                written.put(bytes);
            }
            Fault::Empty => written.whole = usize::MAX,
        }
        script.pieces = split(&written, draw);
        script.written = written;
        script
    }
}

impl Script {
    /// In one piece without any pause, and without an odd end.
    pub(crate) fn make_haste(&mut self) {
        (self.head_after, self.end) = (Duration::ZERO, End::Clean);
        let bytes: Vec<u8> = self.pieces.drain(..).flat_map(|piece| piece.bytes).collect();
        if !bytes.is_empty() {
            let after = Duration::ZERO;
            self.pieces.push_back(Piece { after, bytes });
        }
    }
}

/// No answer is whole behind any byte.
fn never_whole() -> Written {
    Written {
        whole: usize::MAX,
        ..Written::default()
    }
}

impl Written {
    /// Ends behind so many thousandths of the bytes.
    fn cut(&mut self, place: u64) {
        let length = self.bytes.len() as u64 * place / 1000;
        self.bytes.truncate(usize::try_from(length).unwrap());
        self.waits.retain(|(at, _)| *at < self.bytes.len());
    }

    /// The same behind a whole event, and the answer never becomes whole.
    fn interrupt(&mut self, place: u64) {
        let count = usize::try_from(self.texts.len() as u64 * place / 1000).unwrap();
        self.texts.truncate(count);
        self.bytes.truncate(self.texts.last().map_or(0, |(end, _)| *end));
        self.waits.retain(|(at, _)| *at < self.bytes.len());
        self.whole = usize::MAX;
        self.charged = None;
    }
}

/// Bytes as they come: cut wherever there is a pause, and anywhere else.
fn split(written: &Written, draw: &mut Draw) -> VecDeque<Piece> {
    let size = draw.weighed(&[(3, 100_000), (3, 400), (2, 40), (1, 7), (1, 1)]);
    let mut pieces = VecDeque::new();
    let mut waits = written.waits.iter().peekable();
    let mut from = 0;
    let mut after = Duration::ZERO;
    while from < written.bytes.len() {
        while let Some((_, pause)) = waits.next_if(|(at, _)| *at <= from) {
            after += *pause;
        }
        let mut to = from + draw.index(size) + 1;
        if let Some((at, _)) = waits.peek() {
            to = to.min(*at);
        }
        let to = to.min(written.bytes.len());
        let bytes = written.bytes[from..to].to_vec();
        pieces.push_back(Piece { after, bytes });
        (from, after) = (to, Duration::ZERO);
    }
    pieces
}
