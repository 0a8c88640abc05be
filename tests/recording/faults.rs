//! What is recorded of each fault, and what never is.

use std::time::Duration;

use openrouter_simulator::Simulator;
use tokio::time::sleep;
use tower_openrouter::{
    Api, ApiRequest, Candidate, ChatServiceExt, EmbeddingRequest, FailureKind as K, Phase, ResponsesRequest,
    recording::{AttemptEnd, Chunk, ChunkStage, RecordedAttempt, RecordedOutcome, Recorder, Recording},
};

use super::{KEY, PROMPT, Place, TAG, ask, builder, one, recorded, written};
use crate::support::{FIRST, SECOND, TEXT, World, call};

/// One call to a model that follows this plan, alone in its chain.
async fn recording_of(plan: &str, is_streamed: bool) -> Recording {
    let (world, place) = (World::new(plan).await, Place::new());
    let recorder = Recorder::builder(place.path()).open().unwrap();
    let stack = builder(&world).attempts_per_candidate(1).chain([FIRST]);
    call(&recorded(stack, &recorder), is_streamed, ask()).await;
    written(&recorder, &place).await
}

#[tokio::test(start_paused = true)]
async fn a_whole_answer_has_its_pieces_its_tokens_and_its_cost() {
    let (world, place) = (World::over(slow().await, "GOOD"), Place::new());
    let recorder = Recorder::builder(place.path()).open().unwrap();
    let stack = recorded(builder(&world).chain([FIRST, SECOND]), &recorder);
    sleep(Duration::from_secs(7)).await;
    call(&stack, true, ask().max_tokens(77)).await;
    let recording = written(&recorder, &place).await;
    let (call, attempt) = one(&recording);
    assert_eq!((call.api, call.stream, call.max_tokens), (Api::Chat, true, Some(77)));
    assert!(
        (7_000..7_100).contains(&call.at_ms) && attempt.at_ms >= call.at_ms,
        "{call:?}"
    );
    assert!(call.prompt_bytes > PROMPT.len() as u64 && call.deadline_ms.is_none());
    assert_eq!(
        (call.outcome, call.kind, call.model.as_deref()),
        (RecordedOutcome::Answered, None, Some(FIRST))
    );
    assert_eq!(
        (&*attempt.upstream, &*attempt.model, attempt.status),
        ("openrouter", FIRST, Some(200))
    );
    assert_eq!(
        (attempt.end, attempt.kind, attempt.finish.as_deref()),
        (AttemptEnd::Complete, None, Some("stop"))
    );
    let tokens = attempt.tokens.unwrap();
    assert!(
        tokens.prompt > 0 && tokens.answer > 0 && attempt.cost.is_some(),
        "{attempt:?}"
    );
    let content = attempt.chunks.iter().filter(|chunk| chunk.2 == ChunkStage::Content);
    let gaps: Vec<_> = content.map(|chunk| chunk.0).collect();
    assert!(
        gaps.len() > 5 && gaps[1..].iter().all(|gap| (90..=110).contains(gap)),
        "{gaps:?}"
    );
    let is_empty = |chunk: &&Chunk| chunk.1 == 0 && chunk.2 != ChunkStage::KeepAlive;
    assert!(attempt.chunks.iter().find(is_empty).is_none() && call.first_ms < Some(call.whole_ms));
}

async fn slow() -> Simulator {
    let simulator = Simulator::builder().piece_delay(Duration::from_millis(100));
    simulator.start().await.unwrap()
}

