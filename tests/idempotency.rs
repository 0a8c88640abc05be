//! Idempotency keys at the mounted endpoints: made once, answered again byte for byte, billed once.

use std::sync::Arc;

use bytes::Bytes;
use futures_util::future::join_all;
use http::{HeaderValue, Request, response::Parts};
use http_body_util::Full;
use serde_json::Value;
use tower_openrouter::{
    ChatServiceExt, Stack, Tags, UsdAmount,
    endpoint::Endpoints,
    layers::{
        cache::idempotency::{InFlight, InMemoryIdempotency},
        ledger::MemoryLedger,
    },
    stack::{ChatIdempotency, TenantKey},
};

use crate::support::{
    FIRST, World,
    mounted::{json, post, send},
};

struct Mounted {
    world: World,
    ledger: MemoryLedger,
    endpoints: Endpoints<Stack>,
}

async fn mounted(plan: &str, in_flight: InFlight) -> Mounted {
    let world = World::new(plan).await;
    let ledger = MemoryLedger::new();
    let keys = ChatIdempotency::new(InMemoryIdempotency::new(1 << 20), TenantKey::tag("tenant")).in_flight(in_flight);
    let stack = world.builder().chain([FIRST]).attempts_per_candidate(1);
    let stack = stack
        .ledger(Arc::new(ledger.clone()))
        .idempotency(keys)
        .build()
        .unwrap();
    let endpoints = stack.into_endpoints();
    Mounted {
        world,
        ledger,
        endpoints,
    }
}

fn chat(prompt: &str, stream: bool) -> String {
    format!(r#"{{"model":"{FIRST}","stream":{stream},"messages":[{{"role":"user","content":"{prompt}"}}]}}"#)
}

fn keyed(tenant: &str, key: &str, path: &str, body: impl Into<Bytes>) -> Request<Full<Bytes>> {
    let mut request = post(path, body);
    request
        .extensions_mut()
        .insert(Tags::new([("tenant", tenant)]).unwrap());
    request
        .headers_mut()
        .insert("idempotency-key", HeaderValue::from_str(key).unwrap());
    request
}

impl Mounted {
    async fn ask(&self, key: &str, body: &str) -> (Parts, String) {
        send(
            self.endpoints.clone(),
            keyed("acme", key, "/v1/chat/completions", body.to_owned()),
        )
        .await
    }

    fn calls(&self) -> usize {
        self.world.simulator.report().attempts.len()
    }
}

fn header<'a>(head: &'a Parts, name: &str) -> &'a str {
    head.headers.get(name).map_or("", |value| value.to_str().unwrap())
}

