//! What can go wrong with a ledger.

use std::{fmt, io, time::Duration};

/// Why a ledger cannot be opened, read or exported. Names the place, and says what to do.
#[derive(Debug)]
#[non_exhaustive]
pub enum LedgerError {
    /// There is no database there, or it does not let us in.
    Open {
        /// The file or the server, without a password.
        place: String,
        /// What happened.
        cause: sqlx::Error,
    },
    /// The folder of the file is not there.
    NoFolder {
        /// The file.
        place: String,
        /// The folder.
        folder: String,
    },
    /// The file is something else than a database.
    NotADatabase {
        /// The file.
        place: String,
    },
    /// It cannot be written.
    ReadOnly {
        /// The file or the server, without a password.
        place: String,
    },
    /// It was made by a later version of this crate, whose tables this one cannot write.
    Newer {
        /// The file or the server, without a password.
        place: String,
        /// Its schema's version.
        version: i64,
        /// The newest that this version knows.
        known: i64,
    },
    /// Another process has it open, or another handle in this one.
    InUse {
        /// The file.
        place: String,
    },
    /// Its file was deleted or moved away while it was open.
    Moved {
        /// The file.
        place: String,
    },
    /// It does not answer in time.
    Slow {
        /// The file or the server, without a password.
        place: String,
        /// How long it was waited for.
        within: Duration,
    },
    /// The thread that a ledger lives in could not be started.
    Thread(io::Error),
    /// A question failed.
    Query(sqlx::Error),
    /// A row is invalid: another program has written it.
    Row {
        /// Which column.
        column: &'static str,
    },
    /// An export could not be written.
    Export(io::Error),
}

impl fmt::Display for LedgerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Open { place, cause } => write!(f, "the ledger at {place} cannot be opened: {cause}"),
            Self::NoFolder { place, folder } => write!(
                f,
                "the ledger at {place} cannot be opened: there is no folder {folder}: create it, or name a file in another one"
            ),
            Self::NotADatabase { place } => {
                write!(
                    f,
                    "{place} is not an SQLite database: name another file, or move this one away"
                )
            }
            Self::ReadOnly { place } => write!(
                f,
                "the ledger at {place} cannot be written: give this process the right to, for the file and its folder"
            ),
            Self::Newer { place, version, known } => write!(
                f,
                "the ledger at {place} has schema {version}, and this version supports up to {known}: update this service"
            ),
            Self::InUse { place } => write!(
                f,
                "the ledger at {place} is in use by another process: end that one, or give each process a file of its own"
            ),
            Self::Moved { place } => write!(
                f,
                "the ledger's file {place} was deleted or moved away while it was open"
            ),
            Self::Slow { place, within } => write!(f, "the ledger at {place} does not answer within {within:?}"),
            Self::Thread(cause) => write!(f, "the ledger's thread cannot be started: {cause}"),
            Self::Query(cause) => write!(f, "the ledger does not answer: {cause}"),
            Self::Row { column } => write!(f, "a row of the ledger has an invalid `{column}`"),
            Self::Export(cause) => write!(f, "the export could not be written: {cause}"),
        }
    }
}

impl std::error::Error for LedgerError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Open { cause, .. } | Self::Query(cause) => Some(cause),
            Self::Export(cause) | Self::Thread(cause) => Some(cause),
            _ => None,
        }
    }
}

impl From<sqlx::Error> for LedgerError {
    fn from(cause: sqlx::Error) -> Self {
        Self::Query(cause)
    }
}
