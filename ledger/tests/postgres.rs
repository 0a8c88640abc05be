//! The ledger in a real PostgreSQL, started for the test.
#![cfg(feature = "postgres")]

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use crate::support::{
    entry, hard,
    postgres::{connect, database, sql},
    promises, restored, until,
};
use test_servers::Postgres;
use tower_llm_layers::ledger::Ledger;
use tower_llm_ledger::{Filter, LedgerError, LedgerOptions};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_promise_holds() {
    let Some(server) = Postgres::start() else { return };
    let names = [
        "round_trip",
        "sums",
        "large",
        "corrected",
        "delayed",
        "claimed",
        "restarted",
        "stalled",
        "many",
        "forgotten",
    ];
    let mut urls = std::collections::HashMap::new();
    for name in names {
        urls.insert(name, database(&server, name).await);
    }
    promises::hold(|name| LedgerOptions::postgres(&urls[name])).await;
}

#[tokio::test]
async fn budgets_are_filled_again() {
    let Some(server) = Postgres::start() else { return };
    let mut urls = std::collections::HashMap::new();
    for name in ["filled", "kept"] {
        urls.insert(name, database(&server, name).await);
    }
    restored::hold(|name| LedgerOptions::postgres(&urls[name])).await;
}

#[tokio::test]
async fn hard_data_goes_in_and_a_refused_row_is_lost_alone() {
    let Some(server) = Postgres::start() else { return };
    let mut urls = std::collections::HashMap::new();
    for name in ["odd", "huge", "names", "future", "refused"] {
        urls.insert(name, database(&server, name).await);
    }
    hard::hold(
        |name| LedgerOptions::postgres(&urls[name]),
        async |name, text| sql(&urls[name], text).await,
    )
    .await;
    let refuse = async || {
        let check = "ALTER TABLE entries ADD CHECK (model <> 'bad/model' AND model !~ '[^ -~]')";
        sql(&urls["refused"], check).await;
    };
    hard::a_refused_row_is_lost_alone(LedgerOptions::postgres(&urls["refused"]), refuse).await;
}

/// As the first version of the tables left it: without what later versions added.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_ledger_of_the_first_version_is_brought_up_to_date() {
    let Some(server) = Postgres::start() else { return };
    let url = database(&server, "first").await;
    let ledger = LedgerOptions::postgres(&url).open().await.unwrap();
    ledger.record(&entry("a/b", 1));
    ledger.close().await;
    for added in ["provider", "served_model", "cache_written_1h_tokens", "bill_claimed"] {
        sql(&url, &format!("ALTER TABLE entries DROP COLUMN {added}")).await;
    }
    sql(&url, "ALTER TABLE entries RENAME COLUMN recorded TO booked").await; // words-ok: the old name
    sql(&url, "DROP TABLE forgotten").await;
    sql(&url, "ALTER TABLE ledger_schema DROP COLUMN writable_from").await;
    sql(&url, "DELETE FROM ledger_schema").await;
    sql(&url, "INSERT INTO ledger_schema (version) VALUES (1)").await;

    // Two processes that are updated at once: one of them migrates, and neither fails.
    let open = || LedgerOptions::postgres(&url).open();
    let (one, other) = tokio::join!(open(), open());
    let (ledger, other) = (one.unwrap(), other.unwrap());
    other.close().await;
    let mut second = entry("a/b", 2);
    second.provider = Some("Azure".into());
    ledger.record(&second);
    assert_eq!(ledger.close().await.lost, 0);
    let ledger = LedgerOptions::postgres(&url).open().await.unwrap();
    let entries = ledger.recent(&Filter::new(), 9).await.unwrap();
    let mut providers: Vec<_> = entries.into_iter().map(|entry| entry.provider).collect();
    providers.sort();
    assert_eq!(providers, [None, Some("Azure".into())]);
    assert_eq!(ledger.total(&Filter::new()).await.unwrap().attempts, 2);
    ledger.close().await;
}

