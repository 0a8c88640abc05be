//! Counts that stand under several names, one set of which is zero.

use super::{Usage, UsageCounts, answer_tokens, usage_counts};

/// The same by both ways of reading.
fn counts(raw: &str) -> UsageCounts<'static> {
    let read = usage_counts(raw.as_bytes()).unwrap().into_owned();
    let view = Usage::from_json(raw.as_bytes()).unwrap();
    assert_eq!(read, view.counts().into_owned(), "{raw}");
    read
}

#[test]
fn zeros_under_one_name_hide_no_counts_under_another() {
    for raw in [
        r#"{"prompt_tokens":0,"completion_tokens":0,"total_tokens":17,"input_tokens":15,"output_tokens":2,
            "prompt_tokens_details":{"cached_tokens":0},"input_tokens_details":{"cached_tokens":4}}"#,
        r#"{"prompt_tokens":0,"completion_tokens":0,"total_tokens":17,"input_tokens":15,"output_tokens":2,
            "input_tokens_details":{"cached_tokens":4}}"#,
        r#"{"input_tokens":0,"output_tokens":0,"input_tokens_details":{"cached_tokens":0},
            "prompt_tokens":15,"completion_tokens":2,"total_tokens":17,"prompt_tokens_details":{"cached_tokens":4}}"#,
    ] {
        let read = counts(raw);
        assert_eq!((read.prompt, read.answer, read.cached), (Some(15), Some(2), 4), "{raw}");
        assert_eq!(answer_tokens(raw.as_bytes()), Some(2), "{raw}");
    }
}

#[test]
fn parts_of_the_usual_shape_have_several_names_too() {
    let read = counts(
        r#"{"prompt_tokens":9,"prompt_tokens_details":{"cache_write_tokens":0,"cache_creation_input_tokens":5},
            "server_tool_use_details":{"web_search_requests":0},"server_tool_use":{"web_search_requests":3}}"#,
    );
    assert_eq!((read.cache_written, read.searches), (5, 3));
}

#[test]
fn zeros_under_all_names_are_counts() {
    let read = counts(r#"{"prompt_tokens":0,"completion_tokens":0,"input_tokens":0}"#);
    assert_eq!((read.prompt, read.answer), (Some(0), Some(0)));
}
