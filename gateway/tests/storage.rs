//! One SQLite file for the ledger and the client keys: several processes begin it at once, and a command reads it before a gateway has run.

use std::{path::Path, thread, time::Duration};

use openrouter_gateway::keys::{KeyDatabase, KeyHash};
use openrouter_simulator::Simulator;
use sqlx::{Connection, SqliteConnection, sqlite::SqliteConnectOptions};
use tokio::{task::JoinHandle, time::sleep};

use crate::support::{Binary, Folder, UPSTREAM_KEY, command, settings};

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_gateway_and_many_keys_begin_one_database_at_once() {
    let (simulator, folder) = (Simulator::start().await.unwrap(), Folder::new());
    for round in 0..3 {
        let config = format!("gateway-{round}.toml");
        let rest = format!("storage.sqlite = \"gateway-{round}.db\"");
        folder.write(&config, &settings(&simulator, &folder, &rest));
        let folder = folder.path("");
        let names: Vec<_> = (0..8).map(|number| format!("key-{number}")).collect();
        let (config, folder) = (config.as_str(), folder.as_path());
        thread::scope(|scope| {
            for name in &names {
                scope.spawn(move || {
                    let made = command(&["keys", "new", name.as_str(), "--config", config], folder);
                    assert!(made.status.success(), "{name}: {}", text(&made.stderr));
                });
            }
            drop(Binary::serve(&["--config", config], folder));
        });
        let list = command(&["keys", "list", "--config", config], folder);
        let told = text(&list.stdout);
        assert!(names.iter().all(|name| told.contains(name)), "{told}");
    }
}

/// Has another program write into the file for a while: it has begun when this is there, and has ended when its task has.
async fn other(file: &Path) -> JoinHandle<()> {
    let options = SqliteConnectOptions::new().filename(file).create_if_missing(true);
    let mut connection = SqliteConnection::connect_with(&options).await.unwrap();
    for sql in ["BEGIN IMMEDIATE", "CREATE TABLE IF NOT EXISTS other (id BIGINT)"] {
        sqlx::query(sql).execute(&mut connection).await.unwrap();
    }
    tokio::spawn(async move {
        sleep(Duration::from_millis(300)).await;
        sqlx::query("COMMIT").execute(&mut connection).await.unwrap();
        connection.close().await.unwrap();
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_that_another_process_writes_is_waited_for() {
    let folder = Folder::new();
    let file = folder.path("gateway.db");
    let database = KeyDatabase::sqlite(&file);
    let writing = other(&file).await;
    database.prepare().await.unwrap();
    writing.await.unwrap();
    let writing = other(&file).await;
    let rules = openrouter_gateway::settings::KeyRules::default();
    database.add("acme", &KeyHash::of(b"acme"), &rules).await.unwrap();
    writing.await.unwrap();
    assert_eq!(database.all().await.unwrap().len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn before_a_gateway_has_run_nothing_is_spent_and_no_command_prints_a_key() {
    let (simulator, folder) = (Simulator::start().await.unwrap(), Folder::new());
    let rest = "chain = [\"openai/gpt-5\"]\nstorage.sqlite = \"gateway.db\"";
    folder.write("gateway.toml", &settings(&simulator, &folder, rest));
    let folder = folder.path("");
    let none = command(&["spend"], &folder);
    assert!(!none.status.success(), "there is no database");
    let made = text(&command(&["keys", "new", "acme"], &folder).stdout);
    let key = made.lines().find(|line| line.starts_with("sk-gw-")).unwrap();
    for arguments in [
        &["spend"][..],
        &["spend", "--by", "model"],
        &["keys", "list"],
        &["check"],
    ] {
        let output = command(arguments, &folder);
        let told = text(&output.stdout) + &text(&output.stderr);
        assert!(output.status.success(), "{arguments:?}: {told}");
        assert!(
            !told.contains(key) && !told.contains(UPSTREAM_KEY),
            "{arguments:?}: {told}"
        );
        if arguments.contains(&"spend") {
            let total = told.lines().last().unwrap_or_default();
            assert!(total.starts_with("total") && total.contains("$0"), "{told}");
        }
    }
    for file in ["gateway.db", "gateway.db-wal"] {
        let stored = text(&std::fs::read(folder.join(file)).unwrap_or_default());
        assert!(!stored.contains(key), "{file}");
    }
    // A database of another program is still an error.
    let other = Folder::new();
    other.write(
        "gateway.toml",
        &settings(&simulator, &other, "storage.sqlite = \"other.db\""),
    );
    self::other(&other.path("other.db")).await.await.unwrap();
    let output = command(&["spend"], &other.path(""));
    assert!(!output.status.success(), "{}", text(&output.stdout));
}
