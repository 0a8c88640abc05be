//! Which database, and how to reach it.

use std::{
    fmt,
    path::{Path, PathBuf},
};

use sqlx::{AnyConnection, Connection};

use crate::LedgerError;

/// Where a ledger is kept.
#[derive(Clone)]
pub(crate) enum Place {
    #[cfg_attr(not(feature = "sqlite"), expect(dead_code, reason = "made by the feature `sqlite`"))]
    File(PathBuf),
    #[cfg_attr(
        not(feature = "postgres"),
        expect(dead_code, reason = "made by the feature `postgres`")
    )]
    Server {
        /// With the password.
        url: String,
        /// Without.
        shown: String,
    },
}

impl Place {
    /// Whether other processes may write to it at the same time.
    pub(crate) const fn is_shared(&self) -> bool {
        match self {
            Self::File(_) => false,
            Self::Server { .. } => true,
        }
    }

    /// The file, where it is one.
    pub(crate) fn file(&self) -> Option<&Path> {
        match self {
            Self::File(path) => Some(path),
            Self::Server { .. } => None,
        }
    }

    /// A new connection.
    pub(crate) async fn connect(&self) -> Result<AnyConnection, LedgerError> {
        sqlx::any::install_default_drivers();
        let url = match self {
            Self::File(path) => format!("sqlite://{}?mode=rwc", escape(path)),
            Self::Server { url, .. } => url.clone(),
        };
        let mut connection = AnyConnection::connect(&url)
            .await
            .map_err(|cause| self.refused(cause))?;
        if self.file().is_some() {
            for pragma in [
                // Readers and the writer do not wait for one another.
                "PRAGMA journal_mode = WAL",
                // Safe with WAL: a power cut may lose the last batches, never the file.
                "PRAGMA synchronous = NORMAL",
                "PRAGMA busy_timeout = 10000",
            ] {
                sqlx::query(pragma)
                    .execute(&mut connection)
                    .await
                    .map_err(|cause| self.refused(cause))?;
            }
        }
        Ok(connection)
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
        LedgerError::Open { place, cause }
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

/// A server's URL without the password.
#[cfg(feature = "postgres")]
pub(crate) fn without_password(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else {
        return "the server".to_owned();
    };
    // A query may hold a password too.
    let rest = rest.split('?').next().unwrap_or_default();
    let shown = rest.rsplit_once('@').map_or(rest.to_owned(), |(who, place)| {
        let user = who.split(':').next().unwrap_or_default();
        format!("{user}@{place}")
    });
    format!("{scheme}://{shown}")
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
