//! The catalogue over time: refreshing, and endpoints on demand.

use std::{sync::Arc, time::Duration};

use crate::support::{
    FIRST, World, ask, call,
    ledger::Kept,
    log::Log,
    prices::{account, account_at, at, of, usd, worst_case},
    raw::{self, Raw},
};
use openrouter_simulator::Simulator;
use tokio::{runtime::Handle, time::sleep};
use tower_openrouter::{
    Catalogue,
    catalogue::CatalogueRefresh,
    layers::{Needs, PriceList, UtcTime, budget::Budget},
};

const LLAMA: &str = "meta-llama/llama-3.3-70b-instruct";

#[tokio::test(start_paused = true)]
async fn it_is_refreshed_in_the_background_and_keeps_the_old_on_failure() {
    let (log, _listening) = Log::listen("llm::catalogue=info");
    let simulator = Simulator::start().await.unwrap();
    let catalogue = Catalogue::default();
    let refresh = CatalogueRefresh::new(catalogue.clone(), account(&simulator))
        .every(Duration::from_secs(600))
        .endpoints_of(["meta-llama/llama-3.3-70b-instruct"]);
    let running = refresh.spawn_on(&Handle::current());
    simulator
        .wait_until(|seen| seen.attempts.len() >= 2 && seen.idle())
        .await;
    sleep(Duration::from_secs(1)).await;
    assert!(!catalogue.is_empty());
    let dear = worst_case(&catalogue, "meta-llama/llama-3.3-70b-instruct", 1).answer_token;
    assert_eq!(dear, usd("0.00000088"));
    let first = catalogue.read_at().unwrap();
    sleep(Duration::from_secs(700)).await;
    let second = catalogue.read_at().unwrap();
    assert!(
        (540..=662).contains(&second.since(first).as_secs()),
        "{:?}",
        second.since(first)
    );

    simulator.plan("/models", "503").unwrap();
    let asked = simulator.report().attempts.len();
    sleep(Duration::from_secs(3600)).await;
    assert_eq!(catalogue.read_at(), Some(second));
    assert!(!catalogue.is_empty());
    let tries = simulator.report().attempts.len() - asked;
    assert!((8..20).contains(&tries), "backed off: {tries}");
    let text = log.text();
    assert_eq!(text.matches("is not refreshed").count(), 1, "said once: {text}");
    assert!(text.contains("age=Some(") && !text.contains("fresh again"), "{text}");
    assert!(catalogue.age().unwrap() >= Duration::from_secs(3600));
    simulator.plan("/models", "ok").unwrap();
    sleep(Duration::from_secs(700)).await;
    assert!(catalogue.read_at().unwrap() > second);
    assert_eq!(log.text().matches("fresh again").count(), 1);

    drop(running);
    let asked = simulator.report().attempts.len();
    sleep(Duration::from_secs(3600)).await;
    assert_eq!(simulator.report().attempts.len(), asked, "it has ended");
}

/// How often a path that ends so was requested.
fn asked(simulator: &Simulator, end: &str) -> usize {
    let attempts = simulator.report().attempts;
    attempts.iter().filter(|attempt| attempt.path.ends_with(end)).count()
}