/// Whatever else needs the table waits behind a step that waits for its lock.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_step_that_waits_for_a_lock_lets_others_pass() {
    let Some(server) = Postgres::start() else { return };
    let url = server.url();
    let open = || LedgerOptions::postgres(&url).open();
    open().await.unwrap().close().await;
    // A start of the same version needs no lock: not even that by which processes take turns.
    let mut other = connect(&url).await;
    let lock = format!("SELECT pg_advisory_lock({})", 0x6c6c_6d5f_6c65_6467_i64);
    sqlx::query(&lock).execute(&mut other).await.unwrap();
    open().await.unwrap().close().await;
    sqlx::query("SELECT pg_advisory_unlock_all()")
        .execute(&mut other)
        .await
        .unwrap();

    sql(&url, "ALTER TABLE ledger_schema DROP COLUMN writable_from").await;
    sql(&url, "UPDATE ledger_schema SET version = version - 1").await;
    for statement in ["BEGIN", "LOCK TABLE ledger_schema IN ACCESS SHARE MODE"] {
        sqlx::query(statement).execute(&mut other).await.unwrap();
    }
    let meanwhile = async {
        let waiting = "SELECT COUNT(*) FROM pg_locks WHERE NOT granted";
        loop {
            let waiting: i64 = sqlx::query_scalar(waiting).fetch_one(&mut other).await.unwrap();
            if waiting > 0 {
                break;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        let read = sql(&url, "SELECT version FROM ledger_schema");
        tokio::time::timeout(Duration::from_secs(60), read).await.unwrap();
        sqlx::query("COMMIT").execute(&mut other).await.unwrap();
    };
    let (opened, ()) = tokio::join!(open(), meanwhile);
    let ledger = opened.unwrap();
    ledger.record(&entry("a/b", 1));
    assert_eq!(ledger.close().await.written, 1);
}

/// An older process whose session was ended while newer ones added to the tables.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_ledger_of_a_later_version_that_only_adds_is_written_after_a_reconnect() {
    let Some(server) = Postgres::start() else { return };
    let url = server.url();
    let ledger = LedgerOptions::postgres(&url)
        .flush_every(Duration::ZERO)
        .open()
        .await
        .unwrap();
    ledger.record(&entry("a/b", 1));
    until(|| ledger.written() == 1).await;
    for added in [
        "ALTER TABLE entries ADD COLUMN added TEXT",
        "INSERT INTO ledger_schema (version, writable_from) VALUES (99, 7)",
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND backend_type = 'client backend'",
    ] {
        sql(&url, added).await;
    }
    ledger.record(&entry("a/b", 2));
    until(|| ledger.written() == 2).await;
    assert_eq!(ledger.close().await.lost, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_restarts_is_written_to_again() {
    let Some(mut server) = Postgres::start() else { return };
    let ledger = LedgerOptions::postgres(&server.url())
        .flush_every(Duration::ZERO)
        .open()
        .await
        .unwrap();
    ledger.record(&entry("a/b", 1));
    while ledger.written() < 1 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    server.stop();
    ledger.record(&entry("a/b", 2));
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert_eq!(
        (ledger.waiting(), ledger.lost()),
        (1, 0),
        "kept while the database is down"
    );
    assert!(ledger.total(&Filter::new()).await.is_err());
    server.run();
    while ledger.written() < 2 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(ledger.total(&Filter::new()).await.unwrap().attempts, 2);
    let closed = ledger.close().await;
    assert_eq!((closed.written, closed.lost), (2, 0));
}

/// The role is renamed in place of a password that is replaced: the server of the tests asks for none.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_login_that_is_replaced_is_read_again_by_the_next_connection() {
    let Some(server) = Postgres::start() else { return };
    sql(&server.url(), "CREATE ROLE first_login SUPERUSER LOGIN").await;
    let url = |role: &str| server.url().replace("postgres@", &format!("{role}@"));
    let login = Arc::new(Mutex::new(url("first_login")));
    let read = Arc::clone(&login);
    let ledger = LedgerOptions::postgres_from(move || Ok(read.lock().unwrap().clone()))
        .unwrap()
        .flush_every(Duration::ZERO)
        .open()
        .await
        .unwrap();
    ledger.record(&entry("a/b", 1));
    until(|| ledger.written() == 1).await;
    sql(&server.url(), "ALTER ROLE first_login RENAME TO second_login").await;
    let end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'second_login'";
    sql(&server.url(), end).await;
    ledger.record(&entry("a/b", 2));
    assert!(ledger.total(&Filter::new()).await.is_err(), "the old login is refused");
    assert_eq!((ledger.written(), ledger.lost()), (1, 0));
    *login.lock().unwrap() = url("second_login");
    until(|| ledger.written() == 2).await;
    assert_eq!(ledger.total(&Filter::new()).await.unwrap().attempts, 2);
    assert_eq!(ledger.close().await.lost, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_processes_may_start_at_once_and_neither_buries_the_other() {
    let Some(server) = Postgres::start() else { return };
    let open = || LedgerOptions::postgres(&server.url()).open();
    let (one, other) = tokio::join!(open(), open());
    let (one, other) = (one.unwrap(), other.unwrap());
    assert_eq!((one.lost_before().runs, other.lost_before().runs), (0, 0));
    one.record(&entry("a/b", 1));
    other.record(&entry("a/b", 1));
    one.close().await;
    other.close().await;
    let third = open().await.unwrap();
    assert_eq!(third.total(&Filter::new()).await.unwrap().attempts, 2);
    third.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refused_login_is_reported_without_the_password() {
    let Some(server) = Postgres::start() else { return };
    let port = server
        .url()
        .rsplit(':')
        .next()
        .unwrap()
        .split('/')
        .next()
        .unwrap()
        .to_owned();
    let url = format!("postgres://nobody:s3cr3t@127.0.0.1:{port}/postgres?password=s3cr3t");
    let error = LedgerOptions::postgres(&url).open().await.unwrap_err();
    assert!(matches!(error, LedgerError::Open { .. }), "{error:?}");
    for said in [
        error.to_string(),
        format!("{error:?}"),
        format!("{:?}", LedgerOptions::postgres(&url)),
    ] {
        assert!(said.contains(&port) && !said.contains("s3cr3t"), "{said}");
    }
}
