//! A text as a tree of values that know their place in it: what TOML and JSON have in common.

use serde_json::{Map, Number, Value};

/// The deepest that values may be nested.
pub(super) const DEEPEST: usize = 64;

/// One value, and where it begins, in bytes from the start of the text.
#[derive(Debug)]
pub(super) struct Node {
    pub(super) at: usize,
    pub(super) is: Is,
}

/// What a value is.
#[derive(Debug)]
pub(super) enum Is {
    Null,
    Bool(bool),
    Whole(i128),
    Number(f64),
    Text(String),
    List(Vec<Node>),
    Table(Vec<Member>),
    /// What only TOML has, and no setting is.
    Date,
}

/// A key with its value.
#[derive(Debug)]
pub(super) struct Member {
    pub(super) name: String,
    /// Where the key begins.
    pub(super) at: usize,
    pub(super) value: Node,
}

/// What is wrong with a text that cannot be parsed, and where.
#[derive(Debug)]
pub(super) struct Malformed {
    pub(super) at: usize,
    pub(super) message: String,
}

impl Malformed {
    pub(super) fn too_deep(at: usize) -> Self {
        let message = format!("values are nested more than {DEEPEST} deep");
        Self { at, message }
    }

    pub(super) fn twice(at: usize, name: &str) -> Self {
        let message = format!("the key `{}` is given twice", cut(name));
        Self { at, message }
    }
}

/// A key, cut to what a message has room for, in characters that a terminal prints.
pub(super) fn cut(name: &str) -> String {
    let printed = name
        .chars()
        .map(|letter| if letter.is_control() { '\u{fffd}' } else { letter });
    printed.take(60).collect()
}

impl Is {
    /// As messages name it.
    pub(super) const fn name(&self) -> &'static str {
        match self {
            Self::Null => "nothing",
            Self::Bool(_) => "true or false",
            Self::Whole(_) => "a whole number",
            Self::Number(_) => "a number with a fraction",
            Self::Text(_) => "a text",
            Self::List(_) => "a list",
            Self::Table(_) => "a table",
            Self::Date => "a date",
        }
    }
}

impl Node {
    /// As serde reads it. Null members are left out: they count as not set.
    pub(super) fn to_json(&self) -> Value {
        match &self.is {
            Is::Null | Is::Date => Value::Null,
            Is::Bool(value) => (*value).into(),
            Is::Whole(value) => Number::from_i128(*value).map_or(Value::Null, Value::Number),
            Is::Number(value) => Number::from_f64(*value).map_or(Value::Null, Value::Number),
            Is::Text(text) => text.as_str().into(),
            Is::List(nodes) => nodes.iter().map(Self::to_json).collect(),
            Is::Table(members) => {
                let given = members.iter().filter(|member| !matches!(member.value.is, Is::Null));
                let all: Map<_, _> = given
                    .map(|member| (member.name.clone(), member.value.to_json()))
                    .collect();
                all.into()
            }
        }
    }
}

/// The line and column of a place in a text, from 1; columns count characters.
pub(super) fn line_and_column(text: &str, at: usize) -> (usize, usize) {
    let before = text.get(..at).unwrap_or(text);
    let line = before.rsplit('\n').next().unwrap_or_default();
    (before.matches('\n').count() + 1, line.chars().count() + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_a_line_and_a_column() {
        let text = "a = 1\nü = 2\n";
        assert_eq!(line_and_column(text, 0), (1, 1));
        assert_eq!(line_and_column(text, 6), (2, 1));
        assert_eq!(line_and_column(text, 8), (2, 2));
        assert_eq!(line_and_column(text, 999), (3, 1));
    }
}
