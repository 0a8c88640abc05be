//! A prompt of a megabyte: read from JSON, through the stack with a change of the model and one retry, to the wire.
//!
//! `cargo bench -p tower-openrouter-benches --bench prompt`
//!
//! Beside it what a stack that keeps requests as values must do for the same: read, clone for each attempt, change the
//! model, and write; with liter-llm's request type and with `serde_json::Value`.

use std::hint::black_box;
use std::time::Duration;

use bytes::Bytes;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use liter_llm::types::ChatCompletionRequest;
use serde_json::Value;
use tower_openrouter::ChatRequest;
use tower_openrouter_subjects::{ours, prompt};

/// Attempts of the call: one, its retry, and one with the next model.
const ATTEMPTS: usize = 3;

/// Reads, makes three attempts at two models, and writes each, as types.
fn as_types(body: &Bytes) {
    let Ok(request) = serde_json::from_slice::<ChatCompletionRequest>(body) else {
        unreachable!("it is a request")
    };
    for attempt in 0..ATTEMPTS {
        let mut request = request.clone();
        if attempt + 1 == ATTEMPTS {
            ours::NEXT_MODEL.clone_into(&mut request.model);
        }
        black_box(serde_json::to_vec(&request).ok());
    }
}

/// The same as a tree.
fn as_tree(body: &Bytes) {
    let Ok(request) = serde_json::from_slice::<Value>(body) else {
        unreachable!("it is JSON")
    };
    for attempt in 0..ATTEMPTS {
        let mut request = request.clone();
        if attempt + 1 == ATTEMPTS
            && let Some(model) = request.get_mut("model")
        {
            *model = Value::from(ours::NEXT_MODEL);
        }
        black_box(serde_json::to_vec(&request).ok());
    }
}

fn prompts(criterion: &mut Criterion) {
    let body = prompt::prompt();
    let mut group = criterion.benchmark_group("prompt");
    group
        .throughput(Throughput::Bytes(body.len() as u64))
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(3));
    group.bench_function("ours/read", |bencher| {
        bencher.iter(|| black_box(ChatRequest::from_json(body.clone()).is_ok()));
    });
    let road = prompt::Road::new();
    let trip = road.travel(&body);
    assert_eq!(
        trip.map(|trip| trip.attempts),
        Some(ATTEMPTS),
        "the last attempt answers"
    );
    group.bench_function("ours/read, 3 attempts, 2 models", |bencher| {
        bencher.iter_custom(|trips| {
            (0..trips)
                .filter_map(|_| road.travel(&body))
                .map(|trip| trip.busy)
                .sum()
        });
    });
    group.bench_function("liter-llm types/read, 3 attempts, 2 models", |bencher| {
        bencher.iter(|| as_types(&body))
    });
    group.bench_function("serde_json::Value/read, 3 attempts, 2 models", |bencher| {
        bencher.iter(|| as_tree(&body))
    });
    group.finish();
}

criterion_group!(benches, prompts);
criterion_main!(benches);
