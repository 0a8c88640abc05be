//! Recordings in front of other settings: the same ones give the same outcomes, and a further candidate rescues.

use std::time::Duration;

use tokio::time::{Instant, sleep};
use tower_openrouter::{
    ChatServiceExt, FailureKind as K, Phase, Stack, UsdAmount,
    layers::retry::Exponential,
    recording::{RecordedOutcome, Recorder, Recording, Replay, ReplayReport},
    stack::StackBuilder,
};

use super::{Place, ask, builder, recorded, written};
use crate::support::{FIRST, SECOND, World, call};

/// One of each: answers, errors, silences, cuts.
const PLANS: [&str; 12] = [
    "GOOD",
    "500;no-hint",
    "hang",
    "429;retry-after=2",
    "cut@5;GOOD",
    "stall=60s@3;GOOD",
    "1x503;no-hint,ok",
    "reset",
    "error=502@3;GOOD",
    "first-token=6s;GOOD",
    "429;retry-after=300",
    "400-context",
];

/// Calls of each plan, plain and streamed, to a stack whose chain is the first model alone, and one call to the second.
async fn recorded_run(place: &Place) -> Recording {
    let world = World::new("ok").await;
    let recorder = Recorder::builder(place.path()).open().unwrap();
    let stack = recorded(alone(builder(&world)), &recorder);
    for plan in PLANS {
        let plan = plan.replace("GOOD", &crate::support::GOOD.replace(',', "%2C"));
        for is_streamed in [true, false] {
            world.simulator.plan(FIRST, &plan).unwrap();
            call(&stack, is_streamed, ask()).await;
            // What a pause or a circuit remembers is over by then.
            sleep(Duration::from_secs(400)).await;
        }
    }
    let other = recorded(builder(&world).chain([SECOND]), &recorder);
    for is_streamed in [true, false] {
        call(&other, is_streamed, ask()).await;
    }
    written(&recorder, place).await
}

fn alone(builder: StackBuilder) -> StackBuilder {
    builder.circuit_breaker(None).chain([FIRST])
}

/// Without keys, as a replay needs none.
fn settings() -> StackBuilder {
    Stack::builder()
        .upstream(
            "https://openrouter.ai/api/v1",
            tower_openrouter::layers::auth::KeySource::None,
        )
        .backoff(Exponential::new(Duration::ZERO, Duration::ZERO))
        .first_token_timeout(Duration::from_secs(10))
        .response_timeout(Duration::from_secs(40))
        .last_candidate_grace(Duration::from_secs(5))
        .idle_timeout(Duration::from_secs(15))
        .max_retry_delay(Duration::from_secs(20))
        .max_retry_delay_with_fallback(Duration::from_secs(20))
        .deadline(Duration::from_secs(120))
}

async fn replay(recording: &Recording, builder: StackBuilder) -> ReplayReport {
    Replay::new(recording.clone(), builder).unwrap().run().await
}

#[tokio::test(start_paused = true)]
async fn the_same_settings_give_the_same_outcome_for_each_call() {
    let place = Place::new();
    let recording = recorded_run(&place).await;
    let replayed = replay(&recording, alone(settings())).await;
    assert_eq!(recording.calls.len(), replayed.calls.len());
    let last = recording.calls.len() - 2;
    for (before, after) in recording.calls.iter().zip(&replayed.calls).take(last) {
        assert_eq!(
            (after.outcome, after.kind),
            (before.outcome, before.kind),
            "{before:?}\n{after:?}"
        );
        assert_eq!(after.attempts, before.attempts.len() as u64, "{before:?}\n{after:?}");
        assert_eq!(after.model, before.model);
        let cost = before.attempts.iter().filter_map(|attempt| attempt.cost);
        if before.outcome == RecordedOutcome::Answered {
            assert_eq!(after.cost, cost.reduce(UsdAmount::saturating_add), "{before:?}");
        }
        let near = |one: u64, other: u64| one.abs_diff(other) < 200;
        assert!(near(after.whole_ms, before.whole_ms), "{before:?}\n{after:?}");
        assert!(
            near(after.first_ms.unwrap_or(0), before.first_ms.unwrap_or(0)),
            "{before:?}\n{after:?}"
        );
    }
    let answered = |call: &&tower_openrouter::recording::ReplayedCall| call.outcome == RecordedOutcome::Answered;
    assert!(replayed.calls.iter().filter(answered).count() >= 6, "{replayed:?}");
    assert!(
        replayed.unknown.is_empty() && replayed.outlasted_silences > 0,
        "{replayed:?}"
    );
    assert_eq!(replayed.shortened_prompts, 0);
}

