//! Joins the shown text and its continuation.

/// How far back an overlap is looked for, in bytes: about a paragraph.
const FARTHEST: usize = 1000;

/// Fewest words of a whole sentence that counts as repeated; a shorter one may be there twice on purpose.
const SENTENCE: usize = 3;

/// Fewest words of the end of a sentence that count as repeated.
const PART: usize = 5;

/// Joins a continuation to what was shown: what the model says once more is left out, be it white space, the last sentence, or the last
/// words of one that it was in the midst of.
#[derive(Debug)]
pub(super) struct Seam {
    /// The end of what was shown, without the white space behind it.
    tail: String,
    /// That white space.
    blank: String,
    /// What the model may say again, from the longest to the shortest.
    ends: Vec<End>,
    /// What has come and is not decided upon.
    held: String,
}

/// An end of the tail that begins with a word.
#[derive(Debug)]
struct End {
    at: usize,
    words: usize,
    begins_sentence: bool,
}

/// What became of a piece.
pub(super) enum Joined {
    /// This is new; it may be nothing.
    Text(String),
    /// It may be a repetition: wait for more.
    Undecided,
}

impl Seam {
    pub(super) fn after(shown: &str) -> Self {
        let text = shown.trim_end();
        let from = text.len().saturating_sub(FARTHEST);
        let from = (from..=text.len()).find(|at| text.is_char_boundary(*at)).unwrap_or(0);
        let tail = text.get(from..).unwrap_or_default();
        let ends = tail.char_indices().filter_map(|(at, first)| {
            let (before, end) = tail.split_at(at);
            let whole_text = from == 0 && before.is_empty();
            let begins_word = whole_text || is_ideograph(first) || before.ends_with(sets_apart);
            (begins_word && !first.is_whitespace()).then(|| End {
                at,
                words: words(end),
                begins_sentence: whole_text || before.ends_with('\n') || ends_sentence(before.trim_end()),
            })
        });
        Self {
            ends: ends.collect(),
            tail: tail.to_owned(),
            blank: shown.get(text.len()..).unwrap_or_default().to_owned(),
            held: String::new(),
        }
    }

    /// Takes in what comes next.
    pub(super) fn push(&mut self, text: &str) -> Joined {
        self.held.push_str(text);
        let said = self.held.trim_start();
        if said.is_empty() {
            return Joined::Undecided;
        }
        if self.ends().any(|old| old.len() >= said.len() && old.starts_with(said)) {
            return Joined::Undecided;
        }
        if self.new_text().len() < self.blank.len() && self.blank.starts_with(self.new_text()) {
            // Said again word for word so far, and not yet the white space behind it.
            return Joined::Undecided;
        }
        Joined::Text(self.close())
    }

    /// Nothing comes any more: what is new of what is held.
    pub(super) fn close(&mut self) -> String {
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
        let said = self.held.trim_start();
        match self.ends().find(|old| repeats(said, old)) {
            Some(again) => said.get(again.len()..).unwrap_or_default(),
            // Nothing more came, and it was about to say all of that again.
            None if self.is_begun_again(said) => "",
            None => &self.held,
        }
    }

    /// Whether this is the beginning of a repetition, and nothing else. A continuation in the middle of a sentence begins with a space or
    /// within a word; one that has whole words of what was shown has none of its own.
    fn is_begun_again(&self, said: &str) -> bool {
        let is_inside = !self.held.starts_with(char::is_whitespace) && !ends_sentence(&self.tail);
        is_inside && said.trim_end().contains(char::is_whitespace) && self.ends().any(|old| old.starts_with(said))
    }

    /// The endings that may be repeated, the longest first.
    fn ends(&self) -> impl Iterator<Item = &str> {
        let spaced = self.held.starts_with(char::is_whitespace);
        let whole = ends_sentence(&self.tail);
        let ends = self.ends.iter().filter(move |end| match (whole, spaced) {
            // The next sentence, or the same again: it may begin like this either way.
            (true, true) => end.begins_sentence && end.words >= SENTENCE,
            (true, false) if end.begins_sentence => end.words >= SENTENCE || self.blank.is_empty(),
            (true, false) => end.words >= PART,
            // A continuation in the middle of a sentence begins with a space; a repetition does not.
            (false, true) => false,
            (false, false) => end.begins_sentence || end.words >= PART,
        });
        ends.filter_map(|end| self.tail.get(end.at..))
    }
}

