//! Plain calls that are streamed upstream, over the simulator's real sockets: the same answer, and what a stream adds to it.

use std::time::Duration;

use crate::support::{
    FIRST, SECOND, TEXT, World, ask, call,
    ledger::{Kept, bill},
};
use openrouter_simulator::Outcome as Ended;
use proptest::prelude::*;
use serde_json::{Value, json};
use tower::ServiceExt;
use tower_openrouter::{
    Answer, ChatRequest, ChatServiceExt, FailureKind, Phase, Stack,
    degrade::CannedReply,
    layers::{fallback::Hedge, ledger::EntryState, resume::ResumeLayer, retry::RetryBudget},
    request::Tool,
    response::ChatResponse,
    stack::StackBuilder,
    stream_upstream::{StreamUpstreamLayer, StreamUpstreamMode},
};

fn on(world: &World) -> StackBuilder {
    world
        .builder()
        .chain([FIRST, SECOND])
        .stream_upstream(StreamUpstreamLayer::new())
}

fn streams(world: &World) -> Vec<bool> {
    world
        .simulator
        .report()
        .attempts
        .iter()
        .map(|attempt| attempt.stream)
        .collect()
}

/// What says the same in other words: no text is an empty one, and each generation has a name and a time of its own.
fn normal(mut response: ChatResponse) -> ChatResponse {
    response.id = String::new();
    response.created = 0;
    for choice in &mut response.choices {
        choice.message.content.get_or_insert_default();
    }
    response
}

fn tool() -> Tool {
    Tool::function(
        "weather",
        "What the sky is like",
        json!({"type": "object", "properties": {"city": {"type": "string"}}}),
    )
}

/// Plans of whole answers.
fn plan() -> impl Strategy<Value = String> {
    let text = prop_oneof![
        (1_u32..80).prop_map(|words| format!("words={words}")),
        "[a-zA-Z0-9]{1,20}(%20[a-z]{1,9}|%C3%BC|%22|%0A){0,8}".prop_map(|text| format!("text={text}")),
        Just("tool".to_owned()),
    ];
    let usage = prop_oneof![Just("repeat"), Just("empty"), Just("null"), Just("finish")];
    let more = prop_oneof![
        Just(String::new()),
        Just(";keepalive=3".to_owned()),
        Just(";crlf".to_owned()),
        Just(";no-done".to_owned()),
        Just(";dated".to_owned()),
        Just(";finish=length".to_owned()),
        Just(";finish=content_filter".to_owned()),
        (1_u32..40).prop_map(|bytes| format!(";split={bytes}")),
        (1_u32..9).prop_map(|words| format!(";reasoning={words}")),
    ];
    (text, usage, more).prop_map(|(text, usage, more)| format!("{text};usage={usage}{more}"))
}

#[test]
fn for_any_plain_answer_gathered_equals_plain() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .start_paused(true)
        .build()
        .unwrap();
    let config = ProptestConfig {
        cases: 96,
        failure_persistence: None,
        rng_seed: proptest::test_runner::RngSeed::Fixed(0x5eed),
        max_shrink_iters: 64,
        ..ProptestConfig::default()
    };
    proptest!(config, |(plan in plan())| {
        runtime.block_on(async {
            let world = World::new(&plan).await;
            let stack = on(&world).build().unwrap();
            let request = || ask().tools([tool()]);
            let gathered = stack.complete(request()).await.unwrap().response;
            let plainly = StreamUpstreamLayer::on_request();
            let stack = on(&world).stream_upstream(plainly).build().unwrap();
            let plain = stack.complete(request()).await.unwrap().response;
            assert_eq!(streams(&world), [true, false]);
            assert!(normal(gathered.clone()) == normal(plain.clone()), "{plan}:\n{gathered:?}\n{plain:?}");
        });
    });
}

#[tokio::test(start_paused = true)]
async fn it_looks_like_a_plain_answer_and_is_recorded_once() {
    let world = World::new("GOOD").await;
    let kept = Kept::new();
    let stack = on(&world).ledger(kept.clone()).build().unwrap();
    let response = stack.clone().oneshot(ask().into_http()).await.unwrap();
    assert_eq!(response.headers()["content-type"], "application/json");
    assert!(response.headers().contains_key("x-generation-id"));
    let answer = Answer::new(response);
    let log = answer.attempts().unwrap().to_string();
    assert!(log.contains("first token in"), "{log}");
    let entries = kept.entries();
    assert_eq!(
        (entries.len(), entries[0].state, kept.total()),
        (1, EntryState::Settled, bill(&world.simulator))
    );
    assert!(
        stack
            .describe()
            .contains("StreamUpstream       plain calls are streamed upstream"),
        "{}",
        stack.describe()
    );
}

