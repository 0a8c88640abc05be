//! Sixteen faults that every router of models meets, and what a good one makes of each: an answer, within bounds.
//!
//! Two retries, one fallback. Real time if the numbers are small, otherwise virtual time.

use std::time::Duration;

use crate::support::{
    FIRST, Got, SECOND, TEXT, World, ask, call,
    ledger::{Kept, bill},
};
use tokio::time::{Instant, advance};
use tower_openrouter::{
    ApiKey, Candidate, ChatServiceExt, FailureKind, Outcome, Phase, Stack,
    layers::{ledger::EntryOutcome, resume::ResumeLayer},
    stack::StackBuilder,
};

const THIRD: &str = "google/gemini-2.5-flash";

/// The stack's own defaults, but for two retries and a first token within ten seconds.
fn standard(world: &World) -> StackBuilder {
    Stack::builder()
        .upstream(
            world.upstream(),
            ApiKey::new("sk-or-v1-0123456789abcdef0123456789abtest").unwrap(),
        )
        .chain([FIRST, SECOND])
        .attempts_per_candidate(3)
        .first_token_timeout(Duration::from_secs(10))
        .response_timeout(Duration::from_secs(60))
        .idle_timeout(Duration::from_secs(15))
}

async fn world(plan: &str) -> (World, Stack) {
    let world = World::new(plan).await;
    let stack = standard(&world).build().unwrap();
    (world, stack)
}

fn whole(got: &Got) {
    assert_eq!((got.text.as_str(), got.kind()), (TEXT, None), "{got:?}");
}

/// When a model was called, since the world began.
fn asked_at(world: &World, model: &str) -> Vec<Duration> {
    world.simulator.report().of(model).map(|attempt| attempt.at).collect()
}

#[tokio::test]
async fn s01_a_429_with_a_hint_is_waited_for() {
    for streamed in [true, false] {
        let (world, stack) = world("1x429;no-hint;retry-after=2,GOOD").await;
        let got = call(&stack, streamed, ask()).await;
        whole(&got);
        assert_eq!(got.asked(), [FIRST, FIRST]);
        let times = asked_at(&world, FIRST);
        let waited = times[1] - times[0];
        assert!(
            waited >= Duration::from_millis(1800) && waited < Duration::from_secs(3),
            "{waited:?}"
        );
    }
}

#[tokio::test]
async fn s02_an_endless_429_is_not_hammered() {
    for plan in ["429;no-hint", "429;no-hint;retry-after=1"] {
        let (world, stack) = world(plan).await;
        whole(&call(&stack, true, ask()).await);
        let times = asked_at(&world, FIRST);
        let early = times.iter().filter(|at| **at - times[0] < Duration::from_secs(3));
        assert!(
            early.count() <= 3 && world.simulator.report().attempts.len() <= 6,
            "{times:?}"
        );
    }
}

#[tokio::test]
async fn s03_a_single_500_is_retried() {
    for streamed in [true, false] {
        let (_world, stack) = world("1x500,GOOD").await;
        let got = call(&stack, streamed, ask()).await;
        whole(&got);
        assert_eq!(got.asked(), [FIRST, FIRST]);
    }
}

#[tokio::test]
async fn s04_an_endless_503_goes_to_the_fallback() {
    for streamed in [true, false] {
        let (world, stack) = world("503;no-hint").await;
        let got = call(&stack, streamed, ask()).await;
        whole(&got);
        assert_eq!(got.asked().last(), Some(&SECOND));
        assert!(asked_at(&world, FIRST).len() <= 3);
    }
}

#[tokio::test]
async fn s05_a_reset_before_the_headers_is_retried() {
    for (plan, last) in [("1xreset,GOOD", FIRST), ("reset", SECOND)] {
        for streamed in [true, false] {
            let (_world, stack) = world(plan).await;
            let got = call(&stack, streamed, ask()).await;
            whole(&got);
            assert_eq!(got.asked().last(), Some(&last));
        }
    }
}

