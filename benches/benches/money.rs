//! What money costs in time: holds, the cost layer, entries into a ledger, and limits, beside governor and liter-llm.
//!
//! `cargo bench -p tower-openrouter-benches --bench money`

use std::{hint::black_box, num::NonZeroU32, sync::Arc, thread, time::Duration};

use criterion::{Criterion, criterion_group, criterion_main};
use governor::{DefaultKeyedRateLimiter, Quota};
use tokio::time::Instant;
use tower::Layer;
use tower_openrouter::{
    Catalogue, Tags, UsdAmount,
    layers::{
        UtcTime,
        budget::{Budget, Budgets, Decision, InMemoryBudgetStore, ReserveRequest, Window},
        cost::CostLayer,
        ledger::{Entry, Ledger, MemoryLedger},
        rate_limit::{Limits, Rate, RateLimitLayer},
    },
    ledger::LedgerOptions,
};
use tower_openrouter_subjects::{
    drive,
    leaf::{self, Leaf},
    liter, ours,
};

/// Keys that are requested in turn.
const KEYS: usize = 1_000;

/// Keeps the last entry, to be recorded again.
#[derive(Debug, Default)]
struct Last(std::sync::Mutex<Option<Entry>>);

impl Ledger for Last {
    fn record(&self, entry: &Entry) {
        if let Ok(mut last) = self.0.lock() {
            *last = Some(entry.clone());
        }
    }

    fn correct(&self, _: &tower_openrouter::layers::ledger::Correction) {}
}

#[expect(clippy::unwrap_used, reason = "constants")]
fn budgets() -> Budgets {
    let budget = Budget::usd("tenant-day", "1000000")
        .unwrap()
        .per(Window::Day)
        .each("tenant");
    Budgets::in_store([budget], Arc::new(InMemoryBudgetStore::new())).unwrap()
}

#[expect(clippy::unwrap_used, reason = "constants")]
fn tenants(prefix: &str) -> Vec<Tags> {
    let tags = |number: usize| Tags::new([("tenant", format!("{prefix}{number}"))]).unwrap();
    (0..KEYS).map(tags).collect()
}

/// Holds a cent and settles it at half a cent.
fn decide(budgets: &Budgets, tags: &Tags, at: UtcTime) -> bool {
    let ask = ReserveRequest::new(
        budgets.lines(tags, "openrouter", ours::MODEL),
        UsdAmount::from_pico(10_000_000_000),
        at,
    )
    .at_least(UsdAmount::from_pico(1_000_000));
    match budgets.reserve(ask) {
        Decision::Now(Ok(held)) => {
            held.settle(UsdAmount::from_pico(5_000_000_000));
            true
        }
        Decision::Now(Err(_)) | Decision::Later(_) => false,
    }
}

fn holds(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("budget");
    let (budgets, tenants) = (budgets(), tenants("t"));
    let mut turn = tenants.iter().cycle();
    group.bench_function("reserve and settle, 1 000 keys", |bencher| {
        bencher.iter(|| turn.next().map(|tags| decide(&budgets, tags, UtcTime::now())));
    });
    let apart = ["a", "b"].map(self::tenants);
    group.bench_function("the same on two threads, keys apart", |bencher| {
        bencher.iter_custom(|count| {
            let each = count.div_ceil(2);
            let begun = Instant::now();
            thread::scope(|scope| {
                for tenants in &apart {
                    let budgets = budgets.clone();
                    scope.spawn(move || {
                        let mut turn = tenants.iter().cycle();
                        for _ in 0..each {
                            black_box(turn.next().map(|tags| decide(&budgets, tags, UtcTime::now())));
                        }
                    });
                }
            });
            begun.elapsed()
        });
    });
    group.finish();
}

fn layers(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("cost layer");
    let request = leaf::request();
    let mut bare = Leaf::new(1);
    group.bench_function("inner", |bencher| {
        bencher.iter(|| drive::whole(&mut bare, black_box(&request).clone()));
    });
    let catalogue = Arc::new(catalogue());
    let entries_only = CostLayer::new().prices(catalogue.clone());
    let budgeted = entries_only.clone().budgets(budgets_over_all());
    for (name, layer) in [("entries", entries_only), ("entries and a budget", budgeted)] {
        let mut service = layer.layer(Leaf::new(1));
        group.bench_function(name, |bencher| {
            bencher.iter(|| drive::whole(&mut service, black_box(&request).clone()));
        });
    }
    let theirs = liter::request();
    for (name, mut service) in [
        ("liter-llm/inner", boxed(liter::Leaf::default())),
        ("liter-llm/cost", boxed(liter::cost())),
        ("liter-llm/budget", boxed(liter::budget())),
    ] {
        group.bench_function(name, |bencher| bencher.iter(|| service(black_box(&theirs).clone())));
    }
    group.finish();
}

/// One of their services, by a call.
fn boxed(mut service: impl liter::Theirs + 'static) -> Box<dyn FnMut(liter_llm::tower::LlmRequest) -> bool> {
    Box::new(move |request| drive::call(&mut service, request).is_some())
}

