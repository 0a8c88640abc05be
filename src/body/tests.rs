//! Bodies as upstreams send them: whole, cut, broken, silent, in any pieces.

use std::time::Duration;

use bytes::Bytes;
use futures_util::{StreamExt, stream};
use http_body::{Body, Frame as BodyFrame};
use http_body_util::{BodyExt, StreamBody};
use tokio::time::Instant;
use tower_llm_layers::{FailureKind, Frame};

use super::ChatBody;
use crate::{ChatFrame, Error};

/// What came of reading a body to its end.
#[derive(Debug)]
pub(super) struct Read {
    pub(super) frames: Vec<ChatFrame>,
    pub(super) text: String,
    pub(super) error: Option<Error>,
}

impl Read {
    pub(super) fn kind(&self) -> Option<FailureKind> {
        self.error.as_ref().map(Error::kind)
    }
}

pub(super) async fn read(mut body: ChatBody) -> Read {
    let mut read = Read {
        frames: Vec::new(),
        text: String::new(),
        error: None,
    };
    while let Some(frame) = body.frame().await {
        match frame {
            Ok(frame) => {
                let frame = frame.into_data().unwrap();
                read.text.push_str(&frame.text().unwrap_or_default());
                read.frames.push(frame);
            }
            Err(error) => {
                assert!(read.error.replace(error).is_none(), "one error, and then the end");
            }
        }
    }
    assert!(body.is_end_stream());
    read
}

/// Pieces, and then how the connection ends: closed, broken, or silent without end.
#[derive(Clone, Copy)]
pub(super) enum End {
    Closed,
    Broken,
    Silent,
}

pub(super) fn wire(pieces: Vec<Bytes>, end: End) -> impl Body<Data = Bytes, Error = std::io::Error> + Send {
    let pieces = stream::iter(pieces.into_iter().map(|piece| Ok(BodyFrame::data(piece))));
    let end = async move {
        match end {
            End::Closed => None,
            End::Broken => Some(Err(std::io::Error::other("connection reset"))),
            End::Silent => std::future::pending().await,
        }
    };
    StreamBody::new(pieces.chain(stream::once(end).filter_map(std::future::ready)))
}

async fn stream_of(text: &str, end: End) -> Read {
    read(ChatBody::from_event_stream(wire(
        vec![Bytes::copy_from_slice(text.as_bytes())],
        end,
    )))
    .await
}

async fn plain_of(text: &str, end: End) -> Read {
    read(ChatBody::from_plain(wire(
        vec![Bytes::copy_from_slice(text.as_bytes())],
        end,
    )))
    .await
}

const ROLE: &str = "data: {\"id\":\"gen-1\",\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":\"\"},\"finish_reason\":null}]}\n\n";
const STOP: &str =
    "data: {\"id\":\"gen-1\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"\"},\"finish_reason\":\"stop\"}]}\n\n";
const USAGE: &str = "data: {\"id\":\"gen-1\",\"choices\":[],\"usage\":{\"prompt_tokens\":9,\"completion_tokens\":3,\"cost\":0.00000765}}\n\n";
const DONE: &str = "data: [DONE]\n\n";

fn word(word: &str) -> String {
    format!(
        "data: {{\"id\":\"gen-1\",\"choices\":[{{\"index\":0,\"delta\":{{\"content\":\"{word}\"}},\"finish_reason\":null}}]}}\n\n"
    )
}

fn whole() -> String {
    format!(
        ": OPENROUTER PROCESSING\n\n{ROLE}{}{}{STOP}{USAGE}{DONE}",
        word("Os"),
        word("lo \u{2600}.")
    )
}

#[tokio::test(start_paused = true)]
async fn a_whole_stream_ends_without_an_error() {
    let read = stream_of(&whole(), End::Closed).await;
    assert_eq!(read.text, "Oslo \u{2600}.");
    assert!(read.error.is_none());
    let cost = read
        .frames
        .iter()
        .find_map(ChatFrame::usage)
        .and_then(|usage| usage.cost);
    assert_eq!(cost.map(|cost| cost.to_string()).as_deref(), Some("0.00000765"));
}

/// The bill counts although the blank line behind it never came; a part of an event does not.
#[tokio::test(start_paused = true)]
async fn usage_that_came_whole_counts_at_whichever_byte_behind_it_the_connection_breaks() {
    let before = format!("{ROLE}{}{STOP}", word("Oslo"));
    let json = USAGE.trim_end().len();
    for cut in 0..=USAGE.len() {
        for end in [End::Closed, End::Broken] {
            let text = format!("{before}{}", USAGE.get(..cut).unwrap());
            let read = stream_of(&text, end).await;
            let cost = read
                .frames
                .iter()
                .find_map(ChatFrame::usage)
                .and_then(|usage| usage.cost);
            assert_eq!(cost.is_some(), cut >= json, "{cut} of {json}");
            assert_eq!(read.text, "Oslo");
        }
    }
    // Content that came whole was sent, and the break is reported all the same.
    let cut = word("Oslo").trim_end().to_owned();
    let read = stream_of(&format!("{ROLE}{cut}"), End::Broken).await;
    assert_eq!(
        (read.text.as_str(), read.kind()),
        ("Oslo", Some(FailureKind::Truncated))
    );
    // Half an event says nothing of how the connection ended.
    let half = stream_of(&format!("{ROLE}data: {{\"error\":{{\"message\":\"Engine"), End::Broken).await;
    assert_eq!(half.kind(), Some(FailureKind::Reset));
}

