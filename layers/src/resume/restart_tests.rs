//! Answers that begin again in another form, and overlaps that begin within a word.

use proptest::prelude::*;

use super::{seam::*, tests::joined_by};
use crate::ContinueBy;

/// More than four hundred bytes, the last of them within a sentence.
const SHOWN: &str = "The quick brown fox jumps over the lazy dog, and then it runs along the river until it finds a bridge. \
     No one knows why the fox is in such a hurry, but the dog has an idea of its own. It says that foxes are always late, and \
     that bridges are the only places where they rest. The river says nothing, of course, since it has heard the story before. \
     So the fox sits down in the middle of the bridge and";
const REST: &str = " looks at the water.";

/// What is new of a continuation, in one piece and in pieces of a character; `None` if it is an answer from the start.
fn joined_anyhow(shown: &str, next: &str) -> Option<String> {
    let whole = joined_by(ContinueBy::Prefill, shown, &[next]);
    let signs: Vec<String> = next.chars().map(String::from).collect();
    let signs: Vec<&str> = signs.iter().map(String::as_str).collect();
    let in_pieces = joined_by(ContinueBy::Prefill, shown, &signs);
    assert_eq!(in_pieces, whole, "{shown} | {next}");
    whole
}

#[test]
fn an_answer_from_the_start_in_another_form_is_not_joined() {
    let again = format!("{SHOWN}{REST}");
    for next in [
        format!("**{again}**"),
        format!("_{again}_"),
        format!("\"{again}\""),
        format!("“{again}”"),
        format!("« {again} »"),
        format!("> {again}"),
        format!("# {again}"),
        format!("`{again}`"),
        format!("```\n{again}\n```"),
        format!("```text\n{again}\n```"),
        format!("~~~ md\n{again}\n~~~"),
        format!("> **\"{again}\"**"),
        format!("{}{REST}", SHOWN.to_uppercase()),
        format!("{}{REST}", SHOWN.to_lowercase()),
        format!("**{}**", again.to_uppercase()),
        format!("\n\n**{again}**"),
    ] {
        assert_eq!(joined_anyhow(SHOWN, &next), None, "{next}");
    }
    for shown in [format!("**{SHOWN}"), format!("\"{SHOWN}")] {
        assert_eq!(joined_anyhow(&shown, &again), None, "{shown}");
    }
    // All that stands behind the fence is repeated word for word.
    let fenced = joined_anyhow(&format!("```text\n{SHOWN}"), &again);
    assert_eq!(fenced.as_deref(), Some(REST));
    // Little was shown, and all of it comes again.
    for next in ["**The sky is blue**", "\"the sky is blue\"", "THE SKY IS blue"] {
        assert_eq!(joined_anyhow("The sky is", next), None, "{next}");
    }
}

/// Another model writes the same words with other quotes, dashes or code points.
#[test]
fn an_answer_from_the_start_in_other_typography_is_not_joined() {
    for (shown, next) in [
        ("It’s blue because", "It's blue because air scatters it."),
        ("It's blue because", "It’s blue because air scatters it."),
        ("Blue – since air", "Blue - since air scatters the short waves."),
        ("Blue—since air is", "Blue - since air is so"),
        ("E\u{301}l es azul porque", "Él es azul porque el aire dispersa la luz."),
        ("Él es azul porque", "E\u{301}l es azul porque el aire dispersa la luz."),
        ("He said “no more” and", "He said \"no more\" and left."),
        ("Well… it is blue", "Well... it is blue since"),
    ] {
        assert_eq!(joined_anyhow(shown, next), None, "{shown} | {next}");
    }
    // What differs in a word is no repetition.
    for (shown, next) in [
        ("It’s blue because", " it's air that scatters it."),
        ("Blue – since air", " scatters it"),
        ("Well-known to all of", " us"),
        // A word with hyphens is one word.
        ("State-of-the-art models are", "state-of-the-art methods"),
    ] {
        assert_eq!(joined_anyhow(shown, next).as_deref(), Some(next), "{shown} | {next}");
    }
}

#[test]
fn a_continuation_that_begins_with_markup_is_joined() {
    for (shown, next) in [
        (SHOWN, " **looks** at the water."),
        (SHOWN, "** looks at the water."),
        ("This is **bold", "**"),
        ("This is **bold", "** text."),
        ("He said: ", "\"The sky is blue.\""),
        ("The sky is blue. The sea is, too.\n\n", "**The sky is green** at dawn."),
        ("# The Quick Brown Fox\n\n", "The quick brown fox jumps."),
        ("**I Have a Dream**\n\n", "I have a dream that one day it is so."),
        ("Run this:\n\n", "```sh\nls\n```"),
        ("Run this:\n\n```sh\nls", "\n```\n"),
        ("So it is.", "**"),
        ("So it is.", "```"),
        ("So it is.", "```sh"),
        ("The sky is blue", " *The sky is* blue"),
        ("**", "The sky is blue."),
    ] {
        assert_eq!(joined_anyhow(shown, next).as_deref(), Some(next), "{shown} | {next}");
    }
}

/// Markup without end is no beginning of anything, and is not held without end.
#[test]
fn markup_without_end_is_shown() {
    let mut seam = Seam::after(SHOWN, ContinueBy::Prefill);
    let pieces = std::iter::repeat_n("**", 1000);
    let decided = pieces
        .map(|piece| seam.push(piece))
        .position(|joined| joined != Joined::Undecided);
    assert!(decided.is_some_and(|after| after < 500), "{decided:?}");
}

#[test]
fn a_long_overlap_may_begin_within_a_word() {
    for (shown, next, new) in [
        (
            "The quick brown fox jumps over the lazy dog,",
            "own fox jumps over the lazy dog, and then",
            " and then",
        ),
        (
            "The quick brown fox jumps over the lazy dog.",
            "own fox jumps over the lazy dog. And then",
            " And then",
        ),
        // Too short to be no chance.
        (
            "The quick brown fox jumps over the lazy dog,",
            "he lazy dog, and then",
            "he lazy dog, and then",
        ),
        ("one two three four five six seven", "ven", "ven"),
        // A continuation that was interrupted may be the rest of a word.
        ("one two three four five six seven", "o three", "o three"),
    ] {
        assert_eq!(joined_anyhow(shown, next).as_deref(), Some(new), "{shown} | {next}");
    }
}

proptest! {
    #[test]
    fn markup_may_come_in_any_pieces(
        shown in "(a|A|ab|\\*\\*|```|\n|\"|[.] |the sky |The Sky ){0,12}",
        next in "(a|A|ab|\\*\\*|```|\n|\"|[.] |the sky |The Sky ){0,12}",
        again in any::<bool>(),
    ) {
        let next = if again { format!("{next}{shown}{next}") } else { next };
        if let Some(new) = joined_anyhow(&shown, &next) {
            prop_assert!(next.ends_with(&new));
        }
    }
}
