//! What a pause, provider health, a schema's check, a client's adapter, and settings from a file cost.
//!
//! `cargo bench -p tower-openrouter-benches --bench reach`
//!
//! Pause and provider health stand under a chain, which names the candidate; what each costs is the difference to the chain over the inner
//! service. An adapter stands beside the endpoints that it calls, over the same stack. The answer that is checked has 4 KB of JSON.

use std::hint::black_box;
use std::task::{Context, Poll, Waker};

use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, Criterion, criterion_group, criterion_main};
use http::Request;
use http_body::Body;
use http_body_util::BodyExt;
use tower::{Layer, Service, ServiceExt};
use tower_openrouter::conformance::JsonSchemaCheck;
use tower_openrouter::layers::conformance::ConformanceLayer;
use tower_openrouter::layers::provider_health::{ProviderHealth, ProviderHealthLayer, ProviderPolicy};
use tower_openrouter::settings::Settings;
use tower_openrouter::{Api, ApiRequest, ChatServiceExt, Stack};
use tower_openrouter_adapters::ReqwestTransport;
use tower_openrouter_subjects::answers::Answers;
use tower_openrouter_subjects::leaf::{self, Leaf};
use tower_openrouter_subjects::{drive, ours};

type Group<'a> = BenchmarkGroup<'a, WallTime>;

const CHAT: &str = "http://127.0.0.1/v1/chat/completions";
const QUESTION: &str = r#"{"model":"openai/gpt-5","messages":[{"role":"user","content":"Why is the sky blue?"}]}"#;
/// A file with the settings that a service has.
const SETTINGS: &str = r#"
chain = ["openrouter:openai/gpt-5", "openrouter:anthropic/claude-sonnet-4.5"]
deadline = "60s"
[[upstream]]
name = "openrouter"
key = "env:PATH"
[[budget]]
name = "all"
usd = "$100.00"
per = "month"
[[prices]]
model = "openai/gpt-5"
prompt = "0.00000125"
completion = "0.00001"
[[prices]]
model = "anthropic/claude-sonnet-4.5"
prompt = "0.000003"
completion = "0.000015"
"#;

/// A service that takes our requests.
fn time<S, B>(group: &mut Group<'_>, name: &str, request: &Request<ApiRequest>, mut service: S)
where
    S: Service<Request<ApiRequest>, Response = http::Response<B>>,
    B: Body,
{
    assert!(drive::whole(&mut service, request.clone()).is_some(), "{name} answers");
    group.bench_function(name, |bencher| {
        bencher.iter(|| drive::whole(&mut service, black_box(request).clone()));
    });
}

fn checks(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("checks");
    let (request, leaf, chain) = (leaf::request(), Leaf::new(1), [ours::MODEL, ours::NEXT_MODEL]);
    let health = || {
        let Ok(health) = ProviderHealth::new(ProviderPolicy::new()) else {
            unreachable!("the default is sound")
        };
        ProviderHealthLayer::new(health).layer(leaf.clone())
    };
    time(&mut group, "chain", &request, ours::fallback(&chain, leaf.clone()));
    time(
        &mut group,
        "chain, pause",
        &request,
        ours::fallback(&chain, ours::pause(leaf.clone())),
    );
    time(
        &mut group,
        "chain, provider health",
        &request,
        ours::fallback(&chain, health()),
    );
    group.finish();
}

/// A request for an object, and one without, over an answer that is such an object of 4 KB.
fn conformance(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("conformance");
    let rows: Vec<_> = (0..40)
        .map(|row| serde_json::json!({ "id": row, "name": "x".repeat(60), "tags": ["red", "green"] }))
        .collect();
    let answer = Answers::saying(&serde_json::json!({ "rows": rows }).to_string());
    assert!(answer.bytes() > 4096, "{} bytes", answer.bytes());
    let row = serde_json::json!({
        "type": "object",
        "required": ["id", "name", "tags"],
        "properties": {
            "id": { "type": "integer" },
            "name": { "type": "string", "maxLength": 80 },
            "tags": { "type": "array", "items": { "enum": ["red", "green", "blue"] } },
        },
        "additionalProperties": false,
    });
    let schema = serde_json::json!({ "type": "object", "required": ["rows"], "properties": { "rows": { "type": "array", "items": row } } });
    let asking = |format: Option<serde_json::Value>| {
        let mut body: serde_json::Map<_, _> = serde_json::from_str(QUESTION).unwrap_or_default();
        body.extend(format.map(|format| ("response_format".to_owned(), format)));
        let Ok(request) = ApiRequest::from_json(Api::Chat, serde_json::Value::Object(body).to_string()) else {
            unreachable!("the question is well-formed")
        };
        Request::new(request)
    };
    let format = serde_json::json!({ "type": "json_schema", "json_schema": { "name": "rows", "strict": true, "schema": schema } });
    let checked = || ConformanceLayer::new(JsonSchemaCheck::new()).layer(answer.clone());
    time(&mut group, "no schema", &asking(None), checked());
    time(&mut group, "a schema, 4 KB", &asking(Some(format)), checked());
    group.finish();
}

/// Polls once: all of it is ready.
fn ready<T>(future: impl Future<Output = T>) -> Option<T> {
    match std::pin::pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => Some(output),
        Poll::Pending => None,
    }
}

fn adapters(criterion: &mut Criterion) {
    let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_all().build() else {
        unreachable!("a runtime starts")
    };
    let entered = runtime.enter();
    let mut group = criterion.benchmark_group("adapters");
    let stack = || ours::stack(ours::settings(), Answers::plain(64));
    let request = || {
        let Ok(request) = Request::post(CHAT)
            .header("content-type", "application/json")
            .body(reqwest::Body::from(QUESTION))
        else {
            unreachable!("the request is well-formed")
        };
        request
    };
    let endpoints = stack().into_endpoints();
    let mounted = || {
        ready(async {
            let Ok(response) = endpoints.clone().oneshot(request()).await;
            response.into_body().collect().await.is_ok()
        })
    };
    let transport = ReqwestTransport::new(stack());
    let adapted = || {
        ready(async {
            let Ok(response) = transport.clone().oneshot(request()).await;
            response.bytes().await.is_ok()
        })
    };
    assert_eq!([mounted(), adapted()], [Some(true); 2], "both answer at once");
    group.bench_function("endpoints", |bencher| bencher.iter(mounted));
    group.bench_function("reqwest's types", |bencher| bencher.iter(adapted));
    group.finish();
    drop(entered);
}

fn settings(criterion: &mut Criterion) {
    let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_all().build() else {
        unreachable!("a runtime starts")
    };
    let entered = runtime.enter();
    let mut group = criterion.benchmark_group("settings");
    group.bench_function("parse and build", |bencher| {
        bencher.iter(|| {
            let settings = Settings::from_toml(black_box(SETTINGS));
            settings.is_ok_and(|settings| Stack::from_settings(&settings).is_ok())
        });
    });
    let built = Settings::from_toml(SETTINGS).map(|settings| Stack::from_settings(&settings).map(drop));
    assert!(matches!(built, Ok(Ok(()))), "{built:?}");
    group.finish();
    drop(entered);
}

criterion_group!(benches, checks, conformance, adapters, settings);
criterion_main!(benches);