#[tokio::test(start_paused = true)]
async fn one_call_may_ask_for_it_or_not() {
    for (layer, asked, streamed) in [
        (StreamUpstreamLayer::new(), None, true),
        (StreamUpstreamLayer::new(), Some(StreamUpstreamMode::Off), false),
        (StreamUpstreamLayer::on_request(), None, false),
        (StreamUpstreamLayer::on_request(), Some(StreamUpstreamMode::On), true),
    ] {
        let world = World::new("GOOD").await;
        let stack = on(&world).stream_upstream(layer).build().unwrap();
        let mut request = ask().into_http();
        if let Some(asked) = asked {
            request.extensions_mut().insert(asked);
        }
        stack.oneshot(request).await.unwrap();
        assert_eq!(streams(&world), [streamed], "{layer} {asked:?}");
    }
    let world = World::new("GOOD").await;
    on(&world)
        .stream_upstream(StreamUpstreamLayer::default())
        .build()
        .unwrap()
        .complete(ask())
        .await
        .unwrap();
    assert_eq!(streams(&world), [false], "off by default");
}

#[tokio::test(start_paused = true)]
async fn what_no_stream_can_carry_stays_plain_and_streams_stay_streams() {
    for request in [
        ask().extra("plugins", json!([{"id": "response-healing"}])),
        ask().extra("n", 2),
    ] {
        let world = World::new("GOOD").await;
        on(&world).build().unwrap().complete(request).await.unwrap();
        assert_eq!(streams(&world), [false]);
    }
    let world = World::new("GOOD").await;
    let answer = on(&world).build().unwrap().stream(ask()).await.unwrap();
    assert_eq!(answer.text().await.unwrap(), TEXT);
}