#[tokio::test(start_paused = true)]
async fn each_fault_is_recorded_as_what_it_was() {
    let long = |millis: u64, seconds: u64| (seconds * 1_000..seconds * 1_000 + 900).contains(&millis);
    for (plan, is_streamed, end, kind, status) in [
        ("500;no-hint", true, AttemptEnd::Error, K::Upstream, Some(500)),
        ("503;no-hint", false, AttemptEnd::Error, K::Overloaded, Some(503)),
        ("hang", true, AttemptEnd::Silent, K::Timeout(Phase::FirstToken), None),
        ("hang", false, AttemptEnd::Silent, K::Timeout(Phase::Response), None),
        (
            "stall=60s@3;GOOD",
            true,
            AttemptEnd::Silent,
            K::Timeout(Phase::Idle),
            Some(200),
        ),
        ("cut@5;GOOD", true, AttemptEnd::Cut, K::Truncated, Some(200)),
        ("reset", true, AttemptEnd::Reset, K::Reset, None),
        ("error=502@3;GOOD", true, AttemptEnd::Error, K::Upstream, Some(200)),
    ] {
        let recording = recording_of(plan, is_streamed).await;
        let (call, attempt) = one(&recording);
        assert_eq!(
            (call.outcome, call.stream),
            (RecordedOutcome::Failed, is_streamed),
            "{plan}: {call:?}"
        );
        assert_eq!(
            (attempt.end, attempt.kind, attempt.status, attempt.head_ms.is_some()),
            (end, Some(kind), status, status.is_some()),
            "{plan}: {attempt:?}"
        );
        match kind {
            K::Timeout(Phase::FirstToken) => assert!(long(attempt.end_ms, 15), "{attempt:?}"),
            K::Timeout(Phase::Response) => assert!(long(attempt.end_ms, 45), "{attempt:?}"),
            _ => {}
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_hint_is_recorded_and_a_refused_connection_has_no_head() {
    let recording = recording_of("429;retry-after=2", true).await;
    let (_, attempt) = one(&recording);
    assert_eq!(
        (attempt.kind, attempt.retry_after_ms),
        (Some(K::RateLimited), Some(2_000))
    );
    assert_eq!(attempt.hints.get("retry-after").map(String::as_str), Some("2"));
    let recording = recording_of("429-minute", true).await;
    let hints = &one(&recording).1.hints;
    assert!(
        hints.contains_key("x-ratelimit-remaining") && hints.contains_key("x-ratelimit-reset"),
        "{hints:?}"
    );

    let (world, place) = (World::new("ok").await, Place::new());
    let recorder = Recorder::builder(place.path()).open().unwrap();
    let chain = [Candidate::new("closed", "any").unwrap()];
    let stack = recorded(builder(&world).chain(chain), &recorder);
    call(&stack, false, ask()).await;
    let recording = written(&recorder, &place).await;
    let (_, attempt) = one(&recording);
    assert_eq!((attempt.end, attempt.kind), (AttemptEnd::Refused, Some(K::Connect)));
    assert_eq!((attempt.head_ms, &*attempt.upstream), (None, "closed"));
}

#[tokio::test(start_paused = true)]
async fn a_rescued_call_has_all_its_attempts_in_order() {
    let (world, place) = (World::new("2x503;retry-after=1,ok").await, Place::new());
    let recorder = Recorder::builder(place.path()).open().unwrap();
    let stack = recorded(builder(&world).chain([FIRST, SECOND]), &recorder);
    call(&stack, true, ask()).await;
    let recording = written(&recorder, &place).await;
    let (call, _) = one(&recording);
    let shape = |attempt: &RecordedAttempt| (attempt.number, attempt.model.clone(), attempt.end);
    let attempts: Vec<_> = call.attempts.iter().map(shape).collect();
    assert_eq!(
        attempts,
        [
            (1, FIRST.to_owned(), AttemptEnd::Error),
            (2, FIRST.to_owned(), AttemptEnd::Error),
            (3, SECOND.to_owned(), AttemptEnd::Complete)
        ]
    );
    assert_eq!(
        (call.outcome, call.model.as_deref()),
        (RecordedOutcome::Answered, Some(SECOND))
    );
}

#[tokio::test(start_paused = true)]
async fn an_abandoned_stream_and_an_abandoned_call_are_written() {
    let (world, place) = (World::over(slow().await, "GOOD,hang"), Place::new());
    let recorder = Recorder::builder(place.path()).open().unwrap();
    let stack = recorded(builder(&world).chain([FIRST]), &recorder);
    let mut answer = stack.stream(ask()).await.unwrap();
    answer.next_text().await.unwrap().unwrap();
    drop(answer);
    tokio::time::timeout(Duration::from_secs(3), stack.stream(ask()))
        .await
        .unwrap_err();
    let recording = written(&recorder, &place).await;
    let [first, second] = &recording.calls[..] else {
        panic!("{recording:?}")
    };
    for call in [first, second] {
        assert_eq!((call.outcome, call.kind), (RecordedOutcome::Left, None));
        assert_eq!(call.attempts[0].end, AttemptEnd::Dropped);
    }
    assert!(first.first_ms.is_some() && !first.attempts[0].chunks.is_empty());
    assert!(
        second.first_ms.is_none() && (3_000..3_100).contains(&second.whole_ms),
        "{second:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_deadline_that_passes_is_a_failure_and_not_a_caller_who_left() {
    let (world, place) = (World::new("hang").await, Place::new());
    let recorder = Recorder::builder(place.path()).open().unwrap();
    let stack = recorded(builder(&world).chain([FIRST]), &recorder);
    let mut request = ApiRequest::from(ask()).stream(true).into_http();
    request
        .headers_mut()
        .insert("x-request-timeout-ms", "4000".parse().unwrap());
    tower::ServiceExt::oneshot(stack, request).await.unwrap_err();
    let recording = written(&recorder, &place).await;
    let (call, attempt) = one(&recording);
    assert_eq!(
        (call.outcome, call.kind),
        (RecordedOutcome::Failed, Some(K::Timeout(Phase::Deadline)))
    );
    assert_eq!((call.deadline_ms, attempt.end), (Some(4_000), AttemptEnd::Dropped));
}

#[tokio::test(start_paused = true)]
async fn no_content_no_key_and_no_tag_is_in_the_file() {
    let place = Place::new();
    let recorder = Recorder::builder(place.path()).open().unwrap();
    let words = TEXT
        .split(|letter: char| !letter.is_alphanumeric())
        .filter(|word| word.len() > 3);
    for plan in [
        "GOOD",
        "400",
        "401",
        "402-afford=1480",
        "403-moderation",
        "429-minute",
        "html",
        "cut@3;GOOD",
        "error=502@3;GOOD",
        "refusal",
        "hang",
    ] {
        let world = World::new("ok").await;
        // Not every simulator knows every plan.
        if world
            .simulator
            .plan_all(&plan.replace("GOOD", &crate::support::GOOD.replace(',', "%2C")))
            .is_err()
        {
            continue;
        }
        let stack = recorded(builder(&world).chain([FIRST]), &recorder);
        for is_streamed in [true, false] {
            call(&stack, is_streamed, ask().end_user("ENDUSER-7")).await;
        }
        let responses = ResponsesRequest::text(PROMPT).model(FIRST);
        drop(stack.complete(responses).await);
        let texts = EmbeddingRequest::new("openai/text-embedding-3-small", [PROMPT]);
        drop(stack.embed(texts).await);
    }
    let recording = written(&recorder, &place).await;
    assert!(
        recording.calls.len() > 20 && recording.unreadable_lines == 0,
        "{}",
        recording.calls.len()
    );
    let apis: Vec<_> = recording.calls.iter().map(|call| call.api).collect();
    assert!(apis.contains(&Api::Embeddings) && apis.contains(&Api::Responses));
    let text = place.text();
    for secret in [
        "PROMPTWORD",
        "KEYMATERIAL",
        "TAGVALUE",
        "ENDUSER",
        "team",
        "Bearer",
        TAG,
        KEY,
    ]
    .into_iter()
    .chain(words)
    {
        assert!(!text.contains(secret), "{secret}");
    }
}
