//! What events and documents of responses say of the answer, and of its end.

use crate::{
    Api,
    events::{Course, Piece},
    finish::End,
};

fn read(body: &str) -> Piece<'_> {
    Piece::read(Api::Responses, body.as_bytes()).unwrap()
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

#[test]
fn a_commentary_is_not_the_answer() {
    let is_whole = |phase: &str| {
        let mut course = Course::of(Api::Responses).unwrap();
        let item = format!(
            r#"{{"type":"message","role":"assistant",{phase}"content":[{{"type":"output_text","text":"I look it up."}}]}}"#
        );
        course.take(&read(&format!(
            r#"{{"type":"response.output_item.added","output_index":0,"item":{item}}}"#
        )));
        course.take(&read(&format!(
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
