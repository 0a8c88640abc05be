//! The catalogue on disk.

use std::{fs, path::PathBuf, time::Duration};

use crate::support::{
    FIRST,
    log::Log,
    prices::{account, of, usd, worst_case},
};
use openrouter_simulator::Simulator;
use tokio::{
    runtime::Handle,
    time::{Instant, sleep},
};
use tower_openrouter::{Catalogue, catalogue::CatalogueRefresh, response::ModelEndpoints};

const LLAMA: &str = "meta-llama/llama-3.3-70b-instruct";

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
        drop(fs::remove_dir_all(&self.0));
    }
}

#[tokio::test(start_paused = true)]
async fn it_survives_on_disk_with_its_date() {
    let simulator = Simulator::start().await.unwrap();
    let catalogue = Catalogue::new(account(&simulator).models().await.unwrap());
    let folder = Folder::new("dated");
    let file = folder.0.join("models.json");
    sleep(Duration::from_secs(3600)).await;
    catalogue.save(&file).unwrap();
    let loaded = Catalogue::load(&file).unwrap();
    assert_eq!(loaded.len(), catalogue.len());
    assert_eq!(loaded.read_at(), catalogue.read_at());
    assert_eq!(loaded.age(), Some(Duration::from_secs(3600)));
    assert_eq!(worst_case(&loaded, FIRST, 9), worst_case(&catalogue, FIRST, 9));
    assert_eq!(folder.files(), [&*file], "nothing is left beside it");

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
            .contains("is not a saved catalogue")
    );
    fs::remove_dir_all(&folder.0).unwrap();
    assert!(Catalogue::load(&file).unwrap_err().to_string().contains("models.json"));
    assert!(catalogue.save(&file).is_err());
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
    while catalogue.is_empty() || folder.files() != [&*file] {
        sleep(Duration::from_millis(100)).await;
    }
    assert!(!Catalogue::load(&file).unwrap().has_endpoints(LLAMA));
    let begun = Instant::now();
    worst_case(&catalogue, LLAMA, 1);
    while !Catalogue::load(&file).unwrap().has_endpoints(LLAMA) {
        sleep(Duration::from_millis(100)).await;
    }
    assert!(
        begun.elapsed() < Duration::from_secs(60),
        "soon, and not with the next refresh"
    );
    drop(running);
    let loaded = Catalogue::load(&file).unwrap();
    assert_eq!(worst_case(&loaded, LLAMA, 1), worst_case(&catalogue, LLAMA, 1));
    assert_eq!(loaded.unpriced(), catalogue.unpriced());
    // A file that cannot be written is no reason to be without a catalogue.
    let (log, _listening) = Log::listen("llm::catalogue=info");
    let nowhere = refresh.file(folder.0.join("none").join("models.json"));
    nowhere.once().await.unwrap();
    assert!(log.text().contains("was not saved"), "{}", log.text());
    Catalogue::load(&file).unwrap();
    assert!(
        log.text().contains("read from a file") && log.text().contains("age="),
        "{}",
        log.text()
    );
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
    catalogue.add_endpoints(&serde_json::from_str::<ModelEndpoints>(endpoints).unwrap());
    catalogue.save(&file).unwrap();
    let loaded = Catalogue::load(&file).unwrap();
    assert_eq!(loaded.unpriced(), ["a/odd", "a/over"]);
    assert_eq!(loaded.model("a/new"), catalogue.model("a/new"));
    assert_eq!(worst_case(&loaded, "a/new", 1).prompt_token, usd("0.2"));
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
