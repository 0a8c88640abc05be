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
fn a_fraction_of_a_token_is_rounded_up() {
    for (raw, prompt, answer) in [
        // Tokens of a picture by its size, and a prompt by its letters.
        (
            r#"{"prompt_tokens":15,"completion_tokens":14417.92,"total_tokens":14432.92}"#,
            Some(15),
            Some(14_418),
        ),
        (
            r#"{"prompt_tokens":2.25,"completion_tokens":37,"total_tokens":39.25}"#,
            Some(3),
            Some(37),
        ),
        (r#"{"input_tokens":2.25,"output_tokens":37.5}"#, Some(3), Some(38)),
        (
            r#"{"promptTokenCount":"2.25","candidatesTokenCount":1.0}"#,
            Some(3),
            Some(1),
        ),
        (r#"{"prompt_tokens":2.25,"total_tokens":39.25}"#, Some(3), Some(37)),
        (
            r#"{"prompt_tokens":15.0,"completion_tokens":1.2e3}"#,
            Some(15),
            Some(1_200),
        ),
        (r#"{"input_tokens":15.0,"output_tokens":1.2e3}"#, Some(15), Some(1_200)),
        (r#"{"prompt_tokens":-2.5,"completion_tokens":"2.5x"}"#, None, None),
        (r#"{"prompt_tokens":1e-3,"completion_tokens":NaN}"#, None, None),
        (
            r#"{"prompt_tokens":99999999999999999999.5,"completion_tokens":18446744073709551615.5}"#,
            None,
            None,
        ),
    ] {
        let read = counts(raw);
        assert_eq!((read.prompt, read.answer), (prompt, answer), "{raw}");
    }
    let parts = counts(
        r#"{"prompt_tokens":90,"completion_tokens":90,
            "prompt_tokens_details":{"cached_tokens":1.5,"cache_write_tokens":2.5,"audio_tokens":3.5,"image_tokens":4.5},
            "completion_tokens_details":{"reasoning_tokens":5.5,"audio_tokens":6.5,"image_tokens":7.5}}"#,
    );
    assert_eq!(
        (parts.cached, parts.cache_written, parts.audio, parts.images),
        (2, 3, 4, 5)
    );
    assert_eq!((parts.reasoning, parts.answer_audio, parts.answer_images), (6, 7, 8));
    let usage = Usage::from_json(br#"{"prompt_tokens":2.25}"#).unwrap();
    assert_eq!(serde_json::to_string(&usage).unwrap(), r#"{"prompt_tokens":2.25}"#);
}

#[test]
fn sound_that_stands_beside_the_prompt_is_part_of_it() {
    let by_total = |prompt: u64, audio: u64, answer: u64, reasoning: u64, total: u64| {
        let read = counts(&format!(
            r#"{{"prompt_tokens":{prompt},"completion_tokens":{answer},"total_tokens":{total},
                "prompt_tokens_details":{{"audio_tokens":{audio},"cached_tokens":9}},
                "completion_tokens_details":{{"reasoning_tokens":{reasoning}}}}}"#
        ));
        (read.prompt, read.answer)
    };
    assert_eq!(by_total(11, 375, 15, 0, 401), (Some(386), Some(15)));
    // Reasoning stands beside the answer as well.
    assert_eq!(by_total(11, 375, 15, 20, 421), (Some(386), Some(35)));
    // Sound within the prompt: what the total has beyond both is reasoning.
    assert_eq!(by_total(386, 375, 15, 0, 401), (Some(386), Some(15)));
    assert_eq!(by_total(386, 375, 15, 0, 776), (Some(386), Some(390)));
    // The same number of tokens is reported as reasoning.
    assert_eq!(by_total(11, 375, 15, 375, 401), (Some(11), Some(390)));
    assert_eq!(by_total(11, 375, 15, 0, 100), (Some(11), Some(89)));
}

#[test]
fn zeros_under_all_names_are_counts() {
    let read = counts(r#"{"prompt_tokens":0,"completion_tokens":0,"input_tokens":0}"#);
    assert_eq!((read.prompt, read.answer), (Some(0), Some(0)));
}