#[tokio::test(start_paused = true)]
async fn s06_a_silent_route_is_left_and_not_asked_again() {
    for (streamed, within) in [(true, 15), (false, 100)] {
        let (_world, stack) = world("hang").await;
        let got = call(&stack, streamed, ask()).await;
        whole(&got);
        assert_eq!(got.asked(), [FIRST, SECOND]);
        assert!(got.took <= Duration::from_secs(within), "{got:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn s07_a_late_first_token_is_no_reason_to_wait() {
    let (_world, stack) = world("first-token=20s").await;
    let begun = Instant::now();
    let answer = stack.stream(ask()).await.unwrap();
    assert!(begun.elapsed() <= Duration::from_secs(15), "{:?}", begun.elapsed());
    assert_eq!(answer.text().await.unwrap(), TEXT);
}

/// Sixty words of streamed answer, and what became of them.
async fn sixty_words(plan: &str, chain: &[&str], resume: ResumeLayer) -> (String, Got) {
    let world = World::new(plan).await;
    for (model, plan) in [(SECOND, "no-prefill;words=60"), (THIRD, "words=60")] {
        world.simulator.plan(model, plan).unwrap();
    }
    let stack = standard(&world)
        .chain(chain.iter().copied())
        .resume(resume)
        .build()
        .unwrap();
    let whole = call(&stack, true, ask().model(THIRD)).await;
    assert_eq!(whole.text.split(' ').count(), 60);
    (whole.text, call(&stack, true, ask()).await)
}

/// With Resume the answer is whole; without it, it is never taken for whole.
async fn whole_or_honest(plan: &str, chain: &[&str], kind: FailureKind, within: Duration) {
    let (whole, got) = sixty_words(plan, chain, ResumeLayer::new()).await;
    assert_eq!((got.text, got.error.map(|error| error.kind())), (whole, None), "{plan}");
    assert!(got.took <= within, "{:?}", got.took);
    let (whole, got) = sixty_words(plan, chain, ResumeLayer::off()).await;
    assert_eq!(got.kind(), Some(kind), "{plan}");
    assert!(got.text.len() < whole.len() && whole.starts_with(&got.text), "{plan}");
    assert!(got.took <= within, "{:?}", got.took);
}

#[tokio::test]
async fn s08_a_cut_at_forty_of_sixty_is_resumed() {
    for plan in ["1xwords=60;cut@40,words=60", "1xwords=60;cut@40;rst,words=60"] {
        let within = Duration::from_secs(5);
        whole_or_honest(plan, &[FIRST, SECOND], FailureKind::Truncated, within).await;
    }
}

#[tokio::test(start_paused = true)]
async fn s09_a_stall_in_mid_stream_is_resumed() {
    let kind = FailureKind::Timeout(Phase::Idle);
    let within = Duration::from_secs(45);
    whole_or_honest("1xwords=60;stall=30s@40,words=60", &[FIRST, SECOND], kind, within).await;
}

#[tokio::test]
async fn s14_a_fallback_that_refuses_a_begun_message_hides_nothing() {
    let within = Duration::from_secs(5);
    // The first is down by then, the second refuses, the third continues.
    let gone = "1xwords=60;cut@40,503;no-hint";
    whole_or_honest(gone, &[FIRST, SECOND, THIRD], FailureKind::Truncated, within).await;
    // Of two, the interrupted one continues by itself.
    let back = "1xwords=60;cut@40,words=60";
    whole_or_honest(back, &[FIRST, SECOND], FailureKind::Truncated, within).await;
    // If none does, the first failure is reported, not the refusal.
    let (_, got) = sixty_words(gone, &[FIRST, SECOND], ResumeLayer::new()).await;
    assert_eq!(got.kind(), Some(FailureKind::Truncated));
}

#[tokio::test]
async fn s10_broken_json_is_no_answer() {
    for streamed in [true, false] {
        let (_world, stack) = world("1xbad-json,GOOD").await;
        whole(&call(&stack, streamed, ask()).await);
    }
    let within = Duration::from_secs(5);
    let plan = "1xwords=60;bad-json@40,words=60";
    whole_or_honest(plan, &[FIRST, SECOND], FailureKind::Truncated, within).await;
}

#[tokio::test]
async fn s11_an_end_without_done_is_an_end() {
    let (_world, stack) = world("no-done;GOOD").await;
    let begun = Instant::now();
    let mut answer = stack.stream(ask()).await.unwrap();
    let mut text = String::new();
    while let Some(piece) = answer.next_text().await {
        text.push_str(&piece.unwrap());
    }
    assert_eq!(text, TEXT);
    assert!(answer.usage().unwrap().total_tokens > Some(0));
    assert!(begun.elapsed() <= Duration::from_secs(8));
}

#[tokio::test]
async fn s12_too_long_a_context_goes_to_another_model_at_once() {
    for streamed in [true, false] {
        let (_world, stack) = world("400-context").await;
        let got = call(&stack, streamed, ask()).await;
        whole(&got);
        assert_eq!(got.asked(), [FIRST, SECOND]);
    }
}

#[tokio::test]
async fn s13_a_content_filter_is_final() {
    for plan in ["400-policy", "403-moderation"] {
        for streamed in [true, false] {
            let (world, stack) = world(plan).await;
            let got = call(&stack, streamed, ask()).await;
            assert_eq!(
                (got.kind(), got.asked()),
                (Some(FailureKind::ContentFiltered), vec![FIRST]),
                "{plan}"
            );
            assert_eq!(world.simulator.report().attempts.len(), 1);
        }
    }
    let (world, stack) = world("finish=content_filter;GOOD").await;
    let answer = stack.complete(ask()).await.unwrap();
    let finish = answer.response.choices[0].finish_reason.as_ref().unwrap();
    assert_eq!(finish.as_str(), "content_filter", "the caller sees it");
    assert_eq!(world.simulator.report().attempts.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn s15_an_outage_costs_few_probes_and_is_over_when_it_is_over() {
    let (world, stack) = world("down=60s").await;
    let begun = Instant::now();
    let mut back = None;
    for _ in 0..20 {
        let got = call(&stack, true, ask()).await;
        assert_eq!(got.kind(), None, "{got:?}");
        if begun.elapsed() > Duration::from_secs(60) && got.asked() == [FIRST] {
            back.get_or_insert(begun.elapsed());
        }
        advance(Duration::from_secs(5)).await;
    }
    let back = back.unwrap();
    assert!(back <= Duration::from_secs(90), "{back:?}");
    let during = asked_at(&world, FIRST);
    let probes = during.iter().filter(|at| **at < Duration::from_secs(60)).count();
    assert!(probes <= 10, "{during:?}");
}

#[tokio::test]
async fn s16_the_bill_names_the_model_that_answered() {
    for streamed in [true, false] {
        let world = World::new("503;no-hint").await;
        let kept = Kept::new();
        let stack = standard(&world).ledger(kept.clone()).build().unwrap();
        let got = call(&stack, streamed, ask()).await;
        whole(&got);
        let answered = got.lines.iter().find(|line| line.outcome == Outcome::Answered).unwrap();
        assert_eq!(answered.candidate.as_ref().map(Candidate::model), Some(SECOND));
        let entries = kept.entries();
        let paid: Vec<_> = entries.iter().filter(|entry| entry.cost().pico() > 0).collect();
        assert_eq!(paid.len(), 1, "{entries:?}");
        assert_eq!(&*paid[0].model, SECOND);
        assert_eq!(paid[0].outcome, EntryOutcome::Answered);
        assert_eq!(kept.total(), bill(&world.simulator));
    }
}

/// The stack as it comes: no timeout is set.
fn with_defaults(world: &World) -> StackBuilder {
    Stack::builder()
        .upstream(
            world.upstream(),
            ApiKey::new("sk-or-v1-0123456789abcdef0123456789abtest").unwrap(),
        )
        .chain([FIRST, SECOND])
}

#[tokio::test(start_paused = true)]
async fn s06_with_the_defaults_is_passed() {
    for (streamed, within) in [(true, 30), (false, 100)] {
        let world = World::new("hang").await;
        let got = call(&with_defaults(&world).build().unwrap(), streamed, ask()).await;
        whole(&got);
        assert_eq!(got.asked(), [FIRST, SECOND]);
        assert!(got.took <= Duration::from_secs(within), "{got:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn s09_with_the_defaults_is_passed() {
    for stall in ["stall=30s@4", "stall=500s@4"] {
        // A plain answer, which nothing is shown of, needs no option.
        let world = World::new(&format!("GOOD;{stall}")).await;
        let got = call(&with_defaults(&world).build().unwrap(), false, ask()).await;
        whole(&got);
        assert!(got.took <= Duration::from_secs(45), "{stall}: {got:?}");
        // A stream is whole with `resume`, and otherwise never taken for whole.
        let world = World::new(&format!("GOOD;{stall}")).await;
        let stack = with_defaults(&world).resume(ResumeLayer::new()).build().unwrap();
        let got = call(&stack, true, ask()).await;
        whole(&got);
        assert!(got.took <= Duration::from_secs(45), "{stall}: {got:?}");
    }
}
