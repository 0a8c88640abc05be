//! A catalogue on disk, for when the network is away.

use std::{
    collections::BTreeMap,
    fmt, fs,
    io::{self, Write as _},
    path::Path,
    sync::atomic::{AtomicU64, Ordering},
};

use serde::{Deserialize, Serialize};
use tower_llm_layers::UtcTime;

use super::Catalogue;
use openrouter_wire::catalogue::{Model, ModelEndpoints};

/// The form of the file that is written.
const VERSION: u32 = 1;

#[derive(Serialize)]
struct Written<'a> {
    version: u32,
    read_at_millis: Option<u64>,
    models: Vec<&'a Model>,
    endpoints: BTreeMap<&'a str, &'a ModelEndpoints>,
}

#[derive(Deserialize)]
struct Read {
    read_at_millis: Option<u64>,
    models: Vec<Model>,
    #[serde(default)]
    endpoints: BTreeMap<String, ModelEndpoints>,
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
        /// Where it becomes invalid: line and column.
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
    /// Writes the models and what is known of their endpoints to a file, with the date the models were read. A reader sees the old file or the new one, never a part. Waits
    /// for the disk: call it from a thread that may.
    ///
    /// # Errors
    ///
    /// If it cannot be written.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<(), CatalogueFileError> {
        let path = path.as_ref();
        let failed = |cause| CatalogueFileError::Io {
            path: path.display().to_string(),
            cause,
        };
        let table = self.table();
        let mut models: Vec<&Model> = table.models().map(|(_, model, _)| &**model).collect();
        models.sort_unstable_by(|one, other| one.id.cmp(&other.id));
        let written = Written {
            version: VERSION,
            read_at_millis: table.read_at.map(UtcTime::millis),
            models,
            endpoints: table.all_served().collect(),
        };
        let json = serde_json::to_vec(&written).map_err(|error| failed(error.into()))?;
        let beside = beside(path);
        let renamed = write(&beside, &json).and_then(|()| fs::rename(&beside, path));
        renamed.map_err(|cause| {
            // The rest of it is of no use; a failure to remove it changes nothing.
            drop(fs::remove_file(&beside));
            failed(cause)
        })
    }

    /// Reads the models from a file that was [saved](Self::save): see [`age`](Self::age) for how old they are.
    ///
    /// # Errors
    ///
    /// If it cannot be read, is no catalogue, or was written by a later version.
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
        let catalogue = Self::default();
        catalogue.change(|table| {
            for (id, endpoints) in read.endpoints {
                table.learn(&id, endpoints);
            }
            table.replace(read.models, UtcTime::default());
            table.read_at = read.read_at_millis.map(UtcTime::from_millis);
        });
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

/// A name next to the file that no other writer uses.
fn beside(path: &Path) -> std::ffi::OsString {
    static WRITTEN: AtomicU64 = AtomicU64::new(0);
    let count = WRITTEN.fetch_add(1, Ordering::Relaxed);
    let mut beside = path.as_os_str().to_owned();
    beside.push(format!(".{}-{count}.new", std::process::id()));
    beside
}

/// Writes a file and has it on the disk, so that what is renamed over the old one is whole.
fn write(path: &std::ffi::OsStr, json: &[u8]) -> io::Result<()> {
    let mut file = fs::File::create_new(path)?;
    file.write_all(json)?;
    file.sync_all()
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
                "{path} is not a saved catalogue (line {line}, column {column}): delete it, and it is written again"
            ),
            Self::Newer { path, version } => write!(
                f,
                "{path} was written by a later version (form {version}, this version supports up to {VERSION}): update, or delete it"
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
