//! What a model may repeat of the end of a text.

use super::script::is_ideograph;

/// Fewest words of the end of a sentence that count as repeated.
pub(super) const PART: usize = 5;

/// An end of the tail that begins with a word; a long one may begin in the middle of one.
#[derive(Debug)]
pub(super) struct End {
    pub(super) at: usize,
    pub(super) words: usize,
    pub(super) begins_sentence: bool,
    /// Whether its first word is a part of one.
    pub(super) is_in_word: bool,
}

/// The beginning of a text, of so many bytes at most. A restart is recognised by it: it is as long as a repetition may be, and some words more.
pub(super) fn beginning(text: &str, most: usize) -> &str {
    let end = (0..=text.len().min(most)).rev().find(|at| text.is_char_boundary(*at));
    text.get(..end.unwrap_or(0)).unwrap_or_default()
}

/// The ends of a text that begin with a word, or with a part of one and so many words behind it that they are no chance; the longest first.
pub(super) fn ends(tail: &str, is_whole_text: bool) -> Vec<End> {
    let mut ends = Vec::new();
    let (mut signs, mut begun, mut in_word) = (0, 0, false);
    for (at, first) in tail.char_indices().rev() {
        let before = tail.get(..at).unwrap_or_default();
        if first.is_whitespace() {
            begun += usize::from(in_word);
            in_word = false;
            continue;
        }
        in_word = true;
        signs += usize::from(is_ideograph(first));
        let whole_text = is_whole_text && at == 0;
        let words = begun + 1 + signs / 2;
        let begins_word = whole_text || is_ideograph(first) || before.ends_with(sets_apart);
        if begins_word {
            ends.push(End {
                at,
                words,
                begins_sentence: whole_text || before.ends_with('\n') || ends_sentence(before.trim_end()),
                is_in_word: false,
            });
        } else if words > PART && first.is_alphanumeric() && before.ends_with(char::is_alphanumeric) {
            ends.push(End {
                at,
                words,
                begins_sentence: false,
                is_in_word: true,
            });
        }
    }
    ends.reverse();
    ends
}

/// Whether this is a repetition. A single word only as a whole one; if words are not separated by spaces, at least three different characters.
pub(super) fn repeats(said: &str, old: &str) -> bool {
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
pub(super) fn words(text: &str) -> usize {
    let signs = text.chars().filter(|sign| is_ideograph(*sign)).count();
    text.split_whitespace().count() + signs / 2
}

/// Whether a word may begin behind it.
fn sets_apart(sign: char) -> bool {
    sign.is_whitespace() || is_ideograph(sign) || matches!(sign, '。' | '！' | '？')
}

pub(super) fn ends_sentence(text: &str) -> bool {
    let text = text.trim_end_matches(['"', '\'', ')', ']', '*', '_', '`', '”', '’', '»']);
    text.ends_with(['.', '!', '?', '…', ':', '。', '！', '？'])
}

/// Whether an answer may end with this text: behind a sentence, or a bracket or fence that closes; not within a sentence.
pub(super) fn is_rounded_off(text: &str) -> bool {
    let text = text.trim_end();
    let closes = text.ends_with([')', ']', '}', '>', '|']) || text.ends_with("```") || text.ends_with("~~~");
    closes || (ends_sentence(text) && !text.ends_with(':'))
}
