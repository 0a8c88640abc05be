//! One span a call, and one for each attempt: what they say, and that they say it once.

use std::time::Duration;

use crate::support::{
    FIRST, SECOND, World, ask, call,
    log::Log,
    spans::{Spans, Told},
};
use tower_openrouter::{
    ChatServiceExt, EmbeddingRequest,
    degrade::CannedReply,
    layers::{Tags, fallback::Hedge, observe::ObserveLayer, resume::ResumeLayer},
    request::Reasoning,
    stack::CallTags,
};

const OPERATION: &str = "llm operation";
const ATTEMPT: &str = "llm attempt";

/// The one operation there was.
fn operation(spans: &Spans) -> Told {
    let mut told = spans.of(OPERATION);
    assert_eq!(told.len(), 1);
    let told = told.remove(0);
    assert!(told.ended, "{told:?}");
    assert_eq!(
        told.events.iter().filter(|event| *event == "operation ended").count(),
        1
    );
    told
}

fn has(told: &Told, fields: &[(&str, &str)]) {
    for (name, value) in fields {
        assert_eq!(
            told.fields.get(name).map(String::as_str),
            Some(*value),
            "{name}: {told:?}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn the_tags_that_were_named_are_recorded_from_any_source() {
    let world = World::new("GOOD").await;
    let (spans, _listens) = Spans::listen();
    let tags = CallTags::new(|_, _| Tags::new([("team", "search"), ("user", "u-1")]).ok());
    let observe = ObserveLayer::new().tags(["team"]);
    let stack = world
        .builder()
        .chain([FIRST])
        .tags(tags)
        .observe(observe)
        .build()
        .unwrap();
    assert!(stack.describe().contains("with the tags team"), "{}", stack.describe());
    stack.complete(ask()).await.unwrap();
    let told = operation(&spans).fields["llm.tags"].clone();
    assert!(told.contains("search") && !told.contains("u-1"), "{told}");
}

#[tokio::test(start_paused = true)]
async fn a_good_call_plain_and_streamed() {
    for streamed in [true, false] {
        let world = World::new("GOOD").await;
        let (spans, _listens) = Spans::listen();
        call(&world.pair(), streamed, ask().model(FIRST).max_tokens(99)).await;
        let told = operation(&spans);
        let name = format!("chat {FIRST}");
        has(
            &told,
            &[
                ("otel.name", &name),
                ("otel.kind", "client"),
                ("gen_ai.operation.name", "chat"),
                ("gen_ai.provider.name", "openrouter"),
                ("gen_ai.request.model", FIRST),
                ("gen_ai.request.stream", if streamed { "true" } else { "false" }),
                ("gen_ai.request.max_tokens", "99"),
                ("gen_ai.response.model", FIRST),
                ("gen_ai.usage.output_tokens", "10"),
                ("llm.attempts", "1"),
            ],
        );
        let first_chunk = told.fields.contains_key("gen_ai.response.time_to_first_chunk");
        assert_eq!(first_chunk, streamed, "a whole answer has no chunks");
        for name in ["gen_ai.usage.input_tokens", "gen_ai.response.id", "llm.cost.usd"] {
            assert!(told.fields.contains_key(name), "{name}: {told:?}");
        }
        assert!(!told.fields.contains_key("error.type"));
        let [attempt] = &spans.of(ATTEMPT)[..] else {
            unreachable!()
        };
        has(
            attempt,
            &[
                ("llm.attempt.number", "1"),
                ("gen_ai.request.model", FIRST),
                ("gen_ai.provider.name", "openrouter"),
            ],
        );
        assert_eq!(attempt.parent, Some(OPERATION));
        assert!(
            attempt.ended && attempt.events.contains(&"attempt started".to_owned()),
            "{attempt:?}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn each_attempt_has_its_own_and_the_call_has_one() {
    let world = World::new("503;no-hint").await;
    let (spans, _listens) = Spans::listen();
    call(&world.pair(), true, ask()).await;
    has(
        &operation(&spans),
        &[("gen_ai.response.model", SECOND), ("llm.attempts", "3")],
    );
    let attempts = spans.of(ATTEMPT);
    let told: Vec<_> = attempts
        .iter()
        .map(|told| {
            let field = |name: &str| told.fields.get(name).cloned().unwrap_or_default();
            (
                field("llm.attempt.number"),
                field("gen_ai.request.model"),
                field("error.type"),
            )
        })
        .collect();
    let mut expected = [
        ("1", FIRST, "overloaded"),
        ("2", FIRST, "overloaded"),
        ("3", SECOND, ""),
    ]
    .map(|(number, model, error)| (number.to_owned(), model.to_owned(), error.to_owned()));
    let mut told = told;
    told.sort();
    expected.sort();
    assert_eq!(told, expected);
}

#[tokio::test(start_paused = true)]
async fn failed_cancelled_degraded_and_resumed_calls_are_recorded() {
    let world = World::new("503;no-hint").await;
    let (spans, _listens) = Spans::listen();
    call(&world.alone(), true, ask()).await;
    has(
        &operation(&spans),
        &[
            ("error.type", "overloaded"),
            ("otel.status_code", "ERROR"),
            ("llm.attempts", "2"),
        ],
    );

    let world = World::new("GOOD;cut@3").await;
    let (spans, _listens) = Spans::listen();
    call(&world.alone(), true, ask()).await;
    has(&operation(&spans), &[("error.type", "truncated")]);

    let world = World::new("hang").await;
    let (spans, _listens) = Spans::listen();
    let stack = world.alone();
    let left = tokio::time::timeout(Duration::from_secs(1), stack.stream(ask())).await;
    assert!(left.is_err());
    has(&operation(&spans), &[("error.type", "cancelled")]);
    has(&spans.of(ATTEMPT)[0], &[("error.type", "cancelled")]);

    let world = World::new("GOOD;delay=1s").await;
    let (spans, _listens) = Spans::listen();
    drop(world.alone().stream(ask()).await);
    has(&operation(&spans), &[("error.type", "cancelled")]);

    let world = World::new("503;no-hint").await;
    let (spans, _listens) = Spans::listen();
    let stack = world.builder().chain([FIRST]).canned_reply(CannedReply::text("Sorry."));
    call(&stack.build().unwrap(), true, ask()).await;
    let told = operation(&spans);
    has(&told, &[("llm.degraded.source", "canned_reply")]);
    for (field, value) in [
        ("outcome", "degraded"),
        ("source", "canned_reply"),
        ("reason", "overloaded"),
    ] {
        assert_eq!(told.last_event.get(field).map(String::as_str), Some(value), "{told:?}");
    }

    let world = World::new("1xGOOD;cut@3,GOOD").await;
    let (spans, _listens) = Spans::listen();
    let stack = world.builder().chain([FIRST]).resume(ResumeLayer::new());
    call(&stack.build().unwrap(), true, ask()).await;
    has(&operation(&spans), &[("llm.resumed", "1"), ("llm.attempts", "2")]);

    let world = World::new("first-token=9s;GOOD").await;
    let (spans, _listens) = Spans::listen();
    let stack = world
        .builder()
        .chain([FIRST, SECOND])
        .hedge(Hedge::after(Duration::from_secs(1)).ratio(1.0));
    call(&stack.build().unwrap(), true, ask()).await;
    has(
        &operation(&spans),
        &[("gen_ai.response.model", SECOND), ("llm.attempts", "2")],
    );
    assert!(spans.of(ATTEMPT).iter().all(|told| told.ended));
}

#[tokio::test(start_paused = true)]
async fn other_operations_have_their_names() {
    use tower::ServiceExt;

    let world = World::new("GOOD").await;
    let (spans, _listens) = Spans::listen();
    let request = EmbeddingRequest::new("openai/text-embedding-3-small", ["Hello"]).into_http();
    drop(world.pair().oneshot(request).await);
    has(&operation(&spans), &[("gen_ai.operation.name", "embeddings")]);
}

#[tokio::test(start_paused = true)]
async fn neither_prompt_nor_answer_nor_key_is_recorded() {
    let world = World::new("GOOD").await;
    let (spans, _listens) = Spans::listen();
    call(&world.pair(), true, ask()).await;
    for told in spans.of(OPERATION).iter().chain(&spans.of(ATTEMPT)) {
        let text = format!("{told:?}");
        for secret in ["sky blue", "Scattering", "sk-or"] {
            assert!(!text.contains(secret), "{text}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn the_requested_reasoning_is_recorded_in_the_request_s_own_word() {
    let world = World::new("GOOD").await;
    for (request, level) in [
        (ask().reasoning_effort("low"), Some("low")),
        (ask().reasoning(Reasoning::effort("xhigh")), Some("xhigh")),
        (ask(), None),
    ] {
        let (spans, _listens) = Spans::listen();
        call(&world.pair(), true, request).await;
        let attempts = spans.of(ATTEMPT);
        for told in attempts.iter().chain([&operation(&spans)]) {
            let found = told.fields.get("gen_ai.request.reasoning.level");
            assert_eq!(found.map(String::as_str), level, "{told:?}");
        }
    }
}

/// A plain log formats all fields of a span with each line: at `info` there is one line a call, and no span.
#[tokio::test(start_paused = true)]
async fn a_log_at_info_has_one_line_a_call_and_no_span() {
    let world = World::new("GOOD").await;
    let stack = world.pair();
    for streamed in [true, false] {
        let (log, listening) = Log::listen("info");
        assert!(call(&stack, streamed, ask()).await.error.is_none());
        drop(listening);
        let text = log.text();
        let ours: Vec<_> = text.lines().filter(|line| line.contains("llm")).collect();
        let [line] = &ours[..] else {
            unreachable!("{text}");
        };
        assert!(
            line.contains("llm::operation") && line.contains("operation ended"),
            "{line}"
        );
        for part in [r#"outcome="answered""#, FIRST, "attempts=1", "cost=$", "duration="] {
            assert!(line.contains(part), "{part}: {line}");
        }
        assert!(!line.contains(OPERATION), "{line}");
        let words = line.split(' ').filter_map(|word| Some(word.split_once('=')?.0));
        let mut names: Vec<_> = words.collect();
        let count = names.len();
        names.sort_unstable();
        names.dedup();
        assert!(count >= 5 && names.len() == count, "a field twice: {line}");
    }
}
