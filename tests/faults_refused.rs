//! Each error before the first word, over real sockets: what the caller gets, after how many attempts, in which virtual time.

use std::time::Duration;

use crate::support::{FIRST, SECOND, TEXT, World, ask, call};
use tower_openrouter::FailureKind as K;

/// What follows from a refusal of the first model.
struct Row {
    plan: &'static str,
    kind: K,
    /// Attempts on it, alone and in a chain.
    attempts: usize,
    /// Whether the second model answers.
    moves: bool,
    /// How long the retry waits, in seconds; it may take a tenth more.
    waits: u64,
}

const fn row(plan: &'static str, kind: K, attempts: usize, moves: bool, waits: u64) -> Row {
    Row {
        plan,
        kind,
        attempts,
        moves,
        waits,
    }
}

const TABLE: &[Row] = &[
    row("400", K::BadRequest, 1, false, 0),
    row("400-zod", K::BadRequest, 1, false, 0),
    row("400-models", K::BadRequest, 1, false, 0),
    row("413", K::BadRequest, 1, false, 0),
    row("422", K::BadRequest, 1, false, 0),
    row("418", K::RejectedByProvider, 1, true, 0),
    row("400-context", K::ContextLengthExceeded, 1, true, 0),
    row("400-upstream", K::RejectedByProvider, 1, true, 0),
    row("400-model", K::NoEndpoint, 1, true, 0),
    row("400-policy", K::ContentFiltered, 1, false, 0),
    row("401", K::Auth, 1, false, 0),
    row("401-missing", K::Auth, 1, false, 0),
    row("401-upstream", K::Upstream, 2, true, 0),
    row("402", K::InsufficientFunds, 1, false, 0),
    row("402-inflight", K::RateLimited, 2, false, 3),
    row("402-weight", K::InsufficientFunds, 1, true, 0),
    row("403-key", K::QuotaExhausted, 1, false, 0),
    row("403-workspace", K::QuotaExhausted, 1, false, 0),
    row("403-budget", K::QuotaExhausted, 1, false, 0),
    row("403-guardrail", K::ContentFiltered, 1, false, 0),
    row("403-moderation", K::ContentFiltered, 1, false, 0),
    row("403-management", K::Auth, 1, false, 0),
    row("403-region", K::NoEndpoint, 1, true, 0),
    row("403-html", K::NoEndpoint, 1, false, 0),
    row("404", K::NoEndpoint, 1, true, 0),
    row("404-tools", K::NoEndpoint, 1, true, 0),
    row("404-image", K::NoEndpoint, 1, true, 0),
    row("404-privacy", K::NoEndpoint, 1, true, 0),
    row("404-constraint", K::NoEndpoint, 1, true, 0),
    row("408", K::Upstream, 2, true, 0),
    row("429;no-hint", K::RateLimited, 2, true, 0),
    row("429-upstream;no-hint", K::RateLimited, 2, true, 0),
    row("429;retry-after=2", K::RateLimited, 2, true, 2),
    row("429;retry-after=0", K::RateLimited, 2, true, 0),
    row("429;retry-after=soon;no-hint", K::RateLimited, 2, true, 0),
    row("429;no-hint;metadata-retry=4", K::RateLimited, 2, true, 4),
    row("429;no-hint;metadata-header=5", K::RateLimited, 2, true, 5),
    row("503;no-hint;availability-retry=6", K::Overloaded, 2, true, 6),
    // The day of the free models is over, whichever model has led there: what is paid from another pool answers.
    row("429-day", K::QuotaExhausted, 1, true, 0),
    row("429-html", K::RateLimited, 2, false, 0),
    // Past the longest wait: no retry, the next one answers.
    row("429-capacity", K::RateLimited, 1, true, 0),
    row("429;retry-after=86400", K::RateLimited, 1, true, 0),
    row("500", K::Upstream, 2, true, 0),
    row("502", K::Upstream, 2, true, 0),
    row("503", K::Overloaded, 2, true, 5),
    row("504", K::Upstream, 2, true, 0),
    row("524", K::Upstream, 2, true, 0),
    row("529", K::Overloaded, 2, true, 0),
    row("520", K::Upstream, 2, true, 0),
    row("502-html", K::Upstream, 2, true, 0),
    row("reset", K::Reset, 2, true, 0),
    row("close", K::Reset, 2, true, 0),
    row("html", K::Malformed, 2, true, 0),
    row("error=502", K::Upstream, 2, true, 0),
    row("error=429", K::RateLimited, 2, true, 0),
    row("error=server_error;done", K::Upstream, 2, true, 0),
    row("finish-error", K::Upstream, 2, true, 0),
    row("empty-choices", K::EmptyResponse, 2, true, 0),
    row("empty-content", K::EmptyResponse, 2, true, 0),
];

