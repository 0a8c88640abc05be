//! A ledger in a file that another process writes at the same time.
#![cfg(feature = "sqlite")]

use std::{path::Path, time::Duration};

use crate::support::{Folder, entry, until};
use sqlx::{Connection, SqliteConnection, sqlite::SqliteConnectOptions};
use tokio::{task::JoinHandle, time::sleep};
use tower_llm_layers::ledger::Ledger;
use tower_llm_ledger::{Filter, LedgerOptions};

/// Has another program write into the file for a while: it has begun when this is there, and has ended when its task has.
async fn other(file: &Path) -> JoinHandle<()> {
    let options = SqliteConnectOptions::new().filename(file).create_if_missing(true);
    let mut connection = SqliteConnection::connect_with(&options).await.unwrap();
    for sql in [
        "BEGIN IMMEDIATE",
        "CREATE TABLE IF NOT EXISTS other (id BIGINT)",
        "INSERT INTO other (id) VALUES (1)",
    ] {
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
    // It is new, then it has all tables.
    for run in 1..=2 {
        let writing = other(&folder.file()).await;
        let ledger = LedgerOptions::sqlite(folder.file()).open().await.unwrap();
        writing.await.unwrap();
        let writing = other(&folder.file()).await;
        ledger.record(&entry("a/b", 5));
        until(|| ledger.written() == 1).await;
        writing.await.unwrap();
        assert_eq!(ledger.total(&Filter::new()).await.unwrap().attempts, run);
        assert_eq!(ledger.close().await.lost, 0);
    }
}
