//! Answers held to the requested schemas, over the simulator: repeated, moved on, recorded, and kept.

use serde_json::{Value, json};
use tower_openrouter::{
    ChatRequest, ChatServiceExt as _, FailureKind, Outcome, Stack,
    conformance::JsonSchemaCheck,
    layers::conformance::ConformanceLayer,
    request::ResponseFormat,
    stack::StackBuilder,
    stream_upstream::{StreamUpstreamLayer, StreamUpstreamMode},
};

use crate::support::{
    FIRST, SECOND, World, ask, call,
    ledger::{Kept, bill},
};

/// JSON that fits the schema, as a clause of a plan.
const FITS: &str = "text=%7B%22city%22%3A%22Oslo%22%7D";
/// JSON that does not.
const WRONG: &str = "text=%7B%22city%22%3A7%7D";
/// None at all.
const PROSE: &str = "text=Oslo%20it%20is.";

fn schema() -> Value {
    json!({"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"], "additionalProperties": false})
}

fn asks() -> ChatRequest {
    ask().response_format(ResponseFormat::json_schema("city", schema()))
}

fn layer() -> ConformanceLayer<JsonSchemaCheck> {
    ConformanceLayer::new(JsonSchemaCheck::new())
}

async fn world(first: &str) -> World {
    let world = World::new(first).await;
    world.simulator.plan(SECOND, FITS).unwrap();
    world
}

fn stack(builder: StackBuilder) -> Stack {
    builder.chain([FIRST, SECOND]).build().unwrap()
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_does_not_fit_is_repeated_once_and_then_the_next_is_called() {
    for (plan, asked) in [
        (FITS.to_owned(), &[FIRST][..]),
        (format!("{WRONG},{FITS}"), &[FIRST, FIRST][..]),
        (format!("{PROSE},{FITS}"), &[FIRST, FIRST][..]),
        (WRONG.to_owned(), &[FIRST, FIRST, SECOND][..]),
    ] {
        let world = world(&plan).await;
        let kept = Kept::new();
        let stack = stack(world.builder().conformance(layer()).ledger(kept.clone()));
        let got = call(&stack, false, asks()).await;
        assert_eq!(got.text, r#"{"city":"Oslo"}"#, "{plan}: {got:?}");
        assert_eq!(got.asked(), asked, "{plan}");
        let rejected = got.lines.iter().rev().skip(1);
        assert!(
            rejected
                .clone()
                .all(|line| line.outcome == Outcome::Failed(FailureKind::Nonconformant)),
            "{plan}"
        );
        assert!(rejected.clone().all(|line| line.cost.is_some()), "{plan}");
        // What was rejected was paid for, and is in the ledger.
        assert_eq!(kept.entries().len(), asked.len(), "{plan}");
        assert_eq!(kept.total(), bill(&world.simulator), "{plan}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_last_text_is_on_the_error_and_in_no_message() {
    let world = world(WRONG).await;
    world.simulator.plan(SECOND, PROSE).unwrap();
    let stack = stack(world.builder().conformance(layer()));
    let error = call(&stack, false, asks()).await.error.unwrap();
    assert_eq!(error.kind(), FailureKind::Nonconformant);
    assert_eq!(error.partial_text(), Some("Oslo it is."));
    let printed = format!("{error} {error:?} {error:#?}");
    assert!(!printed.contains("Oslo"), "{printed}");
    assert!(printed.contains("by the schema `city`"), "{printed}");
    assert!(
        printed.contains("`/city` does not fit `/properties/city/type`"),
        "{printed}"
    );
}

#[tokio::test(start_paused = true)]
async fn it_counts_within_the_calls_attempts_and_never_against_health() {
    let world = world(WRONG).await;
    world.simulator.plan(SECOND, WRONG).unwrap();
    let stack = stack(world.builder().conformance(layer()).attempts(3));
    for _ in 0..10 {
        let got = call(&stack, false, asks()).await;
        assert_eq!(got.asked(), [FIRST, FIRST, SECOND]);
    }
    let reports = stack.circuits().unwrap().reports();
    assert!(reports.iter().all(|report| report.failed == 0), "{reports:?}");
}

#[tokio::test(start_paused = true)]
async fn streams_pass_unless_they_are_checked_or_nothing_of_them_is_shown() {
    let world = world(&format!("{WRONG},{WRONG},{FITS}")).await;
    let plain = stack(world.builder().conformance(layer()));
    assert_eq!(call(&plain, true, asks()).await.text, r#"{"city":7}"#);
    let streams = stack(world.builder().conformance(layer().streams(true)));
    let got = call(&streams, true, asks()).await;
    assert_eq!((&*got.text, got.asked().len()), (r#"{"city":"Oslo"}"#, 2));

    // A plain call that is streamed upstream is a whole answer to its caller.
    let world = self::world(&format!("{WRONG},{FITS}")).await;
    let gathered = stack(
        world
            .builder()
            .conformance(layer())
            .stream_upstream(StreamUpstreamLayer::new()),
    );
    let got = call(&gathered, false, asks()).await;
    assert_eq!((&*got.text, got.asked().len()), (r#"{"city":"Oslo"}"#, 2), "{got:?}");
}

#[tokio::test(start_paused = true)]
async fn an_interrupted_stream_that_was_not_shown_is_repeated() {
    let world = world(&format!("cut@1;{FITS},{FITS}")).await;
    let stack = stack(world.builder().conformance(layer().streams(true)));
    let got = call(&stack, true, asks()).await;
    assert_eq!((&*got.text, got.asked().len()), (r#"{"city":"Oslo"}"#, 2), "{got:?}");

    let world = self::world("cut@1").await;
    world.simulator.plan(SECOND, "cut@1").unwrap();
    let stack = self::stack(world.builder().conformance(layer()));
    let mut request = asks().into_http();
    request.extensions_mut().insert(StreamUpstreamMode::On);
    let error = stack.complete(request).await.unwrap_err();
    assert_eq!(error.kind(), FailureKind::Reset, "nothing of it was shown");
}

#[tokio::test(start_paused = true)]
async fn what_asks_for_nothing_is_left_alone() {
    let world = world(PROSE).await;
    let stack = stack(world.builder().conformance(layer()));
    assert_eq!(call(&stack, false, ask()).await.asked(), [FIRST]);
    let cut = format!("{PROSE};finish=length");
    world.simulator.plan(FIRST, &cut).unwrap();
    let got = call(&stack, false, asks()).await;
    assert_eq!((got.asked(), &*got.text), (vec![FIRST], "Oslo it is."));
}

#[test]
fn the_description_names_it() {
    let builder = Stack::openrouter(tower_openrouter::ApiKey::new("sk-or-v1-0").unwrap());
    let off = builder.clone().build().unwrap();
    assert!(
        off.describe().contains("\nConformance          off\n"),
        "{}",
        off.describe()
    );
    let on = builder.conformance(layer().streams(true)).build().unwrap();
    assert!(
        on.describe().contains("streams are read to their end first"),
        "{}",
        on.describe()
    );
}
