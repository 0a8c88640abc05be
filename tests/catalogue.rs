//! The catalogue against the simulator: prices that meet its bill, names, endpoints, files, refreshing.
#![expect(clippy::unwrap_used, reason = "a test that fails here should say so")]

mod support;

use std::{fs, sync::Arc, time::Duration};

use openrouter_simulator::Simulator;
use support::{
    FIRST, World, call,
    ledger::{Kept, bill},
};
use tokio::{runtime::Handle, time::sleep};
use tower_openrouter::{
    Account, ApiKey, Candidate, Catalogue, ChatRequest, Transport, UsdAmount,
    catalogue::CatalogueRefresh,
    layers::{LlmRequest, Needs, PriceList, Quote, Tariff, TokenUsage, UtcTime, budget::Budget},
    response::Pricing,
    transport::{Dialect, OPENROUTER, Upstream},
};

fn account(simulator: &Simulator) -> Account {
    let upstream = Upstream::new(OPENROUTER, &simulator.base_url(), Dialect::OpenRouter).unwrap();
    let transport = Transport::builder().upstream(upstream.clone()).build().unwrap();
    Account::new(transport, upstream, Some(ApiKey::new("sk-or-v1-test").unwrap()))
}

fn at(model: &str) -> Candidate {
    Candidate::new(OPENROUTER, model).unwrap()
}

fn tariff(catalogue: &Catalogue, model: &str, prompt: u64) -> Tariff {
    let mut needs = Needs::default();
    needs.prompt_tokens = prompt;
    let quote = catalogue.quote(&at(model), &needs, UtcTime::now());
    let Quote::Known(tariff) = quote else {
        unreachable!("{model}: {quote:?}");
    };
    tariff
}

fn usd(text: &str) -> UsdAmount {
    text.parse().unwrap()
}

#[tokio::test(start_paused = true)]
async fn the_estimate_is_the_simulators_bill_and_never_above_the_hold() {
    let world = World::new("GOOD").await;
    let catalogue = Arc::new(Catalogue::new(account(&world.simulator).models().await.unwrap()));
    let models = account(&world.simulator).models().await.unwrap();
    let long = "word ".repeat(250_000);
    for model in models
        .iter()
        .filter(|model| !model.pricing.varies() && !model.id.contains("embed"))
    {
        for prompt in ["Hi", &long] {
            if prompt.len() > 4 * 100_000 && model.context_length.is_none_or(|context| context < 600_000) {
                continue;
            }
            let kept = Kept::new();
            let stack = world
                .builder()
                .chain([model.id.as_str()])
                .budget(Budget::usd("all", "1000").unwrap())
                .prices(catalogue.clone())
                .ledger(kept.clone())
                .build()
                .unwrap();
            let before = bill(&world.simulator);
            let got = call(&stack, true, ChatRequest::user(prompt)).await;
            assert!(got.error.is_none(), "{}: {:?}", model.id, got.error);
            let entry = kept.entries().remove(0);
            let billed = bill(&world.simulator) - before;
            assert_eq!(entry.bill.unwrap().pico(), billed, "{}", model.id);
            assert_eq!(entry.estimate.unwrap().pico(), billed, "{}", model.id);
            assert!(entry.bill.unwrap() <= entry.reserved, "{}", model.id);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_model_is_known_by_all_its_names() {
    let simulator = Simulator::start().await.unwrap();
    let catalogue = Catalogue::new(account(&simulator).models().await.unwrap());
    let plain = tariff(&catalogue, FIRST, 1);
    for name in [
        "openai/gpt-5-2025-08-07",
        "openai/gpt-5:nitro",
        "openai/gpt-5:floor:online",
        "openai/gpt-5@preset/mine",
    ] {
        assert_eq!(tariff(&catalogue, name, 1).answer_token, plain.answer_token, "{name}");
    }
    let quote = |candidate: &Candidate| catalogue.quote(candidate, &Needs::default(), UtcTime::now());
    assert_eq!(quote(&at("openrouter/auto")), Quote::Varies);
    assert_eq!(quote(&at("nobody/nothing")), Quote::Unknown);
    let direct = Candidate::new("openai", "gpt-5").unwrap();
    assert_eq!(quote(&direct), Quote::Unknown);
    let pricing: Pricing = serde_json::from_str(r#"{"prompt":"0.000001","completion":"0.000002"}"#).unwrap();
    let catalogue = catalogue.clone().with_price("openai", "gpt-5", &pricing);
    assert!(matches!(
        catalogue.quote(&direct, &Needs::default(), UtcTime::now()),
        Quote::Known(_)
    ));
}

#[tokio::test(start_paused = true)]
async fn the_dearest_endpoint_is_what_is_held_for() {
    let simulator = Simulator::start().await.unwrap();
    let account = account(&simulator);
    let catalogue = Catalogue::new(account.models().await.unwrap());
    // Together asks 2.75 times what DeepInfra does.
    let model = "meta-llama/llama-3.3-70b-instruct";
    let before = tariff(&catalogue, model, 1);
    catalogue.learn_endpoints(&account.model_endpoints(model).await.unwrap());
    let after = tariff(&catalogue, model, 1);
    assert_eq!(before.answer_token, usd("0.00000032"));
    assert_eq!(after.answer_token, usd("0.00000088"));
    // Models that are read again do not forget it.
    catalogue.replace(account.models().await.unwrap(), UtcTime::now());
    assert_eq!(tariff(&catalogue, model, 1), after);
}

#[test]
fn pictures_searches_and_choices_are_held_for() {
    let model = r#"{"id":"a/b","pricing":{"prompt":"0","completion":"0.00001","image":"0.01","web_search":"0.005"},
        "top_provider":{"max_completion_tokens":100}}"#;
    let catalogue = Catalogue::new([serde_json::from_str(model).unwrap()]);
    let request = ChatRequest::from_json(
        r#"{"model":"a/b","n":3,"plugins":[{"id":"web"}],"messages":[{"role":"user","content":[
            {"type":"image_url","image_url":{"url":"https://example.org/a.png"}},
            {"type":"image_url","image_url":{"url":"https://example.org/b.png"}}]}]}"#,
    )
    .unwrap();
    let needs = request.needs();
    assert_eq!((needs.images, needs.searches, needs.choices), (2, 1, 3));
    assert!(needs.most_prompt_tokens > 2 * 16_384);
    let Quote::Known(tariff) = catalogue.quote(&at("a/b"), &needs, UtcTime::now()) else {
        unreachable!("it has a price");
    };
    assert_eq!((tariff.fixed, tariff.max_answer), (usd("0.025"), Some(100)));
    let Quote::Known(online) = catalogue.quote(&at("a/b:online"), &Needs::default(), UtcTime::now()) else {
        unreachable!("it has a price");
    };
    assert_eq!(online.fixed, usd("0.005"));
}

