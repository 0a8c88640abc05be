//! A model that fails is rescued by the next one; what was shown is never taken for whole.

use std::time::Duration;

use tower_openrouter::{
    Api, ChatServiceExt, FailureKind as K, MessagesRequest, Phase, ResponsesRequest, degrade::CannedReply,
    layers::resume::ResumeLayer, stream_upstream::StreamUpstreamLayer,
};

use super::{SKY, TYPED, body, call, event, first_does, good, plain, request, sent_body, stream};
use crate::support::{
    FIRST, SECOND,
    raw::{Raw, Step, events, head, json, send},
};

fn failed(api: Api) -> String {
    event(match api {
        Api::Responses => {
            r#"{"type":"response.failed","response":{"id":"r","status":"failed","error":{"code":"server_error","message":"Provider disconnected"}}}"#
        }
        _ => r#"{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}"#,
    })
}

fn preamble(api: Api) -> String {
    let (begun, _) = stream(api);
    begun.split_inclusive("\n\n").take(2).collect()
}

#[tokio::test(start_paused = true)]
async fn a_dead_first_model_is_rescued_in_every_api() {
    for api in TYPED {
        let envelope = r#"{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}"#;
        let faults: Vec<(&str, bool, Vec<Step>)> = vec![
            (
                "503",
                true,
                vec![head("503 Service Unavailable", "application/json"), send(envelope)],
            ),
            (
                "529",
                false,
                vec![head("529 Overloaded", "application/json"), send(envelope)],
            ),
            (
                "429",
                true,
                vec![head("429 Too Many Requests", "application/json"), send(envelope)],
            ),
            ("failed", true, vec![events(), send(preamble(api)), send(failed(api))]),
            (
                "failed plain",
                false,
                vec![
                    json(),
                    send(if api == Api::Responses {
                        r#"{"id":"r","object":"response","status":"failed","output":[],"error":{"code":"server_error","message":"no"}}"#
                    } else {
                        envelope
                    }),
                ],
            ),
            ("cut", true, vec![events(), send(preamble(api))]),
            (
                "cut plain",
                false,
                vec![json(), send(plain(api).split_at(40).0.to_owned())],
            ),
            ("silent", true, vec![events(), send(preamble(api)), Step::Hang]),
            ("closed", false, vec![]),
        ];
        for (what, streamed, steps) in faults {
            let raw = first_does(api, steps).await;
            let stack = raw.builder().chain([FIRST, SECOND]).build().unwrap();
            let got = call(&stack, request(api, streamed)).await;
            assert_eq!((got.text.as_str(), got.kind()), (SKY, None), "{api} {what}: {got:?}");
            assert_eq!(got.sent(), 2, "{api} {what}");
            // What went up is the request as it came, but for the model.
            let seen = raw.seen();
            assert_eq!(sent_body(&seen[0]), body(api, streamed), "{api} {what}");
            assert_eq!(
                sent_body(&seen[1]),
                body(api, streamed).replace(FIRST, SECOND),
                "{api} {what}"
            );
            assert!(seen[0].starts_with(&format!("POST /v1/{} ", api.path())), "{}", seen[0]);
            // What came down is what was sent.
            let came: String = got
                .bytes()
                .iter()
                .map(|bytes| String::from_utf8_lossy(bytes).into_owned())
                .collect();
            let (begun, ended) = stream(api);
            let whole = if streamed {
                begun + &ended
            } else {
                format!("data: {}", plain(api))
            };
            let data = whole.lines().filter_map(|line| line.strip_prefix("data: "));
            assert_eq!(
                came,
                data.filter(|json| !json.contains("\"ping\"")).collect::<String>(),
                "{api} {what}"
            );
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_request_that_is_bad_is_not_sent_again() {
    for api in TYPED {
        let bad = r#"{"type":"error","error":{"type":"invalid_request_error","message":"no such field"}}"#;
        let raw = first_does(api, vec![head("400 Bad Request", "application/json"), send(bad)]).await;
        let got = call(&raw.pair(), request(api, true)).await;
        assert_eq!((got.kind(), raw.seen().len()), (Some(K::BadRequest), 1), "{api}");
        assert!(got.error.unwrap().message().contains("no such field"));
    }
}

/// A fallback does not touch what was shown, and nothing resumes a response: the stream ends in the error, with the text that came.
#[tokio::test(start_paused = true)]
async fn a_stream_that_was_shown_ends_in_an_honest_error() {
    for api in TYPED {
        let (begun, _) = stream(api);
        for (tail, kind) in [
            (vec![], K::Truncated),
            (
                vec![send(failed(api))],
                if api == Api::Responses {
                    K::Upstream
                } else {
                    K::Overloaded
                },
            ),
            (vec![Step::Hang], K::Timeout(Phase::Idle)),
        ] {
            let steps = [vec![events(), send(begun.clone())], tail].concat();
            let raw = first_does(api, steps).await;
            // A text of Messages can be continued, a response cannot.
            let resumes: &[ResumeLayer] = if api == Api::Messages {
                &[ResumeLayer::off()]
            } else {
                &[ResumeLayer::off(), ResumeLayer::new()]
            };
            for resume in resumes.iter().copied() {
                let builder = raw.builder().chain([FIRST, SECOND]).resume(resume);
                let stack = builder.idle_timeout(Duration::from_secs(8)).build().unwrap();
                let before = raw.seen().len();
                let got = call(&stack, request(api, true)).await;
                assert_eq!((got.text.as_str(), got.kind()), (SKY, Some(kind)), "{api}: {got:?}");
                assert_eq!(raw.seen().len() - before, 1, "{api}: sent once");
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_plain_call_may_be_streamed_upstream_and_becomes_the_plain_answer() {
    for api in TYPED {
        let raw = Raw::start(move |request| good(api, request)).await;
        let stack = raw
            .builder()
            .stream_upstream(StreamUpstreamLayer::new())
            .build()
            .unwrap();
        let got = call(&stack, request(api, false)).await;
        assert_eq!((got.text.as_str(), got.frames.len()), (SKY, 1), "{api}: {got:?}");
        assert!(sent_body(&raw.seen()[0]).contains("\"stream\":true"), "{api}");
        let whole: serde_json::Value = serde_json::from_slice(got.frames[0].bytes()).unwrap();
        let expected: serde_json::Value = serde_json::from_str(&plain(api)).unwrap();
        assert_eq!(whole, expected, "{api}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_canned_reply_comes_in_the_shape_of_the_api() {
    let down = || vec![head("503 Service Unavailable", "text/plain")];
    for api in TYPED {
        let raw = Raw::always(down()).await;
        let stack = raw.builder().canned_reply(CannedReply::text("Sorry.")).build().unwrap();
        for streamed in [true, false] {
            let got = call(&stack, request(api, streamed)).await;
            assert_eq!((got.text.as_str(), got.kind()), ("Sorry.", None), "{api} {streamed}");
            assert!(got.frames.iter().all(|frame| frame.api() == api));
        }
    }
}

#[tokio::test(start_paused = true)]
async fn typed_requests_get_typed_answers() {
    let raw = Raw::start(|request| {
        let api = if request.starts_with("POST /v1/responses") {
            Api::Responses
        } else {
            Api::Messages
        };
        good(api, request)
    })
    .await;
    let stack = raw.alone();
    let answer = stack
        .complete(ResponsesRequest::text("Why?").model(FIRST))
        .await
        .unwrap();
    assert_eq!(answer.response.text().as_deref(), Some(SKY));
    assert_eq!(answer.response.status, "completed");
    let answer = stack
        .complete(MessagesRequest::user("Why?", 50).model(FIRST))
        .await
        .unwrap();
    assert_eq!(answer.response.text().as_deref(), Some(SKY));
    assert_eq!(answer.response.stop_reason.as_deref(), Some("end_turn"));
    let text = stack
        .stream(MessagesRequest::user("Why?", 50).model(FIRST))
        .await
        .unwrap()
        .text()
        .await;
    assert_eq!(text.unwrap(), SKY);
    // A request whose type does not say its API would be answered as a chat: nothing is sent.
    let error = stack.complete(request(Api::Messages, false)).await.unwrap_err();
    assert_eq!((error.kind(), raw.seen().len()), (K::BadRequest, 3));
}
