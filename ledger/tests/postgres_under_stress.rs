//! A real PostgreSQL that hangs, is killed, whose table is locked, or whose disk is full.
#![cfg(feature = "postgres")]

use std::time::Duration;

use test_servers::Postgres;
use tower_llm_layers::ledger::Ledger;
use tower_llm_ledger::{DatabaseLedger, Filter, LedgerError, LedgerOptions};

use crate::support::{
    entry,
    log::Log,
    postgres::{connect, database, sql},
    until,
};

async fn open(url: &str, close_timeout: Duration) -> DatabaseLedger {
    LedgerOptions::postgres(url)
        .flush_every(Duration::ZERO)
        .close_timeout(close_timeout)
        .open()
        .await
        .unwrap()
}

fn record(ledger: &DatabaseLedger, count: usize) {
    for _ in 0..count {
        ledger.record(&entry("a/b", 1));
    }
}

#[tokio::test]
async fn a_server_that_hangs_holds_nothing_up_and_is_written_to_again() {
    let Some(server) = Postgres::start() else { return };
    let (log, _listening) = Log::listen();
    let ledger = open(&server.url(), Duration::from_secs(30)).await;
    let other = open(&database(&server, "other").await, Duration::from_millis(300)).await;
    record(&ledger, 10);
    until(|| ledger.written() == 10).await;
    server.pause();
    // No call waits for it: these only join the queue.
    record(&ledger, 500);
    record(&other, 20);
    let closed = other.close().await;
    assert_eq!((closed.written, closed.lost), (0, 20));
    assert!(log.text().contains("lost=20"), "{}", log.text());
    until(|| log.count("the ledger is not written: trying again") >= 1).await;
    assert!(log.text().contains("does not answer within 10s"), "{}", log.text());
    assert_eq!((ledger.written(), ledger.lost()), (10, 0));
    server.resume();
    until(|| ledger.written() == 510).await;
    // The entries are counted before the line is logged.
    until(|| log.count("the ledger is written again") == 1).await;
    assert_eq!(ledger.total(&Filter::new()).await.unwrap().attempts, 510, "none twice");
    assert_eq!(ledger.close().await.lost, 0);
}

#[tokio::test]
async fn a_server_that_hangs_is_given_up_on_by_a_question_and_at_the_start() {
    let Some(server) = Postgres::start() else { return };
    let ledger = open(&server.url(), Duration::from_millis(100)).await;
    assert_eq!(ledger.total(&Filter::new()).await.unwrap().attempts, 0);
    server.pause();
    let filter = Filter::new();
    let (question, start) = tokio::join!(ledger.total(&filter), LedgerOptions::postgres(&server.url()).open());
    assert!(matches!(question, Err(LedgerError::Slow { .. })), "{question:?}");
    assert!(matches!(start, Err(LedgerError::Slow { .. })), "{start:?}");
    let closed = ledger.close().await;
    assert_eq!((closed.written, closed.lost), (0, 0));
}

#[tokio::test]
async fn a_locked_table_is_waited_out() {
    let Some(server) = Postgres::start() else { return };
    let ledger = open(&server.url(), Duration::from_secs(30)).await;
    let mut other = connect(&server.url()).await;
    for statement in ["BEGIN", "LOCK TABLE entries IN ACCESS EXCLUSIVE MODE"] {
        sqlx::query(statement).execute(&mut other).await.unwrap();
    }
    record(&ledger, 50);
    let impatient = open(&server.url(), Duration::from_millis(300)).await;
    record(&impatient, 5);
    let closed = impatient.close().await;
    assert_eq!((closed.written, closed.lost), (0, 5));
    assert_eq!((ledger.written(), ledger.lost()), (0, 0));
    sqlx::query("COMMIT").execute(&mut other).await.unwrap();
    until(|| ledger.written() == 50).await;
    assert_eq!(ledger.close().await.lost, 0);
}

