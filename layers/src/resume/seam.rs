//! Joins the shown text and its continuation.

use super::{
    opening::Opening,
    overlap::{End, PART, beginning, ends, ends_sentence, repeats, words},
    script::Script,
};
use crate::ContinueBy;

/// How far back an overlap is looked for, in bytes: about a paragraph.
pub(super) const FARTHEST: usize = 1000;

/// Fewest words of a whole sentence that counts as repeated; a shorter one may be there twice on purpose.
const SENTENCE: usize = 3;

/// Words by which a continuation is known to begin from the start: those that the answer begins with.
const RESTART: usize = 3;

/// How many characters of what was shown an answer by instruction begins with.
const LAST: usize = 40;

/// Joins a continuation to what was shown: what the model says once more is left out, be it white space, the last sentence, or the last
/// words of one that it was in the midst of. One that begins from the start is distinguished, and never joined.
///
/// Each byte is looked at once for each place where a repetition may begin, and these are bounded: the work is linear.
#[derive(Debug)]
pub(super) struct Seam {
    /// The end of what was shown, without the white space behind it.
    tail: String,
    /// That white space.
    blank: String,
    /// What the model may say again, from the longest to the shortest; those that it did not say are gone.
    ends: Vec<End>,
    /// What has come and is not decided upon.
    pub(super) held: String,
    /// The white space before it, in bytes.
    lead: usize,
    /// How much of the rest has been compared.
    compared: usize,
    /// What tells a restart from a continuation.
    script: Option<Script>,
    /// The same whatever its markup and case: if it is the beginning in another form. Not by instruction.
    opening: Option<Opening>,
    way: ContinueBy,
}

/// What became of a piece.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Joined {
    /// This is new; it may be nothing.
    Text(String),
    /// It may be a repetition: wait for more.
    Undecided,
    /// It is an answer from the start, and continues nothing.
    Restart,
}

/// The last characters that were shown, without the white space behind them: an answer by instruction begins with them.
pub(super) fn last_of(shown: &str) -> &str {
    let text = shown.trim_end();
    let from = text.char_indices().rev().nth(LAST - 1).map_or(0, |(at, _)| at);
    text.get(from..).unwrap_or_default().trim_start()
}

impl Seam {
    pub(super) fn after(shown: &str, way: ContinueBy) -> Self {
        let text = shown.trim_end();
        // Without anything shown there is nothing to repeat.
        let way = if text.is_empty() { ContinueBy::Prefill } else { way };
        let from = text.len().saturating_sub(FARTHEST);
        let from = (from..=text.len()).find(|at| text.is_char_boundary(*at)).unwrap_or(0);
        let tail = text.get(from..).unwrap_or_default();
        let (script, opening) = match way {
            ContinueBy::Instruction => (Script::of(last_of(shown)), None),
            ContinueBy::Prefill | ContinueBy::Never => {
                let beginning = beginning(text, 2 * FARTHEST);
                (Script::of(beginning), Opening::of(beginning))
            }
        };
        Self {
            ends: if way == ContinueBy::Instruction {
                Vec::new()
            } else {
                ends(tail, from == 0)
            },
            tail: tail.to_owned(),
            blank: shown
                .get(text.len()..)
                .map(|blank| beginning(blank, FARTHEST))
                .unwrap_or_default()
                .to_owned(),
            held: String::new(),
            lead: 0,
            compared: 0,
            script: (!text.is_empty()).then_some(script),
            opening,
            way,
        }
    }

    /// Takes in what comes next.
    pub(super) fn push(&mut self, text: &str) -> Joined {
        if self.lead == self.held.len() {
            self.lead += text.len() - text.trim_start().len();
        }
        self.held.push_str(text);
        if self.lead == self.held.len() {
            // White space without end is held in part only.
            while self.held.len() > FARTHEST {
                self.held.pop();
            }
            self.lead = self.held.len();
            return Joined::Undecided;
        }
        let may_repeat = self.compare();
        if self.way == ContinueBy::Instruction {
            return self.after_last();
        }
        if may_repeat {
            return Joined::Undecided;
        }
        if self.is_short_of_blank() {
            return Joined::Undecided;
        }
        match self.is_restart() {
            None => Joined::Undecided,
            Some(true) => Joined::Restart,
            Some(false) => Joined::Text(self.take_new()),
        }
    }

    /// Nothing comes any more: what is new of what is held.
    pub(super) fn close(&mut self) -> Joined {
        if let Some(script) = &mut self.script {
            script.end();
        }
        if let Some(opening) = &mut self.opening {
            opening.end();
        }
        if self.way == ContinueBy::Instruction && !self.held_text().is_empty() {
            let is_whole = self.script.as_ref().is_some_and(Script::is_whole);
            return if is_whole {
                Joined::Text(self.take_new())
            } else {
                Joined::Restart
            };
        }
        if self.is_restart() == Some(true) {
            return Joined::Restart;
        }
        Joined::Text(self.take_new())
    }

