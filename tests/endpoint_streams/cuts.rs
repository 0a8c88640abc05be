//! Streams of each API, mounted and cut: at no byte does a part look like the whole.

use bytes::Bytes;
use futures_util::stream;
use http::StatusCode;
use http_body::Frame;
use http_body_util::StreamBody;
use tower_openrouter::{Api, ChatBody, ChatServiceExt, endpoint::Envelope};

use super::{STREAMED, body, last, mounted, mounted_over, whole, written};
use crate::support::{
    FIRST,
    mounted::{post, send, stack_over},
    raw::{Step, send as sent},
};

/// What a client gets of a part of a stream is a failure before the answer, or the error of its API as the last event.
fn assert_interrupted(api: Api, what: &str, status: StatusCode, text: &str) {
    if status != StatusCode::OK {
        assert_eq!(status, StatusCode::BAD_GATEWAY, "{api:?} {what}: {text}");
        return;
    }
    let (name, error) = last(text);
    let word = match api {
        Api::Responses => &error["code"],
        Api::Messages => &error["error"]["error_type"],
        _ => &error["error"]["metadata"]["error_type"],
    };
    assert_eq!(word, "truncated", "{api:?} {what}: {text}");
    assert_eq!(name, if api == Api::Chat { "" } else { "error" });
    assert!(!text.contains("[DONE]"), "{api:?} {what}");
}

/// An upstream whose framing shows that more was to come.
fn broken(upstream: &str) -> Vec<Step> {
    let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n";
    let mut steps = vec![sent(head)];
    if !upstream.is_empty() {
        steps.push(sent(format!("{:x}\r\n{upstream}\r\n", upstream.len())));
    }
    steps
}

/// In each API no part of a stream looks like the whole, wherever it is cut.
#[tokio::test(start_paused = true)]
async fn no_part_of_a_stream_looks_whole() {
    for api in STREAMED {
        let upstream = written(&whole(api), true);
        let ending = match api {
            Api::Responses => "response.completed",
            Api::Messages => "message_stop",
            _ => "\"stop\"",
        };
        let end = upstream.find(ending).unwrap();
        for cut in (0..end).step_by(41).chain([end]) {
            let (status, text) = mounted(api, Envelope::OpenAi, upstream.get(..cut).unwrap()).await;
            assert_interrupted(api, &format!("closed at {cut}"), status, &text);
        }
        for cut in (0..end).step_by(127).chain([end]) {
            let steps = broken(upstream.get(..cut).unwrap());
            let (status, text) = mounted_over(api, Envelope::OpenAi, steps).await;
            assert_interrupted(api, &format!("broken at {cut}"), status, &text);
        }
    }
}

/// The fewest events of a stream that are an answer of this API.
fn short(api: Api) -> String {
    let kept: &[usize] = match api {
        Api::Responses => &[0, 2, 6],
        Api::Messages => &[0, 2, 6, 7],
        _ => &[1, 3],
    };
    let all = whole(api);
    let events: Vec<_> = kept.iter().map(|at| all[*at]).collect();
    written(&events, true)
}

/// What a client gets while a service in this process yields these bytes, and then ends or is reset.
async fn mounted_in_process(api: Api, upstream: &str, is_reset: bool) -> (StatusCode, String) {
    let bytes = Bytes::copy_from_slice(upstream.as_bytes());
    let stack = stack_over(move |_| {
        let reset = is_reset.then(|| Err(std::io::Error::other("reset")));
        let frames = [Ok(Frame::data(bytes.clone()))].into_iter().chain(reset);
        Ok(ChatBody::from_event_stream_of(
            api,
            StreamBody::new(stream::iter(frames)),
        ))
    });
    let request = post("/", body(api).replace(FIRST, "demo/model"));
    let (parts, text) = send(stack.into_endpoint(api).envelope(Envelope::OpenAi), request).await;
    (parts.status, text)
}

/// At every byte of a short stream, also within a name, a number or an escape.
#[tokio::test(start_paused = true)]
async fn no_part_of_a_short_stream_looks_whole_at_any_byte() {
    for api in STREAMED {
        let upstream = short(api);
        let (status, text) = mounted_in_process(api, &upstream, false).await;
        assert_eq!(status, StatusCode::OK, "{api:?}: {text}");
        let end = match api {
            Api::Responses => "response.completed",
            Api::Messages => "message_stop",
            _ => "[DONE]",
        };
        assert!(text.rsplit("\n\n").nth(1).unwrap().contains(end), "{api:?}: {text}");
        // The blank line behind the last event adds nothing.
        let whole = upstream.trim_end().len();
        for cut in 0..whole {
            let (status, text) = mounted_in_process(api, upstream.get(..cut).unwrap(), false).await;
            assert_interrupted(api, &format!("closed at {cut}"), status, &text);
        }
        for cut in (0..whole).step_by(7) {
            let (status, text) = mounted_in_process(api, upstream.get(..cut).unwrap(), true).await;
            assert_interrupted(api, &format!("reset at {cut}"), status, &text);
        }
    }
}
