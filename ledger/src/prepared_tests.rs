//! What the ledger leaves behind in a PostgreSQL server: no prepared statement, no question without an end, and no run of a killed process.

use std::time::Duration;

use sqlx::{Executor, Row};
use test_servers::Postgres;
use tokio::time::{Instant, sleep};
use tower_llm_layers::{
    TokenUsage, UsdAmount, UtcTime,
    ledger::{Correction, Entry},
};

use crate::{LedgerOptions, filter::Where, queue::Item, run::SILENCE, writer::tests::entry};

/// How many statements are prepared in this session.
const PREPARED: &str = "SELECT COUNT(*) AS prepared FROM pg_prepared_statements";

#[tokio::test]
async fn no_statement_stays_prepared_in_a_session() {
    let Some(server) = Postgres::start() else { return };
    let (opened, mut writer) = LedgerOptions::postgres(&server.url()).prepare().await.unwrap();
    for size in 1..40 {
        let mut items: Vec<_> = (0..size).map(|_| Item::Entry(Box::new(entry()))).collect();
        let billed = items.iter().find_map(|item| match item {
            Item::Entry(entry) => Some(correction(entry)),
            Item::Correction(_) => None,
        });
        items.extend(billed.map(|billed| Item::Correction(Box::new(billed))));
        assert_eq!(writer.write(&items).await.unwrap(), []);
    }
    let session = writer.session.as_mut().unwrap();
    let prepared = session.connection.fetch_one(PREPARED).await.unwrap();
    assert_eq!(prepared.get::<i64, _>("prepared"), 0, "of the writer");

    for number in 0..20 {
        let mut conditions = Where::default();
        let number = conditions.number(number);
        let sql = format!("SELECT id FROM entries WHERE began > {number}");
        drop(opened.reader.ask(&sql, conditions).await.unwrap());
    }
    let prepared = opened.reader.ask(PREPARED, Where::default()).await.unwrap();
    assert_eq!(prepared[0].get::<i64, _>("prepared"), 0, "of the reader");
}

#[tokio::test]
async fn a_question_has_an_end_on_the_server() {
    let Some(server) = Postgres::start() else { return };
    let (opened, _writer) = LedgerOptions::postgres(&server.url()).prepare().await.unwrap();
    let sql = "SELECT current_setting('statement_timeout') AS limited";
    let limited = opened.reader.ask(sql, Where::default()).await.unwrap();
    assert_eq!(limited[0].get::<String, _>("limited"), "29s");
    // One that has waited for others has the rest of its time.
    let sql = "SELECT CAST(setting AS BIGINT) AS limited FROM pg_settings WHERE name = 'statement_timeout'";
    let until = Instant::now() + Duration::from_secs(5);
    let limited = opened.reader.ask_until(sql, Where::default(), until).await.unwrap();
    let limited: i64 = limited[0].get("limited");
    assert!((1..=5_000).contains(&limited), "{limited}");
}

/// While the server was away, no run was noted: those that live are noted again before another one counts them as killed.
#[tokio::test]
async fn a_run_is_closed_by_the_servers_time_and_not_at_once() {
    let Some(server) = Postgres::start() else { return };
    let prepare = || LedgerOptions::postgres(&server.url()).prepare();
    let (_killed, mut killed) = prepare().await.unwrap();
    let (_alive, _writer) = prepare().await.unwrap();
    let silent = format!(
        "UPDATE ledger_runs SET last_written = last_written - 61000, accepted = 5, written = 3 WHERE id = '{}'",
        killed.run
    );
    let session = killed.session.as_mut().unwrap();
    session.connection.execute(&*silent).await.unwrap();
    let (opened, mut writer) = prepare().await.unwrap();
    writer.bury_silent(SILENCE).await;
    assert_eq!((opened.written.before().runs, writer.has_buried), (0, false));
    writer.bury_silent(Duration::ZERO).await;
    let before = opened.written.before();
    assert_eq!((before.runs, before.items, writer.has_buried), (1, 2, true));
}

/// It was silent while the server was away, and is noted again while another process closes the silent ones.
#[tokio::test]
async fn a_run_that_is_noted_meanwhile_is_not_closed() {
    let Some(server) = Postgres::start() else { return };
    let prepare = || LedgerOptions::postgres(&server.url()).prepare();
    let (_alive, mut alive) = prepare().await.unwrap();
    let (opened, mut writer) = prepare().await.unwrap();
    let noted = |by: &str| {
        format!(
            "UPDATE ledger_runs SET last_written = last_written {by} WHERE id = '{}'",
            alive.run
        )
    };
    let (silent, again) = (noted("- 61000"), noted("+ 61000"));
    let session = alive.session.as_mut().unwrap();
    for statement in [&*silent, "BEGIN", &*again] {
        session.connection.execute(statement).await.unwrap();
    }
    let meanwhile = async {
        let waiting = "SELECT COUNT(*) AS waiting FROM pg_locks WHERE NOT granted";
        loop {
            let row = session.connection.fetch_one(waiting).await.unwrap();
            if row.get::<i64, _>("waiting") > 0 {
                break;
            }
            sleep(Duration::from_millis(10)).await;
        }
        session.connection.execute("COMMIT").await.unwrap();
    };
    tokio::join!(writer.bury_silent(Duration::ZERO), meanwhile);
    assert_eq!((opened.written.before().runs, writer.has_buried), (0, true));
}

fn correction(entry: &Entry) -> Correction {
    Correction::new(
        entry.id,
        UtcTime::now(),
        UsdAmount::from_pico(5),
        Some(TokenUsage::new(3, 4)),
    )
}
