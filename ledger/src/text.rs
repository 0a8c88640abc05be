//! Text on its way into a row: bounded, and without characters that a database or a terminal takes badly.

use std::borrow::Cow;

use tower_llm_layers::{Tags, ledger::Entry};

/// The longest text of a row, in bytes. A longer one is cut, and ends with [`CUT`].
pub(crate) const LONGEST: usize = 512;
const CUT: &str = "...";
/// Stands for a character that is left out. ASCII, so that every encoding of a database has it.
const LEFT_OUT: char = '?';

/// A text as it is kept: control characters (NUL among them) are replaced, and what is too long is cut.
pub(crate) fn clean(text: &str) -> Cow<'_, str> {
    if text.len() <= LONGEST && !text.chars().any(char::is_control) {
        return Cow::Borrowed(text);
    }
    Cow::Owned(kept(text, char::is_control))
}

/// The same in ASCII alone: for a database whose encoding lacks a character.
fn plain(text: &str) -> String {
    kept(text, |letter| letter.is_control() || !letter.is_ascii())
}

fn kept(text: &str, is_left_out: impl Fn(char) -> bool) -> String {
    let most = if text.len() > LONGEST {
        LONGEST - CUT.len()
    } else {
        LONGEST
    };
    let mut kept: String = beginning(text, most)
        .chars()
        .map(|letter| if is_left_out(letter) { LEFT_OUT } else { letter })
        .collect();
    if text.len() > LONGEST {
        kept.push_str(CUT);
    }
    kept
}

/// Cleans the texts that come from callers and upstreams. Tags are checked when they are made.
pub(crate) fn clean_entry(entry: &mut Entry) {
    let texts = [
        Some(&mut entry.upstream),
        Some(&mut entry.model),
        entry.provider.as_mut(),
        entry.served_model.as_mut(),
        entry.generation_id.as_mut(),
    ];
    for text in texts.into_iter().flatten() {
        if let Cow::Owned(cleaned) = clean(text) {
            *text = cleaned.into();
        }
    }
}

/// An entry in ASCII alone, or nothing if it is that already.
pub(crate) fn plain_entry(entry: &Entry) -> Option<Entry> {
    let mut plainer = entry.clone();
    plainer.upstream = plain(&entry.upstream).into();
    plainer.provider = entry.provider.as_deref().map(|name| plain(name).into());
    plainer.model = plain(&entry.model).into();
    plainer.served_model = entry.served_model.as_deref().map(|name| plain(name).into());
    plainer.generation_id = entry.generation_id.as_deref().map(|id| plain(id).into());
    let tags = entry.tags.iter().map(|(name, value)| (name, plain(value)));
    plainer.tags = Tags::new(tags).unwrap_or_default();
    (plainer != *entry).then_some(plainer)
}

/// The longest beginning of a text that is no longer than this, in bytes.
fn beginning(text: &str, most: usize) -> &str {
    let end = (0..=most.min(text.len())).rev().find(|end| text.is_char_boundary(*end));
    end.and_then(|end| text.get(..end)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_well_stays_and_what_is_not_is_replaced_or_cut() {
        for well in ["", "openai/gpt-5", "Zoë", "🦀".repeat(LONGEST / 4).as_str()] {
            assert!(matches!(clean(well), Cow::Borrowed(_)), "{well}");
        }
        assert_eq!(clean("a\0b\r\n\u{7f}\u{85}c"), "a?b????c");
        for letter in ["x", "ë", "€", "🦀"] {
            let cut = clean(&letter.repeat(LONGEST)).into_owned();
            assert!(cut.len() <= LONGEST, "{letter}");
            assert_eq!(cut.ends_with(CUT), letter.len() > 1, "{letter}");
        }
        assert_eq!(plain("Zoë\0"), "Zo??");
    }
}
