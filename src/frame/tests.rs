//! Frames of chats: replays, what they show, and another text in them.

use super::*;

#[test]
fn a_replay_costs_nothing_and_is_otherwise_the_same() {
    let json = r#"{"id":"gen-1","choices":[],"usage":{"prompt_tokens":9,"cost":0.5,"cost_details":{"x":1}},"new":[1]}"#;
    let frame = ChatFrame::new(json.into(), FrameKind::Chunk, Stage::Finish, true).ending(true);
    let replay = frame.replayed();
    let expected = r#"{"id":"gen-1","choices":[],"usage":{"prompt_tokens":0,"completion_tokens":0,"total_tokens":0,"cost":0},"new":[1]}"#;
    assert_eq!(replay.bytes(), expected);
    assert_eq!((replay.kind(), replay.stage()), (FrameKind::Chunk, Stage::Finish));
    assert!(replay.finishes_answer() && replay.has_usage());
    let usage = replay.token_usage().expect("there is usage");
    assert_eq!(
        (usage.total(), usage.bill().map(|bill| bill.to_string())),
        (0, Some("$0.00".to_owned()))
    );
    assert_eq!(
        frame.usage().and_then(|usage| usage.prompt_tokens),
        Some(9),
        "the first stays as it was"
    );
}

#[test]
fn text_alone_can_be_resumed() {
    let shown = |choice: &str| {
        let json = format!(r#"{{"id":"gen-1","choices":[{choice}]}}"#);
        let frame = ChatFrame::new(json.into(), FrameKind::Chunk, Stage::Content, false);
        match frame.shown() {
            Shown::Text(text) => text.into_owned(),
            other => format!("{other:?}"),
        }
    };
    for (choice, expected) in [
        (r#"{"index":0,"delta":{"content":"so\n"}}"#, "so\n"),
        (r#"{"index":0,"delta":{"role":"assistant","content":""}}"#, "Nothing"),
        (r#"{"index":0,"delta":{},"finish_reason":"stop"}"#, "Nothing"),
        (r#"{"index":0,"delta":{"content":"","reasoning":"hm"}}"#, "Reasoning"),
        (
            r#"{"index":0,"delta":{"reasoning_details":[{"text":"hm"}]}}"#,
            "Reasoning",
        ),
        (r#"{"index":1,"delta":{"content":"so"}}"#, "Other"),
        (r#"{"index":0,"delta":{"content":"so","refusal":"no"}}"#, "Other"),
        (r#"{"index":0,"delta":{"tool_calls":[{"index":0}]}}"#, "Other"),
        (
            r#"{"index":0,"delta":{"content":"so","images":[{"url":"x"}]}}"#,
            "Other",
        ),
        (r#"{"index":0,"delta":{"audio":{"data":"x"}}}"#, "Other"),
    ] {
        assert_eq!(shown(choice), expected, "{choice}");
    }
    assert_eq!(ChatFrame::keep_alive().shown(), Shown::Nothing);
}

#[test]
fn it_reports_which_model_answers_and_why_the_answer_ended() {
    let json = r#"{"model":"openai/gpt-5","choices":[{"index":0,"delta":{},"finish_reason":"eos"}]}"#;
    let frame = ChatFrame::new(json.into(), FrameKind::Chunk, Stage::Finish, false);
    assert_eq!(Frame::model(&frame).as_deref(), Some("openai/gpt-5"));
    assert_eq!(frame.finish_reason().as_deref(), Some("eos"));
    let silent = ChatFrame::keep_alive();
    assert_eq!((Frame::model(&silent), silent.finish_reason()), (None, None));
}

#[test]
fn another_text_leaves_all_else_as_it_was() {
    let json = r#"{"id":"gen-1","choices":[{"index":0,"delta":{"content":"It is so","x":[1]}}],"new":2}"#;
    let frame = ChatFrame::new(json.into(), FrameKind::Chunk, Stage::Content, false).with_text(" \"so\"");
    let value: serde_json::Value = serde_json::from_slice(frame.bytes()).expect("it is JSON");
    let expected = serde_json::json!({
        "id": "gen-1", "new": 2,
        "choices": [{"index": 0, "delta": {"content": " \"so\"", "x": [1]}}],
    });
    assert_eq!(value, expected);
    assert_eq!(frame.stage(), Stage::Content);
}

#[test]
fn a_replay_holds_no_memory_but_its_own() {
    let packet = Bytes::from(vec![b' '; 4096]);
    let frame = ChatFrame::new(packet.slice(..10), FrameKind::Chunk, Stage::Content, false);
    let replay = frame.replayed();
    assert_eq!(replay.bytes(), frame.bytes());
    assert_ne!(replay.bytes().as_ptr(), frame.bytes().as_ptr());
    assert_eq!(replay.size_in_bytes(), size_of::<ChatFrame>() + 10);
    assert_eq!(
        replay.clone().bytes().as_ptr(),
        replay.bytes().as_ptr(),
        "a hit copies nothing"
    );
}
