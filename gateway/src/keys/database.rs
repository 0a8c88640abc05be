//! Client keys in the storage's database: a table beside those of the ledger.

use std::{
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

use secrecy::SecretString;
use sqlx::Row;
use tower_openrouter::layers::UtcTime;

use super::{
    KeyHash, StoredKey,
    connection::{KeyConnection, Place, QUESTION, statement},
    stored::{StoredKeys, read, unknown_member},
};
use crate::settings::KeyRules;

/// The tables. The version changes with each key, so that a gateway sees by one number whether it must read the keys again.
const TABLES: [&str; 3] = [
    "CREATE TABLE IF NOT EXISTS gateway_keys (
        name TEXT PRIMARY KEY,
        hash TEXT NOT NULL UNIQUE,
        rules TEXT NOT NULL,
        created BIGINT NOT NULL,
        revoked BIGINT
    )",
    "CREATE TABLE IF NOT EXISTS gateway_keys_version (id BIGINT PRIMARY KEY, version BIGINT NOT NULL)",
    "INSERT INTO gateway_keys_version (id, version) VALUES (1, 0) ON CONFLICT (id) DO NOTHING",
];

/// The lock under which two processes that start at once create the tables.
const LOCK: i64 = 0x6761_7465_6b65_7973;

/// Client keys in a database.
#[derive(Debug)]
pub struct KeyDatabase(KeyConnection);

/// What a database of keys does not do.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KeyDatabaseError {
    /// It does not answer.
    #[error("the database of client keys: {0}")]
    Database(#[from] sqlx::Error),
    /// It does not answer in time.
    #[error("the database of client keys did not answer in {QUESTION:?}")]
    Slow,
    /// There was a key of this name.
    #[error(
        "there is or was a client key named `{0}`: names are not used twice, since what was spent is remembered under them"
    )]
    Twice(String),
    /// There is no key of this name.
    #[error("there is no client key named `{0}` in the database")]
    Unknown(String),
    /// There is no such file.
    #[error(
        "there is no database at {}: name the one that the gateway uses in `storage.sqlite`, as an absolute path, or make its first key with \
         `openrouter-gateway keys new NAME`",
        .0.display()
    )]
    Missing(PathBuf),
    /// The folder of the file is not there.
    #[error(
        "there is no folder {}: make it, or name another file in `storage.sqlite`, as an absolute path",
        .0.display()
    )]
    NoFolder(PathBuf),
    /// The file cannot be opened.
    #[error("the database of client keys at {} cannot be opened: {}", .0.display(), .1)]
    Open(PathBuf, #[source] sqlx::Error),
    /// The key was revoked.
    #[error("the client key `{0}` was revoked, which is final: make one with another name")]
    Revoked(String),
    /// A key cannot be allowed this.
    #[error("{0}")]
    Rules(String),
    /// There are no keys in it, and never were.
    #[error("{0} is not the database of a gateway: it has no table of client keys")]
    NoTables(String),
}

impl KeyDatabase {
    /// The one in this SQLite file, which is made if it is not there.
    #[must_use]
    pub fn sqlite(file: &Path) -> Self {
        Self(KeyConnection::new(Place::file(file), true))
    }

    /// The one at this PostgreSQL server.
    #[must_use]
    pub fn postgres(url: SecretString) -> Self {
        Self::postgres_from(move || Ok(url.clone()))
    }

    /// The same, with a URL that is read for each connection, such as from a file in which the password is replaced from time to time.
    #[must_use]
    pub fn postgres_from(url: impl Fn() -> io::Result<SecretString> + Send + Sync + 'static) -> Self {
        Self(KeyConnection::new(Place::Server(Arc::new(url)), true))
    }

    /// The same, but only if it is there: no file is made.
    #[must_use]
    pub fn existing(self) -> Self {
        Self(KeyConnection::new(self.0.place, false))
    }

    /// Which database it is, without a password: the absolute path of a file.
    #[must_use]
    pub fn place(&self) -> String {
        self.0.place.to_string()
    }

