//! What events and documents of responses say of the answer, and of its end.

use crate::{
    Api,
    events::{EventProbe, StreamState},
    finish::End,
};

fn read(body: &str) -> EventProbe<'_> {
    EventProbe::read(Api::Responses, body.as_bytes()).unwrap()
}

#[test]
fn an_error_of_one_item_is_not_that_of_the_response() {
    for event in [
        r#"{"type":"response.fusion_call.panel.failed","error":"Upstream provider error","model":"a/b"}"#,
        r#"{"error":{"code":500,"message":"The tool failed."},"type":"response.mcp_call.failed"}"#,
        r#"{"type":"response.output_item.done","item":{"type":"mcp_call","error":"denied"},"error":"denied"}"#,
    ] {
        assert!(!read(event).is_failure(), "{event}");
    }
    for event in [
        r#"{"type":"error","error":{"message":"overloaded"}}"#,
        r#"{"type":"error","message":"overloaded"}"#,
        r#"{"type":"response.error","error":{"message":"overloaded"}}"#,
        r#"{"type":"response.failed","error":{"message":"overloaded"}}"#,
        r#"{"type":"response.failed","response":{"error":{"message":"overloaded"}}}"#,
        r#"{"type":"response.completed","response":{"status":"completed","output":[]},"error":{"message":"overloaded"}}"#,
        r#"{"error":{"message":"overloaded"}}"#,
    ] {
        assert!(read(event).is_failure(), "{event}");
    }
}

