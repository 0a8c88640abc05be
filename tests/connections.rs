//! How connections are made and kept: each setting changes what the simulator sees.

use std::time::Duration;

use crate::support::{FIRST, World, ask, call};
use tokio::time::Instant;
use tower_openrouter::{
    ApiKey, FailureKind, Stack,
    transport::{Dialect, OPENROUTER, TransportBuilder, Upstream},
};

fn stack(world: &World, change: impl FnOnce(TransportBuilder) -> TransportBuilder) -> Stack {
    world.builder().connections(change).chain([FIRST]).build().unwrap()
}

async fn calls(stack: &Stack, count: usize) {
    for _ in 0..count {
        assert!(call(stack, true, ask()).await.error.is_none());
    }
}

#[tokio::test(start_paused = true)]
async fn each_shard_has_connections_of_its_own() {
    for (shards, connections) in [(1, 1), (3, 3)] {
        let world = World::new("GOOD").await;
        calls(&stack(&world, |builder| builder.shards(shards)), 9).await;
        assert_eq!(world.simulator.report().connections_accepted, connections);
    }
}

#[tokio::test(start_paused = true)]
async fn clones_share_connections() {
    let world = World::new("GOOD").await;
    let stack = stack(&world, |builder| builder);
    calls(&stack, 1).await;
    calls(&stack.clone(), 1).await;
    assert_eq!(world.simulator.report().connections_accepted, 1);
}

#[tokio::test(start_paused = true)]
async fn no_idle_connection_is_kept_if_none_is_wanted() {
    let world = World::new("GOOD").await;
    calls(&stack(&world, |builder| builder.pool_max_idle(0)), 3).await;
    assert_eq!(world.simulator.report().connections_accepted, 3);
}

#[tokio::test(start_paused = true)]
async fn an_idle_connection_is_dropped_in_time() {
    for (limit, connections) in [(30, 2), (300, 1)] {
        let world = World::new("GOOD").await;
        let stack = stack(&world, |builder| builder.pool_idle_timeout(Duration::from_secs(limit)));
        calls(&stack, 1).await;
        tokio::time::sleep(Duration::from_secs(100)).await;
        calls(&stack, 1).await;
        assert_eq!(world.simulator.report().connections_accepted, connections, "{limit} s");
    }
}

/// A port whose queue is full takes no more: the dial gets no answer at all.
#[tokio::test(start_paused = true)]
async fn a_dial_that_gets_no_answer_ends_in_time() {
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let full = socket.listen(1).unwrap();
    let address = full.local_addr().unwrap();
    let mut waiting = Vec::new();
    while let Ok(Ok(stream)) =
        tokio::time::timeout(Duration::from_millis(200), tokio::net::TcpStream::connect(address)).await
    {
        waiting.push(stream);
        assert!(waiting.len() < 64, "the queue never fills");
    }
    let upstream = Upstream::new(OPENROUTER, &format!("http://{address}/v1"), Dialect::OpenRouter).unwrap();
    let stack = Stack::builder()
        .upstream(upstream, ApiKey::new("sk-or-v1-test").unwrap())
        .connections(|builder| builder.connect_timeout(Duration::from_secs(3)))
        .attempts(1)
        .chain([FIRST])
        .build()
        .unwrap();
    let begun = Instant::now();
    let got = call(&stack, true, ask()).await;
    assert_eq!(
        (got.kind(), begun.elapsed().as_secs()),
        (Some(FailureKind::Connect), 3),
        "{got:?}"
    );
    drop(full);
}

#[tokio::test(start_paused = true)]
async fn a_refused_connection_is_tried_again_and_says_so() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let upstream = Upstream::new(OPENROUTER, &format!("http://{address}/v1"), Dialect::OpenRouter).unwrap();
    let stack = Stack::builder()
        .upstream(upstream, ApiKey::new("sk-or-v1-test").unwrap())
        .chain([FIRST])
        .build()
        .unwrap();
    let got = call(&stack, true, ask()).await;
    assert_eq!(
        (got.kind(), got.asked().len()),
        (Some(FailureKind::Connect), 2),
        "{got:?}"
    );
    let report = got.error.unwrap().report();
    assert!(report.contains("check the base URL and the network"), "{report}");
}
