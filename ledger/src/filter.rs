//! Which entries a question is about.

use serde_json::Value as Json;
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

    /// The conditions for entries that are read in order of their end.
    pub(crate) fn apply(&self, conditions: &mut Where) {
        self.apply_all(conditions, false);
    }

    /// The same for entries that are found by their first tag, if there is one: those of other values are not read.
    pub(crate) fn apply_by_tag(&self, conditions: &mut Where) {
        self.apply_all(conditions, true);
    }

    fn apply_all(&self, conditions: &mut Where, by_tag: bool) {
        self.apply_times(conditions);
        self.apply_names(conditions, "e");
        for (index, (name, value)) in self.tags.iter().enumerate() {
            let (name, value) = (conditions.text(name), conditions.text(value));
            if by_tag && index == 0 {
                conditions.is_by_tag = true;
                conditions.and(&format!("tagged.name = {name} AND tagged.value = {value}"));
            } else {
                conditions.and(&format!(
                    "EXISTS (SELECT 1 FROM entry_tags x WHERE x.entry_id = e.id AND x.name = {name} AND x.value = {value})"
                ));
            }
        }
    }

    /// The conditions on times alone.
    pub(crate) fn apply_times(&self, conditions: &mut Where) {
        if let Some(from) = self.from {
            let from = conditions.number(from.millis());
            conditions.and(&format!("e.ended >= {from}"));
        }
        if let Some(until) = self.until {
            let until = conditions.number(until.millis());
            conditions.and(&format!("e.ended < {until}"));
        }
    }

    fn apply_names(&self, conditions: &mut Where, table: &str) {
        for (column, value) in [("model", &self.model), ("upstream", &self.upstream)] {
            if let Some(value) = value {
                let value = conditions.text(value);
                conditions.and(&format!("{table}.{column} = {value}"));
            }
        }
    }

    /// The conditions for sums of forgotten entries, `f`, which have no times. SQLite compares tags without regard to case: more sums may pass.
    pub(crate) fn apply_to_sums(&self, conditions: &mut Where) {
        self.apply_names(conditions, "f");
        for (name, value) in &self.tags {
            // As the tags of a row are written: quotes within a name or a value are escaped, so that these enclose no part of one.
            let pair = format!("{}:{}", Json::from(&**name), Json::from(&*clean(value)));
            let pair = conditions.pattern(&pair);
            conditions.and(&format!("f.tags LIKE {pair} ESCAPE '{ESCAPE}'"));
        }
    }

    /// The conditions on the rows `tagged` of the first tag; `None` without a tag.
    pub(crate) fn tagged(&self) -> Option<Where> {
        let (name, value) = self.tags.first()?;
        let mut conditions = Where::default();
        let (name, value) = (conditions.text(name), conditions.text(value));
        conditions.and(&format!("tagged.name = {name} AND tagged.value = {value}"));
        Some(conditions)
    }
}

/// Stands before a letter of a pattern that means itself.
const ESCAPE: char = '!';

/// Conditions with their values, which never become part of the text.
#[derive(Debug, Default)]
pub(crate) struct Where {
    conditions: Vec<String>,
    values: Vec<Value>,
    /// Whether entries are found by a tag.
    is_by_tag: bool,
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

    /// The place of a pattern for texts that contain this one.
    fn pattern(&mut self, part: &str) -> String {
        let mut pattern = String::from("%");
        for letter in part.chars() {
            if matches!(letter, '%' | '_' | ESCAPE) {
                pattern.push(ESCAPE);
            }
            pattern.push(letter);
        }
        pattern.push('%');
        self.values.push(Value::Text(pattern));
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

    /// The tables that entries, `e`, are read from.
    pub(crate) const fn tables(&self) -> &'static str {
        if self.is_by_tag {
            "entry_tags tagged JOIN entries e ON e.id = tagged.entry_id"
        } else {
            "entries e"
        }
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