#[tokio::test(start_paused = true)]
async fn silence_is_noticed_by_the_timeouts_of_streams() {
    for (plan, seconds) in [("hang", 10), ("first-token=60s", 10), ("GOOD;stall=60s@3", 15)] {
        let world = World::new(&format!("1x{plan},GOOD")).await;
        let got = call(&on(&world).build().unwrap(), false, ask()).await;
        assert_eq!((got.text.as_str(), got.kind()), (TEXT, None), "{plan}");
        assert_eq!(got.took.as_secs(), seconds, "{plan}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_break_at_any_word_is_no_short_answer() {
    for word in 1..11 {
        let world = World::new(&format!("GOOD;cut@{word}")).await;
        let got = call(&on(&world).build().unwrap(), false, ask()).await;
        assert_eq!((got.text.as_str(), got.asked()), (TEXT, vec![FIRST, SECOND]));
        assert_eq!(got.kind(), None);
    }
}

#[tokio::test(start_paused = true)]
async fn a_candidate_interrupted_unseen_is_tried_after_all_others() {
    for (plan, asked) in [
        ("GOOD;cut@3", vec![FIRST, SECOND]),
        ("GOOD;error=502@3", vec![FIRST, SECOND]),
        ("2xGOOD;cut@3,GOOD", vec![FIRST, SECOND]),
        ("GOOD;stall=60s@3", vec![FIRST, SECOND]),
        ("1x503,GOOD;cut@3", vec![FIRST, FIRST, SECOND]),
    ] {
        let world = World::new(plan).await;
        let got = call(&on(&world).build().unwrap(), false, ask()).await;
        assert_eq!((got.text.as_str(), got.asked()), (TEXT, asked), "{plan}");
    }
    // The others fail as well: it is called once more, and then no more.
    for (plan, text, asked) in [
        ("1xGOOD;cut@3,GOOD", TEXT, vec![FIRST, SECOND, FIRST]),
        ("GOOD;cut@3", "", vec![FIRST, SECOND, FIRST, SECOND]),
    ] {
        let world = World::new(plan).await;
        world.simulator.plan(SECOND, "words=20;cut@5").unwrap();
        let got = call(&on(&world).build().unwrap(), false, ask()).await;
        assert_eq!((got.text.as_str(), got.asked()), (text, asked), "{plan}");
        assert_eq!(got.kind(), text.is_empty().then_some(FailureKind::Reset), "{plan}");
    }
    // A refusal of the request ends it.
    let world = World::new("GOOD;cut@3").await;
    world.simulator.plan(SECOND, "400").unwrap();
    let got = call(&on(&world).build().unwrap(), false, ask().model(FIRST)).await;
    assert_eq!(
        (got.asked(), got.kind()),
        (vec![FIRST, SECOND], Some(FailureKind::BadRequest))
    );
}

#[tokio::test(start_paused = true)]
async fn an_interrupted_call_without_another_candidate_is_called_once_more() {
    let alone = |world: &World| {
        world
            .builder()
            .chain([FIRST])
            .stream_upstream(StreamUpstreamLayer::new())
    };
    let world = World::new("1xGOOD;cut@3,GOOD").await;
    let got = call(&alone(&world).build().unwrap(), false, ask()).await;
    assert_eq!((got.text.as_str(), got.asked()), (TEXT, vec![FIRST, FIRST]));

    let world = World::new("GOOD;cut@3").await;
    let got = call(&alone(&world).build().unwrap(), false, ask()).await;
    // Not that no candidate was left: how it was interrupted.
    assert_eq!((got.text.as_str(), got.kind()), ("", Some(FailureKind::Reset)));
    assert_eq!(got.asked().len(), 2, "once more, and no more");

    let world = World::new("GOOD;stall=60s@3").await;
    let got = call(&alone(&world).build().unwrap(), false, ask()).await;
    assert_eq!(got.kind(), Some(FailureKind::Timeout(Phase::Response)));

    let world = World::new("GOOD;cut@3").await;
    let got = call(&alone(&world).attempts(1).build().unwrap(), false, ask()).await;
    assert_eq!(got.asked().len(), 1);

    let world = World::new("words=60;delay=200ms;cut@50").await;
    let late = alone(&world).deadline(Duration::from_secs(12)).build().unwrap();
    let got = call(&late, false, ask()).await;
    assert_eq!((got.asked().len(), got.took.as_secs()), (2, 12));
    assert_eq!(got.kind(), Some(FailureKind::Timeout(Phase::Deadline)));
}

#[tokio::test(start_paused = true)]
async fn what_was_never_shown_may_degrade() {
    let world = World::new("GOOD;cut@3").await;
    let stack = on(&world).chain([FIRST]).canned_reply(CannedReply::text("Sorry."));
    assert_eq!(call(&stack.build().unwrap(), false, ask()).await.text, "Sorry.");
}

#[tokio::test(start_paused = true)]
async fn resume_and_hedges_serve_plain_calls() {
    let world = World::new("1xwords=60;cut@40,words=60").await;
    let stack = on(&world).resume(ResumeLayer::new()).build().unwrap();
    let got = call(&stack, false, ask()).await;
    assert_eq!(got.text.split(' ').count(), 60);
    let second: Value = serde_json::from_slice(&world.simulator.report().attempts[1].body).unwrap();
    assert_eq!(second["messages"].as_array().unwrap().len(), 2, "it went on");

    let world = World::new("first-token=9s;GOOD").await;
    let hedge = Hedge::after(Duration::from_secs(1)).ratio(1.0);
    let got = call(&on(&world).hedge(hedge).build().unwrap(), false, ask()).await;
    assert_eq!((got.text.as_str(), got.took.as_secs()), (TEXT, 1));
}

#[tokio::test(start_paused = true)]
async fn leaving_closes_the_stream() {
    let world = World::new("words=50;delay=1s").await;
    let stack = on(&world).build().unwrap();
    let request: ChatRequest = ask();
    let left = tokio::time::timeout(Duration::from_secs(5), stack.complete(request)).await;
    assert!(left.is_err());
    let closed = world.simulator.wait_until(|seen| seen.open_connections == 0);
    tokio::time::timeout(Duration::from_secs(10), closed).await.unwrap();
    let seen = world.simulator.report();
    assert_eq!(seen.attempts[0].outcome, Ended::ClosedByClient);
    let pieces = seen.attempts[0].pieces;
    assert!(pieces < 10, "{pieces}: the bill ended");
    let _: Stack = stack;
}

/// The retry ratio bounds calls that are repeated because their stream was interrupted unseen.
#[tokio::test(start_paused = true)]
async fn interrupted_upstream_streams_keep_to_the_retry_ratio() {
    let world = World::new("GOOD;cut@3").await;
    let stack = world
        .builder()
        .chain([FIRST])
        .stream_upstream(StreamUpstreamLayer::new())
        .retry_budget(RetryBudget::new(0.0, 0.0))
        .build()
        .unwrap();
    for _ in 0..20 {
        call(&stack, false, ask()).await;
    }
    assert_eq!(world.simulator.report().attempts.len(), 20);
}

/// The error is that of the stream or of the last candidate; not that the first could not be called once more.
#[tokio::test(start_paused = true)]
async fn upstream_streams_without_a_retry_left_report_the_last_failure() {
    let world = World::new("GOOD;cut@3").await;
    world.simulator.plan(SECOND, "429;retry-after=50").unwrap();
    let stack = world
        .builder()
        .chain([FIRST, SECOND])
        .attempts_per_candidate(1)
        .retry_budget(RetryBudget::new(0.0, 0.0))
        .stream_upstream(StreamUpstreamLayer::new())
        .build()
        .unwrap();
    let got = call(&stack, false, ask()).await;
    let error = got.error.unwrap();
    assert!(
        matches!(error.kind(), FailureKind::RateLimited | FailureKind::Truncated),
        "{:?} {:?} {error}\n{:#?}",
        error.kind(),
        error.retry_after(),
        got.lines.iter().map(ToString::to_string).collect::<Vec<_>>()
    );
}
