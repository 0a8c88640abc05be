//! What the end of an answer says: a failure, the end of the stream behind it, tokens that were spent on nothing.

use tower_llm_layers::{FailureKind, Frame};

use super::*;

const MESSAGE: &str = r#"{"id":"msg_1","type":"message","role":"assistant","content":[{"type":"text","text":"Oslo."}],"stop_reason":"end_turn","usage":{"input_tokens":5,"output_tokens":2}}"#;
const RESPONSE: &str = r#"{"id":"resp_1","object":"response","status":"completed","output":[{"type":"message","role":"assistant","content":[{"type":"output_text","text":"Oslo."}]}],"usage":{"input_tokens":5,"output_tokens":2}}"#;

/// Not one frame that ends the answer, the words of the failure, and what it took.
fn assert_failed(read: &Read, word: &str, tokens: (u64, u64), what: &str) {
    let error = read.error.as_ref().unwrap_or_else(|| panic!("{what}: {read:?}"));
    let words = if word == "error" { "the model failed" } else { word };
    assert!(error.message().contains(words), "{what}: {error:?}");
    assert!(!read.frames.iter().any(Frame::finishes_answer), "{what}");
    let usage = read.frames.iter().rev().find_map(Frame::token_usage).unwrap();
    assert_eq!((usage.prompt, usage.answer), tokens, "{what}");
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_ended_in_a_failure_is_a_failure() {
    for word in ["error", "abort", "malformed_tool_use", "timeout"] {
        let end = DELTA.replace("end_turn", word);
        for events in [
            &[START, BLOCK, M_OS, M_LO, BLOCK_STOP, &end, STOP][..],
            &[START, &end, STOP],
        ] {
            let text = stream(events);
            let read = got(Api::Messages, &text, End::Closed).await;
            // What the first event reported is not lost.
            assert_failed(&read, word, (1520, 3), &text);
        }
        let json = MESSAGE.replace("end_turn", word);
        assert_failed(&plain(Api::Messages, &json).await, word, (5, 2), &json);

        let status = format!(r#""status":"{word}""#);
        let reason = format!(r#""status":"incomplete","incomplete_details":{{"reason":"{word}"}}"#);
        for (name, end) in [("completed", status), ("incomplete", reason)] {
            let json = RESPONSE.replace(r#""status":"completed""#, &end);
            assert_failed(&plain(Api::Responses, &json).await, word, (5, 2), &json);
            let last = format!(r#"{{"type":"response.{name}","response":{json}}}"#);
            let text = stream(&[CREATED, ADDED, PART, OS, LO, TEXT, PART_DONE, DONE, &last]);
            assert_failed(&got(Api::Responses, &text, End::Closed).await, word, (5, 2), &text);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn the_end_of_a_stream_behind_a_plain_answer_is_no_second_document() {
    let vectors =
        r#"{"object":"list","data":[{"object":"embedding","index":0,"embedding":[0.5]}],"usage":{"prompt_tokens":2}}"#;
    for end in [
        "\n\ndata: [DONE]\n\n",
        "\ndata: [DONE]\n",
        "data: [DONE]",
        "\n\n[DONE]",
        "\n\nevent: done\ndata: [DONE]\n\n",
    ] {
        for (api, json, text) in [
            (Api::Messages, MESSAGE, "Oslo."),
            (Api::Responses, RESPONSE, "Oslo."),
            (Api::Embeddings, vectors, ""),
        ] {
            let read = plain(api, &format!("{json}{end}")).await;
            assert_eq!((read.text.as_str(), read.kind()), (text, None), "{api}: {end:?}");
            assert_eq!(read.frames[0].bytes(), json.as_bytes(), "{api}: {end:?}");
        }
    }
    // By itself it is no answer, and two answers are not one.
    for text in ["data: [DONE]\n\n".to_owned(), "{\"a\":1}{\"b\":2}".to_owned()] {
        let read = plain(Api::Messages, &text).await;
        assert_eq!(read.kind(), Some(FailureKind::Malformed), "{text}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_tokens_of_a_response_belong_to_an_item() {
    let output = |items: &str| {
        format!(
            r#"{{"id":"r","object":"response","status":"completed","output":{items},"usage":{{"output_tokens":9}}}}"#
        )
    };
    let hidden = r#"{"type":"reasoning","id":"rs_1","summary":[]}"#;
    for (json, kind) in [
        (output("[]"), Some(FailureKind::EmptyResponse)),
        (output("null"), Some(FailureKind::EmptyResponse)),
        (output("[null]"), Some(FailureKind::EmptyResponse)),
        (output(&format!("[{hidden}]")), None),
        (output("[]").replace("completed", "incomplete"), None),
        (output("[]").replace("completed", "queued"), None),
        (output("[]").replace("completed", "in_progress"), None),
        (output(r#"[],"output_text":"Oslo.""#), None),
        (output(r#""Oslo.""#), None),
    ] {
        let read = plain(Api::Responses, &json).await;
        assert_eq!(read.kind(), kind, "{json}");
        let text = if json.contains("Oslo.") { "Oslo." } else { "" };
        assert_eq!(read.text, text, "{json}");
    }
    // A last event may leave out the items that came before it.
    let end = format!(r#"{{"type":"response.completed","response":{}}}"#, output("[]"));
    let added = format!(r#"{{"type":"response.output_item.added","output_index":0,"item":{hidden}}}"#);
    let done = format!(r#"{{"type":"response.output_item.done","output_index":0,"item":{hidden}}}"#);
    for (events, kind) in [
        (&[CREATED, &end][..], Some(FailureKind::EmptyResponse)),
        (&[CREATED, &added, &done, &end], None),
        (&[CREATED, &done, &end], None),
    ] {
        let read = got(Api::Responses, &stream(events), End::Closed).await;
        assert_eq!(read.kind(), kind, "{events:?}");
    }
    // OpenAI reports no token of an encrypted thought that the caller's limit cut. Without an item it is OpenRouter's refusal of a prompt.
    let sealed = r#"{"type":"reasoning","id":"rs_1","summary":[],"content":[],"encrypted_content":"gAAAAA"}"#;
    let cut = |items: &str| {
        format!(
            r#"{{"id":"r","object":"response","status":"incomplete","incomplete_details":{{"reason":"max_output_tokens"}},"max_output_tokens":16,"output":{items},"usage":{{"input_tokens":16,"output_tokens":0,"output_tokens_details":{{"reasoning_tokens":0}}}}}}"#
        )
    };
    let overlong = Some(FailureKind::ContextLengthExceeded);
    let all = format!("[{sealed}]");
    for (items, kind) in [(all.as_str(), None), ("[]", overlong), ("[null]", overlong)] {
        assert_eq!(plain(Api::Responses, &cut(items)).await.kind(), kind, "{items}");
    }
    let done = done.replace(hidden, sealed);
    for (items, before, kind) in [
        (all.as_str(), &[CREATED, &added, &done][..], None),
        (all.as_str(), &[CREATED], None),
        ("[]", &[CREATED, &added, &done], None),
        ("null", &[CREATED, &done], None),
        ("[]", &[CREATED], overlong),
    ] {
        let end = format!(r#"{{"type":"response.incomplete","response":{}}}"#, cut(items));
        let read = got(
            Api::Responses,
            &stream(&[before, &[end.as_str()]].concat()),
            End::Closed,
        )
        .await;
        assert_eq!(read.kind(), kind, "{items}: {before:?}");
        let usage = read.frames.last().unwrap().token_usage().unwrap();
        assert_eq!((usage.prompt, usage.answer), (16, 0), "{items}: {before:?}");
    }
    // A message without blocks is an honest answer: a model may end its turn so.
    let message = r#"{"type":"message","content":[],"stop_reason":"end_turn","usage":{"output_tokens":9}}"#;
    assert_eq!(plain(Api::Messages, message).await.kind(), None);
}
