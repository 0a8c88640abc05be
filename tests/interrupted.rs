//! What the error holds that ends a stream: what was tried, and the text that was received.

use std::time::Duration;

use crate::support::{FIRST, SECOND, World, ask, log::Log};
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use tower::{ServiceExt, service_fn};
use tower_openrouter::{
    Answer, ApiKey, ApiRequest, AttemptLog, ChatBody, ChatServiceExt, Error, FailureKind, Phase, Stack,
    stack::StackBuilder, stream_upstream::StreamUpstreamLayer,
};

/// Behind a model that is down stands one whose answer is cut.
async fn cut(change: impl FnOnce(StackBuilder) -> StackBuilder) -> (World, Stack) {
    let world = World::new("503;no-hint").await;
    world
        .simulator
        .plan(SECOND, "text=One%20two%20three%20four%20five%20six;cut@3")
        .unwrap();
    let builder = world.builder().chain([FIRST, SECOND]).attempts_per_candidate(1);
    let stack = change(builder).build().unwrap();
    (world, stack)
}

fn models(error: &Error) -> Vec<String> {
    let lines = error.attempts().map(AttemptLog::attempts).unwrap_or_default();
    let candidates = lines.into_iter().filter_map(|line| line.candidate);
    candidates.map(|candidate| candidate.model().to_owned()).collect()
}

