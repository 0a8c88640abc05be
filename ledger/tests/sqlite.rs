//! The ledger in a real file.
#![cfg(feature = "sqlite")]

use std::{fs, time::Duration};

use crate::support::{Folder, any_entry, entry, hard, promises, restored, sqlite::sql, until};
use fastrand::Rng;
use tower_llm_layers::ledger::{Entry, GroupBy, Ledger};
use tower_llm_ledger::{Filter, LedgerError, LedgerOptions};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_promise_holds() {
    let folder = Folder::new();
    promises::hold(|name| LedgerOptions::sqlite(folder.path().join(name))).await;
}

#[tokio::test]
async fn budgets_are_filled_again() {
    let folder = Folder::new();
    restored::hold(|name| LedgerOptions::sqlite(folder.path().join(name))).await;
}

#[tokio::test]
async fn hard_data_goes_in() {
    let folder = Folder::new();
    let file = |name: &str| folder.path().join(name);
    hard::hold(
        |name| LedgerOptions::sqlite(file(name)),
        async |name, text| sql(&file(name), text).await,
    )
    .await;
}

#[tokio::test]
async fn a_ledger_is_read_by_another_process_while_it_is_written() {
    let folder = Folder::new();
    let nothing = LedgerOptions::sqlite(folder.file()).open_to_read().await;
    assert!(nothing.is_err() && !folder.file().exists(), "it is not made");
    let ledger = LedgerOptions::sqlite(folder.file()).open().await.unwrap();
    for (model, pico) in [("a/b", 5), ("a/b", 7), ("c/d", 20)] {
        ledger.record(&entry(model, pico));
    }
    until(|| ledger.written() == 3).await;
    let reader = LedgerOptions::sqlite(folder.file()).open_to_read().await.unwrap();
    let rows = reader.spend(&GroupBy::Model, &Filter::new()).await.unwrap();
    let groups: Vec<_> = rows.iter().map(|row| (&*row.group, row.spend.cost.pico())).collect();
    assert_eq!(groups, [("c/d", 20), ("a/b", 12)]);
    assert_eq!(reader.total(&Filter::new().model("a/b")).await.unwrap().attempts, 2);
    ledger.record(&entry("a/b", 1));
    assert_eq!(ledger.close().await.lost, 0);
    assert_eq!(reader.total(&Filter::new()).await.unwrap().attempts, 4);
}

#[tokio::test]
async fn a_refused_row_is_lost_alone() {
    let folder = Folder::new();
    let refuse = async || {
        let trigger = "CREATE TRIGGER refuse BEFORE INSERT ON entries
            WHEN NEW.model = 'bad/model' OR NEW.model GLOB '*[^ -~]*'
            BEGIN SELECT RAISE(ABORT, 'no'); END";
        sql(&folder.file(), trigger).await;
    };
    hard::a_refused_row_is_lost_alone(LedgerOptions::sqlite(folder.file()), refuse).await;
}

/// The trigger stands for a database whose encoding lacks a letter. The upstream chooses these names.
#[tokio::test]
async fn a_name_of_the_upstream_beyond_ascii_loses_no_entry() {
    for column in ["provider", "served_model", "generation_id"] {
        let folder = Folder::new();
        let ledger = LedgerOptions::sqlite(folder.file()).open().await.unwrap();
        let trigger = format!(
            "CREATE TRIGGER refuse BEFORE INSERT ON entries WHEN NEW.{column} GLOB '*[^ -~]*' BEGIN SELECT RAISE(ABORT, 'no'); END"
        );
        sql(&folder.file(), &trigger).await;
        let mut named = entry("a/b", 7);
        let name = match column {
            "provider" => &mut named.provider,
            "served_model" => &mut named.served_model,
            _ => &mut named.generation_id,
        };
        *name = Some("acme/Zoë".into());
        ledger.record(&named);
        let closed = ledger.close().await;
        assert_eq!((closed.written, closed.lost, ledger.rejected()), (1, 0, 0), "{column}");
        let name = match column {
            "provider" => &mut named.provider,
            "served_model" => &mut named.served_model,
            _ => &mut named.generation_id,
        };
        *name = Some("acme/Zo?".into());
        assert_eq!(ledger.page(&Filter::new(), None).await.unwrap(), [named], "{column}");
    }
}

