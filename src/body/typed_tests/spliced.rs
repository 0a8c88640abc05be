//! A stream of Messages in which a message begins again, or another one begins.

use tower_llm_layers::{FailureKind, Frame};

use super::*;

/// The same beginning with other counts of the prompt.
fn begun(id: &str, tokens: u32, cached: u32) -> String {
    START
        .replace("msg_1", id)
        .replace("\"input_tokens\":20", &format!("\"input_tokens\":{tokens}"))
        .replace("1500", &cached.to_string())
}

/// Tokens of the prompt by the usage at the end.
fn prompt(read: &Read) -> u64 {
    let end = read.frames.iter().find(|frame| frame.finishes_answer());
    end.and_then(Frame::token_usage).unwrap().prompt
}

#[tokio::test(start_paused = true)]
async fn another_message_within_one_that_was_shown_is_no_part_of_it() {
    let other = begun("msg_2", 20, 1500);
    let rest = [BLOCK, M_OS, M_LO, BLOCK_STOP, DELTA, STOP];
    let thinking = BLOCK.replace("\"text\",\"text\"", "\"thinking\",\"thinking\"");
    let thought = r#"{"type":"content_block_delta","index":0,"delta":{"type":"thinking_delta","thinking":"Hm."}}"#;
    let call = r#"{"type":"content_block_start","index":0,"content_block":{"type":"tool_use","id":"t","name":"f","input":{}}}"#;
    let json =
        r#"{"type":"content_block_delta","index":0,"delta":{"type":"input_json_delta","partial_json":"{\"a\":"}}"#;
    for (what, before, text) in [
        ("within a block", &[START, BLOCK, M_OS][..], "Os"),
        ("behind a block", &[START, BLOCK, M_OS, BLOCK_STOP], "Os"),
        ("behind a thought", &[START, &thinking, thought], ""),
        ("within a call", &[START, call, json], ""),
        (
            "behind its reason to end",
            &[START, BLOCK, M_OS, BLOCK_STOP, DELTA],
            "Os",
        ),
    ] {
        for end in [End::Closed, End::Silent] {
            let events = [before, &[other.as_str()], &rest].concat();
            let read = got(Api::Messages, &stream(&events), end).await;
            assert_eq!(
                (read.text.as_str(), read.kind()),
                (text, Some(FailureKind::Truncated)),
                "{what}"
            );
            assert!(read.error.unwrap().message().contains("another message"), "{what}");
            assert!(
                !read.frames.last().unwrap().finishes_answer() || before.contains(&DELTA),
                "{what}"
            );
        }
    }
}

#[tokio::test(start_paused = true)]
async fn another_message_before_anything_was_shown_is_the_answer() {
    let other = begun("msg_2", 7, 0);
    for before in [
        &[START][..],
        &[START, PING],
        &[START, BLOCK],
        &[START, BLOCK, BLOCK_STOP],
        &[START, &begun("msg_3", 9, 9)],
    ] {
        let events = [before, &[other.as_str()], &M_OSLO[1..]].concat();
        let read = got(Api::Messages, &stream(&events), End::Closed).await;
        assert_eq!((read.text.as_str(), read.kind()), ("Oslo.", None), "{before:?}");
        assert_eq!(prompt(&read), 7, "{before:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_same_beginning_again_is_ignored() {
    let zeros = begun("msg_1", 0, 0);
    let unnamed = START.replace("\"id\":\"msg_1\",", "");
    let (zeros, unnamed) = (zeros.as_str(), unnamed.as_str());
    for (first, again) in [(START, START), (START, zeros), (unnamed, unnamed), (START, unnamed)] {
        for at in 1..M_OSLO.len() {
            let events = [&[first][..], &M_OSLO[1..at], &[again], &M_OSLO[at..]].concat();
            let read = got(Api::Messages, &stream(&events), End::Closed).await;
            assert_eq!((read.text.as_str(), read.kind()), ("Oslo.", None), "at {at}: {again}");
            assert_eq!(prompt(&read), 1520, "at {at}: {again}");
        }
    }
    // Behind the end nothing counts.
    let second = begun("msg_2", 1, 1);
    let events = [&M_OSLO[..], &[second.as_str(), BLOCK, M_OS]].concat();
    let read = got(Api::Messages, &stream(&events), End::Closed).await;
    assert_eq!((read.text.as_str(), read.kind()), ("Oslo.", None));
}

/// Each usage at the end is read with what the beginning reported.
#[tokio::test(start_paused = true)]
async fn the_usage_of_a_beginning_that_repeats_has_a_bound() {
    let begun = |number: usize| {
        let members: String = (0..50).map(|at| format!("\"other_{number}_{at}\":1,")).collect();
        START.replace("\"input_tokens\":20", &format!("{members}\"input_tokens\":20"))
    };
    let starts: Vec<String> = (0..100).map(begun).collect();
    let starts: Vec<&str> = starts.iter().map(String::as_str).collect();
    let events = [&starts[..], &M_OSLO[1..]].concat();
    let read = got(Api::Messages, &stream(&events), End::Closed).await;
    assert_eq!((read.text.as_str(), read.kind()), ("Oslo.", None));
    assert_eq!(prompt(&read), 1520);
    let largest = read.frames.iter().map(Frame::size_in_bytes).max();
    assert!(largest < Some(20 * 1024), "{largest:?}");
}
