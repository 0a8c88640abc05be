//! The catalogue over time: refreshing, endpoints on demand, files.
#![expect(clippy::unwrap_used, reason = "a test that fails here should say so")]

mod support;

use std::{fs, path::PathBuf, time::Duration};

use openrouter_simulator::Simulator;
use support::{
    FIRST,
    prices::{account, account_at, at, of, tariff, usd},
    raw::{self, Raw},
};
use tokio::{runtime::Handle, time::sleep};
use tower_openrouter::{
    Catalogue,
    catalogue::CatalogueRefresh,
    layers::{Needs, PriceList, UtcTime},
    response::ModelEndpoints,
};

const LLAMA: &str = "meta-llama/llama-3.3-70b-instruct";

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

/// How often a path that ends so was asked for.
fn asked(simulator: &Simulator, end: &str) -> usize {
    let attempts = simulator.seen().attempts;
    attempts.iter().filter(|attempt| attempt.path.ends_with(end)).count()
}

#[tokio::test(start_paused = true)]
async fn endpoints_are_fetched_once_for_those_models_that_a_price_is_asked_of() {
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
        assert_eq!(tariff(&catalogue, name, 1).answer_token, usd("0.00000032"), "{name}");
    }
    let _ = catalogue.quote(&at("openrouter/auto"), &Needs::default(), UtcTime::now());
    let _ = catalogue.quote(&at("nobody/nothing"), &Needs::default(), UtcTime::now());
    sleep(Duration::from_secs(1)).await;
    for _ in 0..100 {
        assert_eq!(tariff(&catalogue, LLAMA, 1).answer_token, usd("0.00000088"));
    }
    sleep(Duration::from_secs(1)).await;
    assert_eq!(asked(&simulator, "/endpoints"), 1);
    assert_eq!(asked(&simulator, "llama-3.3-70b-instruct/endpoints"), 1);
    // After the models were read again, those still in use are read again too; the old ones stand until then.
    sleep(Duration::from_secs(700)).await;
    assert_eq!(asked(&simulator, "/endpoints"), 1);
    assert_eq!(tariff(&catalogue, LLAMA, 1).answer_token, usd("0.00000088"));
    sleep(Duration::from_secs(1)).await;
    assert_eq!(asked(&simulator, "/endpoints"), 2);
    drop(running);
}

#[tokio::test(start_paused = true)]
async fn endpoints_that_cannot_be_read_are_asked_for_later_and_hold_up_nothing() {
    let simulator = Simulator::start().await.unwrap();
    let catalogue = Catalogue::new(account(&simulator).models().await.unwrap());
    let refresh = CatalogueRefresh::new(catalogue.clone(), account(&simulator)).every(Duration::from_secs(3600));
    let running = refresh.spawn_on(&Handle::current());
    sleep(Duration::from_secs(1)).await;
    simulator.plan("/endpoints", "503").unwrap();
    for _ in 0..600 {
        assert_eq!(tariff(&catalogue, LLAMA, 1).answer_token, usd("0.00000032"));
        sleep(Duration::from_secs(1)).await;
    }
    // After 5, 10, 20, … seconds.
    let tries = asked(&simulator, "/endpoints");
    assert!((5..=8).contains(&tries), "{tries}");
    simulator.plan("/endpoints", "ok").unwrap();
    sleep(Duration::from_secs(700)).await;
    tariff(&catalogue, LLAMA, 1);
    sleep(Duration::from_secs(1)).await;
    assert_eq!(tariff(&catalogue, LLAMA, 1).answer_token, usd("0.00000088"));
    // What nobody serves is not asked for again and again.
    simulator.plan("/endpoints", "404").unwrap();
    let before = asked(&simulator, "/endpoints");
    for _ in 0..60 {
        tariff(&catalogue, FIRST, 1);
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
    let raw = Raw::always(vec![raw::json(), raw::send(mixed)]).await;
    CatalogueRefresh::new(catalogue.clone(), account_at(raw.upstream()))
        .once()
        .await
        .unwrap();
    assert_eq!((catalogue.len(), catalogue.unpriced()), (2, vec!["a/b".to_owned()]));
}

/// A folder of its own, gone with this.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("catalogue-{name}-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        Self(folder)
    }

    fn files(&self) -> Vec<PathBuf> {
        let entries = fs::read_dir(&self.0).unwrap();
        entries.map(|entry| entry.unwrap().path()).collect()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[tokio::test(start_paused = true)]
async fn what_a_refresh_saves_serves_without_a_network() {
    let folder = Folder::new("saved");
    let file = folder.0.join("models.json");
    let simulator = Simulator::start().await.unwrap();
    let catalogue = Catalogue::default();
    let refresh = CatalogueRefresh::new(catalogue.clone(), account(&simulator)).file(&file);
    let running = refresh.clone().spawn_on(&Handle::current());
    simulator
        .wait_until(|seen| !seen.attempts.is_empty() && seen.idle())
        .await;
    while catalogue.is_empty() || folder.files() != [file.clone()] {
        sleep(Duration::from_millis(100)).await;
    }
    assert!(!Catalogue::load(&file).unwrap().knows_endpoints(LLAMA));
    tariff(&catalogue, LLAMA, 1);
    while !Catalogue::load(&file).unwrap().knows_endpoints(LLAMA) {
        sleep(Duration::from_millis(100)).await;
    }
    drop(running);
    let loaded = Catalogue::load(&file).unwrap();
    assert_eq!(tariff(&loaded, LLAMA, 1), tariff(&catalogue, LLAMA, 1));
    assert_eq!(loaded.unpriced(), catalogue.unpriced());
    // A file that cannot be written is no reason to be without a catalogue.
    let nowhere = refresh.file(folder.0.join("none").join("models.json"));
    nowhere.once().await.unwrap();
}

#[test]
fn odd_prices_are_still_odd_when_they_come_from_a_file() {
    let folder = Folder::new("odd");
    let file = folder.0.join("models.json");
    let catalogue = of(&[
        r#"{"id":"a/odd","pricing":{"prompt":"?","completion":"1"}}"#,
        r#"{"id":"a/over","pricing":{"prompt":"0","completion":"0","overrides":["?"]}}"#,
        r#"{"id":"a/new","pricing":{"prompt":"0.1","completion":"0","new":7},"newer":[1]}"#,
    ]);
    let endpoints = r#"{"id":"a/new","endpoints":[{"pricing":{"prompt":"0.2","completion":"0"}}]}"#;
    catalogue.learn_endpoints(&serde_json::from_str::<ModelEndpoints>(endpoints).unwrap());
    catalogue.save(&file).unwrap();
    let loaded = Catalogue::load(&file).unwrap();
    assert_eq!(loaded.unpriced(), ["a/odd", "a/over"]);
    assert_eq!(loaded.model("a/new"), catalogue.model("a/new"));
    assert_eq!(tariff(&loaded, "a/new", 1).prompt_token, usd("0.2"));
    // One that was never read has no date.
    Catalogue::default().save(&file).unwrap();
    assert_eq!(Catalogue::load(&file).unwrap().read_at(), None);
}

#[test]
fn many_may_save_at_once() {
    let folder = Folder::new("many");
    let file = folder.0.join("models.json");
    let catalogue = of(&[r#"{"id":"a/b","pricing":{"prompt":"0","completion":"0"}}"#]);
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| (0..20).for_each(|_| catalogue.save(&file).unwrap()));
        }
    });
    assert_eq!(Catalogue::load(&file).unwrap().len(), 1);
    assert_eq!(folder.files(), [file]);
}