#[tokio::test]
async fn an_invalid_ledger_is_reported_at_the_start() {
    let folder = Folder::new();
    fs::write(
        folder.file(),
        "this is a text, and no database at all, however long one reads on",
    )
    .unwrap();
    let error = LedgerOptions::sqlite(folder.file()).open().await.unwrap_err();
    assert!(matches!(error, LedgerError::NotADatabase { .. }), "{error:?}");
    assert!(
        error.to_string().contains("spend.sqlite is not an SQLite database"),
        "{error}"
    );

    let nowhere = LedgerOptions::sqlite("/nowhere/at/all.sqlite")
        .open()
        .await
        .unwrap_err();
    let said = "/nowhere/at/all.sqlite cannot be opened: there is no folder /nowhere/at: create it";
    assert!(nowhere.to_string().contains(said), "{nowhere}");
    let nowhere = LedgerOptions::sqlite("/nowhere/at/all.sqlite").open_to_read().await;
    assert!(matches!(nowhere, Err(LedgerError::NoFolder { .. })), "{nowhere:?}");
}

#[tokio::test]
async fn a_ledger_of_a_later_version_is_left_alone() {
    let folder = Folder::new();
    let ledger = LedgerOptions::sqlite(folder.file()).open().await.unwrap();
    ledger.close().await;
    sql(&folder.file(), "INSERT INTO ledger_schema (version) VALUES (99)").await;
    let error = LedgerOptions::sqlite(folder.file()).open().await.unwrap_err();
    assert!(matches!(error, LedgerError::Newer { version: 99, .. }), "{error:?}");
    assert!(error.to_string().contains("update this service"), "{error}");
}

/// While the processes of a service are replaced one after another, an older one starts again, or connects again.
#[tokio::test]
async fn a_ledger_of_a_later_version_that_only_adds_is_written() {
    let folder = Folder::new();
    let ledger = LedgerOptions::sqlite(folder.file()).open().await.unwrap();
    ledger.close().await;
    for added in [
        "ALTER TABLE entries ADD COLUMN added TEXT",
        "INSERT INTO ledger_schema (version, writable_from) VALUES (99, 7)",
    ] {
        sql(&folder.file(), added).await;
    }
    let ledger = LedgerOptions::sqlite(folder.file()).open().await.unwrap();
    ledger.record(&entry("a/b", 5));
    assert_eq!(ledger.close().await.written, 1);
    let later = "INSERT INTO ledger_schema (version, writable_from) VALUES (100, 100)";
    sql(&folder.file(), later).await;
    let error = LedgerOptions::sqlite(folder.file()).open().await.unwrap_err();
    assert!(matches!(error, LedgerError::Newer { version: 100, .. }), "{error:?}");
}

/// As the first version of the tables left it: without what later versions added.
#[tokio::test]
async fn a_ledger_of_the_first_version_is_brought_up_to_date() {
    let folder = Folder::new();
    let ledger = LedgerOptions::sqlite(folder.file()).open().await.unwrap();
    ledger.record(&entry("a/b", 1));
    ledger.close().await;
    for added in ["provider", "served_model", "cache_written_1h_tokens", "bill_claimed"] {
        sql(&folder.file(), &format!("ALTER TABLE entries DROP COLUMN {added}")).await;
    }
    sql(&folder.file(), "ALTER TABLE entries RENAME COLUMN recorded TO booked").await; // words-ok: the old name
    sql(&folder.file(), "DROP TABLE forgotten").await;
    sql(&folder.file(), "ALTER TABLE ledger_schema DROP COLUMN writable_from").await;
    sql(&folder.file(), "DELETE FROM ledger_schema WHERE version > 1").await;
    sql(&folder.file(), "INSERT INTO ledger_schema (version) VALUES (1)").await;

    let ledger = LedgerOptions::sqlite(folder.file()).open().await.unwrap();
    let mut second = entry("a/b", 2);
    second.provider = Some("Azure".into());
    ledger.record(&second);
    ledger.close().await;
    let ledger = LedgerOptions::sqlite(folder.file()).open().await.unwrap();
    let providers: Vec<_> = ledger.recent(&Filter::new(), 9).await.unwrap();
    let mut providers: Vec<_> = providers.into_iter().map(|entry| entry.provider).collect();
    providers.sort();
    assert_eq!(providers, [None, Some("Azure".into())]);
    ledger.close().await;
}