#[tokio::test(start_paused = true)]
async fn endpoints_are_fetched_once_for_models_with_a_quoted_price() {
    let simulator = Simulator::start().await.unwrap();
    let catalogue = Catalogue::new(account(&simulator).models().await.unwrap());
    let refresh = CatalogueRefresh::new(catalogue.clone(), account(&simulator)).every(Duration::from_secs(600));
    let running = refresh.spawn_on(&Handle::current());
    sleep(Duration::from_secs(1)).await;
    assert_eq!(asked(&simulator, "/endpoints"), 0);
    // The first quote does not wait, and is that of the cheapest endpoint.
    for name in [
        LLAMA,
        "meta-llama/llama-3.3-70b-instruct-20241206",
        "meta-llama/llama-3.3-70b-instruct:nitro",
    ] {
        assert_eq!(
            worst_case(&catalogue, name, 1).answer_token,
            usd("0.00000032"),
            "{name}"
        );
    }
    let _ = catalogue.quote(&at("openrouter/auto"), &Needs::default(), UtcTime::now());
    let _ = catalogue.quote(&at("nobody/nothing"), &Needs::default(), UtcTime::now());
    sleep(Duration::from_secs(1)).await;
    for _ in 0..100 {
        assert_eq!(worst_case(&catalogue, LLAMA, 1).answer_token, usd("0.00000088"));
    }
    sleep(Duration::from_secs(1)).await;
    assert_eq!(asked(&simulator, "/endpoints"), 1);
    assert_eq!(asked(&simulator, "llama-3.3-70b-instruct/endpoints"), 1);
    // After the models were read again, those still in use are read again too; the old ones stand until then.
    sleep(Duration::from_secs(700)).await;
    assert_eq!(asked(&simulator, "/endpoints"), 1);
    assert_eq!(worst_case(&catalogue, LLAMA, 1).answer_token, usd("0.00000088"));
    sleep(Duration::from_secs(1)).await;
    assert_eq!(asked(&simulator, "/endpoints"), 2);
    drop(running);
}

/// Its first wait goes beyond any instant.
#[tokio::test(start_paused = true)]
async fn models_that_are_read_only_once_still_have_their_endpoints_read() {
    let simulator = Simulator::start().await.unwrap();
    let catalogue = Catalogue::new(account(&simulator).models().await.unwrap());
    let refresh = CatalogueRefresh::new(catalogue.clone(), account(&simulator)).every(Duration::MAX);
    let running = refresh.spawn_on(&Handle::current());
    sleep(Duration::from_secs(1)).await;
    assert_eq!(worst_case(&catalogue, LLAMA, 1).answer_token, usd("0.00000032"));
    sleep(Duration::from_secs(1)).await;
    assert_eq!(asked(&simulator, "/endpoints"), 1);
    assert_eq!(worst_case(&catalogue, LLAMA, 1).answer_token, usd("0.00000088"));
    drop(running);
}

#[tokio::test(start_paused = true)]
async fn endpoints_that_cannot_be_read_are_requested_later_and_block_nothing() {
    let simulator = Simulator::start().await.unwrap();
    let catalogue = Catalogue::new(account(&simulator).models().await.unwrap());
    let refresh = CatalogueRefresh::new(catalogue.clone(), account(&simulator)).every(Duration::from_secs(3600));
    let running = refresh.spawn_on(&Handle::current());
    sleep(Duration::from_secs(1)).await;
    simulator.plan("/endpoints", "503").unwrap();
    for _ in 0..600 {
        assert_eq!(worst_case(&catalogue, LLAMA, 1).answer_token, usd("0.00000032"));
        sleep(Duration::from_secs(1)).await;
    }
    // After 5, 10, 20, … seconds.
    let tries = asked(&simulator, "/endpoints");
    assert!((5..=8).contains(&tries), "{tries}");
    simulator.plan("/endpoints", "ok").unwrap();
    sleep(Duration::from_secs(700)).await;
    worst_case(&catalogue, LLAMA, 1);
    sleep(Duration::from_secs(1)).await;
    assert_eq!(worst_case(&catalogue, LLAMA, 1).answer_token, usd("0.00000088"));
    // A model that no provider serves is not requested again and again.
    simulator.plan("/endpoints", "404").unwrap();
    let before = asked(&simulator, "/endpoints");
    for _ in 0..60 {
        worst_case(&catalogue, FIRST, 1);
        sleep(Duration::from_secs(1)).await;
    }
    assert_eq!(asked(&simulator, "/endpoints") - before, 1);
    drop(running);
}

#[tokio::test(start_paused = true)]
async fn the_task_ends_with_its_last_handle() {
    let simulator = Simulator::start().await.unwrap();
    let refresh = CatalogueRefresh::new(Catalogue::default(), account(&simulator)).every(Duration::from_secs(60));
    let running = refresh.spawn_on(&Handle::current());
    let other = running.clone();
    drop(running);
    sleep(Duration::from_secs(200)).await;
    let before = asked(&simulator, "");
    assert!(before >= 3, "{before}");
    drop(other);
    sleep(Duration::from_secs(200)).await;
    assert_eq!(asked(&simulator, ""), before);
}

