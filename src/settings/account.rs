//! The account of the settings' OpenRouter: for a catalogue, and for bills.

use super::{Secret, Settings, SettingsError};
use crate::{
    Account, Transport,
    transport::{Dialect, OPENROUTER},
};

impl Settings {
    /// The account at the first upstream that speaks OpenRouter's dialect, by its first key, and the upstream's name: for a
    /// [`CatalogueRefresh`](crate::catalogue::CatalogueRefresh) and for [`Bills`](crate::account::Bills). `None` if no upstream does.
    ///
    /// Reads the key: it waits for the disk if that is in a file.
    ///
    /// # Errors
    ///
    /// If the key cannot be read, or nothing can be called with these settings.
    pub fn account(&self) -> Result<Option<(String, Account)>, SettingsError> {
        let is_openrouter = |dialect, name: &str| match dialect {
            Some(dialect) => dialect == Dialect::OpenRouter,
            None => name.trim() == OPENROUTER,
        };
        let mut entries = self.upstream.iter().enumerate();
        let Some((place, entry)) = entries.find(|(_, entry)| is_openrouter(entry.dialect, &entry.name)) else {
            return Ok(None);
        };
        let path = |key: &str| format!("upstream[{place}].{key}");
        let Some(upstream) = entry.upstream() else {
            return Err(self.problem(&path("base_url"), "is missing: it has no default").into());
        };
        let upstream = upstream.map_err(|error| self.problem(&path("base_url"), error.to_string()))?;
        let key = entry.secrets().first().map(Secret::key).transpose();
        let key = key.map_err(|error| self.problem(&path("key"), error.to_string()))?;
        let transport = Transport::builder().upstream(upstream.clone());
        let transport = self
            .connections
            .apply(transport)
            .map_err(|error| self.problem("connections.proxy", error.to_string()))?;
        let transport = transport
            .build()
            .map_err(|error| self.problem("connections", error.to_string()))?;
        Ok(Some((
            entry.name.trim().to_owned(),
            Account::new(transport, upstream, key),
        )))
    }
}
