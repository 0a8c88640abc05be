//! The connection to the database of client keys: kept between questions, each of which has a limited time.

use std::{
    fmt, io,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use secrecy::{ExposeSecret, SecretString};
use sqlx::{Any, AnyConnection, Connection, Row, Transaction, query::Query};
use tokio::{
    sync::Mutex,
    time::{Instant, sleep, timeout},
};

use super::KeyDatabaseError;

/// How long a question may take.
pub(super) const QUESTION: Duration = Duration::from_secs(5);

/// How long the first statements on a file are tried again that another process has locked: those that SQLite does not let wait.
const LOCKED: Duration = Duration::from_secs(2);
/// How soon they are tried again.
const AGAIN: Duration = Duration::from_millis(10);

/// Gives the URL of a server for one connection.
pub(super) type UrlSource = Arc<dyn Fn() -> io::Result<SecretString> + Send + Sync>;

/// Which database.
#[derive(Clone)]
pub(super) enum Place {
    /// An SQLite file, by its absolute path.
    File(PathBuf),
    /// A PostgreSQL server, by what gives its URL.
    Server(UrlSource),
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

    /// Begins a transaction that writes. In a file it has its turn from the start: one that reads first is refused at once if another process has
    /// written since, however long it may wait.
    pub(super) async fn begin<'c>(
        &self,
        connection: &'c mut AnyConnection,
    ) -> Result<Transaction<'c, Any>, sqlx::Error> {
        match self {
            Self::File(_) => connection.begin_with("BEGIN IMMEDIATE").await,
            Self::Server(_) => connection.begin().await,
        }
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
            Place::Server(url) => {
                let url = url().map_err(sqlx::Error::Io)?;
                return Ok(AnyConnection::connect(url.expose_secret()).await?);
            }
            Place::File(path) => path,
        };
        if !self.creates && !path.exists() {
            return Err(KeyDatabaseError::Missing(path.clone()));
        }
        if let Some(folder) = path.parent().filter(|folder| !folder.exists()) {
            return Err(KeyDatabaseError::NoFolder(folder.to_owned()));
        }
        let failed = |cause| KeyDatabaseError::Open(path.clone(), cause);
        let mode = if self.creates { "rwc" } else { "rw" };
        let url = format!("sqlite://{}?mode={mode}", escape(path));
        let mut connection = AnyConnection::connect(&url).await.map_err(failed)?;
        let until = Instant::now() + LOCKED;
        loop {
            match set_up(&mut connection, self.creates).await {
                Ok(()) => return Ok(connection),
                Err(cause) if is_locked(&cause) && Instant::now() < until => sleep(AGAIN).await,
                Err(cause) => return Err(failed(cause)),
            }
        }
    }
}

/// Sets up a connection to a file.
async fn set_up(connection: &mut AnyConnection, creates: bool) -> Result<(), sqlx::Error> {
    statement("PRAGMA busy_timeout = 2000")
        .execute(&mut *connection)
        .await?;
    // It would write into the file of another program.
    if !creates {
        return Ok(());
    }
    // The mode stays with the file; to change it takes the file for itself.
    let row = statement("PRAGMA journal_mode").fetch_one(&mut *connection).await?;
    let mode: String = row.try_get(0)?;
    if mode != "wal" {
        statement("PRAGMA journal_mode = WAL").execute(&mut *connection).await?;
    }
    Ok(())
}

/// Whether another process has locked the file: `SQLITE_BUSY`, of which the extended codes say why.
fn is_locked(cause: &sqlx::Error) -> bool {
    let code = cause.as_database_error().and_then(sqlx::error::DatabaseError::code);
    code.is_some_and(|code| code.parse::<u32>().is_ok_and(|code| code & 0xff == 5))
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