#[tokio::test(start_paused = true)]
async fn an_empty_or_broken_list_replaces_nothing() {
    let simulator = Simulator::start().await.unwrap();
    let catalogue = of(&[r#"{"id":"a/b","pricing":{"prompt":"0","completion":"0"}}"#]);
    let refresh = CatalogueRefresh::new(catalogue.clone(), account(&simulator));
    for plan in ["html", "502-html", "429", "cut-byte=500"] {
        simulator.plan("/models", plan).unwrap();
        assert!(refresh.once().await.is_err(), "{plan}");
        assert_eq!(catalogue.len(), 1, "{plan}");
    }
    simulator.plan("/models", "ok").unwrap();
    refresh.once().await.unwrap();
    assert!(catalogue.len() > 5);
    let before = catalogue.len();
    for body in [
        "",
        "{}",
        "[]",
        r#"{"data":[]}"#,
        r#"{"data":null}"#,
        r#"{"data":[null,7,{}]}"#,
        r#"{"error":{"code":500}}"#,
    ] {
        let raw = Raw::always(vec![raw::json(), raw::send(body)]).await;
        let refresh = CatalogueRefresh::new(catalogue.clone(), account_at(raw.upstream()));
        assert!(refresh.once().await.is_err(), "{body}");
        assert_eq!(catalogue.len(), before, "{body}");
    }
    let mixed = r#"{"data":[null,{"id":"a/b","pricing":{"prompt":"0","completion":"?"}},{"id":"a/c","pricing":{"prompt":"0","completion":"0"}}]}"#;
    let (log, _listening) = Log::listen("llm::catalogue=warn");
    let raw = Raw::always(vec![raw::json(), raw::send(mixed)]).await;
    CatalogueRefresh::new(catalogue.clone(), account_at(raw.upstream()))
        .once()
        .await
        .unwrap();
    assert_eq!((catalogue.len(), catalogue.unpriced()), (2, vec!["a/b".to_owned()]));
    let text = log.text();
    assert!(
        text.contains("skipped rows=1") && text.contains(r#"count=1 models=["a/b"]"#),
        "{text}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_stack_reserves_by_the_most_expensive_endpoint_from_its_second_call_on() {
    let world = World::new("GOOD").await;
    let catalogue = Catalogue::new(account(&world.simulator).models().await.unwrap());
    let running = CatalogueRefresh::new(catalogue.clone(), account(&world.simulator)).spawn_on(&Handle::current());
    let kept = Kept::new();
    let stack = world
        .builder()
        .chain([LLAMA])
        .budget(Budget::usd("all", "10").unwrap())
        .prices(Arc::new(catalogue))
        .ledger(kept.clone())
        .build()
        .unwrap();
    for _ in 0..3 {
        assert!(call(&stack, true, ask().max_tokens(1000)).await.error.is_none());
        sleep(Duration::from_secs(5)).await;
    }
    let held: Vec<_> = kept.entries().iter().map(|entry| entry.reserved).collect();
    assert!(held[1] > held[0] && held[2] == held[1], "{held:?}");
    // Together's 0.88 a million, 2.75 times DeepInfra's.
    assert_eq!(held[1].pico() * 100, held[0].pico() * 275);
    drop(running);
}

#[test]
fn readers_see_the_old_or_the_new_and_never_less() {
    let row = |price: &str| {
        let row = format!(r#"{{"id":"a/b","pricing":{{"prompt":"{price}","completion":"0"}}}}"#);
        serde_json::from_str(&row).unwrap()
    };
    let catalogue = Catalogue::new([row("0.1")]);
    std::thread::scope(|scope| {
        let writing = scope.spawn(|| {
            for turn in 0..500 {
                catalogue.replace([row(if turn % 2 == 0 { "0.2" } else { "0.1" })], UtcTime::now());
            }
        });
        while !writing.is_finished() {
            let seen = worst_case(&catalogue, "a/b", 1).prompt_token;
            assert!(seen == usd("0.1") || seen == usd("0.2"));
        }
    });
}
