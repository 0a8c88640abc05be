//! PostgreSQL databases beside a ledger.

use sqlx::{Connection, PgConnection};
use test_servers::Postgres;

/// A database of this name on the server.
pub(crate) async fn database(server: &Postgres, name: &str) -> String {
    sql(&server.url(), &format!("CREATE DATABASE {name}")).await;
    let (place, _) = server
        .url()
        .rsplit_once('/')
        .map(|(place, name)| (place.to_owned(), name.to_owned()))
        .unwrap();
    format!("{place}/{name}")
}

/// A connection of another program's.
pub(crate) async fn connect(url: &str) -> PgConnection {
    PgConnection::connect(url).await.unwrap()
}

/// Runs a statement beside the ledger.
pub(crate) async fn sql(url: &str, statement: &str) {
    let mut connection = connect(url).await;
    sqlx::query(statement).execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();
}
