//! Which entries a question is about.

use tower_llm_layers::UtcTime;

use crate::{statement::Statement, text::clean};

/// Which entries are meant: all by default.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    from: Option<UtcTime>,
    until: Option<UtcTime>,
    model: Option<String>,
    upstream: Option<String>,
    tags: Vec<(String, String)>,
}

impl Filter {
    /// All entries.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Those that ended then or later.
    #[must_use]
    pub const fn from(mut self, time: UtcTime) -> Self {
        self.from = Some(time);
        self
    }

    /// Those that ended before.
    #[must_use]
    pub const fn until(mut self, time: UtcTime) -> Self {
        self.until = Some(time);
        self
    }

    /// Those of a model.
    #[must_use]
    pub fn model(mut self, model: &str) -> Self {
        self.model = Some(model.to_owned());
        self
    }

    /// Those of an upstream.
    #[must_use]
    pub fn upstream(mut self, upstream: &str) -> Self {
        self.upstream = Some(upstream.to_owned());
        self
    }

    /// Those with this tag; of several, all.
    #[must_use]
    pub fn tag(mut self, name: &str, value: &str) -> Self {
        self.tags.push((name.to_owned(), value.to_owned()));
        self
    }

    pub(crate) fn apply(&self, conditions: &mut Where) {
        if let Some(from) = self.from {
            let from = conditions.number(from.millis());
            conditions.and(&format!("e.ended >= {from}"));
        }
        if let Some(until) = self.until {
            let until = conditions.number(until.millis());
            conditions.and(&format!("e.ended < {until}"));
        }
        for (column, value) in [("model", &self.model), ("upstream", &self.upstream)] {
            if let Some(value) = value {
                let value = conditions.text(value);
                conditions.and(&format!("e.{column} = {value}"));
            }
        }
        for (name, value) in &self.tags {
            let (name, value) = (conditions.text(name), conditions.text(value));
            conditions.and(&format!(
                "EXISTS (SELECT 1 FROM entry_tags x WHERE x.entry_id = e.id AND x.name = {name} AND x.value = {value})"
            ));
        }
    }
}

/// Conditions with their values, which never become part of the text.
#[derive(Debug, Default)]
pub(crate) struct Where {
    conditions: Vec<String>,
    values: Vec<Value>,
}

#[derive(Debug)]
enum Value {
    Text(String),
    Number(i64),
}

impl Where {
    /// A value's place in the text.
    pub(crate) fn text(&mut self, value: &str) -> String {
        // As it is kept.
        self.values.push(Value::Text(clean(value).into_owned()));
        format!("${}", self.values.len())
    }

    pub(crate) fn number(&mut self, value: u64) -> String {
        self.values
            .push(Value::Number(i64::try_from(value).unwrap_or(i64::MAX)));
        format!("${}", self.values.len())
    }

    pub(crate) fn and(&mut self, condition: &str) {
        self.conditions.push(condition.to_owned());
    }

    pub(crate) fn sql(&self) -> String {
        if self.conditions.is_empty() {
            return String::new();
        }
        format!("WHERE {}", self.conditions.join(" AND "))
    }

    pub(crate) fn bind(self, statement: Statement<'_>) -> Statement<'_> {
        self.values.into_iter().fold(statement, |statement, value| match value {
            Value::Text(text) => statement.bind(text),
            Value::Number(number) => statement.bind(number),
        })
    }
}