#[expect(clippy::unwrap_used, reason = "constants")]
fn budgets_over_all() -> Budgets {
    Budgets::new([Budget::usd("all", "1000000000").unwrap().per(Window::Month)]).unwrap()
}

#[expect(clippy::unwrap_used, reason = "constants")]
fn catalogue() -> Catalogue {
    let model = r#"{"id":"openai/gpt-5","pricing":{"prompt":"0.00000125","completion":"0.00001"},"top_provider":{"max_completion_tokens":128000}}"#;
    Catalogue::new([serde_json::from_str(model).unwrap()])
}

#[expect(clippy::unwrap_used, reason = "constants")]
fn an_entry() -> Entry {
    let last = Arc::new(Last::default());
    let layer = CostLayer::new().prices(Arc::new(catalogue())).ledger(last.clone());
    drive::whole(&mut layer.layer(Leaf::new(1)), leaf::request());
    let mut entry = last.0.lock().unwrap().take().unwrap();
    entry.tags = Tags::new([("tenant", "acme"), ("team", "search")]).unwrap();
    entry
}

#[expect(clippy::unwrap_used, reason = "a bench that fails here should say so")]
fn ledgers(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("ledger");
    let entry = an_entry();
    let memory = MemoryLedger::new();
    group.bench_function("record, in memory", |bencher| {
        bencher.iter(|| memory.record(black_box(&entry)));
    });

    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap();
    let folder = std::env::temp_dir().join(format!("bench-ledger-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let mut number = 0;
    let mut open = || {
        number += 1;
        let options = LedgerOptions::sqlite(folder.join(format!("{number}.sqlite"))).max_waiting(10_000_000);
        runtime.block_on(options.open()).unwrap()
    };
    let next = |entry: &Entry| {
        let mut next = entry.clone();
        next.id = tower_openrouter::layers::ledger::EntryId::new(entry.ended);
        next
    };
    let sqlite = open();
    group.bench_function("record, into SQLite's queue", |bencher| {
        bencher.iter_custom(|count| {
            let entries: Vec<_> = (0..count).map(|_| next(&entry)).collect();
            let begun = Instant::now();
            for entry in &entries {
                sqlite.record(entry);
            }
            begun.elapsed()
        });
    });
    drop(sqlite);
    group.sample_size(10).measurement_time(Duration::from_secs(10));
    group.throughput(criterion::Throughput::Elements(20_000));
    group.bench_function("20 000 entries written to SQLite", |bencher| {
        bencher.iter_custom(|rounds| {
            let mut all = Duration::ZERO;
            for _ in 0..rounds {
                let sqlite = open();
                let entries: Vec<_> = (0..20_000).map(|_| next(&entry)).collect();
                let begun = Instant::now();
                for entry in &entries {
                    sqlite.record(entry);
                }
                let closed = runtime.block_on(sqlite.close());
                all += begun.elapsed();
                assert_eq!((closed.written, closed.lost), (20_000, 0));
            }
            all
        });
    });
    group.finish();
    drop(std::fs::remove_dir_all(folder));
}

#[expect(clippy::unwrap_used, reason = "constants")]
fn limits(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("limits");
    let rate = Rate::new(100_000_000, Duration::from_secs(1)).unwrap();
    let quota = Quota::per_second(NonZeroU32::new(100_000_000).unwrap());
    let keys: Vec<Arc<str>> = (0..KEYS).map(|number| format!("tenant{number}").into()).collect();
    let governor = DefaultKeyedRateLimiter::keyed(quota);
    let mut in_turn = keys.iter().cycle();
    group.bench_function("governor, keyed", |bencher| {
        bencher.iter(|| in_turn.next().map(|key| governor.check_key(black_box(key)).is_ok()));
    });
    let request = leaf::request();
    let mut bare = Leaf::new(1);
    group.bench_function("inner", |bencher| {
        bencher.iter(|| drive::whole(&mut bare, black_box(&request).clone()));
    });
    let (turn, keys) = (Arc::new(std::sync::atomic::AtomicUsize::new(0)), Arc::new(keys));
    let key = move |_: &http::Request<tower_openrouter::ApiRequest>| {
        let number = turn.fetch_add(1, std::sync::atomic::Ordering::Relaxed) % KEYS;
        keys.get(number).map(Arc::clone)
    };
    let layer = RateLimitLayer::new(Limits::new().requests(rate), key).unwrap();
    let mut service = layer.layer(Leaf::new(1));
    group.bench_function("rate limit layer, requests", |bencher| {
        bencher.iter(|| drive::whole(&mut service, black_box(&request).clone()));
    });
    group.finish();
}

fn all(criterion: &mut Criterion) {
    let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_time().build() else {
        unreachable!("a runtime without I/O can be made")
    };
    {
        let _inside = runtime.enter();
        holds(criterion);
        layers(criterion);
        limits(criterion);
    }
    ledgers(criterion);
}

criterion_group!(benches, all);
criterion_main!(benches);
