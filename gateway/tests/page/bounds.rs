//! What is kept is bounded, and no reader delays a call.

use openrouter_gateway::calls::{Calls, Filter};

use super::support::{FIRST, World, chat, tagged};

#[tokio::test]
async fn calls_are_kept_up_to_their_number() {
    let world = World::with("", Calls::with_room(3, 1 << 20), None).await;
    for _ in 0..5 {
        world.call(chat(FIRST, false)).await;
    }
    let ids: Vec<_> = world
        .calls
        .recent(&Filter::default(), 10)
        .iter()
        .map(|call| call.id)
        .collect();
    assert_eq!(ids, [5, 4, 3]);
    let totals = world.calls.totals(std::time::Duration::from_secs(3_600));
    assert_eq!(totals.answered, 5, "counted, although evicted");
}

#[tokio::test]
async fn calls_are_kept_up_to_their_bytes() {
    let world = World::with("requested_model = 'first'", Calls::with_room(1_000, 12_000), None).await;
    let long = "x".repeat(400);
    let value = "v".repeat(250);
    let tags: Vec<(String, String)> = (0..15).map(|number| (format!("t{number}"), value.clone())).collect();
    let tags: Vec<_> = tags
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect();
    for _ in 0..6 {
        world.call(tagged(chat(&long, false), &tags)).await;
    }
    let kept = world.calls.recent(&Filter::default(), 100);
    assert!((1..=2).contains(&kept.len()), "{}", kept.len());
    let model = kept[0].requested.as_deref().unwrap();
    assert!(model.len() < 300, "cut to {}", model.len());
}

#[tokio::test]
async fn a_subscriber_that_does_not_read_delays_nothing() {
    let world = World::new("ok").await;
    let mut updates = world.calls.subscribe();
    for _ in 0..600 {
        let broken = http::Request::post("/v1/chat/completions").body("{".into()).unwrap();
        world.call(broken).await;
        let broken = http::Request::post("/v1/messages").body("{".into()).unwrap();
        world.call(broken).await;
    }
    let missed = updates.try_recv();
    assert!(
        matches!(missed, Err(tokio::sync::broadcast::error::TryRecvError::Lagged(_))),
        "{missed:?}"
    );
    assert_eq!(world.last().id, 1_200);
}