#[test]
fn a_row_that_makes_no_sense_hides_no_other() {
    let rows = [
        r#"{"id":"a/bad","pricing":{"prompt":"1e99","completion":"1"}}"#,
        r#"{"id":"a/none","pricing":{}}"#,
        r#"{"id":"a/good","pricing":{"prompt":"0.000001","completion":"0"}}"#,
    ];
    let catalogue = Catalogue::new(rows.map(|row| serde_json::from_str(row).unwrap()));
    assert_eq!(catalogue.unpriced(), ["a/bad", "a/none"]);
    assert_eq!(tariff(&catalogue, "a/good", 1).prompt_token, usd("0.000001"));
    assert_eq!(
        catalogue.cost(&at("a/bad"), &TokenUsage::default(), UtcTime::now()),
        None
    );
}

#[tokio::test(start_paused = true)]
async fn it_survives_on_disk_with_its_date() {
    let simulator = Simulator::start().await.unwrap();
    let catalogue = Catalogue::new(account(&simulator).models().await.unwrap());
    let folder = std::env::temp_dir().join(format!("catalogue-{}", std::process::id()));
    fs::create_dir_all(&folder).unwrap();
    let file = folder.join("models.json");
    sleep(Duration::from_secs(3600)).await;
    catalogue.save(&file).unwrap();
    let loaded = Catalogue::load(&file).unwrap();
    assert_eq!(loaded.len(), catalogue.len());
    assert_eq!(loaded.read_at(), catalogue.read_at());
    assert_eq!(loaded.age(), Some(Duration::from_secs(3600)));
    assert_eq!(tariff(&loaded, FIRST, 9), tariff(&catalogue, FIRST, 9));
    assert_eq!(fs::read_dir(&folder).unwrap().count(), 1, "nothing is left beside it");

    fs::write(&file, "{\"version\":2,\"models\":[]}").unwrap();
    assert!(
        Catalogue::load(&file)
            .unwrap_err()
            .to_string()
            .contains("later version (form 2")
    );
    fs::write(&file, "not json").unwrap();
    assert!(
        Catalogue::load(&file)
            .unwrap_err()
            .to_string()
            .contains("is no saved catalogue")
    );
    fs::remove_dir_all(&folder).unwrap();
    assert!(Catalogue::load(&file).unwrap_err().to_string().contains("models.json"));
    assert!(catalogue.save(&file).is_err());
}

#[tokio::test(start_paused = true)]
async fn it_is_refreshed_in_the_background_and_keeps_the_old_where_that_fails() {
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
    let dear = tariff(&catalogue, "meta-llama/llama-3.3-70b-instruct", 1).answer_token;
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
    let asked = simulator.seen().attempts.len();
    sleep(Duration::from_secs(3600)).await;
    assert_eq!(catalogue.read_at(), Some(second));
    assert!(!catalogue.is_empty());
    let tries = simulator.seen().attempts.len() - asked;
    assert!((8..20).contains(&tries), "backed off: {tries}");
    simulator.plan("/models", "ok").unwrap();
    sleep(Duration::from_secs(700)).await;
    assert!(catalogue.read_at().unwrap() > second);

    drop(running);
    let asked = simulator.seen().attempts.len();
    sleep(Duration::from_secs(3600)).await;
    assert_eq!(simulator.seen().attempts.len(), asked, "it has ended");
}
