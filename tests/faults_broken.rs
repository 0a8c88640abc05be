//! Silence, cuts and garbage, over real sockets: what the caller gets, and when.

use std::time::Duration;

use crate::support::{FIRST, Got, SECOND, TEXT, World, ask, call};
use tower_openrouter::{FailureKind as K, Phase};

/// Virtual seconds, give or take the milliseconds that sockets take.
fn at(got: &Got, seconds: u64) {
    let (took, seconds) = (got.took, Duration::from_secs(seconds));
    assert!(
        took >= seconds && took < seconds + Duration::from_millis(900),
        "{took:?}, not {seconds:?}: {got:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_silent_model_is_left_for_the_next_and_not_asked_again() {
    for plan in ["hang", "first-token=60s", "slow-headers=60s", "comments"] {
        let world = World::new(plan).await;
        let got = call(&world.pair(), true, ask()).await;
        assert_eq!((got.text.as_str(), got.asked()), (TEXT, vec![FIRST, SECOND]), "{plan}");
        at(&got, 10);
    }
}

#[tokio::test(start_paused = true)]
async fn a_silent_model_alone_gets_a_grace_and_then_an_error() {
    let world = World::new("first-token=60s").await;
    let got = call(&world.alone(), true, ask()).await;
    assert_eq!(
        (got.kind(), got.asked().len()),
        (Some(K::Timeout(Phase::FirstToken)), 1)
    );
    at(&got, 15);
    // Called again only if the caller opted in.
    let stack = world.builder().retry_timeouts(true).chain([FIRST]).build().unwrap();
    let got = call(&stack, true, ask()).await;
    assert_eq!(got.asked().len(), 2);
    at(&got, 30);
}

#[tokio::test(start_paused = true)]
async fn a_slow_first_token_in_time_is_an_answer() {
    let world = World::new("first-token=9s;GOOD").await;
    let got = call(&world.pair(), true, ask()).await;
    assert_eq!((got.text.as_str(), got.asked()), (TEXT, vec![FIRST]));
    at(&got, 9);
}

#[tokio::test(start_paused = true)]
async fn a_plain_answer_has_a_longer_clock_of_its_own() {
    for plan in ["hang", "drip=1s/100s"] {
        let world = World::new(plan).await;
        let got = call(&world.pair(), false, ask()).await;
        assert_eq!((got.text.as_str(), got.asked()), (TEXT, vec![FIRST, SECOND]), "{plan}");
        at(&got, 40);
    }
    let world = World::new("drip=1s/30s;GOOD").await;
    let got = call(&world.pair(), false, ask()).await;
    assert_eq!((got.text.as_str(), got.asked()), (TEXT, vec![FIRST]));
    at(&got, 30);
}

#[tokio::test(start_paused = true)]
async fn white_space_and_a_cut_is_no_answer() {
    let world = World::new("drip-cut=1s/5s").await;
    let got = call(&world.pair(), false, ask()).await;
    assert_eq!((got.text.as_str(), got.asked()), (TEXT, vec![FIRST, FIRST, SECOND]));
    at(&got, 10);
}

#[tokio::test(start_paused = true)]
async fn a_stall_after_the_first_word_ends_in_an_error_without_another_attempt() {
    let world = World::new("stall=60s@3;GOOD").await;
    let got = call(&world.pair(), true, ask()).await;
    assert_eq!((got.kind(), got.asked()), (Some(K::Timeout(Phase::Idle)), vec![FIRST]));
    assert!(
        !got.text.is_empty() && TEXT.starts_with(&got.text) && got.text != TEXT,
        "{}",
        got.text
    );
    at(&got, 15);
    // Shorter than the timeout: it continues.
    let world = World::new("stall=12s@3;GOOD").await;
    let got = call(&world.pair(), true, ask()).await;
    assert_eq!((got.kind(), got.text.as_str()), (None, TEXT));
    at(&got, 12);
}

#[tokio::test(start_paused = true)]
async fn a_cut_after_the_first_word_ends_in_an_error() {
    for plan in [
        "cut@3;GOOD",
        "cut@3;rst;GOOD",
        "no-finish;GOOD",
        "error=502@3;GOOD",
        "error=server_error@3;done;no-choices;GOOD",
        "bad-json@3;GOOD",
    ] {
        let world = World::new(plan).await;
        let got = call(&world.pair(), true, ask()).await;
        let kind = got.kind();
        let expected = if plan.starts_with("error") {
            K::Upstream
        } else {
            K::Truncated
        };
        assert_eq!((kind, got.asked()), (Some(expected), vec![FIRST]), "{plan}: {got:?}");
        assert!(
            !got.text.is_empty() && TEXT.starts_with(&got.text),
            "{plan}: {}",
            got.text
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_cut_before_the_first_word_is_tried_again() {
    for plan in ["cut@0", "cut@0;rst", "bad-json@0", "empty-stream", "role-only"] {
        let world = World::new(&format!("{plan},GOOD")).await;
        let got = call(&world.pair(), true, ask()).await;
        assert_eq!(
            (got.text.as_str(), got.asked()),
            (TEXT, vec![FIRST, FIRST]),
            "{plan}: {got:?}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_plain_answer_that_breaks_is_tried_again() {
    for plan in ["cut@3", "cut@3;rst", "bad-json@0", "cut-byte=0", "cut-byte=25"] {
        let world = World::new(&format!("{plan},GOOD")).await;
        let got = call(&world.pair(), false, ask()).await;
        assert_eq!(
            (got.text.as_str(), got.asked()),
            (TEXT, vec![FIRST, FIRST]),
            "{plan}: {got:?}"
        );
    }
}

/// Odd but whole: each is an answer at the first attempt.
#[tokio::test(start_paused = true)]
async fn what_is_odd_but_whole_is_an_answer() {
    for plan in [
        "no-done",
        "no-usage",
        "usage=repeat",
        "usage=empty",
        "usage=null",
        "usage=finish",
        "split=1",
        "split=7",
        "crlf",
        "bom",
        "blank-lines",
        "keepalive=5",
        "dated",
        "reasoning=4",
        "delay=100ms",
    ] {
        let world = World::new(&format!("{plan};GOOD")).await;
        let got = call(&world.pair(), true, ask()).await;
        assert_eq!(
            (got.kind(), got.text.as_str(), got.asked()),
            (None, TEXT, vec![FIRST]),
            "{plan}: {got:?}"
        );
        assert!(got.took < Duration::from_secs(6), "{plan}: {:?}", got.took);
    }
}

#[tokio::test(start_paused = true)]
async fn reasoning_that_ate_the_budget_is_an_honest_end() {
    for streamed in [true, false] {
        let world = World::new("reasoning-only").await;
        let got = call(&world.pair(), streamed, ask().max_tokens(64)).await;
        assert_eq!(
            (got.kind(), got.text.as_str(), got.asked()),
            (None, "", vec![FIRST]),
            "{got:?}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_refused_prefill_is_passed_over() {
    let world = World::new("no-prefill").await;
    let request = ask().message(tower_openrouter::request::Message::assistant("Scattering"));
    let got = call(&world.pair(), true, request).await;
    assert_eq!(got.asked(), [FIRST, SECOND], "{got:?}");
    assert!(got.error.is_none());
}

#[tokio::test(start_paused = true)]
async fn a_model_that_was_down_is_tried_again_when_it_is_up() {
    let world = World::new("down=30s;503;no-hint").await;
    let stack = world.pair();
    assert_eq!(call(&stack, true, ask()).await.asked(), [FIRST, FIRST, SECOND]);
    tokio::time::sleep(Duration::from_secs(31)).await;
    assert_eq!(call(&stack, true, ask()).await.asked(), [FIRST]);
}

#[tokio::test(start_paused = true)]
async fn an_event_over_the_limit_is_an_error_and_not_a_full_memory() {
    let world = World::new("big-event=9000000").await;
    let alone = world.builder().chain([FIRST]);
    let limited = alone.clone().max_event_bytes(8_000_000).build().unwrap();
    let got = call(&limited, true, ask()).await;
    assert_eq!(got.kind(), Some(K::Malformed), "{:?}", got.error);
    let told = got.error.unwrap().to_string();
    assert!(
        told.contains("larger than 8000000 bytes") && told.contains("max_event_bytes"),
        "{told}"
    );
    let got = call(&alone.build().unwrap(), true, ask()).await;
    assert_eq!(got.kind(), None, "{:?}", got.error);
}

#[tokio::test(start_paused = true)]
async fn the_deadline_holds_in_the_future_and_in_the_body() {
    let world = World::new("first-token=9s;delay=1s;words=60").await;
    let stack = world
        .builder()
        .deadline(Duration::from_secs(20))
        .chain([FIRST])
        .build()
        .unwrap();
    let got = call(&stack, true, ask()).await;
    assert_eq!(got.kind(), Some(K::Timeout(Phase::Deadline)), "{got:?}");
    assert!(!got.text.is_empty());
    at(&got, 20);
    let stack = world
        .builder()
        .first_token_timeout(None)
        .deadline(Duration::from_secs(5))
        .chain([FIRST])
        .build()
        .unwrap();
    let got = call(&stack, true, ask()).await;
    assert_eq!((got.kind(), got.text.as_str()), (Some(K::Timeout(Phase::Deadline)), ""));
    at(&got, 5);
}

/// Invariant 2, over a real socket: whichever byte is the last.
#[tokio::test(start_paused = true)]
async fn a_stream_cut_at_any_byte_never_ends_as_a_whole_answer() {
    let world = World::new("GOOD").await;
    let stack = world.builder().attempts(1).chain([FIRST]).build().unwrap();
    assert_eq!(call(&stack, true, ask()).await.text, TEXT);
    let whole = world.simulator.report().attempts.last().unwrap().bytes;
    let mut whole_answers = 0;
    for byte in 0..whole {
        world
            .simulator
            .plan(
                FIRST,
                &format!("cut-byte={byte};{}", crate::support::GOOD.replace(',', "%2C")),
            )
            .unwrap();
        let got = call(&stack, true, ask()).await;
        match got.kind() {
            None => {
                assert_eq!(got.text, TEXT, "whole after {byte} of {whole} bytes");
                whole_answers += 1;
            }
            Some(_) => assert!(TEXT.starts_with(&got.text)),
        }
    }
    // Only what comes after the finish may be missing: the usage and `[DONE]`.
    assert!(whole_answers < whole / 2, "{whole_answers} of {whole}");
}
