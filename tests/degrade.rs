//! Graceful degradation: which source answers which failure, marked, plain and streamed.

use crate::support::{FIRST, SECOND, World, ask, call};
use http::{HeaderValue, Method, Request, StatusCode};
use http_body_util::{BodyExt, Full};
use tower::ServiceExt;
use tower_openrouter::{
    Answer, ChatRequest, ChatServiceExt, FailureKind, Stack, Tags,
    degrade::CannedReply,
    endpoint::DEGRADED_HEADER,
    layers::{Degraded, DegradedSource, Resumed, resume::ResumeLayer},
    stream_upstream::StreamUpstreamLayer,
};

const SORRY: &str = "Please try again in a minute.";

async fn stack(plan: &str) -> (World, Stack) {
    let world = World::new(plan).await;
    let stack = world
        .builder()
        .chain([FIRST])
        .canned_reply(CannedReply::text(SORRY))
        .build()
        .unwrap();
    (world, stack)
}

async fn mark(stack: &Stack, request: ChatRequest) -> Option<Degraded> {
    let response = stack.clone().oneshot(request.into_http()).await.ok()?;
    response.extensions().get::<Degraded>().cloned()
}

#[tokio::test(start_paused = true)]
async fn each_outage_reaches_the_degraded_source_that_it_should() {
    // What failed, and whether a degraded reply is given.
    for (plan, stands_in) in [
        ("503", true),
        ("reset", true),
        ("429", true),
        ("402", true),
        ("404", true),
        ("hang", true),
        ("empty-stream", true),
        ("403-key", true),
        ("403-moderation", false),
        ("400", false),
        ("401", false),
    ] {
        let (_world, stack) = stack(plan).await;
        for streamed in [true, false] {
            if plan == "empty-stream" && !streamed {
                continue;
            }
            let got = call(&stack, streamed, ask()).await;
            assert_eq!(
                got.text == SORRY,
                stands_in,
                "{plan} streamed={streamed}: {:?}",
                got.error
            );
            assert_eq!(got.error.is_some(), !stands_in, "{plan} streamed={streamed}");
            assert!(!got.lines.is_empty(), "{plan}: the attempts are reported");
            let marked = mark(&stack, ask().stream(streamed)).await;
            assert_eq!(marked.is_some(), stands_in, "{plan} streamed={streamed}");
            if let Some(mark) = marked {
                assert_eq!((mark.source, mark.age), (DegradedSource::CannedReply, None));
                assert_eq!(mark.asked, None, "the request named none");
                assert!(mark.reason.is_some());
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_came_is_not_marked_and_one_that_broke_is_not_replaced() {
    let (_world, well) = stack("GOOD").await;
    assert_eq!(mark(&well, ask().stream(true)).await, None);
    let (_world, cut) = stack("cut@3").await;
    let got = call(&cut, true, ask()).await;
    assert_eq!(got.kind(), Some(FailureKind::Truncated), "a part was shown");
    assert!(!got.text.contains(SORRY));
}

#[tokio::test(start_paused = true)]
async fn a_cheaper_model_is_tried_last_and_its_answer_is_marked() {
    let world = World::new("503").await;
    let stack = world.builder().chain([FIRST]).cheaper([SECOND]).build().unwrap();
    assert!(stack.describe().contains(SECOND), "{}", stack.describe());
    let got = call(&stack, true, ask()).await;
    assert!(got.error.is_none());
    assert_eq!(got.asked().last(), Some(&SECOND));
    let found = mark(&stack, ask().model(FIRST)).await.unwrap();
    assert_eq!(
        (found.source, found.reason),
        (DegradedSource::CheaperModel, Some(FailureKind::Overloaded))
    );
    assert_eq!(found.asked.as_deref(), Some(FIRST));
    assert_eq!(
        mark(&stack, ask().model(SECOND)).await,
        None,
        "it is the requested answer"
    );
}

#[tokio::test(start_paused = true)]
async fn a_reply_may_be_computed_or_withheld() {
    let world = World::new("503").await;
    let reply = CannedReply::new(|asked| {
        let tenant = asked.tags.get("tenant")?;
        Some(format!(
            "Sorry, {tenant}: {} ({})",
            asked.reason,
            asked.model.unwrap_or("any")
        ))
    });
    let stack = world.builder().chain([FIRST]).canned_reply(reply).build().unwrap();
    let tagged = ask().tags(Tags::new([("tenant", "acme")]).unwrap());
    assert_eq!(call(&stack, false, tagged).await.text, "Sorry, acme: overloaded (any)");
    assert_eq!(call(&stack, false, ask()).await.kind(), Some(FailureKind::Overloaded));
}

/// What the service around the stack knows of a caller.
#[derive(Clone)]
struct Language(&'static str);

#[tokio::test(start_paused = true)]
async fn a_computed_reply_sees_all_of_the_request() {
    let world = World::new("503").await;
    let reply = CannedReply::new(|asked| {
        let language = asked.extensions.get::<Language>().map_or("?", |language| language.0);
        let region = asked.headers.get("x-region").and_then(|value| value.to_str().ok());
        let form = if asked.streaming { "stream" } else { "plain" };
        Some(format!("{:?} {form} {language} {region:?}", asked.model))
    });
    let stack = world.builder().chain([FIRST]).canned_reply(reply).build().unwrap();
    for (named, streamed, expected) in [
        (None, false, "None plain ? None"),
        (Some(FIRST), true, r#"Some("openai/gpt-5") stream de Some("eu")"#),
        (Some(FIRST), false, r#"Some("openai/gpt-5") plain de Some("eu")"#),
    ] {
        let mut request = ask().stream(streamed);
        if let Some(model) = named {
            request = request.model(model);
        }
        let mut request = request.into_http();
        if named.is_some() {
            request.headers_mut().insert("x-region", HeaderValue::from_static("eu"));
            request.extensions_mut().insert(Language("de"));
        }
        let mut answer = Answer::new(stack.clone().oneshot(request).await.unwrap());
        let mut text = String::new();
        while let Some(frame) = answer.next_frame().await {
            text.push_str(&frame.unwrap().text().unwrap_or_default());
        }
        assert_eq!(text, expected);
    }
}

#[tokio::test(start_paused = true)]
async fn a_cheaper_model_that_resumes_an_answer_is_marked() {
    for gathered in [false, true] {
        let world = World::new("1xGOOD;cut@3,503").await;
        let builder = world.builder().chain([FIRST]).cheaper([SECOND]);
        let stack = builder
            .resume(ResumeLayer::new())
            .stream_upstream(StreamUpstreamLayer::new())
            .build()
            .unwrap();
        let request = ask().stream(!gathered).into_http();
        let answer = Answer::new(stack.oneshot(request).await.unwrap());
        let resumed = answer.parts().extensions.get::<Resumed>().cloned().unwrap();
        let head = answer.parts().extensions.get::<Degraded>().cloned();
        answer.text().await.unwrap();
        let found = resumed.degraded().unwrap();
        assert_eq!(
            (found.source, found.reason),
            (DegradedSource::CheaperModel, Some(FailureKind::Overloaded))
        );
        // A stream has shown its head long before.
        assert_eq!(head, gathered.then_some(found));
    }
}

#[tokio::test(start_paused = true)]
async fn a_deadline_that_has_passed_is_answered_at_once() {
    let world = World::new("hang").await;
    let stack = world
        .builder()
        .first_token_timeout(None)
        .deadline(std::time::Duration::from_secs(9))
        .chain([FIRST])
        .canned_reply(CannedReply::text(SORRY))
        .build()
        .unwrap();
    let got = call(&stack, true, ask()).await;
    assert_eq!((got.text.as_str(), got.took.as_secs()), (SORRY, 9));
}

#[tokio::test(start_paused = true)]
async fn over_http_the_mark_is_a_header_and_the_reply_has_the_right_form() {
    for streamed in [true, false] {
        let (_world, stack) = stack("503").await;
        let body =
            format!(r#"{{"model":"{FIRST}","stream":{streamed},"messages":[{{"role":"user","content":"Hi"}}]}}"#);
        let request = Request::builder()
            .method(Method::POST)
            .header("content-type", "application/json")
            .body(Full::new(bytes::Bytes::from(body)))
            .unwrap();
        let response = stack.into_openai_endpoint().oneshot(request).await.unwrap();
        assert_eq!(response.status(), StatusCode::OK);
        assert_eq!(
            response.headers()[DEGRADED_HEADER],
            "source=canned_reply; reason=overloaded"
        );
        let text = String::from_utf8(response.into_body().collect().await.unwrap().to_bytes().to_vec()).unwrap();
        assert!(text.contains(SORRY), "{text}");
        assert_eq!(text.ends_with("data: [DONE]\n\n"), streamed, "{text}");
    }
}

#[tokio::test(start_paused = true)]
async fn nothing_was_used() {
    let (_world, stack) = stack("503").await;
    let mut answer: Answer = stack.stream(ask()).await.unwrap();
    while let Some(frame) = answer.next_frame().await {
        frame.unwrap();
    }
    assert_eq!(answer.usage().unwrap().total_tokens, Some(0));
}