    /// Creates the tables that are not there. In an [existing](Self::existing) database it only looks for them.
    ///
    /// # Errors
    ///
    /// If the database does not answer, or has no such tables and may not get them.
    pub async fn prepare(&self) -> Result<(), KeyDatabaseError> {
        if !self.0.creates {
            return match self.version().await {
                Err(KeyDatabaseError::Database(sqlx::Error::Database(_))) => {
                    Err(KeyDatabaseError::NoTables(self.place()))
                }
                answer => answer.map(drop),
            };
        }
        let is_server = self.0.place.is_server();
        self.0
            .ask(async |connection| {
                let mut transaction = self.0.place.begin(connection).await?;
                if is_server {
                    statement("SELECT pg_advisory_xact_lock($1)")
                        .bind(LOCK)
                        .execute(&mut *transaction)
                        .await?;
                }
                for sql in TABLES {
                    statement(sql).execute(&mut *transaction).await?;
                }
                transaction.commit().await?;
                Ok(())
            })
            .await
    }

    /// A number that changes whenever a key does.
    ///
    /// # Errors
    ///
    /// If the database does not answer.
    pub async fn version(&self) -> Result<i64, KeyDatabaseError> {
        self.0
            .ask(async |connection| {
                let row = statement("SELECT version FROM gateway_keys_version WHERE id = 1")
                    .fetch_one(connection)
                    .await?;
                Ok(row.try_get("version")?)
            })
            .await
    }

    /// All keys, by name. One that cannot be read does not hide the others: it is logged.
    ///
    /// # Errors
    ///
    /// If the database does not answer.
    pub async fn all(&self) -> Result<Vec<StoredKey>, KeyDatabaseError> {
        Ok(self.read().await?.keys)
    }

    /// The same, with what is wrong with those that cannot be read.
    pub(crate) async fn read(&self) -> Result<StoredKeys, KeyDatabaseError> {
        self.0
            .ask(async |connection| {
                let sql = "SELECT name, hash, rules, created, revoked FROM gateway_keys ORDER BY name";
                let rows = statement(sql).fetch_all(connection).await?;
                Ok(StoredKeys::of(&rows))
            })
            .await
    }

    /// Adds a key.
    ///
    /// # Errors
    ///
    /// If there is or was one of its name, or the database does not answer.
    pub async fn add(&self, name: &str, hash: &KeyHash, rules: &KeyRules) -> Result<(), KeyDatabaseError> {
        let rules = serde_json::to_string(rules).unwrap_or_default();
        self.0.ask(async |connection| {
            let mut transaction = self.0.place.begin(connection).await?;
            statement(CHANGED).execute(&mut *transaction).await?;
            let sql = "INSERT INTO gateway_keys (name, hash, rules, created) VALUES ($1, $2, $3, $4) ON CONFLICT (name) DO NOTHING";
            let added = statement(sql)
                .bind(name)
                .bind(hash.written())
                .bind(&rules)
                .bind(millis(UtcTime::now()))
                .execute(&mut *transaction)
                .await?;
            if added.rows_affected() == 0 {
                return Err(KeyDatabaseError::Twice(name.to_owned()));
            }
            Ok(transaction.commit().await?)
        })
        .await
    }

    /// Changes what a key may do. Gives what it may do from then on.
    ///
    /// # Errors
    ///
    /// If there is none of this name, it was revoked, it has rules that this version does not have, or it cannot be allowed this; or if the database does
    /// not answer. Then nothing is changed.
    pub async fn change(&self, name: &str, change: impl FnOnce(&mut KeyRules)) -> Result<KeyRules, KeyDatabaseError> {
        self.0
            .ask(async |connection| {
                let mut transaction = self.0.place.begin(connection).await?;
                statement(CHANGED).execute(&mut *transaction).await?;
                let sql = "SELECT name, hash, rules, created, revoked FROM gateway_keys WHERE name = $1";
                let row = statement(sql).bind(name).fetch_optional(&mut *transaction).await?;
                let row = row.ok_or_else(|| KeyDatabaseError::Unknown(name.to_owned()))?;
                let key = read(&row).map_err(KeyDatabaseError::Rules)?;
                if key.revoked.is_some() {
                    return Err(KeyDatabaseError::Revoked(name.to_owned()));
                }
                if let Some(unknown) = unknown_member(&row) {
                    return Err(KeyDatabaseError::Rules(format!(
                        "`{name}` has a rule that this version of the gateway does not have ({unknown}) and would remove: change it with the version \
                         that has it"
                    )));
                }
                let mut rules = key.rules;
                change(&mut rules);
                if let Some(problem) = problem_of(name, &rules) {
                    return Err(KeyDatabaseError::Rules(problem));
                }
                let text = serde_json::to_string(&rules).unwrap_or_default();
                statement("UPDATE gateway_keys SET rules = $1 WHERE name = $2")
                    .bind(&text)
                    .bind(name)
                    .execute(&mut *transaction)
                    .await?;
                transaction.commit().await?;
                Ok(rules)
            })
            .await
    }

