//! Upstreams that give the key away in a good answer: as its id, its model, its provider, or its reason to finish.

use std::sync::Arc;

use crate::support::{
    ask,
    ledger::Kept,
    log::Log,
    raw::{KEY, Raw, Step, done, events, json, send},
};
use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt, Full};
use tower::ServiceExt;
use tower_openrouter::{Api, ApiRequest, ChatServiceExt, Stack};

/// A part of the key.
const PART: &str = "s3cr3t";

/// The key with an escape, as JSON may have it.
fn escaped() -> String {
    KEY.replacen('s', r"\u0073", 1)
}

/// A plain answer and a streamed one with this text as each name.
fn chats(name: &str) -> [Vec<Step>; 2] {
    let metadata = format!(r#"{{"attempts":[{{"provider":"{name}","model":"{name}","status":503}}]}}"#);
    let names = format!(r#""id":"{name}","model":"{name}","provider":"{name}","openrouter_metadata":{metadata}"#);
    let finish = format!(r#""finish_reason":"{name}""#);
    let usage = r#""usage":{"prompt_tokens":3,"completion_tokens":1,"cost":0.001}"#;
    let whole = format!(
        r#"{{{names},"choices":[{{"index":0,"message":{{"role":"assistant","content":"Sky"}},{finish}}}],{usage}}}"#
    );
    let chunk = |choice: &str| send(format!("data: {{{names},\"choices\":[{choice}]}}\n\n"));
    let streamed = vec![
        events(),
        chunk(r#"{"index":0,"delta":{"content":"Sky"},"finish_reason":null}"#),
        chunk(&format!(r#"{{"index":0,"delta":{{}},{finish}}}"#)),
        send(format!("data: {{{names},\"choices\":[],{usage}}}\n\n")),
        done(),
    ];
    [vec![json(), send(whole)], streamed]
}

/// The same of Responses.
fn response(name: &str) -> Vec<Step> {
    let whole = format!(
        r#"{{"id":"{name}","object":"response","model":"{name}","provider":"{name}","status":"completed","output":[{{"type":"message","id":"m","role":"assistant","status":"completed","content":[{{"type":"output_text","text":"Sky","annotations":[]}}]}}],"usage":{{"input_tokens":3,"output_tokens":1,"total_tokens":4}}}}"#
    );
    vec![json(), send(whole)]
}

/// All that is recorded of one call of this stack: its log lines, its ledger entries, its attempts and the endpoint's headers.
async fn recorded(
    steps: Vec<Step>,
    api: Api,
    streamed: bool,
    change: impl FnOnce(Raw, Arc<Kept>) -> (Raw, Stack),
) -> String {
    let (log, guard) = Log::listen("trace");
    let kept = Kept::new();
    let (raw, stack) = change(Raw::always(steps).await, kept.clone());
    let mut text = String::new();
    if api == Api::Chat {
        if streamed {
            let mut answer = stack.stream(ask()).await.unwrap();
            while let Some(Ok(_)) = answer.next_text().await {}
            text.push_str(&format!("{:?}", answer.attempts()));
        } else {
            let completion = stack.complete(ask()).await.unwrap();
            text.push_str(&format!("{:?}", completion.attempts));
        }
    } else {
        let request = ApiRequest::from_json(api, r#"{"input":"Hi"}"#).unwrap();
        let answer = stack.clone().oneshot(Request::new(request)).await.unwrap();
        let log = format!("{:?}", answer.extensions().get::<tower_openrouter::AttemptLog>());
        answer.into_body().collect().await.unwrap();
        text.push_str(&log);
    }
    let body = format!(r#"{{"stream":{streamed},"messages":[{{"role":"user","content":"Hi"}}]}}"#);
    let request = Request::post("/").body(Full::new(Bytes::from(body))).unwrap();
    let (parts, body) = stack
        .into_openai_endpoint()
        .oneshot(request)
        .await
        .unwrap()
        .into_parts();
    // What came is passed on as it came: the caller's own answer is not recorded.
    drop(body.collect().await);
    drop(guard);
    assert!(raw.seen().iter().all(|request| request.contains(KEY)), "it was sent");
    assert!(!kept.entries().is_empty());
    format!("{text} {parts:?} {:?} {}", kept.entries(), log.text())
}

fn plainly(raw: Raw, kept: Arc<Kept>) -> (Raw, Stack) {
    let stack = raw.builder().ledger(kept).build().unwrap();
    (raw, stack)
}

#[tokio::test(start_paused = true)]
async fn a_key_that_a_good_answer_echoes_as_a_name_is_recorded_nowhere() {
    #[cfg(feature = "metrics")]
    let recorder = metrics_util::debugging::DebuggingRecorder::new();
    #[cfg(feature = "metrics")]
    let snapshotter = recorder.snapshotter();
    #[cfg(feature = "metrics")]
    let _here = metrics::set_default_local_recorder(&recorder);
    let long = format!("{}{KEY}", "x".repeat(256 - 10));
    for name in [KEY.to_owned(), escaped(), format!("acme/{KEY}"), long] {
        let [plain, stream] = chats(&name);
        for (steps, streamed, api) in [
            (plain, false, Api::Chat),
            (stream.clone(), true, Api::Chat),
            // A server that streams although no stream was requested.
            (stream, false, Api::Chat),
            (response(&name), false, Api::Responses),
        ] {
            let text = recorded(steps, api, streamed, plainly).await;
            let place = text.find(PART).and_then(|at| text.get(at.saturating_sub(200)..));
            assert_eq!(place, None, "{name}, streamed: {streamed}");
        }
    }
    #[cfg(feature = "metrics")]
    {
        let all = format!("{:?}", snapshotter.snapshot().into_vec());
        assert!(all.contains("llm") && !all.contains(PART), "{all}");
    }
}

/// A plain call that is streamed upstream is put together from frames that hide it.
#[tokio::test(start_paused = true)]
async fn an_answer_that_is_put_together_hides_it_as_its_frames_do() {
    let [_, stream] = chats(KEY);
    let text = recorded(stream, Api::Chat, false, |raw, kept| {
        let layer = tower_openrouter::stream_upstream::StreamUpstreamLayer::new();
        let stack = raw.builder().ledger(kept).stream_upstream(layer).build().unwrap();
        (raw, stack)
    })
    .await;
    assert!(!text.contains(PART), "{text}");
}

/// Names without the key are recorded as they are.
#[tokio::test(start_paused = true)]
async fn other_names_are_recorded() {
    for steps in chats("acme/model-1") {
        let text = recorded(steps, Api::Chat, false, plainly).await;
        assert!(text.contains("acme/model-1"), "{text}");
    }
}
