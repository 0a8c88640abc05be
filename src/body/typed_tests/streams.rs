//! Good streams, wherever their content comes first, and cut at every byte.

use tower_llm_layers::{FailureKind, Frame, Shown, Stage};

use super::*;
use crate::{ChatFrame, FrameKind};

fn stages(read: &Read) -> Vec<Stage> {
    read.frames.iter().map(Frame::stage).collect()
}

#[tokio::test(start_paused = true)]
async fn a_stream_of_responses_is_read_to_its_end() {
    for text in [
        stream(&OSLO),
        stream(&OSLO) + "data: [DONE]\n\n",
        stream(&OSLO).replace("event: ", ": "),
    ] {
        let read = got(Api::Responses, &text, End::Silent).await;
        assert_eq!((read.text.as_str(), read.kind()), ("Oslo.", None), "{text}");
        let frames: Vec<&ChatFrame> = read.frames.iter().filter(|frame| !frame.bytes().is_empty()).collect();
        let came: Vec<&[u8]> = frames.iter().map(|frame| frame.bytes().as_ref()).collect();
        assert_eq!(came, OSLO.map(str::as_bytes), "byte for byte");
        let is_content: Vec<bool> = frames.iter().map(|frame| frame.stage() == Stage::Content).collect();
        assert_eq!(
            is_content,
            [false, false, false, true, true, false, false, false, false]
        );
        let last = frames.last().unwrap();
        assert_eq!(last.stage(), Stage::Finish);
        assert!(last.finishes_answer() && last.has_usage());
        assert_eq!(last.finish_reason().as_deref(), Some("stop"));
        assert_eq!(last.event_type().as_deref(), Some("response.completed"));
        assert_eq!(Frame::model(*last).as_deref(), Some("a/b"));
        assert_eq!(last.generation_id().as_deref(), Some("resp_1"));
        let usage = last.token_usage().unwrap();
        assert_eq!(
            (usage.prompt, usage.cached, usage.answer, usage.reasoning),
            (14, 4, 3, 1)
        );
        assert_eq!(usage.bill().unwrap().to_string(), "$0.0000039");
        assert!(frames.iter().all(|frame| frame.api() == Api::Responses));
    }
}

#[tokio::test(start_paused = true)]
async fn a_stream_of_messages_is_read_to_its_end() {
    for text in [
        stream(&M_OSLO),
        stream(&M_OSLO) + "data: [DONE]\n\n",
        format!(": hi\n\n{}", stream(&M_OSLO)),
    ] {
        let read = got(Api::Messages, &text, End::Silent).await;
        assert_eq!((read.text.as_str(), read.kind()), ("Oslo.", None), "{text}");
        let is_alive = |frame: &&ChatFrame| frame.kind() == FrameKind::KeepAlive;
        let frames: Vec<&ChatFrame> = read.frames.iter().filter(|frame| !is_alive(frame)).collect();
        let stages: Vec<Stage> = frames.iter().map(|frame| frame.stage()).collect();
        let (before, content) = (Stage::Preamble, Stage::Content);
        assert_eq!(
            stages,
            [before, before, content, content, before, Stage::Finish, Stage::Trailer]
        );
        let with_usage: Vec<&&ChatFrame> = frames.iter().filter(|frame| frame.has_usage()).collect();
        assert_eq!(with_usage.len(), 2);
        let floor = with_usage[0].token_usage().unwrap();
        assert_eq!((with_usage[0].stage(), floor.cached), (Stage::Preamble, 1500));
        let usage = with_usage[1].token_usage().unwrap();
        // The cached tokens stand beside the others, and those of the start count if the end is silent.
        assert_eq!((usage.prompt, usage.cached, usage.answer), (1520, 1500, 3));
        assert_eq!(usage.bill().unwrap().to_string(), "$0.25");
        assert_eq!(with_usage[1].finish_reason().as_deref(), Some("stop"));
        assert!(with_usage[1].finishes_answer());
    }
}

/// A comment, or an event that is none of its API, has nothing to keep.
#[tokio::test(start_paused = true)]
async fn a_sign_of_life_that_is_an_event_keeps_its_bytes() {
    let keepalive = r#"{"type":"keepalive","sequence_number":3}"#;
    for (api, whole, ping) in [
        (Api::Responses, stream(&OSLO), keepalive),
        (
            Api::Messages,
            stream(&M_OSLO).replace(&event(PING), ""),
            r#"{ "type": "ping" }"#,
        ),
    ] {
        for (sent, bytes) in [
            (event(ping), ping),
            (format!("data: {ping}\n\n"), ping),
            (": alive\n\n".to_owned(), ""),
            ("event: ping\ndata: {}\n\n".to_owned(), ""),
            ("event: keepalive\ndata: ping\n\n".to_owned(), ""),
        ] {
            let read = got(api, &format!("{sent}{whole}"), End::Silent).await;
            assert_eq!((read.text.as_str(), read.kind()), ("Oslo.", None), "{api} {sent}");
            let alive = read.frames.iter().filter(|frame| frame.stage() == Stage::KeepAlive);
            let alive: Vec<&[u8]> = alive.map(|frame| frame.bytes().as_ref()).collect();
            assert_eq!(alive, [bytes.as_bytes()], "{api} {sent}");
        }
    }
}

