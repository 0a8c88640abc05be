//! Which database, and how to reach it.

use std::{
    fmt, io,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use sqlx::{Any, AnyConnection, Connection, Row, Transaction};
use tokio::time::{Instant, sleep, timeout};

use crate::{LedgerError, statement::statement};

/// How long dialling and logging in may take.
const CONNECT: Duration = Duration::from_secs(5);

/// How long the first statements on a file are tried again that another process has locked: those that SQLite does not let wait.
const LOCKED: Duration = Duration::from_secs(2);
/// How soon they are tried again.
const AGAIN: Duration = Duration::from_millis(10);

/// Gives the URL of a server for one connection.
pub(crate) type UrlSource = Arc<dyn Fn() -> io::Result<String> + Send + Sync>;

/// The database of a ledger.
#[derive(Clone)]
pub(crate) enum Place {
    #[cfg_attr(not(feature = "sqlite"), expect(dead_code, reason = "made by the feature `sqlite`"))]
    File(PathBuf),
    #[cfg_attr(
        not(feature = "postgres"),
        expect(dead_code, reason = "made by the feature `postgres`")
    )]
    Server {
        /// With the password, which may be another one for the next connection.
        url: UrlSource,
        /// Without.
        shown: String,
    },
}

/// A connection, and the file that it has open.
pub(crate) struct Session {
    pub(crate) connection: AnyConnection,
    /// When it was made.
    pub(crate) since: Instant,
    file: Option<FileId>,
}

/// Which file stands under a path: its device and inode.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct FileId(u64, u64);

impl FileId {
    #[cfg(unix)]
    fn of(path: &Path) -> Option<Self> {
        use std::os::unix::fs::MetadataExt;
        let file = path.metadata().ok()?;
        Some(Self(file.dev(), file.ino()))
    }

    #[cfg(not(unix))]
    fn of(path: &Path) -> Option<Self> {
        // A file that is open cannot be moved there.
        path.metadata().ok().map(|_| Self(0, 0))
    }
}

impl Place {
    /// Whether other processes may write to it at the same time.
    pub(crate) const fn is_shared(&self) -> bool {
        match self {
            Self::File(_) => false,
            Self::Server { .. } => true,
        }
    }

    /// The file, if it is one.
    pub(crate) fn file(&self) -> Option<&Path> {
        match self {
            Self::File(path) => Some(path),
            Self::Server { .. } => None,
        }
    }

    /// A new connection; to a file that is made if it is not there and `create` says so.
    pub(crate) async fn connect(&self, create: bool) -> Result<Session, LedgerError> {
        sqlx::any::install_default_drivers();
        let connection = timeout(CONNECT, self.dial(create))
            .await
            .map_err(|_| self.slow(CONNECT))??;
        let (since, file) = (Instant::now(), self.file().and_then(FileId::of));
        Ok(Session {
            connection,
            since,
            file,
        })
    }

    async fn dial(&self, create: bool) -> Result<AnyConnection, LedgerError> {
        let url = match self {
            Self::File(path) => format!("sqlite://{}?mode={}", escape(path), if create { "rwc" } else { "rw" }),
            Self::Server { url, .. } => url().map_err(|cause| self.refused(cause.into()))?,
        };
        let mut connection = AnyConnection::connect(&url)
            .await
            .map_err(|cause| self.refused(cause))?;
        if self.file().is_some() {
            let until = Instant::now() + LOCKED;
            loop {
                match set_up(&mut connection).await {
                    Ok(()) => break,
                    Err(cause) if is_locked(&cause) && Instant::now() < until => sleep(AGAIN).await,
                    Err(cause) => return Err(self.refused(cause)),
                }
            }
        }
        Ok(connection)
    }

    /// Begins a transaction that writes. In a file it has its turn from the start: one that reads first is refused at once if another process has
    /// written since, however long it may wait.
    pub(crate) async fn begin<'c>(
        &self,
        connection: &'c mut AnyConnection,
    ) -> Result<Transaction<'c, Any>, sqlx::Error> {
        match self {
            Self::File(_) => connection.begin_with("BEGIN IMMEDIATE").await,
            Self::Server { .. } => connection.begin().await,
        }
    }

    /// Has a server end each statement of this transaction by itself after so many milliseconds: nothing that was given up here runs on there. A file's
    /// statements have no such limit.
    pub(crate) async fn limit(&self, connection: &mut AnyConnection, millis: u32) -> Result<(), sqlx::Error> {
        if self.is_shared() {
            let limit = format!("SET LOCAL statement_timeout = {millis}");
            statement(&limit).execute(connection).await?;
        }
        Ok(())
    }

    /// Whether a connection's file still stands under the path.
    pub(crate) fn is_under(&self, session: &Session) -> bool {
        self.file().is_none_or(|path| FileId::of(path) == session.file)
    }

    /// It did not answer in so long.
    pub(crate) fn slow(&self, within: Duration) -> LedgerError {
        let place = self.to_string();
        LedgerError::Slow { place, within }
    }

    /// What a refusal at the start means.
    pub(crate) fn refused(&self, cause: sqlx::Error) -> LedgerError {
        let place = self.to_string();
        // SQLite's own words: the result codes of another driver would not be found here.
        let said = cause.to_string();
        if said.contains("file is not a database") {
            return LedgerError::NotADatabase { place };
        }
        if said.contains("readonly database") || said.contains("read-only transaction") {
            return LedgerError::ReadOnly { place };
        }
        match self.file().and_then(missing_folder) {
            Some(folder) => LedgerError::NoFolder {
                place,
                folder: folder.display().to_string(),
            },
            None => LedgerError::Open { place, cause },
        }
    }
}