#[tokio::test]
async fn a_database_that_fails_for_a_while_is_written_later() {
    let folder = Folder::new();
    let ledger = LedgerOptions::sqlite(folder.file())
        .flush_every(Duration::ZERO)
        .open()
        .await
        .unwrap();
    sql(&folder.file(), "ALTER TABLE entries RENAME TO elsewhere").await;
    ledger.record(&entry("a/b", 5));
    tokio::time::sleep(Duration::from_millis(150)).await;
    assert_eq!((ledger.written(), ledger.waiting(), ledger.lost()), (0, 1, 0));
    sql(&folder.file(), "ALTER TABLE elsewhere RENAME TO entries").await;
    while ledger.written() == 0 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(ledger.total(&Filter::new()).await.unwrap().attempts, 1);
    ledger.close().await;
}

#[tokio::test]
async fn a_database_that_never_comes_back_ends_a_close_all_the_same() {
    let folder = Folder::new();
    let ledger = LedgerOptions::sqlite(folder.file())
        .close_timeout(Duration::from_millis(500))
        .open()
        .await
        .unwrap();
    sql(&folder.file(), "DROP TABLE entries").await;
    ledger.record(&entry("a/b", 5));
    let closed = ledger.close().await;
    assert_eq!((closed.written, closed.lost), (0, 1));
}

#[tokio::test]
async fn exports_read_back() {
    let folder = Folder::new();
    let ledger = LedgerOptions::sqlite(folder.file()).open().await.unwrap();
    let mut rng = Rng::with_seed(3);
    let entries: Vec<Entry> = (0..1_200).map(|_| any_entry(&mut rng)).collect();
    for entry in &entries {
        ledger.record(entry);
    }
    ledger.close().await;
    let find = |id: &str| entries.iter().find(|entry| entry.id.to_string() == id).unwrap();

    let mut csv = Vec::new();
    assert_eq!(ledger.export_csv(&Filter::new(), &mut csv).await.unwrap(), 1_200);
    let mut reader = csv::Reader::from_reader(&csv[..]);
    let head = reader.headers().unwrap().clone();
    let mut rows = 0;
    for record in reader.records() {
        let record = record.unwrap();
        let field = |name: &str| &record[head.iter().position(|known| known == name).unwrap()];
        let entry = find(field("id"));
        assert_eq!(field("cost").parse(), Ok(entry.cost()));
        assert_eq!(field("bill").is_empty(), entry.bill.is_none());
        assert_eq!(field("prompt_tokens"), entry.usage.prompt.to_string());
        assert!(!field("model").starts_with('='), "no formula");
        assert_eq!(field("model").trim_start_matches('\''), &*entry.model);
        rows += 1;
    }
    assert_eq!(rows, 1_200, "one head, and no line twice");

    let mut lines = Vec::new();
    let filter = Filter::new().upstream("openai");
    let count = ledger.export_json_lines(&filter, &mut lines).await.unwrap();
    assert_eq!(
        usize::try_from(count).unwrap(),
        entries.iter().filter(|entry| &*entry.upstream == "openai").count()
    );
    for line in lines.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
        let line: serde_json::Value = serde_json::from_slice(line).unwrap();
        let entry = find(line["id"].as_str().unwrap());
        assert_eq!(line["model"], *entry.model);
        assert_eq!(line["recorded"].as_str().unwrap().parse(), Ok(entry.recorded));
        assert_eq!(line["tags"]["team"].as_str(), entry.tags.get("team"));
    }
}

/// Read-only for all users: root writes even there, so this uses a file system that is read-only.
#[tokio::test]
async fn a_ledger_that_cannot_be_written_fails_at_the_start() {
    let error = LedgerOptions::sqlite("/proc/version").open().await.unwrap_err();
    assert!(!matches!(error, LedgerError::Query(_)), "{error:?}");
    assert!(error.to_string().contains("/proc/version"), "{error}");
}
