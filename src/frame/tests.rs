//! Frames of chats: replays, what they show, and another text in them.

use bytes::Buf as _;

use openrouter_wire::events::EventProbe;

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
        (
            r#"{"index":0,"delta":{"tool_calls":[{"index":0,"function":{"arguments":"{"}}]}}"#,
            "Other",
        ),
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

#[test]
fn a_frame_is_no_larger_than_a_few_words() {
    assert!(size_of::<ChatFrame>() <= 56, "{}", size_of::<ChatFrame>());
}

/// What a frame says of itself, and what its bytes say when they are read for it.
fn said(frame: &ChatFrame) -> impl PartialEq + std::fmt::Debug + use<> {
    let owned = |word: Option<Cow<'_, str>>| word.map(Cow::into_owned);
    let shown = match frame.shown() {
        Shown::Text(text) => format!("text {text}"),
        other => format!("{other:?}"),
    };
    (
        (owned(frame.text()), shown, frame.token_usage()),
        [frame.generation_id(), Frame::model(frame), frame.finish_reason()].map(owned),
        (frame.bytes().clone(), frame.kind(), frame.stage(), frame.has_usage()),
        (frame.finishes_answer(), frame.tokens()),
    )
}

/// The same frame, as if nothing had been found in it.
fn unknown(frame: &ChatFrame) -> ChatFrame {
    frame.clone().with_facts(None)
}

#[test]
fn what_was_found_is_what_the_bytes_say() {
    for json in [
        r#"{"id":"gen-1","model":"m","choices":[{"index":0,"delta":{"content":"so"},"finish_reason":null}]}"#,
        r#"{"id":"","model":"","choices":[{"index":0,"delta":{"content":""},"finish_reason":""}]}"#,
        r#"{"id":"gen\u002d1","model":"m","choices":[{"index":0,"delta":{"content":"so"}}]}"#,
        r#"{"id":"gen-1","choices":[{"index":0,"delta":{"content":"s\u00f6"},"finish_reason":"length"}]}"#,
        r#"{"id":"gen-1","choices":[{"index":0,"delta":{"content":[{"type":"text","text":"so"}]}}]}"#,
        r#"{"id":"gen-1","choices":[{"index":0,"delta":{"content":[{"type":"thinking","thinking":"hm"}]}}]}"#,
        r#"{"id":"gen-1","choices":[{"index":0,"delta":{"reasoning":"hm"}}]}"#,
        r#"{"id":"gen-1","choices":[{"index":1,"delta":{"content":"so"}}]}"#,
        r#"{"id":"gen-1","choices":[{"index":0,"delta":{"content":"so","refusal":"no"}}]}"#,
        r#"{"id":"gen-1","choices":[],"usage":{"prompt_tokens":3,"completion_tokens":4,"cost":0.5}}"#,
        r#"{"id":"gen-1","choices":[],"usage":{"input_tokens":3,"output_tokens":4}}"#,
        r#"{"id":"gen-1","choices":[],"usage":{}}"#,
    ] {
        for kind in [FrameKind::Chunk, FrameKind::Answer] {
            let probe = ChunkProbe::read(json.as_bytes()).expect("it is JSON");
            let frame = ChatFrame::new(json.into(), kind, Stage::Content, probe.has_usage());
            let known = frame.clone().with_facts(FrameFacts::of(&probe));
            assert_eq!(said(&known), said(&frame), "{json}");
            assert_eq!(said(&known.replayed()), said(&unknown(&known.replayed())), "{json}");
            if kind == FrameKind::Chunk {
                let written = known.with_text("an\n\"other\"");
                assert_eq!(said(&written), said(&unknown(&written)), "{json}");
            }
        }
    }
}

#[test]
fn what_was_found_in_a_delta_is_what_its_bytes_say() {
    for (api, json, is_known) in [
        (
            Api::Messages,
            r#"{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"so"}}"#,
            true,
        ),
        (
            Api::Messages,
            r#"{"type":"content_block_delta","delta":{"type":"text_delta","text":"s\u00f6"}}"#,
            true,
        ),
        (
            Api::Messages,
            r#"{"type":"content_block_delta","delta":{"type":"thinking_delta","thinking":"hm"}}"#,
            true,
        ),
        (
            Api::Messages,
            r#"{"type":"content_block_delta","delta":{"type":"input_json_delta","partial_json":"{"}}"#,
            true,
        ),
        (
            Api::Messages,
            r#"{"type":"content_block_delta","delta":{"type":"text_delta","text":"so","new":"x"}}"#,
            true,
        ),
        (
            Api::Messages,
            r#"{"type":"content_block_start","content_block":{"type":"text","text":"so"}}"#,
            false,
        ),
        (
            Api::Messages,
            r#"{"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":3}}"#,
            false,
        ),
        (
            Api::Responses,
            r#"{"type":"response.output_text.delta","sequence_number":7,"delta":"so"}"#,
            true,
        ),
        (
            Api::Responses,
            r#"{"delta":"so","type":"response.output_text.delta","sequence_number":7}"#,
            true,
        ),
        (
            Api::Responses,
            r#"{"type":"response.reasoning_text.delta","delta":"hm"}"#,
            true,
        ),
        (
            Api::Responses,
            r#"{"type":"response.refusal.delta","delta":"no"}"#,
            true,
        ),
        (
            Api::Responses,
            r#"{"type":"response.output_text.done","text":"so"}"#,
            false,
        ),
        (
            Api::Responses,
            r#"{"type":"response.completed","response":{"id":"r","output":[]}}"#,
            false,
        ),
    ] {
        let piece = EventProbe::read(api, json.as_bytes()).expect("it is JSON");
        let found = FrameFacts::of_delta(&piece);
        assert_eq!(found.is_some(), is_known, "{json}");
        let frame = ChatFrame::new(json.into(), FrameKind::Chunk, Stage::Content, false).of(api);
        let known = frame.clone().with_facts(found);
        assert_eq!(said(&known), said(&frame), "{json}");
        let written = known.with_text("an\n\"other\"");
        assert_eq!(said(&written), said(&unknown(&written)), "{json}");
    }
}