fn item_done(item: &str) -> String {
    format!(r#"{{"type":"response.output_item.done","output_index":0,"item":{item}}}"#)
}

#[test]
fn what_the_model_did_not_write_is_shown_and_counts_no_tokens() {
    let long = "A".repeat(100_000);
    for (item, tokens) in [
        (
            format!(r#"{{"type":"web_search_tool_result","content":[{{"text":"{long}"}}]}}"#),
            0,
        ),
        (
            format!(r#"{{"type":"file_search_call","results":[{{"text":"{long}"}}]}}"#),
            0,
        ),
        (
            format!(r#"{{"type":"mcp_call","arguments":"{{\"city\":\"Oslo\"}}","output":"{long}"}}"#),
            3,
        ),
        (
            format!(r#"{{"type":"code_interpreter_call","code":"print(1 + 1 + 1)","outputs":"{long}"}}"#),
            3,
        ),
        // A picture is one of ordinary size, however many bytes it has.
        (
            format!(r#"{{"type":"image_generation_call","result":"{long}"}}"#),
            1_290,
        ),
        (
            format!(r#"{{"type":"message","content":[{{"type":"refusal","refusal":"{long}"}}]}}"#),
            20_000,
        ),
        (
            format!(r#"{{"type":"message","content":[{{"type":"output_audio","data":"{long}"}}]}}"#),
            0,
        ),
    ] {
        let event = item_done(&item);
        let piece = read(&event);
        let what = item.get(..60).unwrap();
        assert!(!piece.content.is_nothing(), "{what}");
        assert_eq!(piece.shown_tokens(), tokens, "{what}");
        let taken = StreamState::of(Api::Responses).unwrap().apply(&piece);
        assert!(taken.shows, "{what}");
        assert_eq!(taken.tokens, tokens, "{what}");
    }
}

#[test]
fn pieces_of_pictures_and_sound_are_shown_and_count_no_tokens() {
    let long = "A".repeat(100_000);
    for event in [
        format!(
            r#"{{"type":"response.image_generation_call.partial_image","output_index":0,"partial_image_b64":"{long}"}}"#
        ),
        format!(r#"{{"type":"response.audio.delta","output_index":0,"delta":"{long}"}}"#),
    ] {
        let mut course = StreamState::of(Api::Responses).unwrap();
        let taken = course.apply(&read(&event));
        assert_eq!((taken.shows, taken.tokens), (true, 0));
        // The picture itself is the model's, whatever was shown of it before.
        let taken = course.apply(&read(&item_done(&format!(
            r#"{{"type":"image_generation_call","result":"{long}"}}"#
        ))));
        assert_eq!((taken.shows, taken.tokens), (true, 1_290));
    }
}

#[test]
fn what_an_event_repeats_counts_once() {
    let mut course = StreamState::of(Api::Responses).unwrap();
    let text = "The sky is blue.".repeat(20);
    let delta = format!(r#"{{"type":"response.output_text.delta","output_index":0,"delta":"{text}"}}"#);
    assert_eq!(course.apply(&read(&delta)).tokens, 64);
    // Reasoning that no event had before, behind text that one had.
    let thought = format!(r#"{{"type":"reasoning","content":[{{"type":"reasoning_text","text":"{text}"}}]}}"#);
    let message = format!(r#"{{"type":"message","content":[{{"type":"output_text","text":"{text}"}}]}}"#);
    let whole = format!(
        r#"{{"type":"response.completed","response":{{"status":"completed","output":[{thought},{message}]}}}}"#
    );
    let taken = course.apply(&read(&whole));
    assert!(taken.shows);
    assert_eq!(taken.tokens, 64);
}

#[test]
fn the_summary_of_a_thought_is_shown_and_counts_no_tokens() {
    let text = "**Calculating** I need to compute the travel time. ".repeat(20);
    let part = format!(r#"{{"type":"summary_text","text":"{text}"}}"#);
    let item = format!(r#"{{"type":"reasoning","encrypted_content":"gAAAAA","summary":[{part}]}}"#);
    let at = r#""output_index":0,"summary_index":0"#;
    let events = [
        format!(r#"{{"type":"response.reasoning_summary_text.delta",{at},"delta":"{text}"}}"#),
        format!(r#"{{"type":"response.reasoning_summary_text.done",{at},"text":"{text}"}}"#),
        format!(r#"{{"type":"response.reasoning_summary_part.added",{at},"part":{part}}}"#),
        format!(r#"{{"type":"response.reasoning_summary_part.done",{at},"part":{part}}}"#),
        item_done(&item),
        item_done(&format!(r#"{{"type":"reasoning","summary":"{text}"}}"#)),
        item_done(&format!(r#"{{"type":"reasoning","content":[{part}],"summary":[]}}"#)),
        format!(r#"{{"object":"response","status":"completed","output":[{item}]}}"#),
        format!(
            r#"{{"type":"response.completed","response":{{"object":"response","status":"completed","output":[{item}]}}}}"#
        ),
    ];
    for event in &events {
        let piece = read(event);
        assert_eq!(
            (piece.content.is_nothing(), piece.shown_tokens()),
            (false, 0),
            "{event}"
        );
        let mut course = StreamState::of(Api::Responses).unwrap();
        let taken = course.apply(&piece);
        assert_eq!((taken.shows, taken.tokens), (true, 0), "{event}");
    }
    // Once it was shown its end repeats it, and the message behind it counts.
    let mut course = StreamState::of(Api::Responses).unwrap();
    course.apply(&read(&events[0]));
    for event in [&events[1], &events[3], &events[4]] {
        let taken = course.apply(&read(event));
        assert_eq!((taken.shows, taken.is_snapshot), (false, true), "{event}");
    }
    let message = r#"{"type":"message","content":[{"type":"output_text","text":"12:00 in Oslo"}]}"#;
    let whole =
        format!(r#"{{"type":"response.completed","response":{{"status":"completed","output":[{item},{message}]}}}}"#);
    let taken = course.apply(&read(&whole));
    assert_eq!((taken.shows, taken.tokens), (true, 2));
    // The thought itself counts, beside its summary.
    let both = format!(
        r#"{{"type":"reasoning","content":[{{"type":"reasoning_text","text":"Six and six is twelve."}}],"summary":[{part}]}}"#
    );
    assert_eq!(read(&item_done(&both)).shown_tokens(), 4);
}

#[test]
fn letters_count_alike_in_every_language() {
    for (text, tokens) in [
        ("п".repeat(300), 100),
        (r"\u043f".repeat(300), 100),
        ("a".repeat(300), 60),
    ] {
        let event = format!(r#"{{"type":"response.output_text.delta","output_index":0,"delta":"{text}"}}"#);
        assert_eq!(read(&event).shown_tokens(), tokens, "{text}");
        let item = format!(r#"{{"type":"message","content":[{{"type":"output_text","text":"{text}"}}]}}"#);
        assert_eq!(read(&item_done(&item)).shown_tokens(), tokens, "{text}");
    }
}

#[test]
fn a_commentary_is_not_the_answer() {
    let is_whole = |phase: &str| {
        let mut course = StreamState::of(Api::Responses).unwrap();
        let item = format!(
            r#"{{"type":"message","role":"assistant",{phase}"content":[{{"type":"output_text","text":"I look it up."}}]}}"#
        );
        course.apply(&read(&format!(
            r#"{{"type":"response.output_item.added","output_index":0,"item":{item}}}"#
        )));
        course.apply(&read(&format!(
            r#"{{"type":"response.output_item.done","output_index":0,"item":{item}}}"#
        )));
        course.is_whole_without_end()
    };
    assert!(is_whole(""));
    assert!(is_whole(r#""phase":null,"#));
    assert!(is_whole(r#""phase":"final_answer","#));
    assert!(!is_whole(r#""phase":"commentary","#), "the answer is still to come");
}

#[test]
fn the_reason_of_an_incomplete_response_decides_without_a_status() {
    for (response, end) in [
        (
            r#"{"incomplete_details":{"reason":"content_filter"},"output":[]}"#,
            End::Filter,
        ),
        (
            r#"{"status":null,"incomplete_details":{"reason":"content_filter"}}"#,
            End::Filter,
        ),
        (
            r#"{"status":"in_progress","incomplete_details":{"reason":"content_filter"}}"#,
            End::Filter,
        ),
        (
            r#"{"status":"incomplete","incomplete_details":{"reason":"content_filter"}}"#,
            End::Filter,
        ),
        (r#"{"incomplete_details":{"reason":"max_output_tokens"}}"#, End::Length),
        (r#"{"status":"incomplete"}"#, End::Length),
        (r#"{}"#, End::Length),
    ] {
        let event = format!(r#"{{"type":"response.incomplete","response":{response}}}"#);
        assert_eq!(read(&event).end(), end, "{response}");
    }
    let document = r#"{"object":"response","output":[],"incomplete_details":{"reason":"content_filter"}}"#;
    assert_eq!(read(document).end(), End::Filter);
    assert_eq!(read(r#"{"object":"response","output":[]}"#).end(), End::Stop);
}

#[test]
fn a_call_that_the_caller_must_answer_is_an_answer_and_one_that_the_upstream_runs_is_none() {
    for (item, is_call) in [
        (
            r#"{"type":"function_call","call_id":"c","name":"f","arguments":"{}"}"#,
            true,
        ),
        (r#"{"type":"function_call","name":"f","arguments":"{}"}"#, true),
        (
            r#"{"type":"local_shell_call","call_id":"c","action":{"type":"exec","command":["ls"]},"status":"completed"}"#,
            true,
        ),
        (
            r#"{"type":"shell_call","call_id":"c","action":{"commands":["ls"]}}"#,
            true,
        ),
        (
            r#"{"type":"shell_call","call_id":"c","environment":{"type":"local"}}"#,
            true,
        ),
        (
            r#"{"type":"apply_patch_call","call_id":"c","operation":{"type":"delete_file","path":"a"}}"#,
            true,
        ),
        (
            r#"{"type":"computer_call","call_id":"c","action":{"type":"screenshot"}}"#,
            true,
        ),
        (
            r#"{"type":"tool_search_call","call_id":"c","execution":"client"}"#,
            true,
        ),
        (r#"{"type":"new_call","call_id":"c"}"#, true),
        (
            r#"{"type":"tool_search_call","call_id":"c","execution":"server"}"#,
            false,
        ),
        (
            r#"{"type":"shell_call","call_id":"c","environment":{"type":"container_reference"},"action":{"commands":["ls"]}}"#,
            false,
        ),
        (r#"{"type":"web_search_call","id":"ws","status":"completed"}"#, false),
        (
            r#"{"type":"mcp_call","call_id":"c","name":"f","arguments":"{}"}"#,
            false,
        ),
        (r#"{"type":"new_call","call_id":null,"x":1}"#, false),
        (r#"{"type":"shell_call_output","call_id":"c","output":"x"}"#, false),
    ] {
        let mut course = StreamState::of(Api::Responses).unwrap();
        let event = |name: &str| format!(r#"{{"type":"response.output_item.{name}","output_index":0,"item":{item}}}"#);
        course.apply(&read(&event("added")));
        let done = event("done");
        let done = read(&done);
        course.apply(&done);
        assert_eq!(
            (course.is_whole_without_end(), done.content.calls),
            (is_call, is_call),
            "{item}"
        );
        let whole = format!(r#"{{"object":"response","status":"completed","output":[{item}]}}"#);
        let word = if is_call { "tool_calls" } else { "stop" };
        assert_eq!(read(&whole).finish_reason().as_deref(), Some(word), "{item}");
        assert!(!is_call || !read(&whole).content.is_nothing(), "{item}");
    }
}