#[tokio::test(start_paused = true)]
async fn the_same_bytes_come_again_plain_and_streamed_in_each_api() {
    let mounted = mounted("GOOD", InFlight::Wait).await;
    let messages = format!(r#"{{"model":"{FIRST}","max_tokens":64,"messages":[{{"role":"user","content":"Hi"}}]}}"#);
    let responses = format!(r#"{{"model":"{FIRST}","stream":true,"input":"Hi"}}"#);
    for (key, path, body) in [
        ("a", "/v1/chat/completions", chat("Hi", false)),
        ("b", "/v1/chat/completions", chat("Hi", true)),
        ("c", "/v1/messages", messages),
        ("d", "/v1/responses", responses),
        (
            "e",
            "/v1/embeddings",
            r#"{"model":"openai/text-embedding-3-small","input":["Hi"]}"#.to_owned(),
        ),
    ] {
        let before = mounted.calls();
        let ask = || send(mounted.endpoints.clone(), keyed("acme", key, path, body.clone()));
        let (head, first) = ask().await;
        assert_eq!(
            (head.status.as_u16(), header(&head, "idempotent-replayed")),
            (200, ""),
            "{path}: {first}"
        );
        assert_eq!(header(&head, "x-llm-attempts"), "1");
        let (again, second) = ask().await;
        assert_eq!(first, second, "{path}");
        assert_eq!(header(&again, "idempotent-replayed"), "true");
        assert_eq!(header(&again, "x-llm-cache"), "replayed; age=0");
        assert_eq!(header(&again, "x-generation-id"), header(&head, "x-generation-id"));
        assert!(matches!(header(&again, "x-llm-attempts"), "" | "0"), "{again:?}");
        assert_eq!(mounted.calls(), before + 1, "{path}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_bill_is_one_and_each_replay_stands_in_the_ledger_for_nothing() {
    let mounted = mounted("GOOD", InFlight::Wait).await;
    let body = chat("Hi", true);
    let all = join_all((0..100).map(|_| mounted.ask("a", &body))).await;
    assert!(all.iter().all(|(head, text)| head.status == 200 && *text == all[0].1));
    assert_eq!(mounted.calls(), 1);
    let entries = mounted.ledger.recent(200);
    let (replays, paid): (Vec<_>, Vec<_>) = entries
        .iter()
        .partition(|entry| entry.tags.get("idempotent_replay").is_some());
    assert_eq!((paid.len(), replays.len()), (1, 99));
    assert!(
        replays
            .iter()
            .all(|entry| entry.cost() == UsdAmount::ZERO && entry.attempt == 0)
    );
    assert!(
        replays
            .iter()
            .all(|entry| entry.tags.get("tenant") == Some("acme") && entry.streamed)
    );
    assert_eq!(mounted.ledger.total().cost, paid[0].cost());
    assert_eq!(
        paid[0].cost().pico(),
        i128::from(mounted.world.simulator.billed_total().pico())
    );
}

#[tokio::test(start_paused = true)]
async fn a_key_with_another_body_is_422_and_one_in_flight_409_if_set() {
    let mounted = mounted("GOOD;delay=50ms", InFlight::Refuse).await;
    let (hi, bye) = (chat("Hi", false), chat("Bye", false));
    let (first, busy, other) = tokio::join!(
        mounted.ask("a", &hi),
        async {
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
            mounted.ask("a", &hi).await
        },
        async {
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
            mounted.ask("a", &bye).await
        },
    );
    assert_eq!(first.0.status, 200);
    let problem = |(head, text): &(Parts, String)| {
        let error: Value = json(text)["error"].clone();
        (
            head.status.as_u16(),
            error["code"].as_str().unwrap().to_owned(),
            error["param"].as_str().map(str::to_owned),
        )
    };
    let param = Some("idempotency-key".to_owned());
    assert_eq!(
        problem(&busy),
        (409, "idempotency_key_in_flight".to_owned(), param.clone())
    );
    assert_eq!(header(&busy.0, "retry-after"), "1");
    assert_eq!(problem(&other), (422, "idempotency_key_reused".to_owned(), param));
    // White space and the order of members make no other request.
    let same = format!(r#"{{ "messages" : [{{"content":"Hi","role":"user"}}], "stream":false, "model":"{FIRST}" }}"#);
    let (head, text) = mounted.ask("a", &same).await;
    assert_eq!((header(&head, "idempotent-replayed"), &text), ("true", &first.1));
    let (head, text) = mounted.ask("", &chat("Hi", false)).await;
    assert_eq!(head.status, 400, "{text}");
    assert!(text.contains("the idempotency key is empty"), "{text}");
    assert_eq!(mounted.calls(), 1);
}

#[tokio::test(start_paused = true)]
async fn tenants_have_keys_of_their_own_and_failures_are_made_again() {
    let mounted = mounted("1x503;no-hint,GOOD", InFlight::Wait).await;
    let body = chat("Hi", false);
    assert_eq!(mounted.ask("a", &body).await.0.status, 503);
    let (head, first) = mounted.ask("a", &body).await;
    assert_eq!((head.status.as_u16(), header(&head, "idempotent-replayed")), (200, ""));
    let other = keyed("globex", "a", "/v1/chat/completions", body.clone());
    let (head, others) = send(mounted.endpoints.clone(), other).await;
    assert_eq!(header(&head, "idempotent-replayed"), "");
    assert_ne!(first, others);
    assert_eq!(mounted.calls(), 3);
    let seen = mounted.world.simulator.report();
    assert!(
        seen.chats().all(|call| call.header("idempotency-key").is_none()),
        "it does not go upstream"
    );
}

#[cfg(feature = "settings")]
#[tokio::test(start_paused = true)]
async fn settings_say_whose_a_key_is() {
    use tower_openrouter::settings::Settings;

    let world = World::new("GOOD").await;
    for (tenant, replays) in [("global", "true"), ("tag:tenant", "")] {
        let text = format!(
            "chain = ['{FIRST}']\nupstream = [{{ name = 'openrouter', base_url = '{}' }}]\nidempotency = {{ bytes = 100000, tenant = '{tenant}' }}",
            world.simulator.base_url()
        );
        let text = text.replace("base_url", &format!("key = '{}', base_url", crate::settings::key()));
        let Ok(stack) = Stack::from_settings(&Settings::from_toml(&text).unwrap()) else {
            unreachable!("{text}")
        };
        let endpoints = stack.into_endpoints();
        for (who, replayed) in [("acme", ""), ("globex", replays), ("acme", "true")] {
            let request = keyed(who, tenant, "/v1/chat/completions", chat("Hi", false));
            let (head, text) = send(endpoints.clone(), request).await;
            assert_eq!(head.status, 200, "{text}");
            assert_eq!(
                header(&head, "idempotent-replayed"),
                replayed,
                "{tenant}, {who}: {text}"
            );
        }
    }
}
