//! When the caller goes, the upstream connection closes, and nothing is left behind.

use std::time::Duration;

use crate::support::{FIRST, World, ask};
use openrouter_simulator::{Outcome as Seen, Simulator};
use tokio::time::timeout;
use tower_openrouter::{ChatServiceExt, Outcome};

/// Waits until the simulator knows how its last request ended.
async fn end_of_last(simulator: &Simulator) -> Seen {
    simulator
        .wait_until(|seen| seen.attempts.last().is_some_and(openrouter_simulator::Attempt::ended))
        .await;
    simulator.report().attempts.last().unwrap().outcome
}

#[tokio::test(start_paused = true)]
async fn dropping_a_call_that_waits_closes_its_connection() {
    for streamed in [true, false] {
        for plan in ["hang", "slow-headers=100s", "first-token=100s"] {
            let world = World::new(plan).await;
            let stack = world
                .builder()
                .first_token_timeout(None)
                .response_timeout(None)
                .chain([FIRST])
                .build()
                .unwrap();
            let left = Duration::from_secs(3);
            if streamed {
                assert!(timeout(left, stack.stream(ask())).await.is_err(), "{plan}");
            } else {
                assert!(timeout(left, stack.complete(ask())).await.is_err(), "{plan}");
            }
            assert_eq!(
                end_of_last(&world.simulator).await,
                Seen::ClosedByClient,
                "{plan} streamed={streamed}"
            );
            world.simulator.wait_until(|seen| seen.open_connections == 0).await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn dropping_a_stream_closes_its_connection_and_stops_the_bill() {
    let world = World::new("delay=1s;words=50").await;
    let stack = world.builder().deadline(None).chain([FIRST]).build().unwrap();
    let mut answer = stack.stream(ask()).await.unwrap();
    let attempts = answer.attempts().unwrap();
    for _ in 0..3 {
        answer.next_text().await.unwrap().unwrap();
    }
    drop(answer);
    assert_eq!(end_of_last(&world.simulator).await, Seen::ClosedByClient);
    let pieces = world.simulator.report().attempts.last().unwrap().pieces;
    assert!((3..=5).contains(&pieces), "{pieces} pieces of 50 were made");
    assert_eq!(attempts.attempts().last().unwrap().outcome, Outcome::Dropped);
}

#[tokio::test(start_paused = true)]
async fn a_clock_that_runs_out_closes_the_connection() {
    let world = World::new("hang").await;
    let _ = world.alone().stream(ask()).await.unwrap_err();
    assert_eq!(end_of_last(&world.simulator).await, Seen::ClosedByClient);
    // The deadline, in the middle of a stream.
    let world = World::new("delay=1s;words=50").await;
    let stack = world
        .builder()
        .first_token_timeout(None)
        .deadline(Duration::from_secs(5))
        .chain([FIRST])
        .build()
        .unwrap();
    let mut answer = stack.stream(ask()).await.unwrap();
    while let Some(Ok(_)) = answer.next_text().await {}
    assert_eq!(end_of_last(&world.simulator).await, Seen::ClosedByClient);
}

#[tokio::test(start_paused = true)]
async fn a_stream_read_to_its_end_leaves_its_connection_for_the_next_call() {
    let world = World::new("GOOD").await;
    let stack = world.alone();
    for streamed in [true, false, true, true] {
        assert!(crate::support::call(&stack, streamed, ask()).await.error.is_none());
    }
    assert_eq!(world.simulator.report().connections_accepted, 1);
}