/// The folder of a file, if it is not there.
fn missing_folder(file: &Path) -> Option<&Path> {
    // A name alone is in the folder that the process runs in.
    file.parent()
        .filter(|folder| !folder.as_os_str().is_empty() && !folder.exists())
}

/// Sets up a connection to a file.
async fn set_up(connection: &mut AnyConnection) -> Result<(), sqlx::Error> {
    // First, since the next may have to wait. Shorter than a batch may take.
    statement("PRAGMA busy_timeout = 2000")
        .execute(&mut *connection)
        .await?;
    // Readers and the writer do not wait for one another. The mode stays with the file; to change it takes the file for itself.
    let row = statement("PRAGMA journal_mode").fetch_one(&mut *connection).await?;
    let mode: String = row.try_get(0)?;
    if mode != "wal" {
        statement("PRAGMA journal_mode = WAL").execute(&mut *connection).await?;
    }
    // Safe with WAL: a power cut may lose the last batches, never the file.
    statement("PRAGMA synchronous = NORMAL")
        .execute(&mut *connection)
        .await?;
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

/// A server's URL without the password. If its end is not clear, user and server are left out, too.
#[cfg(feature = "postgres")]
pub(crate) fn without_password(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else {
        return "the server".to_owned();
    };
    let odd = format!("{scheme}://... (its user or password holds one of `@/?#:`: write it percent-encoded)");
    // A query may hold a password too.
    let address = rest.split(['?', '#']).next().unwrap_or_default();
    let (authority, path) = address
        .split_once('/')
        .map_or((address, None), |(one, path)| (one, Some(path)));
    let (who, server) = authority
        .split_once('@')
        .map_or((None, authority), |(who, server)| (Some(who), server));
    let query = rest.get(address.len()..).unwrap_or_default();
    let is_query_odd = query.split('=').next().is_some_and(|name| name.contains('@'));
    // Each of these cuts a password that holds a delimiter in two.
    let is_odd = match who {
        Some(_) => is_query_odd || server.contains('@') || path.is_some_and(|path| path.contains('@')),
        None => rest.contains('@'),
    };
    let port = server
        .rsplit_once(':')
        .map_or("", |(_, port)| port.trim_end_matches(']'));
    if is_odd || (!server.ends_with(']') && !port.bytes().all(|digit| digit.is_ascii_digit())) {
        return odd;
    }
    let user = who.map_or(String::new(), |who| {
        format!("{}@", who.split(':').next().unwrap_or_default())
    });
    let path = path.map_or(String::new(), |path| format!("/{path}"));
    format!("{scheme}://{user}{server}{path}")
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => path.display().fmt(f),
            Self::Server { shown, .. } => f.write_str(shown),
        }
    }
}

impl fmt::Debug for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Place({self})")
    }
}

#[cfg(all(test, feature = "postgres"))]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_shown_without_its_password_wherever_that_ends() {
        for (url, shown) in [
            ("postgres://h/d", "postgres://h/d"),
            ("postgres://u@h:5432/d", "postgres://u@h:5432/d"),
            ("postgres://u:SECRET@h:5432/d?password=SECRET", "postgres://u@h:5432/d"),
            ("postgres://u:SEC%3FRET@[::1]:5432/d?x=a@b", "postgres://u@[::1]:5432/d"),
            ("postgres://u:SECRET@[::1]/d", "postgres://u@[::1]/d"),
            ("postgres://h?user=u&password=SECRET", "postgres://h"),
        ] {
            assert_eq!(without_password(url), shown, "{url}");
        }
        for url in [
            "postgres://u:SECRET?x@h/d",
            "postgres://u:SECRET#x@h/d",
            "postgres://u:SECRET/x@h/d",
            "postgres://u:a@SECRET@h/d",
            "postgres://u:a@b/SECRET@h/d",
            "postgres://u:1234/SECRET@h/d",
            "postgres://u:a:SECRET@h/d",
            "postgres://u:a@SECRET?b@h/d",
            "postgres://u:SECRET/d",
            "SECRET",
        ] {
            let shown = without_password(url);
            assert!(!shown.contains("SECRET"), "{shown}");
        }
    }
}