/// Invariant 2: whole only with everything that was sent, at whichever byte it breaks and however.
#[tokio::test(start_paused = true)]
async fn a_stream_cut_at_any_byte_never_ends_as_a_whole_answer() {
    let stream = whole();
    let finish = stream.find(STOP).unwrap() + STOP.len();
    for cut in 0..stream.len() {
        for end in [End::Closed, End::Broken] {
            let bytes = Bytes::copy_from_slice(&stream.as_bytes()[..cut]);
            let read = read(ChatBody::from_event_stream(wire(vec![bytes], end))).await;
            // The line ends behind the finish event may still be on their way.
            if read.error.is_none() {
                assert!(cut + 2 >= finish, "whole after {cut} of {finish} bytes");
                assert_eq!(read.text, "Oslo \u{2600}.");
            } else {
                assert!(cut < finish, "broken after the finish, at {cut}");
                let shown = !read.text.is_empty();
                assert_eq!(
                    read.kind() == Some(FailureKind::Truncated),
                    shown,
                    "{cut}: {:?}",
                    read.error
                );
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn nothing_to_show_is_never_an_answer() {
    for empty in [
        String::new(),
        ": OPENROUTER PROCESSING\n\n".to_owned(),
        ROLE.to_owned(),
        format!("{ROLE}{DONE}"),
        format!("{ROLE}{STOP}{DONE}"),
        format!("{ROLE}{STOP}{}{DONE}", USAGE.replace(":3,", ":0,")),
    ] {
        let read = stream_of(&empty, End::Closed).await;
        assert_eq!(read.kind(), Some(FailureKind::EmptyResponse), "{empty}");
    }
    // Tokens were spent, on hidden reasoning say: that is an answer, though an empty one.
    assert!(
        stream_of(&format!("{ROLE}{STOP}{USAGE}{DONE}"), End::Closed)
            .await
            .error
            .is_none()
    );
    let length = STOP.replace("stop", "length");
    assert!(
        stream_of(&format!("{ROLE}{length}{DONE}"), End::Closed)
            .await
            .error
            .is_none()
    );
}

#[tokio::test(start_paused = true)]
async fn an_error_event_is_an_error_before_and_after_the_first_word() {
    let error = |code: &str| {
        format!("data: {{\"id\":\"gen-1\",\"error\":{{\"code\":{code},\"message\":\"gone\"}},\"choices\":[]}}\n\n")
    };
    let first = stream_of(&format!(": OPENROUTER PROCESSING\n\n{}", error("429")), End::Closed).await;
    assert_eq!(first.kind(), Some(FailureKind::RateLimited));
    assert_eq!(first.error.unwrap().generation_id(), Some("gen-1"));
    let later = stream_of(
        &format!("{ROLE}{}{}{DONE}", word("Half"), error("\"server_error\"")),
        End::Closed,
    )
    .await;
    assert_eq!(
        (later.kind(), later.text.as_str()),
        (Some(FailureKind::Upstream), "Half")
    );
    let native = STOP.replace(
        "\"stop\"",
        "\"error\",\"native_finish_reason\":\"MALFORMED_FUNCTION_CALL\"",
    );
    let native = stream_of(&format!("{ROLE}{native}"), End::Closed).await;
    assert!(native.error.unwrap().to_string().contains("MALFORMED_FUNCTION_CALL"));
}

#[tokio::test(start_paused = true)]
async fn garbage_is_malformed_before_and_truncated_after_the_first_word() {
    assert_eq!(
        stream_of("data: {\"choi\n\n", End::Closed).await.kind(),
        Some(FailureKind::Malformed)
    );
    let read = stream_of(&format!("{}data: {{oops\n\n", word("Half")), End::Closed).await;
    assert_eq!(read.kind(), Some(FailureKind::Truncated));
}

/// An upstream that omits `[DONE]`, the usage, or the close, does not block the caller.
#[tokio::test(start_paused = true)]
async fn a_finished_stream_ends_soon_whatever_is_missing() {
    let said = format!("{ROLE}{}", word("Oslo."));
    for (stream, longest) in [
        (format!("{said}{STOP}"), Duration::from_secs(10)),
        (format!("{said}{STOP}{USAGE}"), Duration::from_secs(10)),
        (format!("{said}{STOP}{USAGE}{DONE}"), Duration::from_millis(20)),
        (format!("{said}{DONE}"), Duration::from_millis(500)),
    ] {
        let begun = Instant::now();
        let read = stream_of(&stream, End::Silent).await;
        assert!(read.error.is_none(), "{stream}");
        assert_eq!(read.text, "Oslo.");
        assert_eq!(begun.elapsed().as_millis(), longest.as_millis());
    }
}

#[tokio::test(start_paused = true)]
async fn one_choices_finish_is_not_the_others() {
    let second = word("Other").replace("\"index\":0", "\"index\":1");
    let read = stream_of(&format!("{}{second}{STOP}", word("One")), End::Closed).await;
    assert_eq!(read.kind(), Some(FailureKind::Truncated));
}

#[tokio::test(start_paused = true)]
async fn a_plain_answer_is_one_frame_byte_for_byte() {
    let answer = "{ \"choices\" : [{\"message\":{\"content\":\"Oslo.\"},\"finish_reason\":\"stop\"}], \"x\": 1 }";
    let pieces = answer.as_bytes().chunks(7).map(Bytes::copy_from_slice).collect();
    let read = read(ChatBody::from_plain(wire(pieces, End::Closed))).await;
    assert!(read.error.is_none());
    assert_eq!(read.frames.len(), 1);
    assert_eq!(read.frames[0].bytes(), answer);
    assert!(read.frames[0].stage().begins_answer());
}

#[tokio::test(start_paused = true)]
async fn a_plain_answer_that_is_none_says_what_it_is() {
    for (text, kind) in [
        ("", FailureKind::Malformed),
        ("\n   \n", FailureKind::Malformed),
        ("<html>bad gateway</html>", FailureKind::Malformed),
        ("{\"choices\":[{\"mess", FailureKind::Malformed),
        ("{\"choices\":[]}", FailureKind::EmptyResponse),
        (
            "{\"choices\":[{\"message\":{\"content\":\"\"},\"finish_reason\":null}],\"usage\":{\"completion_tokens\":0}}",
            FailureKind::EmptyResponse,
        ),
        ("{\"error\":{\"code\":502,\"message\":\"x\"}}", FailureKind::Upstream),
        (
            "{\"choices\":[{\"message\":{\"content\":\"half\"},\"finish_reason\":\"error\",\"error\":{\"code\":503,\"message\":\"x\"}}]}",
            FailureKind::Overloaded,
        ),
    ] {
        assert_eq!(plain_of(text, End::Closed).await.kind(), Some(kind), "{text}");
    }
    assert_eq!(
        plain_of("{\"choices\":[", End::Broken).await.kind(),
        Some(FailureKind::Reset)
    );
    // Reasoning ate the budget: billed, and an honest end.
    let ate = "{\"choices\":[{\"message\":{\"content\":\"\",\"reasoning\":\"Let me\"},\"finish_reason\":\"length\"}]}";
    assert!(plain_of(ate, End::Closed).await.error.is_none());
}

#[test]
fn is_send_and_needs_no_pin() {
    fn check<T: Send + Unpin>() {}
    check::<ChatBody>();
}

/// Bytes that say when the last slice of them is gone, as those of a connection's buffer.
struct Counted {
    bytes: Vec<u8>,
    _held: std::sync::Arc<()>,
}

impl AsRef<[u8]> for Counted {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

fn counted(bytes: Vec<u8>, held: &std::sync::Arc<()>) -> Bytes {
    Bytes::from_owner(Counted {
        bytes,
        _held: std::sync::Arc::clone(held),
    })
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_waits_keeps_nothing_of_what_was_received() {
    let held = std::sync::Arc::new(());
    let first = format!("{ROLE}{}{}", word("Os"), word("lo")).into_bytes();
    let mut body = ChatBody::from_event_stream(wire(vec![counted(first, &held)], End::Silent));
    for _ in 0..3 {
        assert!(body.frame().await.is_some_and(|frame| frame.is_ok()));
    }
    assert_eq!(std::sync::Arc::strong_count(&held), 2);
    let waits = tokio::time::timeout(Duration::from_millis(1), body.frame()).await;
    assert!(waits.is_err());
    assert_eq!(std::sync::Arc::strong_count(&held), 1);
    drop(body);

    // A header's value is a slice of the head that was received.
    let held = std::sync::Arc::new(());
    let value = counted(b"7".to_vec(), &held);
    let mut headers = http::HeaderMap::new();
    headers.insert(
        "x-ratelimit-remaining",
        http::HeaderValue::from_maybe_shared(value).unwrap(),
    );
    let kept = crate::classify::headers_of_errors(&headers);
    drop(headers);
    assert_eq!((kept.len(), std::sync::Arc::strong_count(&held)), (1, 1));
}