/// In a chain of two, and alone; streamed and plain.
async fn check(row: &Row, streamed: bool) {
    let world = World::new(row.plan).await;
    let wait = Duration::from_secs(row.waits);
    let about = |took: Duration| took >= wait && took < wait + wait / 10 + Duration::from_millis(900);

    let alone = call(&world.alone(), streamed, ask()).await;
    let label = format!("{} streamed={streamed}: {alone:?}", row.plan);
    assert_eq!(alone.kind(), Some(row.kind), "{label}");
    assert_eq!(alone.asked(), vec![FIRST; row.attempts], "{label}");
    assert!(about(alone.took), "{label}");
    assert_eq!(alone.text, "", "{label}");

    world.simulator.plan(FIRST, row.plan).unwrap();
    let pair = call(&world.pair(), streamed, ask()).await;
    let label = format!("{} streamed={streamed}, in a chain: {pair:?}", row.plan);
    let mut asked = vec![FIRST; row.attempts];
    if row.moves {
        asked.push(SECOND);
        assert!(pair.error.is_none(), "{label}");
        assert_eq!(pair.text, TEXT, "{label}");
    } else {
        assert_eq!(pair.kind(), Some(row.kind), "{label}");
    }
    assert_eq!(pair.asked(), asked, "{label}");
    assert!(about(pair.took), "{label}");
    assert_eq!(
        world.simulator.report().attempts.len(),
        row.attempts * 2 + usize::from(row.moves),
        "{label}"
    );
}

#[tokio::test(start_paused = true)]
async fn streamed() {
    for row in TABLE {
        check(row, true).await;
    }
}

#[tokio::test(start_paused = true)]
async fn plain() {
    for row in TABLE {
        check(row, false).await;
    }
}

/// What heals after one failure is answered by the same model, and no other is tried.
#[tokio::test(start_paused = true)]
async fn a_retry_that_works_keeps_the_model() {
    for row in TABLE.iter().filter(|row| row.attempts == 2) {
        let world = World::new(&format!("{},GOOD", row.plan)).await;
        let got = call(&world.pair(), true, ask()).await;
        assert_eq!(got.text, TEXT, "{}: {got:?}", row.plan);
        assert_eq!(got.asked(), [FIRST, FIRST], "{}", row.plan);
    }
}

/// The balance carries fewer tokens than requested, and no other candidate is left: the retry requests what it can afford.
#[tokio::test(start_paused = true)]
async fn an_affordable_answer_is_requested_instead() {
    let world = World::new("402-afford=400,GOOD").await;
    let got = call(&world.alone(), true, ask().max_tokens(5000)).await;
    assert_eq!((got.text.as_str(), got.asked().len()), (TEXT, 2));
    let bodies: Vec<serde_json::Value> = world
        .simulator
        .report()
        .attempts
        .iter()
        .map(|attempt| serde_json::from_slice(&attempt.body).unwrap())
        .collect();
    assert_eq!(
        bodies
            .iter()
            .map(|body| body["max_tokens"].as_u64())
            .collect::<Vec<_>>(),
        [Some(5000), Some(400)]
    );
    // Too few are not worth a call: an answer of a few words is no answer.
    let world = World::new("402-afford=255").await;
    assert_eq!(
        call(&world.alone(), true, ask().max_tokens(5000)).await.asked().len(),
        1
    );
}

/// A wait that would pass the deadline is not begun; the hint is kept.
#[tokio::test(start_paused = true)]
async fn no_wait_passes_the_deadline() {
    let world = World::new("429;retry-after=15").await;
    let stack = world
        .builder()
        .deadline(Duration::from_secs(10))
        .chain([FIRST])
        .build()
        .unwrap();
    let got = call(&stack, true, ask()).await;
    assert_eq!((got.kind(), got.asked().len()), (Some(K::RateLimited), 1));
    assert!(got.took < Duration::from_secs(1));
    let error = got.error.unwrap();
    assert_eq!(error.retry_after(), Some(Duration::from_secs(15)));
    assert!(error.report().contains("retry after 15 s"), "{}", error.report());
    assert!(error.report().contains("past the"), "{}", error.report());
}
