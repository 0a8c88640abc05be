//! Client keys as settings: what each may do.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tower_openrouter::{
    UsdAmount,
    layers::{
        UtcTime,
        rate_limit::{Limits, LimitsError, Rate},
    },
    settings::{BudgetSettings, RateSettings, Usd, WindowSettings},
};

use crate::secret::{KeyHash, TAG};

/// A client key in the file: its name, its hash, and what it may do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct KeyEntry {
    /// Its name: what calls are accounted under, as the tag `key`.
    pub name: String,
    /// The SHA-256 of the key, `sha256:` and 64 hexadecimal digits, as `keys new --print-hash` prints it.
    pub hash: String,
    /// The models that its requests may name, such as `openai/gpt-5` or `openai/*`. All by default.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub models: Vec<String>,
    /// The most requests.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub requests: Option<RateSettings>,
    /// The most tokens, of prompts and answers together.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tokens: Option<RateSettings>,
    /// Calls at once, their streams included.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub concurrency: Option<u32>,
    /// The most that may be spent with it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub budget: Vec<KeyBudget>,
    /// When it expires: a date, or a time in UTC such as `2027-01-01T00:00:00Z`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires: Option<String>,
}

/// What a client key may do.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct KeyRules {
    /// The models that its requests may name; all if it is empty.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub models: Vec<String>,
    /// The most requests.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub requests: Option<RateSettings>,
    /// The most tokens.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tokens: Option<RateSettings>,
    /// Calls at once.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub concurrency: Option<u32>,
    /// The most that may be spent.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub budget: Vec<KeyBudget>,
    /// When it expires.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires: Option<String>,
}

/// The most that may be spent with a key in a window.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct KeyBudget {
    /// How much.
    pub usd: Usd,
    /// The window, in UTC.
    #[serde(default)]
    pub per: WindowSettings,
}

impl KeyEntry {
    /// The key of this name and hash, with what it may do.
    #[must_use]
    pub fn new(name: &str, hash: &KeyHash, rules: KeyRules) -> Self {
        Self {
            name: name.to_owned(),
            hash: hash.written(),
            models: rules.models,
            requests: rules.requests,
            tokens: rules.tokens,
            concurrency: rules.concurrency,
            budget: rules.budget,
            expires: rules.expires,
        }
    }

    /// The `[[key]]` of a settings file in TOML.
    #[must_use]
    pub fn to_toml(&self) -> String {
        let mut text = "[[key]]\n".to_owned();
        if let Ok(Value::Object(members)) = serde_json::to_value(self) {
            for (name, value) in &members {
                text.push_str(&format!("{name} = {}\n", inline(value)));
            }
        }
        text
    }

    /// What it may do.
    #[must_use]
    pub fn rules(&self) -> KeyRules {
        KeyRules {
            models: self.models.clone(),
            requests: self.requests.clone(),
            tokens: self.tokens.clone(),
            concurrency: self.concurrency,
            budget: self.budget.clone(),
            expires: self.expires.clone(),
        }
    }
}

impl KeyRules {
    /// The rate limits; `None` if there are none.
    ///
    /// # Errors
    ///
    /// If one of them cannot be.
    pub fn limits(&self) -> Result<Option<Limits>, LimitsError> {
        let rate = |settings: &RateSettings| {
            let rate = Rate::new(settings.amount, settings.per.0)?;
            settings.burst.map_or(Ok(rate), |burst| rate.burst(burst))
        };
        let mut limits = Limits::new();
        if let Some(settings) = &self.requests {
            limits = limits.requests(rate(settings)?);
        }
        if let Some(settings) = &self.tokens {
            limits = limits.tokens(rate(settings)?);
        }
        if let Some(calls) = self.concurrency {
            limits = limits.concurrency(calls)?;
        }
        let has_any = self.requests.is_some() || self.tokens.is_some() || self.concurrency.is_some();
        Ok(has_any.then_some(limits))
    }

    /// The budgets of the key of this name, each under a name of its own.
    #[must_use]
    pub fn budgets(&self, name: &str) -> Vec<BudgetSettings> {
        let budgets = self.budget.iter().map(|budget| {
            let mut settings = BudgetSettings::new(format!("key/{name}/{}", window(budget.per)), budget.usd);
            settings.per = budget.per;
            settings.only.insert(TAG.to_owned(), name.to_owned());
            settings
        });
        budgets.collect()
    }