/// Whatever is cut off, and at whichever byte, what is left is not taken for the answer.
#[tokio::test(start_paused = true)]
async fn a_stream_that_is_cut_is_never_complete() {
    for (api, events) in [(Api::Responses, &OSLO[..]), (Api::Messages, &M_OSLO[..])] {
        let text = stream(events);
        for cut in 0..text.len() {
            for end in [End::Closed, End::Broken] {
                let read = got(api, text.get(..cut).unwrap(), end).await;
                let is_whole = read.error.is_none();
                assert!(!is_whole || read.text == "Oslo.", "{api} at {cut}: {read:?}");
                // Of Messages nothing counts but the last event.
                let last = text.len() - 2;
                assert!(!is_whole || api == Api::Responses || cut >= last, "{api} at {cut}");
                let began = read.frames.iter().any(|frame| frame.stage().begins_answer());
                assert!(
                    !began || is_whole || read.kind() == Some(FailureKind::Truncated),
                    "{read:?}"
                );
            }
        }
    }
}

type Frames<'a> = Vec<(&'a [u8], Stage)>;

/// What a caller got: the text, the kind of the failure, and each frame with its place in the answer.
fn outcome(read: &Read) -> (&str, Option<FailureKind>, Frames<'_>) {
    let frames = read.frames.iter().map(|frame| (&frame.bytes()[..], frame.stage()));
    (read.text.as_str(), read.kind(), frames.collect())
}

