//! What a decision costs that several processes share: one round trip to a Redis on loopback, beside a bare `PING`'s.
//!
//! `cargo bench -p tower-openrouter-benches --bench shared`

use std::{hint::black_box, sync::Arc, time::Duration};

use criterion::{Criterion, criterion_group, criterion_main};
use test_servers::Redis;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    runtime::{Builder, Runtime},
};
use tower_openrouter::{
    Tags, UsdAmount,
    layers::{
        UtcTime,
        budget::{Budget, Budgets, Decision, ReserveRequest, Window},
        rate_limit::{LimitStore, Limits, Rate},
    },
    redis::Store,
};

/// Decisions under way at once.
const AT_ONCE: usize = 64;

#[expect(clippy::unwrap_used, reason = "nothing can be measured then")]
fn start() -> Option<(Redis, Runtime, Store)> {
    let server = Redis::start()?;
    let runtime = Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap();
    let store = Store::builder(&server.url()).decision_timeout(Duration::from_secs(30));
    let store = runtime.block_on(store.connect()).unwrap();
    Some((server, runtime, store))
}

#[expect(clippy::unwrap_used, reason = "constants")]
fn budgets(store: &Store, count: usize) -> Budgets {
    let budget = |number| {
        Budget::usd(&format!("b{count}-{number}"), "100000000")
            .unwrap()
            .per(Window::Day)
    };
    Budgets::in_store((0..count).map(budget), Arc::new(store.budgets())).unwrap()
}

/// Reserves a cent and releases it, without waiting for the release.
async fn decide(budgets: &Budgets) -> bool {
    let ask = ReserveRequest::new(
        budgets.lines(&Tags::default(), "", ""),
        UsdAmount::from_pico(10_000_000_000),
        UtcTime::now(),
    )
    .at_least(UsdAmount::from_pico(1_000_000));
    match budgets.reserve(ask) {
        Decision::Now(decided) => decided.is_ok(),
        Decision::Later(decision) => decision.await.is_ok(),
    }
}

#[expect(clippy::unwrap_used, reason = "nothing can be measured then")]
fn shared(criterion: &mut Criterion) {
    let Some((server, runtime, store)) = start() else {
        return;
    };
    let mut group = criterion.benchmark_group("shared");
    // Nothing but the wire.
    let mut bare = runtime
        .block_on(TcpStream::connect(("127.0.0.1", server.port())))
        .unwrap();
    group.bench_function("ping", |bencher| {
        bencher.iter(|| {
            runtime.block_on(async {
                let mut answer = [0; 7];
                bare.write_all(b"PING\r\n").await.unwrap();
                bare.read_exact(&mut answer).await.unwrap();
                black_box(answer)
            })
        });
    });
    for count in [1, 3] {
        let budgets = budgets(&store, count);
        group.bench_function(format!("budgets/{count}"), |bencher| {
            bencher.iter(|| assert!(runtime.block_on(decide(&budgets))));
        });
    }
    let all = budgets(&store, 1);
    group.bench_function(format!("budgets/1, {AT_ONCE} at once"), |bencher| {
        bencher.iter(|| {
            runtime.block_on(async {
                let deciding = (0..AT_ONCE).map(|_| decide(&all));
                assert!(
                    futures_util::future::join_all(deciding)
                        .await
                        .into_iter()
                        .all(|held| held)
                );
            });
        });
    });
    let many = Rate::new(1_000_000_000, Duration::from_secs(1))
        .unwrap()
        .burst(1_000_000_000)
        .unwrap();
    let limits = Limits::new().requests(many).tokens(many).concurrency(100_000).unwrap();
    let (counted, key) = (store.limits(), Arc::from("acme"));
    group.bench_function("limits", |bencher| {
        bencher.iter(|| assert!(runtime.block_on(counted.admit(&key, &limits, 100)).is_ok()));
    });
    group.finish();
}

criterion_group!(benches, shared);
criterion_main!(benches);