    /// Compares what has come since; whether all that has come may be the beginning of a repetition.
    fn compare(&mut self) -> bool {
        let said = self.held.get(self.lead..).unwrap_or_default();
        let more = said.get(self.compared..).unwrap_or_default();
        if self.compared == 0 {
            let (spaced, whole) = (self.lead > 0, ends_sentence(&self.tail));
            let blank = &self.blank;
            self.ends.retain(|end| match (whole, spaced) {
                // The next sentence, or the same again: it may begin like this either way.
                (true, true) => end.begins_sentence && end.words >= SENTENCE,
                (true, false) if end.begins_sentence => end.words >= SENTENCE || blank.is_empty(),
                (true, false) => end.words >= PART,
                // A continuation in the middle of a sentence begins with a space; a repetition does not.
                (false, true) => false,
                (false, false) => end.begins_sentence || end.words >= PART,
            });
        }
        if let Some(script) = &mut self.script {
            more.chars().for_each(|sign| script.read(sign));
        }
        if let Some(opening) = &mut self.opening {
            more.chars().for_each(|sign| opening.read(sign));
        }
        let (tail, compared) = (self.tail.as_bytes(), self.compared);
        self.ends.retain(|end| {
            let old = tail.get(end.at + compared..).unwrap_or_default();
            old.iter().zip(more.as_bytes()).all(|(old, new)| old == new)
        });
        self.compared = said.len();
        self.ends.iter().any(|end| tail.len() - end.at >= said.len())
    }

    /// Whether the continuation is an answer from the start; `None` while that is not known.
    fn is_restart(&self) -> Option<bool> {
        let Some(script) = &self.script else { return Some(false) };
        // What the model repeats of the end may be what the answer begins with: then more of the beginning must follow.
        let again = self.repeated().map(words);
        let needed = |fewest: usize| again.map_or(fewest, |again| fewest.max(again) + 1);
        // A continuation begins with a space, and an answer does not.
        let fewest = if again.is_none() && self.lead > 0 {
            2 * RESTART
        } else {
            RESTART
        };
        if script.words() >= needed(fewest) {
            return Some(true);
        }
        if !script.differs() {
            // If all that was shown is repeated, it is joined without a seam.
            return script.is_whole().then_some(false);
        }
        // In another form it is one by fewer words if nothing of an answer can begin there.
        let is_inside = self.lead == 0 && self.blank.is_empty() && !ends_sentence(&self.tail);
        let fewest = if is_inside { RESTART } else { 2 * RESTART };
        let opening = self.opening.as_ref();
        opening.map_or(Some(false), |opening| opening.repeats(needed(fewest)))
    }

    /// By instruction: what follows the last characters that were shown.
    fn after_last(&mut self) -> Joined {
        match &self.script {
            Some(script) if script.is_whole() && self.is_short_of_blank() => Joined::Undecided,
            Some(script) if script.is_whole() => Joined::Text(self.take_new()),
            Some(script) if !script.is_over() => Joined::Undecided,
            _ => Joined::Restart,
        }
    }

    /// Whether what came repeats what was shown word for word so far, but not yet all of the white space behind it.
    fn is_short_of_blank(&self) -> bool {
        let new = self.new_text();
        new.len() < self.blank.len() && self.blank.starts_with(new)
    }

    /// Whether the continuation has said nothing so far.
    pub(super) fn is_silent(&self) -> bool {
        self.lead == self.held.len()
    }

    /// What is held without the white space before it.
    fn held_text(&self) -> &str {
        self.held.get(self.lead..).unwrap_or_default()
    }

    fn take_new(&mut self) -> String {
        let new = self.new_text();
        // The white space that was shown already.
        let same = new.bytes().zip(self.blank.bytes()).take_while(|(new, old)| new == old);
        let same = same.count();
        let new = new.get(same..).unwrap_or(new).to_owned();
        self.held.clear();
        new
    }

    /// The held text, without what is repeated.
    fn new_text(&self) -> &str {
        if self.way == ContinueBy::Instruction {
            let read = self.script.as_ref().map_or(0, Script::read_bytes);
            return self.held_text().get(read..).unwrap_or_default();
        }
        match self.repeated() {
            Some(again) => self.held_text().get(again.len()..).unwrap_or_default(),
            // Nothing more came, and it was about to say all of that again.
            None if self.is_begun_again() => "",
            None => &self.held,
        }
    }

    /// Whether this is the beginning of a repetition, and nothing else. A continuation in the middle of a sentence begins with a space or
    /// within a word; one that has whole words of what was shown has none of its own.
    fn is_begun_again(&self) -> bool {
        let said = self.held_text();
        let is_inside = self.lead == 0 && !ends_sentence(&self.tail);
        let ends = self.ends.iter().filter(|end| !end.is_in_word);
        let mut ends = ends.filter_map(|end| self.tail.get(end.at..));
        is_inside && said.trim_end().contains(char::is_whitespace) && ends.any(|old| old.starts_with(said))
    }

    /// The longest end of what was shown that is repeated.
    fn repeated(&self) -> Option<&str> {
        let said = self.held_text();
        let mut ends = self.ends.iter().filter_map(|end| self.tail.get(end.at..));
        ends.find(|old| repeats(said, old))
    }
}
