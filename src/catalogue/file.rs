//! A catalogue on disk, for when the network is away.

use std::{fmt, fs, io, path::Path};

use serde::{Deserialize, Serialize};
use tower_llm_layers::UtcTime;

use super::Catalogue;
use crate::response::Model;

/// The form of the file that is written.
const VERSION: u32 = 1;

#[derive(Serialize)]
struct Written<'a> {
    version: u32,
    read_at_millis: u64,
    models: Vec<&'a Model>,
}

#[derive(Deserialize)]
struct Read {
    version: u32,
    read_at_millis: u64,
    models: Vec<Model>,
}

#[derive(Deserialize)]
struct Version {
    version: u32,
}

/// Why a saved catalogue cannot be had. Names the file, and says what to do.
#[derive(Debug)]
#[non_exhaustive]
pub enum CatalogueFileError {
    /// It cannot be read or written.
    Io {
        /// Which file.
        path: String,
        /// Why.
        cause: io::Error,
    },
    /// It is no catalogue.
    Malformed {
        /// Which file.
        path: String,
        /// Where it stops making sense: line and column.
        at: (usize, usize),
    },
    /// It was written by a later version of this crate.
    Newer {
        /// Which file.
        path: String,
        /// Its version.
        version: u32,
    },
}

impl Catalogue {
    /// Writes the models to a file, with the date they were read. A reader sees the old file or the new one, never a part. Waits
    /// for the disk: call it from a thread that may.
    ///
    /// # Errors
    ///
    /// Where it cannot be written.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<(), CatalogueFileError> {
        let path = path.as_ref();
        let failed = |cause| CatalogueFileError::Io {
            path: path.display().to_string(),
            cause,
        };
        let table = self.table();
        let mut models: Vec<&Model> = table.models.values().filter_map(|row| row.model.as_deref()).collect();
        models.sort_unstable_by(|one, other| one.id.cmp(&other.id));
        let written = Written {
            version: VERSION,
            read_at_millis: table.read_at.unwrap_or_default().millis(),
            models,
        };
        let json = serde_json::to_vec(&written).map_err(|error| failed(error.into()))?;
        let mut beside = path.as_os_str().to_owned();
        beside.push(format!(".{}.new", std::process::id()));
        let renamed = fs::write(&beside, json).and_then(|()| fs::rename(&beside, path));
        renamed.map_err(|cause| {
            // What is left of it helps nobody; that it cannot be removed changes nothing.
            drop(fs::remove_file(&beside));
            failed(cause)
        })
    }

    /// Reads the models from a file that was [saved](Self::save): see [`age`](Self::age) for how old they are.
    ///
    /// # Errors
    ///
    /// Where it cannot be read, is no catalogue, or was written by a later version.
    pub fn load(path: impl AsRef<Path>) -> Result<Self, CatalogueFileError> {
        let path = path.as_ref();
        let name = || path.display().to_string();
        let json = fs::read(path).map_err(|cause| CatalogueFileError::Io { path: name(), cause })?;
        let malformed = |error: serde_json::Error| CatalogueFileError::Malformed {
            path: name(),
            at: (error.line(), error.column()),
        };
        let Version { version } = serde_json::from_slice(&json).map_err(malformed)?;
        if version > VERSION {
            return Err(CatalogueFileError::Newer { path: name(), version });
        }
        let read: Read = serde_json::from_slice(&json).map_err(malformed)?;
        debug_assert_eq!(read.version, version);
        let catalogue = Self::default();
        catalogue.replace(read.models, UtcTime::from_millis(read.read_at_millis));
        tracing::info!(
            target: "llm::catalogue",
            path = name(),
            models = catalogue.len(),
            age = ?catalogue.age().unwrap_or_default(),
            "catalogue read from a file"
        );
        Ok(catalogue)
    }
}

impl fmt::Display for CatalogueFileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io { path, cause } => write!(f, "the catalogue file {path}: {cause}"),
            Self::Malformed {
                path,
                at: (line, column),
            } => write!(
                f,
                "{path} is no saved catalogue (line {line}, column {column}): delete it, and it is written anew"
            ),
            Self::Newer { path, version } => write!(
                f,
                "{path} was written by a later version (form {version}, this one knows {VERSION}): update, or delete it"
            ),
        }
    }
}

impl std::error::Error for CatalogueFileError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Io { cause, .. } => Some(cause),
            Self::Malformed { .. } | Self::Newer { .. } => None,
        }
    }
}