/// Whether this is a repetition. A single word only as a whole one; if words are not separated by spaces, at least three different characters.
fn repeats(said: &str, old: &str) -> bool {
    let Some(rest) = said.strip_prefix(old) else {
        return false;
    };
    if old.contains(char::is_whitespace) {
        return true;
    }
    let mut signs: Vec<char> = old.chars().filter(|sign| is_ideograph(*sign)).collect();
    signs.sort_unstable();
    signs.dedup();
    match signs.len() {
        // A sign that stands twice, be it a bracket or a star, is more likely meant so.
        0 => old.contains(char::is_alphabetic) && !rest.starts_with(char::is_alphanumeric),
        // So is a doubled word.
        1 | 2 => false,
        _ => true,
    }
}

/// How many words these are; without spaces, two characters count as about one word.
fn words(text: &str) -> usize {
    let signs = text.chars().filter(|sign| is_ideograph(*sign)).count();
    text.split_whitespace().count() + signs / 2
}

/// Whether a word may begin behind it.
fn sets_apart(sign: char) -> bool {
    sign.is_whitespace() || is_ideograph(sign) || matches!(sign, '。' | '！' | '？')
}

/// Whether it is of a script that puts no spaces between its words: Chinese, Japanese.
const fn is_ideograph(sign: char) -> bool {
    matches!(sign, '\u{3040}'..='\u{30ff}' | '\u{3400}'..='\u{4dbf}' | '\u{4e00}'..='\u{9fff}' | '\u{20000}'..='\u{323af}')
}

fn ends_sentence(text: &str) -> bool {
    let text = text.trim_end_matches(['"', '\'', ')', ']', '*', '_', '`', '”', '’', '»']);
    text.ends_with(['.', '!', '?', '…', ':', '。', '！', '？'])
}

