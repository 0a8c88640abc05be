//! The beginning of an answer, without the markup before it and whatever its case and its typography.

use super::{
    folding::{HYPHEN, fold},
    overlap::words,
    script::Script,
};

/// The most characters of markup and white space before the first word that are skipped.
const MOST_MARKS: usize = 256;

/// The longest info word of a code fence.
const LONGEST_INFO: usize = 32;

/// How many backticks or tildes open a code fence.
const FENCE: usize = 3;

/// Follows a text as long as it repeats the beginning of the answer. Markup, quotes and a fence line before the first word of either do not
/// count, and neither do case, accents, quotes and the length of dashes. Each character is read once.
#[derive(Debug)]
pub(super) struct Opening {
    lead: Lead,
    script: Script,
    /// How many words the beginning has.
    words: usize,
}

impl Opening {
    /// `None` if nothing but markup was shown.
    pub(super) fn of(shown: &str) -> Option<Self> {
        let (mut lead, mut text) = (Lead::default(), String::with_capacity(shown.len()));
        shown
            .chars()
            .for_each(|sign| lead.read(sign, |sign| fold(sign, |sign| text.push(sign))));
        lead.end(|sign| fold(sign, |sign| text.push(sign)));
        let words = words(&text.replace(HYPHEN, ""));
        (words > 0).then(|| Self {
            lead: Lead::default(),
            script: Script::of(&text),
            words,
        })
    }

    /// Reads the next character; nothing after the beginning is over.
    pub(super) fn read(&mut self, sign: char) {
        if !self.is_over() {
            let script = &mut self.script;
            self.lead.read(sign, |sign| fold(sign, |sign| script.read(sign)));
        }
    }

    /// Nothing comes any more.
    pub(super) fn end(&mut self) {
        let script = &mut self.script;
        self.lead.end(|sign| fold(sign, |sign| script.read(sign)));
        self.script.end();
    }

    /// Whether so many words of the beginning, or all of it if that is as many, are repeated; `None` while that is not known.
    pub(super) fn repeats(&self, needed: usize) -> Option<bool> {
        let is_whole = self.script.is_whole() && self.words >= needed;
        if is_whole || self.script.words() >= needed {
            return Some(true);
        }
        self.is_over().then_some(false)
    }

    const fn is_over(&self) -> bool {
        self.script.is_over() || self.lead.is_endless()
    }
}

/// Skips what stands before the first word.
#[derive(Debug, Default)]
struct Lead {
    /// Whether the first word has begun.
    is_past: bool,
    /// How many characters were skipped.
    skipped: usize,
    /// How many backticks or tildes stand last, one behind the other.
    ticks: usize,
    /// What stands behind those of a code fence so far: its info word, or the first word.
    info: String,
}

impl Lead {
    /// Reads the next character, and hands on those that are part of the text.
    fn read(&mut self, sign: char, mut text: impl FnMut(char)) {
        if self.is_past {
            text(sign);
        } else if self.ticks >= FENCE && (!self.info.is_empty() || !is_tick(sign)) {
            self.read_info(sign, text);
        } else if sign.is_whitespace() || is_mark(sign) {
            self.skipped += 1;
            self.ticks = if is_tick(sign) { self.ticks + 1 } else { 0 };
        } else {
            self.is_past = true;
            text(sign);
        }
    }

    /// Behind the ticks of a fence: the line ends, or is not that of a fence.
    fn read_info(&mut self, sign: char, text: impl FnMut(char)) {
        let is_line_end = matches!(sign, '\n' | '\r');
        if is_line_end || (self.info.is_empty() && (sign.is_whitespace() || is_mark(sign))) {
            self.skipped += 1 + self.info.len();
            self.ticks = if is_line_end { 0 } else { self.ticks };
            self.info.clear();
            return;
        }
        self.info.push(sign);
        if sign.is_whitespace() || self.info.len() > LONGEST_INFO {
            self.end(text);
        }
    }

    /// What was taken for an info word is the first word.
    fn end(&mut self, text: impl FnMut(char)) {
        if !self.info.is_empty() {
            self.is_past = true;
            std::mem::take(&mut self.info).chars().for_each(text);
        }
    }

    /// Whether this is markup, and no text behind it.
    const fn is_endless(&self) -> bool {
        !self.is_past && self.skipped > MOST_MARKS
    }
}

fn is_tick(sign: char) -> bool {
    matches!(sign, '`' | '~')
}

/// Whether it is markup or a quote.
fn is_mark(sign: char) -> bool {
    let is_ascii = matches!(sign, '*' | '_' | '`' | '~' | '"' | '\'' | '#' | '>');
    is_ascii
        || matches!(
            sign,
            '“' | '”' | '„' | '‟' | '‘' | '’' | '‚' | '«' | '»' | '‹' | '›' | '「' | '『'
        )
}
