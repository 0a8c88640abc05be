//! The connection to the database of client keys: kept between questions, each of which has a limited time.

use std::{
    fmt,
    path::{Path, PathBuf},
    time::Duration,
};

use secrecy::{ExposeSecret, SecretString};
use sqlx::{Any, AnyConnection, Connection, query::Query};
use tokio::{sync::Mutex, time::timeout};

use super::KeyDatabaseError;

/// How long a question may take.
pub(super) const QUESTION: Duration = Duration::from_secs(5);

/// Which database.
#[derive(Clone)]
pub(super) enum Place {
    /// An SQLite file, by its absolute path.
    File(PathBuf),
    /// A PostgreSQL server, by its URL.
    Server(SecretString),
}

/// The connection to it.
pub(super) struct KeyConnection {
    pub(super) place: Place,
    /// Whether a file that is not there is made.
    pub(super) creates: bool,
    kept: Mutex<Option<AnyConnection>>,
}

/// A statement that is parsed for one use, without a name, as the ledger's are: behind a pool such as `PgBouncer` the names of one session meet
/// those of another (SQLSTATE 42P05).
pub(super) fn statement(sql: &str) -> Query<'_, Any, <Any as sqlx::Database>::Arguments<'_>> {
    sqlx::query(sql).persistent(false)
}

impl Place {
    /// This file. The working directory is looked up now.
    pub(super) fn file(path: &Path) -> Self {
        Self::File(std::path::absolute(path).unwrap_or_else(|_| path.to_owned()))
    }

    pub(super) const fn is_server(&self) -> bool {
        matches!(self, Self::Server(_))
    }
}

impl KeyConnection {
    pub(super) const fn new(place: Place, creates: bool) -> Self {
        Self {
            place,
            creates,
            kept: Mutex::const_new(None),
        }
    }

    /// Asks on the one connection, within the time. After an error, or if it is dropped, the connection is not used again.
    pub(super) async fn ask<T>(
        &self,
        question: impl AsyncFnOnce(&mut AnyConnection) -> Result<T, KeyDatabaseError>,
    ) -> Result<T, KeyDatabaseError> {
        let asking = async {
            let mut kept = self.kept.lock().await;
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
        let path = match &self.place {
            Place::Server(url) => return Ok(AnyConnection::connect(url.expose_secret()).await?),
            Place::File(path) => path,
        };
        if !self.creates && !path.exists() {
            return Err(KeyDatabaseError::Missing(path.clone()));
        }
        let mode = if self.creates { "rwc" } else { "rw" };
        let url = format!("sqlite://{}?mode={mode}", escape(path));
        let mut connection = AnyConnection::connect(&url).await?;
        statement("PRAGMA busy_timeout = 2000").execute(&mut connection).await?;
        // It would write into the file of another program.
        if self.creates {
            statement("PRAGMA journal_mode = WAL").execute(&mut connection).await?;
        }
        Ok(connection)
    }
}

/// A path inside a URL.
fn escape(path: &Path) -> String {
    let mut escaped = String::new();
    for byte in path.to_string_lossy().bytes() {
        if byte.is_ascii_alphanumeric() || b"/-_.~".contains(&byte) {
            escaped.push(char::from(byte));
        } else {
            escaped.push_str(&format!("%{byte:02X}"));
        }
    }
    escaped
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => path.display().fmt(f),
            Self::Server(_) => f.write_str("the PostgreSQL database of `storage.postgres`"),
        }
    }
}

impl fmt::Debug for KeyConnection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyConnection")
            .field("place", &format_args!("{}", self.place))
            .field("creates", &self.creates)
            .finish_non_exhaustive()
    }
}