/// Neither a log nor a message may show an answer.
fn assert_unprinted(error: &Error, text: &str) {
    for printed in [
        error.to_string(),
        format!("{error:?}"),
        format!("{error:#?}"),
        error.report(),
    ] {
        assert!(!printed.contains(text), "{printed}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_error_in_mid_stream_says_what_was_tried() {
    let (_world, stack) = cut(|builder| builder).await;
    let mut answer = stack.stream(ask()).await.unwrap();
    let error = loop {
        match answer.next_frame().await.unwrap() {
            Ok(_) => {}
            Err(error) => break error,
        }
    };
    assert_eq!(error.kind(), FailureKind::Truncated);
    assert_eq!(models(&error), [FIRST, SECOND]);
    let report = error.report();
    assert!(
        report.contains("2 attempts, 2 candidates") && report.contains(SECOND),
        "{report}"
    );

    let mut answer = stack.stream(ask()).await.unwrap();
    let error = loop {
        match answer.next_text().await.unwrap() {
            Ok(_) => {}
            Err(error) => break error,
        }
    };
    assert_eq!(models(&error), [FIRST, SECOND]);
}

#[tokio::test(start_paused = true)]
async fn the_text_that_was_received_is_on_the_error_and_is_not_printed() {
    let (_world, stack) = cut(|builder| builder).await;
    let error = stack.stream(ask()).await.unwrap().text().await.unwrap_err();
    assert_eq!(models(&error), [FIRST, SECOND]);
    let text = error.partial_text().unwrap().to_owned();
    assert!(text.starts_with("One two") && !text.contains("six"), "{text}");
    assert_unprinted(&error, "One");
    assert_eq!(error.into_partial_text(), Some(text));
}

#[tokio::test(start_paused = true)]
async fn without_text_there_is_no_partial_text() {
    let (world, stack) = cut(|builder| builder).await;
    world.simulator.plan(SECOND, "503;no-hint").unwrap();
    let error = stack.stream(ask()).await.unwrap_err();
    assert_eq!((error.partial_text(), models(&error).len()), (None, 2));
    assert_eq!(error.into_partial_text(), None);
}

#[tokio::test(start_paused = true)]
async fn the_deadline_in_mid_stream_is_no_exception() {
    let world = World::new("words=60;delay=1s").await;
    let stack = world
        .builder()
        .chain([FIRST])
        .deadline(Duration::from_secs(12))
        .build()
        .unwrap();
    let error = stack.stream(ask()).await.unwrap().text().await.unwrap_err();
    assert_eq!(error.kind(), FailureKind::Timeout(Phase::Deadline));
    assert_eq!(models(&error), [FIRST]);
    assert!(error.partial_text().is_some());
}

#[tokio::test(start_paused = true)]
async fn a_whole_answer_that_was_streamed_upstream_keeps_what_came() {
    let (_world, stack) = cut(|builder| builder.stream_upstream(StreamUpstreamLayer::new())).await;
    let error = stack.complete(ask()).await.unwrap_err();
    let text = error.partial_text().unwrap();
    assert!(text.starts_with("One two") && !text.contains("six"), "{text}");
    assert!(models(&error).iter().any(|model| model == SECOND));
    assert_unprinted(&error, "One");
}

/// What a stream brought stays, although the second call brings nothing.
#[tokio::test(start_paused = true)]
async fn text_received_before_the_call_was_repeated_is_not_lost() {
    let (world, stack) = cut(|builder| builder.stream_upstream(StreamUpstreamLayer::new())).await;
    world.simulator.plan(FIRST, "1x503;no-hint,400").unwrap();
    let error = stack.complete(ask()).await.unwrap_err();
    assert_eq!(error.kind(), FailureKind::BadRequest);
    assert!(error.partial_text().is_some_and(|text| text.starts_with("One two")));
}

/// Over an inner service that answers with these bodies.
fn over(body: fn() -> ChatBody) -> Stack {
    let leaf = service_fn(move |_: Request<ApiRequest>| std::future::ready(Ok::<_, Error>(Response::new(body()))));
    Stack::openrouter(ApiKey::new("sk-or-v1-s3cr3t").unwrap())
        .chain([FIRST])
        .attempts_per_candidate(1)
        .build_over(leaf)
        .unwrap()
}

const CHUNK: &[u8] = b"data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"One\"}}]}\n\n";

#[tokio::test(start_paused = true)]
async fn a_plain_call_that_fails_after_its_head_says_what_was_tried() {
    let stack = over(|| ChatBody::from_event_stream(Full::from(CHUNK)));
    let error = stack.complete(ask()).await.unwrap_err();
    assert_eq!(error.kind(), FailureKind::Malformed);
    assert_eq!(models(&error), [FIRST]);
}

#[tokio::test(start_paused = true)]
async fn an_error_behind_a_whole_answer_does_not_lose_it() {
    let service = service_fn(|_: Request<ApiRequest>| async {
        let answer = r#"{"choices":[{"index":0,"message":{"content":"One"},"finish_reason":"stop"}]}"#;
        let mut whole = ChatBody::from_plain(Full::<Bytes>::from(answer));
        let frame = whole.frame().await.unwrap().map(|frame| frame.into_data().unwrap());
        let late = Error::new(FailureKind::Truncated, "late");
        Ok::<_, Error>(Response::new(ChatBody::from_frames([frame, Err(late)])))
    });
    let service = tower::util::BoxCloneSyncService::new(service);
    let error = service.complete(ask()).await.unwrap_err();
    assert_eq!(error.partial_text(), Some("One"));
}

/// An own service without these layers has no log, and says so.
#[tokio::test(start_paused = true)]
async fn without_layers_there_is_no_log_to_add() {
    let answer = Answer::new(Response::new(ChatBody::from_event_stream(Full::from(CHUNK))));
    let error = answer.text().await.unwrap_err();
    assert!(error.attempts().is_none());
    assert_eq!(error.partial_text(), Some("One"));
}

#[tokio::test(start_paused = true)]
async fn the_endpoint_logs_how_many_attempts_a_broken_stream_took() {
    let (log, _listening) = Log::listen("tower_openrouter::endpoint=warn");
    let (_world, stack) = cut(|builder| builder).await;
    let body = format!(r#"{{"model":"{FIRST}","stream":true,"messages":[{{"role":"user","content":"Hi"}}]}}"#);
    let request = Request::post("/v1/chat/completions")
        .body(Full::<Bytes>::from(body))
        .unwrap();
    let response = stack.into_openai_endpoint().oneshot(request).await.unwrap();
    response.into_body().collect().await.unwrap();
    let logged = log.text();
    assert!(
        logged.contains("stream interrupted") && logged.contains("attempts=2"),
        "{logged}"
    );
    assert!(!logged.contains("One"), "{logged}");
}