#[tokio::test(start_paused = true)]
async fn a_prompt_that_is_shorter_than_the_recorded_one_is_counted() {
    let place = Place::new();
    let mut recording = recorded_run(&place).await;
    recording.calls.truncate(3);
    recording.calls[1].prompt_bytes = u64::MAX;
    let replayed = replay(&recording, alone(settings())).await;
    assert_eq!((replayed.calls.len(), replayed.shortened_prompts), (3, 1));
}

#[tokio::test(start_paused = true)]
async fn a_further_candidate_rescues_what_had_failed_and_twice_gives_the_same() {
    let place = Place::new();
    let recording = recorded_run(&place).await;
    let pair = || settings().circuit_breaker(None).chain([FIRST, SECOND]);
    let replayed = replay(&recording, pair()).await;
    let again = replay(&recording, pair()).await;
    assert_eq!(replayed, again);
    let mut rescued = 0;
    for (before, after) in recording.calls.iter().zip(&replayed.calls) {
        let was_shown = before.first_ms.is_some();
        match before.outcome {
            // Nothing is swapped once a part was shown.
            RecordedOutcome::Failed if was_shown => assert_eq!(after.outcome, RecordedOutcome::Failed, "{after:?}"),
            _ => assert_eq!(after.outcome, RecordedOutcome::Answered, "{before:?}\n{after:?}"),
        }
        if before.outcome == RecordedOutcome::Failed && !was_shown {
            rescued += 1;
            assert_eq!(after.model.as_deref(), Some(SECOND));
        }
    }
    assert!(rescued >= 10, "{rescued}");
    let load = replayed.load["openrouter/openai/gpt-4o-mini"];
    assert_eq!(load.recorded, 2);
    assert!(load.replayed > rescued && replayed.estimated >= rescued, "{replayed:?}");
}