#[test]
fn an_event_is_like_another_one_if_nothing_but_its_number_and_its_text_differs() {
    let event = |number: &str, text: &str| {
        format!(
            r#"{{"type":"response.output_text.delta","sequence_number":{number},"output_index":0,"delta":"{text}"}}"#
        )
    };
    let frame = |json: String| {
        let piece = EventProbe::read(Api::Responses, json.as_bytes()).expect("it is JSON");
        let known = FrameFacts::of_delta(&piece);
        ChatFrame::new(json.clone().into(), FrameKind::Chunk, Stage::Content, false)
            .of(Api::Responses)
            .with_facts(known)
    };
    let first = frame(event("17", "so"));
    let alike = first
        .with_other_text(&event("18", " word").into())
        .expect("it is alike");
    assert_eq!((alike.text().as_deref(), alike.text_bytes()), (Some(" word"), Some(5)));
    for (number, text) in [
        ("9", "so"),
        ("100", "so"),
        ("1.", "so"),
        ("-1", "so"),
        ("08", "so"),
        ("18", ""),
        ("18", "s\\u00f6"),
    ] {
        assert!(
            first.with_other_text(&event(number, text).into()).is_none(),
            "{number} {text}"
        );
    }
    // A number that is none is no number.
    let odd = frame(event("\"7\"", "so"));
    assert!(odd.with_other_text(&event("\"8\"", "so").into()).is_none());
    assert!(odd.with_other_text(&event("\"7\"", " word").into()).is_some());
}

#[test]
fn a_frame_that_was_read_from_is_no_longer_what_was_found() {
    let json = r#"{"id":"gen-1","choices":[{"index":0,"delta":{"content":"so"}}]}"#;
    let probe = ChunkProbe::read(json.as_bytes()).expect("it is JSON");
    let mut frame =
        ChatFrame::new(json.into(), FrameKind::Chunk, Stage::Content, false).with_facts(FrameFacts::of(&probe));
    assert_eq!(frame.text().as_deref(), Some("so"));
    frame.advance(4);
    assert_eq!(frame.text(), None);
}

#[test]
fn a_chunk_is_like_another_one_if_nothing_but_its_text_differs() {
    let event =
        |id: &str, text: &str| format!(r#"{{"id":"{id}","choices":[{{"index":0,"delta":{{"content":"{text}"}}}}]}}"#);
    let json = event("gen-1", "so");
    let probe = ChunkProbe::read(json.as_bytes()).expect("it is JSON");
    let frame =
        ChatFrame::new(json.clone().into(), FrameKind::Chunk, Stage::Content, false).with_facts(FrameFacts::of(&probe));
    let other = |json: String| frame.with_other_text(&json.into());
    let alike = other(event("gen-1", " it is a longer text ö")).expect("it is alike");
    assert_eq!(alike.text().as_deref(), Some(" it is a longer text ö"));
    assert_eq!(alike.tokens(), 4);
    let shared = frame.known.as_ref().zip(alike.known.as_ref());
    assert!(shared.is_some_and(|(one, other)| Arc::ptr_eq(one, other)));
    for json in [
        event("gen-2", "so"),
        event("gen-1", ""),
        event("gen-1", "s\\u00f6"),
        event("gen-1", r#"so","x":"y"#),
        event("gen-1", "a\nb"),
        json.replace("]}", r#"],"new":1}"#),
        String::new(),
        json.split_at(json.len() - 1).0.to_owned(),
    ] {
        assert!(other(json.clone()).is_none(), "{json}");
    }
}

#[test]
fn a_total_alone_is_what_the_prompt_of_embeddings_took() {
    let usage = |api: Api, usage: &str| {
        let json = format!(r#"{{"data":[{{"embedding":[0.5]}}],"usage":{usage}}}"#);
        let frame = ChatFrame::new(json.into(), FrameKind::Answer, Stage::Content, true).of(api);
        frame.token_usage().map(|usage| (usage.prompt, usage.answer))
    };
    for (told, tokens) in [
        (r#"{"total_tokens":9}"#, Some((9, 0))),
        (r#"{"total_tokens":9,"cost":0.5}"#, Some((9, 0))),
        (r#"{"prompt_tokens":7,"total_tokens":7}"#, Some((7, 0))),
        (r#"{"prompt_tokens":7}"#, Some((7, 0))),
        ("{}", None),
    ] {
        assert_eq!(usage(Api::Embeddings, told), tokens, "{told}");
    }
    assert_eq!(usage(Api::Chat, r#"{"total_tokens":9}"#), None);
}