#[cfg(test)]
#[expect(clippy::string_slice, reason = "a test that fails here should say so")]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// What is new of a continuation that comes in these pieces.
    fn joined(shown: &str, pieces: &[&str]) -> String {
        let mut seam = Some(Seam::after(shown));
        let mut new = String::new();
        for piece in pieces {
            match seam.as_mut().map(|seam| seam.push(piece)) {
                Some(Joined::Text(text)) => {
                    new.push_str(&text);
                    seam = None;
                }
                Some(Joined::Undecided) => {}
                None => new.push_str(piece),
            }
        }
        if let Some(mut seam) = seam {
            new.push_str(&seam.close());
        }
        new
    }

    #[test]
    fn a_continuation_is_left_unchanged() {
        for (shown, next) in [
            ("The sky is", " blue."),
            ("The sky is bl", "ue."),
            ("The sky is blue.", " It is the air that does it."),
            ("", "The sky."),
            ("very very", " very very good"),
            ("Ha", "haha"),
            ("ha", "haha"),
            ("It is so. It is", " so. It is so."),
            ("No. No. No.", " No. No."),
            ("No. No. No. ", "No. No."),
            ("    }\n    }\n", "    }\n}"),
            (
                "light passes through the quiet air",
                " light passes through the quiet air",
            ),
            ("ein größeres Glück", " ist größer"),
            ("天空是蓝", "色的。"),
            ("天。天", "天向上"),
            // A doubled word, and a sign that stands twice.
            ("哈哈", "哈哈大笑"),
            ("他来了。谢谢", "谢谢你"),
            ("さあ。いろいろ", "いろいろ"),
            ("lol\n😂", "😂😂 so funny"),
            ("(a\n(b\n)", ")\n"),
            // The rest of a word that stands at the beginning, too.
            ("so we walked al", "so"),
            ("The sky is blue.", " The sky is"),
            // Too few words of a sentence that has ended.
            ("So: it is one two three.", "is one two three. Four"),
            ("# One\n#", "# Two"),
            ("Look:\n*", "*bold**"),
            ("void f() {\n}\n", "}  // namespace\n"),
            ("0\n1\n1\n", "1\n0\n"),
        ] {
            assert_eq!(
                joined(shown, &[next]),
                next.trim_start_matches(&shown[shown.trim_end().len()..]),
                "{shown}"
            );
        }
    }

    #[test]
    fn repeated_text_is_removed() {
        for (shown, next, new) in [
            (
                "One. The sky is blue.",
                "The sky is blue. It is the air.",
                " It is the air.",
            ),
            (
                "One. The sky is blue.",
                " The sky is blue. It is the air.",
                " It is the air.",
            ),
            ("One. The sky is blue. It is", "It is so", " so"),
            ("Why?", "Why? It is so.", " It is so."),
            ("One. The sky is", "The sky is blue", " blue"),
            ("One. The", "The sky is blue", " sky is blue"),
            ("One. The sky is ", "The sky is blue", "blue"),
            (
                "The sky is blue, and so it looks to us",
                "and so it looks to us from here",
                " from here",
            ),
            (
                "He said: \"It is so.\" ",
                "He said: \"It is so.\" And left.",
                "And left.",
            ),
            ("One two three.", "One two three.", ""),
            // From the middle of a sentence that has ended.
            ("So: it is one two three.", "it is one two three. Four", " Four"),
            // It ended while it said the same again.
            ("One two three four five six", "two three four", ""),
            ("One two three four five six", "two three fo", ""),
            ("One. The sky is blue and", "The sky is", ""),
            ("天空是蓝色的。因为空气", "因为空气散射短波。", "散射短波。"),
            ("天空是蓝色的。这是因为空气。", "这是因为空气。明白了吗？", "明白了吗？"),
            (
                "因为空气散射短波长的光线所以",
                "散射短波长的光线所以天空是蓝的",
                "天空是蓝的",
            ),
            ("空は青い。それは", "それは空気のためです。", "空気のためです。"),
        ] {
            assert_eq!(joined(shown, &[next]), new, "{shown} | {next}");
        }
    }

    #[test]
    fn white_space_is_not_doubled() {
        for (shown, next, new) in [
            ("hello ", " world", "world"),
            ("hello ", "world", "world"),
            ("hello\n", "\n\nworld", "\nworld"),
            ("hello", " world", " world"),
        ] {
            assert_eq!(joined(shown, &[next]), new, "{shown:?} {next:?}");
        }
    }

    proptest! {
        #[test]
        fn it_does_not_matter_in_which_pieces_it_comes(
            shown in "[a-c]{1,2}( [a-c]{1,2}|[.] ){0,12}[ .]?",
            again in any::<bool>(),
            next in "( |)[a-c]{1,2}( [a-c]{1,2}|[.] ){0,12}",
            sizes in proptest::collection::vec(1_usize..4, 1..40),
        ) {
            let last = shown.rfind(". ").map_or(0, |at| at + 2);
            let next = if again { format!("{}{next}", &shown[last..]) } else { next };
            let whole = joined(&shown, &[&next]);
            let mut pieces = Vec::new();
            let mut rest = next.as_str();
            for size in sizes {
                let (piece, after) = rest.split_at(size.min(rest.len()));
                pieces.push(piece);
                rest = after;
            }
            pieces.push(rest);
            prop_assert_eq!(joined(&shown, &pieces), whole);
        }

        #[test]
        fn nothing_but_what_was_shown_at_the_end_is_left_out(shown in ".{0,60}", next in ".{0,60}") {
            let new = joined(&shown, &[&next]);
            prop_assert!(next.ends_with(&new));
            let gone = &next[..next.len() - new.len()];
            let is_end = shown.trim_end().ends_with(gone.trim());
            let is_begun_again = new.is_empty() && shown.contains(gone.trim());
            prop_assert!(gone.trim().is_empty() || is_end || is_begun_again);
        }
    }
}