#[tokio::test(start_paused = true)]
async fn an_interrupted_stream_is_resumed_in_a_replay() {
    let place = Place::new();
    let recording = recorded_run(&place).await;
    let resuming = settings()
        .circuit_breaker(None)
        .chain([FIRST, SECOND])
        .resume(tower_openrouter::layers::resume::ResumeLayer::new());
    let replayed = replay(&recording, resuming).await;
    let cut = recording.calls.iter().zip(&replayed.calls);
    let cut: Vec<_> = cut.filter(|(before, _)| before.kind == Some(K::Truncated)).collect();
    assert!(!cut.is_empty());
    for (before, after) in cut {
        assert_eq!(after.outcome, RecordedOutcome::Answered, "{before:?}\n{after:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_model_that_was_never_called_is_named() {
    let place = Place::new();
    let recording = recorded_run(&place).await;
    let replayed = replay(&recording, settings().chain(["new/model", SECOND])).await;
    assert_eq!(replayed.unknown.keys().collect::<Vec<_>>(), ["openrouter/new/model"]);
    assert!(
        replayed.calls.iter().all(|call| call.model.as_deref() == Some(SECOND)),
        "{replayed:?}"
    );
    let replayed = replay(&recording, settings().chain(["new/model"])).await;
    assert!(
        replayed.calls.iter().all(|call| call.kind == Some(K::NoEndpoint)),
        "{replayed:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_caller_that_left_leaves_again_unless_it_has_its_answer() {
    let (world, place) = (World::new("first-token=30s").await, Place::new());
    let recorder = Recorder::builder(place.path()).open().unwrap();
    let stack = recorded(builder(&world).chain([FIRST]), &recorder);
    tokio::time::timeout(Duration::from_secs(3), stack.stream(ask()))
        .await
        .unwrap_err();
    call(&recorded(builder(&world).chain([SECOND]), &recorder), true, ask()).await;
    let recording = written(&recorder, &place).await;
    let replayed = replay(&recording, settings().chain([FIRST])).await;
    assert_eq!(
        (replayed.calls[0].outcome, replayed.calls[0].whole_ms),
        (RecordedOutcome::Left, 3_000)
    );
    let replayed = replay(&recording, settings().chain([SECOND])).await;
    assert_eq!(
        replayed.calls[0].outcome,
        RecordedOutcome::Answered,
        "the other model is faster"
    );
}

#[tokio::test(start_paused = true)]
async fn a_shorter_timeout_and_a_hedge_show_in_the_times() {
    let place = Place::new();
    let recording = recorded_run(&place).await;
    let silent = |kind| move |call: &&tower_openrouter::recording::RecordedCall| call.kind == Some(kind);
    assert!(
        recording
            .calls
            .iter()
            .any(|call| silent(K::Timeout(Phase::FirstToken))(&call))
    );
    let shorter = settings()
        .circuit_breaker(None)
        .chain([FIRST, SECOND])
        .first_token_timeout(Duration::from_secs(2));
    let replayed = replay(&recording, shorter).await;
    let both = recording.calls.iter().zip(&replayed.calls);
    let (_, after) = both
        .clone()
        .find(|(before, _)| silent(K::Timeout(Phase::FirstToken))(before))
        .unwrap();
    assert!((2_000..2_900).contains(&after.first_ms.unwrap()), "{after:?}");
}

#[tokio::test(start_paused = true)]
async fn a_day_of_calls_is_replayed_at_its_times() {
    let attempt = |at: u64, model: &str, end: &str, rest: &str| {
        format!(
            "{{\"number\":1,\"at_ms\":{at},\"upstream\":\"openrouter\",\"model\":\"{model}\",\"stream\":true,\"end\":\"{end}\",\"end_ms\":900{rest}}}"
        )
    };
    let good = ",\"status\":200,\"head_ms\":200,\"chunks\":[[100,300,\"c\"],[300,300,\"c\"],[300,200,\"f\"]],\"cost\":\"0.001\",\"tokens\":{\"prompt\":9,\"answer\":20}";
    let mut text = "{\"recording\":{\"version\":1,\"began_ms\":1790000000000}}\n".to_owned();
    let day = 24 * 3_600_000;
    for (number, at) in (0..day).step_by(86_400).enumerate() {
        // An outage of an hour.
        let is_down = (36_000_000..39_600_000).contains(&at);
        let (outcome, made) = if is_down {
            (
                "failed",
                attempt(
                    at,
                    FIRST,
                    "error",
                    ",\"status\":502,\"head_ms\":890,\"kind\":\"upstream\"",
                ),
            )
        } else {
            let model = if number % 3 == 0 { SECOND } else { FIRST };
            ("answered", attempt(at, model, "complete", good))
        };
        text.push_str(&format!(
            "{{\"call\":{{\"at_ms\":{at},\"api\":\"chat\",\"stream\":true,\"prompt_bytes\":400,\"outcome\":\"{outcome}\",\"whole_ms\":900,\"attempts\":[{made}]}}}}\n"
        ));
    }
    let recording = Recording::read(text.as_bytes()).unwrap();
    let begun = Instant::now();
    let replayed = replay(&recording, settings().chain([FIRST, SECOND])).await;
    let took = begun.elapsed().as_secs();
    assert!((86_300..86_400).contains(&took), "{took}");
    let answered = replayed
        .calls
        .iter()
        .filter(|call| call.outcome == RecordedOutcome::Answered)
        .count();
    assert_eq!((answered, replayed.calls.len()), (1_000, 1_000));
}