/// Each would hold a connection of the server's until the table is free.
#[tokio::test]
async fn questions_that_are_given_up_leave_one_statement_on_the_server() {
    let Some(server) = Postgres::start() else { return };
    let ledger = open(&server.url(), Duration::from_millis(300)).await;
    let mut other = connect(&server.url()).await;
    for statement in ["BEGIN", "LOCK TABLE entries IN ACCESS EXCLUSIVE MODE"] {
        sqlx::query(statement).execute(&mut other).await.unwrap();
    }
    let filter = Filter::new();
    for _ in 0..5 {
        let question = ledger.total(&filter);
        let answer = tokio::time::timeout(Duration::from_millis(100), question).await;
        assert!(answer.is_err(), "{answer:?}");
    }
    let waiting = "SELECT COUNT(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE 'SELECT%'";
    // Not in the transaction: that would see the activity of its first look again and again.
    let mut watcher = connect(&server.url()).await;
    let mut count = async || -> i64 { sqlx::query_scalar(waiting).fetch_one(&mut watcher).await.unwrap() };
    let begun = async {
        while count().await == 0 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), begun).await.unwrap();
    // Time for others to come, if there were any.
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(count().await, 1);
    sqlx::query("COMMIT").execute(&mut other).await.unwrap();
    assert_eq!(ledger.total(&filter).await.unwrap().attempts, 0);
    assert_eq!(ledger.close().await.lost, 0);
}

#[tokio::test]
async fn a_server_that_is_killed_under_load_loses_nothing_and_books_nothing_twice() {
    let Some(mut server) = Postgres::start() else { return };
    let ledger = LedgerOptions::postgres(&server.url())
        .batch(50)
        .flush_every(Duration::ZERO)
        .close_timeout(Duration::from_secs(30))
        .open()
        .await
        .unwrap();
    for round in 0..3 {
        record(&ledger, 1_000);
        until(|| ledger.written() > round * 1_000 + 100).await;
        // Every connection breaks, in whichever part of a transaction it is.
        server.stop();
        record(&ledger, 100);
        server.run();
        record(&ledger, 100);
        until(|| ledger.written() == (round + 1) * 1_200).await;
    }
    let closed = ledger.close().await;
    assert_eq!((closed.written, closed.lost), (3_600, 0));
    assert_eq!(ledger.total(&Filter::new()).await.unwrap().attempts, 3_600);
}

/// No page is left: `53100` for whatever needs one. It is the server's trouble, and not the rows': none is given up, and all are written once
/// there is room.
#[tokio::test]
async fn a_full_disk_holds_nothing_up_and_loses_nothing() {
    let Some(server) = Postgres::start_with_small_disk(24) else {
        return;
    };
    let (log, _listening) = Log::listen();
    let place = server.small_disk().display().to_string();
    sql(&server.url(), &format!("CREATE TABLESPACE small LOCATION '{place}'")).await;
    let url = database(&server, "ledger TABLESPACE small")
        .await
        .replace("/ledger TABLESPACE small", "/ledger");
    let ledger = open(&url, Duration::from_secs(30)).await;
    record(&ledger, 10);
    until(|| ledger.written() == 10).await;
    // Another table takes all that is left, first by the megabyte and then by the page.
    sql(&url, "CREATE TABLE filler (text text)").await;
    sql(&url, "ALTER TABLE filler ALTER COLUMN text SET STORAGE PLAIN").await;
    let mut other = connect(&url).await;
    for rows in [1_000, 100, 1] {
        let fills = format!("INSERT INTO filler SELECT repeat('x', 4000) FROM generate_series(1, {rows})");
        let full = loop {
            if let Err(full) = sqlx::query(&fills).execute(&mut other).await {
                break full;
            }
        };
        let code = full.as_database_error().and_then(sqlx::error::DatabaseError::code);
        assert_eq!(code.as_deref(), Some("53100"), "{full}");
    }
    let begun = tokio::time::Instant::now();
    record(&ledger, 2_000);
    assert!(begun.elapsed() < Duration::from_secs(1), "no call waits for it");
    until(|| log.count("the ledger is not written: trying again") >= 2).await;
    assert!(log.text().contains("No space left on device"), "{}", log.text());
    assert!(ledger.written() < 2_010, "{} written", ledger.written());
    assert_eq!(ledger.lost(), 0);
    // A process that ends meanwhile says what it has not written.
    let impatient = open(&url, Duration::from_millis(300)).await;
    record(&impatient, 2_000);
    let closed = impatient.close().await;
    assert_eq!(closed.written + closed.lost, 2_000);
    assert!(closed.lost > 0);
    sqlx::query("DROP TABLE filler").execute(&mut other).await.unwrap();
    until(|| ledger.written() == 2_010).await;
    until(|| log.count("the ledger is written again") >= 1).await;
    let attempts = ledger.total(&Filter::new()).await.unwrap().attempts;
    assert_eq!(attempts, 2_010 + closed.written, "none twice, none lost");
    assert_eq!(ledger.close().await.lost, 0);
}