    /// Revokes a key.
    ///
    /// # Errors
    ///
    /// If there is none of this name, or the database does not answer.
    pub async fn revoke(&self, name: &str) -> Result<(), KeyDatabaseError> {
        self.0
            .ask(async |connection| {
                let mut transaction = self.0.place.begin(connection).await?;
                statement(CHANGED).execute(&mut *transaction).await?;
                let sql = "UPDATE gateway_keys SET revoked = COALESCE(revoked, $1) WHERE name = $2";
                let revoked = statement(sql)
                    .bind(millis(UtcTime::now()))
                    .bind(name)
                    .execute(&mut *transaction)
                    .await?;
                if revoked.rows_affected() == 0 {
                    return Err(KeyDatabaseError::Unknown(name.to_owned()));
                }
                Ok(transaction.commit().await?)
            })
            .await
    }
}

/// The first that is wrong with what a key of this name is to be allowed.
pub(crate) fn problem_of(name: &str, rules: &KeyRules) -> Option<String> {
    let problem = rules.problems(name).into_iter().next();
    problem.map(|(member, message)| match &*member {
        "" => message,
        member => format!("{member}: {message}"),
    })
}

/// The first statement of each change, since it locks the row of the version: no two changes have one number, none comes between the reading and the
/// writing of another, and of two on one key none holds what the other waits for. A change that fails is rolled back, and so is this.
const CHANGED: &str = "UPDATE gateway_keys_version SET version = version + 1 WHERE id = 1";

fn millis(time: UtcTime) -> i64 {
    i64::try_from(time.millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use sqlx::{AnyConnection, Connection};
    use test_servers::Postgres;

    use super::*;

    #[tokio::test]
    async fn a_key_is_revoked_while_another_process_changes_it() {
        let Some(server) = Postgres::start() else { return };
        let database = KeyDatabase::postgres(server.url().into());
        database.prepare().await.unwrap();
        let hash = KeyHash::of(b"acme");
        database.add("acme", &hash, &KeyRules::default()).await.unwrap();
        let mut other = AnyConnection::connect(&server.url()).await.unwrap();
        let mut looking = AnyConnection::connect(&server.url()).await.unwrap();
        let mut changing = other.begin().await.unwrap();
        statement(CHANGED).execute(&mut *changing).await.unwrap();
        let changed = async {
            let waiting = "SELECT COUNT(*) AS waiting FROM pg_locks WHERE NOT granted";
            loop {
                let row = statement(waiting).fetch_one(&mut looking).await.unwrap();
                if row.try_get::<i64, _>("waiting").unwrap() > 0 {
                    break;
                }
            }
            let sql = "UPDATE gateway_keys SET rules = '{}' WHERE name = 'acme'";
            statement(sql).execute(&mut *changing).await.unwrap();
            changing.commit().await.unwrap();
        };
        let (revoked, ()) = tokio::join!(database.revoke("acme"), changed);
        revoked.unwrap();
        assert!(database.all().await.unwrap()[0].revoked.is_some());
        let version = database.version().await.unwrap();
        assert!(database.revoke("unknown").await.is_err());
        assert_eq!(database.version().await.unwrap(), version);
    }

    #[tokio::test]
    async fn no_statement_stays_prepared_in_a_session() {
        let Some(server) = Postgres::start() else { return };
        let database = KeyDatabase::postgres(server.url().into());
        database.prepare().await.unwrap();
        for number in 0..10 {
            let (name, hash) = (format!("key-{number}"), KeyHash::of(&[number]));
            database.add(&name, &hash, &KeyRules::default()).await.unwrap();
            database.revoke(&name).await.unwrap();
            assert_eq!(database.all().await.unwrap().len(), usize::from(number) + 1);
            assert!(database.version().await.unwrap() > 0);
        }
        let prepared = database.0.ask(async |connection| {
            let sql = "SELECT COUNT(*) AS prepared FROM pg_prepared_statements";
            let row = statement(sql).fetch_one(connection).await?;
            Ok(row.try_get::<i64, _>("prepared")?)
        });
        assert_eq!(prepared.await.unwrap(), 0);
    }
}