#[tokio::test(start_paused = true)]
async fn a_good_stream_is_the_same_in_whichever_pieces_it_comes() {
    let in_pieces = |api, pieces: Vec<Bytes>| read(ChatBody::from_event_stream_of(api, wire(pieces, End::Closed)));
    for (api, events) in [(Api::Responses, &OSLO[..]), (Api::Messages, &M_OSLO[..])] {
        let text = stream(events);
        for variant in [
            text.clone(),
            text.replace('\n', "\r\n"),
            text.replace("event: ", "Event:").replace("data: ", "DATA: "),
        ] {
            let bytes = Bytes::from(variant);
            let whole = in_pieces(api, vec![bytes.clone()]).await;
            assert_eq!((whole.text.as_str(), whole.kind()), ("Oslo.", None), "{api} {bytes:?}");
            for cut in 1..bytes.len() {
                let split = in_pieces(api, vec![bytes.slice(..cut), bytes.slice(cut..)]).await;
                assert_eq!(outcome(&split), outcome(&whole), "{api} at {cut} of {bytes:?}");
            }
            let single = in_pieces(api, bytes.chunks(1).map(Bytes::copy_from_slice).collect()).await;
            assert_eq!(outcome(&single), outcome(&whole), "{api} byte by byte of {bytes:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn items_that_have_all_ended_make_a_response_whole_and_half_of_them_do_not() {
    let whole = stream(&OSLO[..8]);
    assert_eq!(got(Api::Responses, &whole, End::Closed).await.kind(), None);
    assert_eq!(
        got(Api::Responses, &(whole.clone() + "data: [DONE]\n\n"), End::Silent)
            .await
            .kind(),
        None
    );
    assert_eq!(
        got(Api::Responses, &whole, End::Broken).await.kind(),
        Some(FailureKind::Truncated)
    );
    let second = ADDED.replace("\"output_index\":0", "\"output_index\":1");
    for text in [
        whole.clone() + &event(&second),
        stream(&OSLO[..6]),
        stream(&OSLO[..6]) + "data: [DONE]\n\n",
    ] {
        assert_eq!(
            got(Api::Responses, &text, End::Closed).await.kind(),
            Some(FailureKind::Truncated),
            "{text}"
        );
    }
    // Thoughts alone are no answer.
    let thought = r#"{"type":"response.output_item.done","output_index":0,"item":{"type":"reasoning","id":"r","summary":[{"type":"summary_text","text":"hm"}]}}"#;
    let read = got(Api::Responses, &stream(&[CREATED, thought]), End::Closed).await;
    assert_eq!(read.kind(), Some(FailureKind::Truncated));
    // Without its reason a message has no end.
    for text in [
        stream(&[START, BLOCK, M_OS, STOP]),
        stream(&[START, BLOCK, M_OS]) + "data: [DONE]\n\n",
    ] {
        assert_eq!(
            got(Api::Messages, &text, End::Closed).await.kind(),
            Some(FailureKind::Truncated),
            "{text}"
        );
    }
    let done = stream(&M_OSLO[..7]) + "data: [DONE]\n\n";
    assert_eq!(got(Api::Messages, &done, End::Closed).await.kind(), None);
    let read = got(Api::Messages, &stream(&M_OSLO[..7]), End::Closed).await;
    assert_eq!(read.kind(), Some(FailureKind::Truncated));
}

/// Some servers send no deltas: what was not shown before is shown, and nothing is shown twice.
#[tokio::test(start_paused = true)]
async fn content_is_shown_once_wherever_it_comes_first() {
    for events in [
        &[CREATED, ADDED, PART, TEXT, PART_DONE, DONE, COMPLETED][..],
        &[CREATED, ADDED, PART_DONE, DONE, COMPLETED],
        &[CREATED, DONE, COMPLETED],
        &[CREATED, COMPLETED],
        &[COMPLETED],
        &[OS, LO, COMPLETED],
    ] {
        let read = got(Api::Responses, &stream(events), End::Closed).await;
        assert_eq!((read.text.as_str(), read.kind()), ("Oslo.", None), "{events:?}");
    }
    // Each part of an item counts by itself.
    let second = PART.replace("\"content_index\":0", "\"content_index\":1");
    let text = TEXT
        .replace("\"content_index\":0", "\"content_index\":1")
        .replace("Oslo.", " Yes.");
    let events = [CREATED, ADDED, PART, OS, LO, TEXT, &second, &text, DONE, COMPLETED];
    assert_eq!(
        got(Api::Responses, &stream(&events), End::Closed).await.text,
        "Oslo. Yes."
    );
    let begun = BLOCK.replace("\"text\":\"\"", "\"text\":\"Os\"");
    let read = got(
        Api::Messages,
        &stream(&[START, &begun, M_LO, BLOCK_STOP, DELTA, STOP]),
        End::Closed,
    )
    .await;
    assert_eq!((read.text.as_str(), read.kind()), ("Oslo.", None));
}

#[tokio::test(start_paused = true)]
async fn calls_thoughts_and_refusals_begin_an_answer_and_their_preamble_does_not() {
    let (before, content) = (Stage::Preamble, Stage::Content);
    let call = r#"{"type":"response.output_item.added","output_index":0,"item":{"type":"function_call","call_id":"c","name":"f","arguments":""}}"#;
    let args = r#"{"type":"response.function_call_arguments.delta","output_index":0,"delta":"{}"}"#;
    let thought = r#"{"type":"response.reasoning_summary_text.delta","output_index":0,"summary_index":0,"delta":"hm"}"#;
    let refusal = r#"{"type":"response.refusal.delta","output_index":0,"content_index":0,"delta":"No."}"#;
    let empty = r#"{"type":"response.output_text.delta","output_index":0,"delta":""}"#;
    let unknown = r#"{"type":"response.new_thing","output_index":0,"new":"text"}"#;
    for (events, expected, shown) in [
        (vec![CREATED, call, args], vec![before, before, content], Shown::Other),
        (vec![ADDED, thought], vec![before, content], Shown::Reasoning),
        (vec![ADDED, refusal], vec![before, content], Shown::Other),
        (
            vec![ADDED, empty, unknown],
            vec![before, before, before],
            Shown::Nothing,
        ),
    ] {
        let read = got(Api::Responses, &stream(&events), End::Closed).await;
        assert_eq!(stages(&read), expected, "{events:?}");
        assert_eq!(read.frames.last().unwrap().shown(), shown, "{events:?}");
        assert!(read.error.is_some());
    }
    let tool = r#"{"type":"content_block_start","index":0,"content_block":{"type":"tool_use","id":"t","name":"f","input":{}}}"#;
    let json = |text| {
        format!(
            r#"{{"type":"content_block_delta","index":0,"delta":{{"type":"input_json_delta","partial_json":"{text}"}}}}"#
        )
    };
    let (blank, filled) = (json(""), json("{}"));
    let thinking = r#"{"type":"content_block_delta","index":0,"delta":{"type":"thinking_delta","thinking":"hm"}}"#;
    let signature = r#"{"type":"content_block_delta","index":0,"delta":{"type":"signature_delta","signature":"c2ln"}}"#;
    let redacted =
        r#"{"type":"content_block_start","index":0,"content_block":{"type":"redacted_thinking","data":"x"}}"#;
    let result = r#"{"type":"content_block_start","index":0,"content_block":{"type":"web_search_tool_result","content":[{"type":"web_search_result"}]}}"#;
    for (events, expected, shown) in [
        (
            vec![START, tool, &blank, &filled],
            vec![before, before, before, content],
            Shown::Other,
        ),
        (
            vec![START, thinking, signature],
            vec![before, content, before],
            Shown::Nothing,
        ),
        (vec![START, redacted], vec![before, content], Shown::Reasoning),
        (vec![START, result], vec![before, content], Shown::Other),
    ] {
        let read = got(Api::Messages, &stream(&events), End::Closed).await;
        assert_eq!(stages(&read), expected, "{events:?}");
        assert_eq!(read.frames.last().unwrap().shown(), shown, "{events:?}");
    }
}
