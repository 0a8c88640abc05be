//! Client keys in the storage's database: a table beside those of the ledger.

use std::{fmt, time::Duration};

use secrecy::{ExposeSecret, SecretString};
use sqlx::{AnyConnection, Connection, Row, any::AnyRow};
use tokio::{sync::Mutex, time::timeout};
use tower_openrouter::layers::UtcTime;

use super::KeyHash;
use crate::settings::KeyRules;

/// How long a question may take.
const QUESTION: Duration = Duration::from_secs(5);

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
pub struct KeyDatabase {
    url: SecretString,
    is_server: bool,
    connection: Mutex<Option<AnyConnection>>,
}

/// A key as it is stored.
#[derive(Debug, Clone)]
pub struct StoredKey {
    /// Its name.
    pub name: String,
    /// Its hash.
    pub hash: KeyHash,
    /// What it may do.
    pub rules: KeyRules,
    /// When it was made.
    pub created: UtcTime,
    /// When it was revoked.
    pub revoked: Option<UtcTime>,
}

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
}

impl KeyDatabase {
    /// The one in this SQLite file.
    #[must_use]
    pub fn sqlite(file: &std::path::Path) -> Self {
        let mut path = String::new();
        for byte in file.to_string_lossy().bytes() {
            if byte.is_ascii_alphanumeric() || b"/-_.~".contains(&byte) {
                path.push(char::from(byte));
            } else {
                path.push_str(&format!("%{byte:02X}"));
            }
        }
        Self::at(format!("sqlite://{path}?mode=rwc").into(), false)
    }

    /// The one at this PostgreSQL server.
    #[must_use]
    pub fn postgres(url: SecretString) -> Self {
        Self::at(url, true)
    }

    const fn at(url: SecretString, is_server: bool) -> Self {
        Self {
            url,
            is_server,
            connection: Mutex::const_new(None),
        }
    }

    /// Creates the tables that are not there.
    ///
    /// # Errors
    ///
    /// If the database does not answer.
    pub async fn prepare(&self) -> Result<(), KeyDatabaseError> {
        let is_server = self.is_server;
        self.ask(async |connection| {
            let mut transaction = connection.begin().await?;
            if is_server {
                sqlx::query("SELECT pg_advisory_xact_lock($1)")
                    .bind(LOCK)
                    .execute(&mut *transaction)
                    .await?;
            }
            for statement in TABLES {
                sqlx::query(statement).execute(&mut *transaction).await?;
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
        self.ask(async |connection| {
            let row = sqlx::query("SELECT version FROM gateway_keys_version WHERE id = 1")
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
        self.ask(async |connection| {
            let sql = "SELECT name, hash, rules, created, revoked FROM gateway_keys ORDER BY name";
            let rows = sqlx::query(sql).fetch_all(connection).await?;
            let mut keys = Vec::with_capacity(rows.len());
            for row in &rows {
                match read(row) {
                    Ok(key) => keys.push(key),
                    Err(error) => {
                        tracing::error!(target: "gateway::keys", error, "a client key of the database is left out");
                    }
                }
            }
            Ok(keys)
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
        self.ask(async |connection| {
            let mut transaction = connection.begin().await?;
            let sql = "INSERT INTO gateway_keys (name, hash, rules, created) VALUES ($1, $2, $3, $4) ON CONFLICT (name) DO NOTHING";
            let added = sqlx::query(sql)
                .bind(name)
                .bind(hash.written())
                .bind(&rules)
                .bind(millis(UtcTime::now()))
                .execute(&mut *transaction)
                .await?;
            if added.rows_affected() == 0 {
                return Err(KeyDatabaseError::Twice(name.to_owned()));
            }
            sqlx::query(CHANGED).execute(&mut *transaction).await?;
            Ok(transaction.commit().await?)
        })
        .await
    }

    /// Revokes a key.
    ///
    /// # Errors
    ///
    /// If there is none of this name, or the database does not answer.
    pub async fn revoke(&self, name: &str) -> Result<(), KeyDatabaseError> {
        self.ask(async |connection| {
            let mut transaction = connection.begin().await?;
            let sql = "UPDATE gateway_keys SET revoked = COALESCE(revoked, $1) WHERE name = $2";
            let revoked = sqlx::query(sql)
                .bind(millis(UtcTime::now()))
                .bind(name)
                .execute(&mut *transaction)
                .await?;
            if revoked.rows_affected() == 0 {
                return Err(KeyDatabaseError::Unknown(name.to_owned()));
            }
            sqlx::query(CHANGED).execute(&mut *transaction).await?;
            Ok(transaction.commit().await?)
        })
        .await
    }

    /// Asks on the one connection, within the time. After an error, or if it is dropped, the connection is not used again.
    async fn ask<T>(
        &self,
        question: impl AsyncFnOnce(&mut AnyConnection) -> Result<T, KeyDatabaseError>,
    ) -> Result<T, KeyDatabaseError> {
        let asking = async {
            let mut kept = self.connection.lock().await;
            let mut connection = match kept.take() {
                Some(connection) => connection,
                None => self.connect().await?,
            };
            let answer = question(&mut connection).await?;
            *kept = Some(connection);
            Ok(answer)
        };
        timeout(QUESTION, asking).await.unwrap_or(Err(KeyDatabaseError::Slow))
    }

    async fn connect(&self) -> Result<AnyConnection, KeyDatabaseError> {
        sqlx::any::install_default_drivers();
        let mut connection = AnyConnection::connect(self.url.expose_secret()).await?;
        if !self.is_server {
            for pragma in ["PRAGMA busy_timeout = 2000", "PRAGMA journal_mode = WAL"] {
                sqlx::query(pragma).execute(&mut connection).await?;
            }
        }
        Ok(connection)
    }
}

/// The row of the version is locked by it, so no two changes have one number.
const CHANGED: &str = "UPDATE gateway_keys_version SET version = version + 1 WHERE id = 1";

fn millis(time: UtcTime) -> i64 {
    i64::try_from(time.millis()).unwrap_or(i64::MAX)
}

fn read(row: &AnyRow) -> Result<StoredKey, String> {
    let told = |error: sqlx::Error| error.to_string();
    let time = |millis: i64| UtcTime::from_millis(u64::try_from(millis).unwrap_or(0));
    let name: String = row.try_get("name").map_err(told)?;
    let hash: String = row.try_get("hash").map_err(told)?;
    let rules: String = row.try_get("rules").map_err(told)?;
    Ok(StoredKey {
        hash: hash.parse().map_err(|_| format!("`{name}` has no hash"))?,
        rules: serde_json::from_str(&rules).map_err(|error| format!("`{name}`: {error}"))?,
        created: time(row.try_get("created").map_err(told)?),
        revoked: row.try_get::<Option<i64>, _>("revoked").map_err(told)?.map(time),
        name,
    })
}

impl fmt::Debug for KeyDatabase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyDatabase")
            .field("is_server", &self.is_server)
            .finish_non_exhaustive()
    }
}
