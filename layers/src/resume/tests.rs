//! The seam between an answer and its continuation.

use proptest::prelude::*;

use super::seam::*;
use crate::ContinueBy;

/// What is new of a continuation that comes in these pieces.
fn joined(shown: &str, pieces: &[&str]) -> String {
    joined_by(ContinueBy::Prefill, shown, pieces).unwrap_or_else(|| "a restart".to_owned())
}

/// The same; `None` if it is an answer from the start.
pub(super) fn joined_by(way: ContinueBy, shown: &str, pieces: &[&str]) -> Option<String> {
    let mut seam = Some(Seam::after(shown, way));
    let mut new = String::new();
    for piece in pieces {
        match seam.as_mut().map(|seam| seam.push(piece)) {
            Some(Joined::Text(text)) => {
                new.push_str(&text);
                seam = None;
            }
            Some(Joined::Undecided) => {}
            Some(Joined::Restart) => return None,
            None => new.push_str(piece),
        }
    }
    if let Some(mut seam) = seam {
        match seam.close() {
            Joined::Text(text) => new.push_str(&text),
            _ => return None,
        }
    }
    Some(new)
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
fn an_answer_from_the_start_is_not_joined() {
    for (shown, next) in [
        (
            "The sky is blue since air scatters light, and",
            "The sky is blue because of the air.",
        ),
        (
            "The sky is blue since air scatters light, and",
            "The sky\nis of a colour",
        ),
        (
            "The sky is blue since air scatters light, and",
            "\nThe sky is blue since air shines",
        ),
        ("One two three four. And so on, and", "One two three"),
        // It repeats the end as well, by chance.
        (
            "One two three four. Five six. One two three",
            "One two three four. Five",
        ),
        ("天空是蓝色的，因为空气散射短波。", "天空是蓝色的，原因是"),
    ] {
        assert_eq!(joined_by(ContinueBy::Prefill, shown, &[next]), None, "{shown} | {next}");
        let signs: Vec<String> = next.chars().map(String::from).collect();
        let signs: Vec<&str> = signs.iter().map(String::as_str).collect();
        assert_eq!(joined_by(ContinueBy::Prefill, shown, &signs), None, "{shown} | {next}");
    }
    for (shown, next) in [
        ("One two three four. And so on, and", " one two three."),
        ("One two", "One two three four"),
        ("One two three four. One two three", "One two three, four"),
    ] {
        assert!(
            joined_by(ContinueBy::Prefill, shown, &[next]).is_some(),
            "{shown} | {next}"
        );
    }
}

#[test]
fn an_answer_by_instruction_begins_with_the_last_characters() {
    let shown = "The sky is blue since air scatters short waves of light";
    let last = last_of(shown);
    assert_eq!(
        last,
        "e since air scatters short waves of light"
            .get(1..)
            .unwrap()
            .trim_start()
    );
    for (next, new) in [
        (format!("{last} best."), Some(" best.")),
        (format!("\n{} best.", last.replace("short ", "short\n")), Some(" best.")),
        (format!("{last}s"), Some("s")),
        (last.to_owned(), Some("")),
        (String::new(), Some("")),
        (" best.".to_owned(), None),
        (shown.to_owned(), None),
        (last.get(..20).unwrap().to_owned(), None),
    ] {
        let new = new.map(str::to_owned);
        assert_eq!(joined_by(ContinueBy::Instruction, shown, &[&next]), new, "{next}");
        let signs: Vec<String> = next.chars().map(String::from).collect();
        let signs: Vec<&str> = signs.iter().map(String::as_str).collect();
        assert_eq!(joined_by(ContinueBy::Instruction, shown, &signs), new, "{next}");
    }
    let short = joined_by(ContinueBy::Instruction, "Why? ", &["Why? It is so."]);
    assert_eq!(short.as_deref(), Some("It is so."), "the white space is not doubled");
    for pieces in [["Why?", " It is so."], ["Why? ", "It is so."], ["Why", "? It is so."]] {
        let cut = joined_by(ContinueBy::Instruction, "Why? ", &pieces);
        assert_eq!(cut.as_deref(), Some("It is so."), "{pieces:?}");
    }
    for pieces in [["Why?\n", "\nIt is so."], ["Why?", "\n\nIt is so."]] {
        let cut = joined_by(ContinueBy::Instruction, "Why?\n\n", &pieces);
        assert_eq!(cut.as_deref(), Some("It is so."), "{pieces:?}");
    }
    let ended = joined_by(ContinueBy::Instruction, "Why? ", &["Why?"]);
    assert_eq!(ended.as_deref(), Some(""), "nothing follows");
    let nothing = joined_by(ContinueBy::Instruction, "", &["Why?"]);
    assert_eq!(nothing.as_deref(), Some("Why?"));
}

/// What is held has a bound, and a byte is compared once.
#[test]
fn white_space_without_end_is_held_in_part() {
    let mut seam = Seam::after("The sky is blue.", ContinueBy::Prefill);
    for _ in 0..100_000 {
        assert_eq!(seam.push(" \n"), Joined::Undecided);
        assert!(seam.held.len() <= FARTHEST);
    }
    let Joined::Text(new) = seam.push("So.") else {
        unreachable!()
    };
    assert!(new.ends_with("So.") && new.len() <= FARTHEST + 3);
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