    /// Everything that is wrong: the member, and what is wrong with it.
    #[must_use]
    pub fn problems(&self, name: &str) -> Vec<(String, String)> {
        let mut wrong = Vec::new();
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte);
        if name.is_empty() || name.len() > 48 || !name.bytes().all(plain) {
            wrong.push(("name".to_owned(), "use 1 to 48 letters, digits and `_-.`".to_owned()));
        }
        if let Err(error) = self.limits() {
            wrong.push((String::new(), error.to_string()));
        }
        for (place, model) in self.models.iter().enumerate() {
            if model.trim().is_empty() || model.trim_end_matches('*').contains('*') {
                let message = "write a model, e.g. `openai/gpt-5`, or the beginning of names and one `*` at the end, e.g. `openai/*`";
                wrong.push((format!("models[{place}]"), message.to_owned()));
            }
        }
        for (place, budget) in self.budget.iter().enumerate() {
            if self.budget.iter().take(place).any(|other| other.per == budget.per) {
                let message = "a second budget for the same window: give one amount for each window";
                wrong.push((format!("budget[{place}].per"), message.to_owned()));
            }
            if budget.usd.0 <= UsdAmount::ZERO {
                let message = "zero refuses every call: write an amount above zero, or leave the budget out";
                wrong.push((format!("budget[{place}].usd"), message.to_owned()));
            }
        }
        if self.expires.as_deref().is_some_and(|text| utc_time(text).is_none()) {
            let message = "not a date: write e.g. `2027-01-31`, or a time in UTC, e.g. `2027-01-31T12:00:00Z`";
            wrong.push(("expires".to_owned(), message.to_owned()));
        }
        wrong
    }
}

impl KeyEntry {
    /// Everything that is wrong: the member, and what is wrong with it.
    #[must_use]
    pub fn problems(&self) -> Vec<(String, String)> {
        let mut wrong = self.rules().problems(&self.name);
        if self.hash.parse::<KeyHash>().is_err() {
            let message = "not a hash: write `sha256:` and the 64 digits that `openrouter-gateway keys new --print-hash` prints, and never the key \
                           itself";
            wrong.push(("hash".to_owned(), message.to_owned()));
        }
        wrong
    }
}

/// A value as TOML writes it in a line: as JSON does, but for objects and one character.
fn inline(value: &Value) -> String {
    match value {
        Value::Object(members) => {
            let members: Vec<_> = members
                .iter()
                .map(|(name, value)| format!("{name} = {}", inline(value)))
                .collect();
            format!("{{ {} }}", members.join(", "))
        }
        Value::Array(items) => format!("[{}]", items.iter().map(inline).collect::<Vec<_>>().join(", ")),
        value => value.to_string().replace('\u{7f}', "\\u007f"),
    }
}

const fn window(window: WindowSettings) -> &'static str {
    match window {
        WindowSettings::Hour => "hour",
        WindowSettings::Day => "day",
        WindowSettings::Week => "week",
        WindowSettings::Month => "month",
        _ => "ever",
    }
}

/// Reads a date, or a time as RFC 3339 writes it.
#[must_use]
pub fn utc_time(text: &str) -> Option<UtcTime> {
    let text = text.trim();
    text.parse().or_else(|_| format!("{text}T00:00:00Z").parse()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_budget_of_zero_is_wrong_and_each_window_has_a_name_of_its_own() {
        let rules = |budget: &str| serde_json::from_str::<KeyRules>(&format!("{{\"budget\":{budget}}}")).unwrap();
        for usd in ["0", "$0.00"] {
            let budget = format!(r#"[{{"usd":"5"}},{{"usd":"{usd}","per":"day"}}]"#);
            let wrong = rules(&budget).problems("acme");
            assert_eq!(wrong.len(), 1, "{wrong:?}");
            assert_eq!(wrong[0].0, "budget[1].usd");
        }
        let rules = rules(r#"[{"usd":"1","per":"hour"},{"usd":"9","per":"ever"}]"#);
        assert!(rules.problems("acme").is_empty());
        let names: Vec<_> = rules.budgets("acme").into_iter().map(|budget| budget.name).collect();
        assert_eq!(names, ["key/acme/hour", "key/acme/ever"]);
    }

    #[test]
    fn a_time_is_read_as_utc() {
        for (text, printed) in [
            ("1970-01-01", "1970-01-01T00:00:00Z"),
            ("2024-02-29T23:59:59Z", "2024-02-29T23:59:59Z"),
            ("2027-01-31", "2027-01-31T00:00:00Z"),
        ] {
            assert!(
                utc_time(text)
                    .unwrap()
                    .to_string()
                    .starts_with(printed.get(..19).unwrap()),
                "{text}"
            );
        }
        for text in [
            "",
            "2027",
            "2027-13-01",
            "2027-02-29",
            "2027-01-01T24:00:00Z",
            "+027-01-01",
        ] {
            assert_eq!(utc_time(text), None, "{text}");
        }
    }
}
