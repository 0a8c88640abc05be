//! A text that another one may repeat from its first character on.

use super::folding::HYPHEN;

/// Follows a text as long as it repeats this one. Any white space is like any other.
#[derive(Debug)]
pub(super) struct Script {
    text: Vec<char>,
    /// How many of its characters were repeated, and in how many bytes.
    at: usize,
    bytes: usize,
    /// The same by the end of the last character that was no white space.
    halves: usize,
    /// Whether a word is being repeated that is not of ideographs.
    in_word: bool,
    differs: bool,
}

impl Script {
    pub(super) fn of(text: &str) -> Self {
        Self {
            text: text.trim().chars().collect(),
            at: 0,
            bytes: 0,
            halves: 0,
            in_word: false,
            differs: false,
        }
    }

    /// Reads the next character; nothing after the text is over.
    pub(super) fn read(&mut self, sign: char) {
        if self.is_over() {
            return;
        }
        let next = self.text.get(self.at).copied().unwrap_or_default();
        let before = self.at.checked_sub(1).and_then(|at| self.text.get(at));
        if sign.is_whitespace() {
            if next.is_whitespace() {
                self.end();
                let blank = self.text.iter().skip(self.at).take_while(|sign| sign.is_whitespace());
                self.at += blank.count();
            } else if !before.is_none_or(|before| before.is_whitespace()) {
                self.differs = true;
                return;
            }
        } else if sign == next {
            self.at += 1;
            self.in_word |= !is_ideograph(sign);
            self.halves += usize::from(is_ideograph(sign));
        } else {
            self.differs = true;
            return;
        }
        self.bytes += sign.len_utf8();
    }

    /// A word ends here.
    pub(super) fn end(&mut self) {
        // The last word that was shown may be a part of one.
        let was_in_word = std::mem::take(&mut self.in_word);
        let mut blank = self.text.iter().skip(self.at).take_while(|sign| sign.is_whitespace());
        if was_in_word && blank.any(|sign| *sign != HYPHEN) {
            self.halves += 2;
        }
    }

    /// Whole words that were repeated; two ideographs count as about one.
    pub(super) const fn words(&self) -> usize {
        self.halves / 2
    }

    /// Whether all of it was repeated.
    pub(super) const fn is_whole(&self) -> bool {
        !self.differs && self.at == self.text.len()
    }

    /// Whether the text that came differs from it.
    pub(super) const fn differs(&self) -> bool {
        self.differs
    }

    /// Whether what comes next says nothing more.
    pub(super) const fn is_over(&self) -> bool {
        self.differs || self.at == self.text.len()
    }

    /// In how many bytes as much of it was repeated as was.
    pub(super) const fn read_bytes(&self) -> usize {
        self.bytes
    }
}

/// Whether it is of a script that puts no spaces between its words: Chinese, Japanese.
pub(super) const fn is_ideograph(sign: char) -> bool {
    matches!(sign, '\u{3040}'..='\u{30ff}' | '\u{3400}'..='\u{4dbf}' | '\u{4e00}'..='\u{9fff}' | '\u{20000}'..='\u{323af}')
}
