//! What the ledger leaves prepared in a PostgreSQL session: nothing, however many sizes its batches have.

use sqlx::{Executor, Row};
use test_servers::Postgres;
use tower_llm_layers::{
    TokenUsage, UsdAmount, UtcTime,
    ledger::{Correction, Entry},
};

use crate::{LedgerOptions, filter::Where, queue::Item, writer::tests::entry};

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

fn correction(entry: &Entry) -> Correction {
    Correction::new(
        entry.id,
        UtcTime::now(),
        UsdAmount::from_pico(5),
        Some(TokenUsage::new(3, 4)),
    )
}
