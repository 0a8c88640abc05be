//! The accounts of the settings' upstreams of OpenRouter's dialect: for a catalogue, and for bills.

use super::{Secret, Settings, SettingsError, UpstreamSettings};
use crate::{
    Account, Transport,
    transport::{Dialect, OPENROUTER},
};

impl Settings {
    /// The account at the first upstream that speaks OpenRouter's dialect, and the upstream's name: for a
    /// [`CatalogueRefresh`](crate::catalogue::CatalogueRefresh). `None` if no upstream does. If it has a list of keys, one that is refused gives way to
    /// the next.
    ///
    /// Reads the keys: it waits for the disk if they are in files.
    ///
    /// # Errors
    ///
    /// If a key cannot be read, or nothing can be called with these settings.
    pub fn account(&self) -> Result<Option<(String, Account)>, SettingsError> {
        let first = self.openrouters().next();
        first.map(|(place, entry)| self.account_at(place, entry)).transpose()
    }

    /// The accounts at all upstreams that speak OpenRouter's dialect, with the upstreams' names: for [`Bills`](crate::account::Bills).
    ///
    /// Reads the keys, as [`account`](Self::account) does.
    ///
    /// # Errors
    ///
    /// As [`account`](Self::account), of any of them.
    pub fn accounts(&self) -> Result<Vec<(String, Account)>, SettingsError> {
        let all = self.openrouters();
        all.map(|(place, entry)| self.account_at(place, entry)).collect()
    }

    fn openrouters(&self) -> impl Iterator<Item = (usize, &UpstreamSettings)> {
        let entries = self.upstream.iter().enumerate();
        entries.filter(|(_, entry)| match entry.dialect {
            Some(dialect) => dialect == Dialect::OpenRouter,
            None => entry.name.trim() == OPENROUTER,
        })
    }

    fn account_at(&self, place: usize, entry: &UpstreamSettings) -> Result<(String, Account), SettingsError> {
        let path = |key: &str| format!("upstream[{place}].{key}");
        let Some(upstream) = entry.upstream() else {
            return Err(self.problem(&path("base_url"), "is missing: it has no default").into());
        };
        let upstream = upstream.map_err(|error| self.problem(&path("base_url"), error.to_string()))?;
        let keys: Result<Vec<_>, _> = entry.secrets().iter().map(Secret::key).collect();
        let mut keys = keys
            .map_err(|error| self.problem(&path("key"), error.to_string()))?
            .into_iter();
        let transport = Transport::builder().upstream(upstream.clone());
        let transport = self
            .connections
            .apply(transport)
            .map_err(|error| self.problem("connections.proxy", error.to_string()))?;
        let transport = transport
            .build()
            .map_err(|error| self.problem("connections", error.to_string()))?;
        let account = Account::new(transport, upstream, keys.next()).further_keys(keys);
        Ok((entry.name.trim().to_owned(), account))
    }
}
