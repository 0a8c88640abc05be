//! Client keys as the database has them.

use serde_json::{Map, Value};
use sqlx::{Row, any::AnyRow};
use tower_openrouter::layers::UtcTime;

use super::KeyHash;
use crate::settings::{KeyEntry, KeyRules};

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

/// All keys of a database.
#[derive(Debug, Clone, Default)]
pub(crate) struct StoredKeys {
    /// Those that can be read, by name.
    pub(crate) keys: Vec<StoredKey>,
    /// What is wrong with each of the others, unless it was revoked.
    pub(crate) unreadable: Vec<String>,
}

impl StoredKeys {
    /// Those of these rows. One that cannot be read does not hide the others: it is logged.
    pub(super) fn of(rows: &[AnyRow]) -> Self {
        let mut stored = Self::default();
        for row in rows {
            match read(row) {
                Ok(key) => stored.keys.push(key),
                Err(_) if is_revoked(row) => {}
                Err(error) => {
                    tracing::error!(
                        target: "gateway::keys",
                        error,
                        "a client key of the database is left out: revoke it with `openrouter-gateway keys revoke NAME`"
                    );
                    stored.unreadable.push(error);
                }
            }
        }
        stored
    }
}

/// The key of a row. What a revoked one might do does not matter.
pub(super) fn read(row: &AnyRow) -> Result<StoredKey, String> {
    let told = |error: sqlx::Error| error.to_string();
    let time = |millis: i64| UtcTime::from_millis(u64::try_from(millis).unwrap_or(0));
    let name: String = row.try_get("name").map_err(told)?;
    let hash: String = row.try_get("hash").map_err(told)?;
    let rules: String = row.try_get("rules").map_err(told)?;
    let revoked = row.try_get::<Option<i64>, _>("revoked").map_err(told)?.map(time);
    let rules = match serde_json::from_str(&rules) {
        Ok(rules) => rules,
        Err(_) if revoked.is_some() => KeyRules::default(),
        Err(error) => return Err(format!("`{name}`: {error}")),
    };
    Ok(StoredKey {
        hash: hash.parse().map_err(|_| format!("`{name}` has no hash"))?,
        rules,
        created: time(row.try_get("created").map_err(told)?),
        revoked,
        name,
    })
}

fn is_revoked(row: &AnyRow) -> bool {
    row.try_get::<Option<i64>, _>("revoked").is_ok_and(|at| at.is_some())
}

/// A member of the rules of a row that this version does not have: written again without it, the key might do more.
pub(super) fn unknown_member(row: &AnyRow) -> Option<String> {
    let rules: String = row.try_get("rules").ok()?;
    let mut members: Map<String, Value> = serde_json::from_str(&rules).ok()?;
    // An entry of a settings file has these and all rules, and no others.
    for own in ["name", "hash"] {
        members.insert(own.to_owned(), Value::String(String::new()));
    }
    let error = serde_json::from_value::<KeyEntry>(Value::Object(members))
        .err()?
        .to_string();
    Some(error.split(',').next().unwrap_or_default().to_owned())
}
