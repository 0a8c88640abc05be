//! Checks a tree of values against the schema: every unknown key and every wrong value at once.

use serde_json::Value;

use super::{
    WrongSetting,
    document::{Is, Member, Node},
    hints::{elsewhere, expected, is_open, kind},
    nearest::nearest,
    problem::{MOST, SettingsProblem},
    schema::{allows, branches, words},
    source::{Source, push},
    text,
};

/// Everything that is wrong, in the order of the text.
pub(super) fn check(tree: &Node, schema: &Value, source: &Source) -> Vec<SettingsProblem> {
    let mut check = Check {
        root: schema,
        source,
        path: String::new(),
        wrong: Vec::new(),
    };
    check.node(tree, schema);
    // A TOML table is read in the order of its keys' names.
    check.wrong.sort_by_key(|problem| (problem.line(), problem.column()));
    check.wrong
}

struct Check<'a> {
    root: &'a Value,
    source: &'a Source,
    path: String,
    wrong: Vec<SettingsProblem>,
}

impl<'a> Check<'a> {
    fn wrong(&mut self, at: usize, wrong: WrongSetting) {
        if self.wrong.len() < MOST {
            self.wrong.push(SettingsProblem::at(self.source, &self.path, at, wrong));
        }
    }

    /// Checks what lies one step below.
    fn below(&mut self, step: impl FnOnce(&mut String), check: impl FnOnce(&mut Self)) {
        let length = self.path.len();
        step(&mut self.path);
        check(self);
        self.path.truncate(length);
    }

    fn node(&mut self, node: &Node, schema: &'a Value) {
        // Anything goes.
        if schema.as_bool() == Some(true)
            || schema
                .as_object()
                .is_some_and(|members| !members.contains_key("type") && is_open(members))
        {
            return self.anything(node);
        }
        let branches = branches(schema);
        let of = |name: &str| branches.iter().copied().find(|branch| allows(branch, name));
        match &node.is {
            // Not set.
            Is::Null => {}
            Is::Bool(_) if of("boolean").is_some() => {}
            Is::Whole(_) | Is::Number(_) if of("integer").or(of("number")).is_some() => self.number(node, &branches),
            Is::Text(value) => self.text(node, value, &branches),
            Is::List(nodes) if of("array").is_some() => {
                let items = of("array").and_then(|array| array.get("items"));
                for (index, node) in nodes.iter().enumerate() {
                    if let Some(items) = items {
                        self.below(
                            |path| path.push_str(&format!("[{index}]")),
                            |check| check.node(node, items),
                        );
                    }
                }
            }
            Is::Table(members) => {
                let tables: Vec<_> = branches
                    .iter()
                    .copied()
                    .filter(|branch| allows(branch, "object"))
                    .collect();
                match tables.first() {
                    Some(table) => self.table(node, members, table),
                    None => self.type_of(node, &branches),
                }
            }
            _ => self.type_of(node, &branches),
        }
    }

    /// Checks that JSON has the value, and each in it: a request would carry null in its place.
    fn anything(&mut self, node: &Node) {
        let wrong = match &node.is {
            Is::List(nodes) => {
                for (index, node) in nodes.iter().enumerate() {
                    self.below(
                        |path| path.push_str(&format!("[{index}]")),
                        |check| check.anything(node),
                    );
                }
                return;
            }
            Is::Table(members) => {
                for member in members {
                    self.below(|path| push(path, &member.name), |check| check.anything(&member.value));
                }
                return;
            }
            Is::Date => "a date is none of JSON's values: put it in quotes",
            Is::Number(value) if !value.is_finite() => "JSON has numbers, and neither `nan` nor `inf`: write a number",
            Is::Whole(value) if *value < i128::from(i64::MIN) || *value > i128::from(u64::MAX) => {
                "expected a whole number of 64 bits: put a larger one in quotes, if the upstream takes a text"
            }
            _ => return,
        };
        self.wrong(node.at, WrongSetting::Value(wrong.to_owned()));
    }

    fn type_of(&mut self, node: &Node, branches: &[&Value]) {
        let mut wrong = format!("expected {}, and not {}", expected(branches), node.is.name());
        let is_money = branches.iter().any(|branch| kind(branch) == Some("usd"));
        if is_money && matches!(node.is, Is::Whole(_) | Is::Number(_)) {
            wrong.push_str(": put it in quotes, since a number is not exact");
        }
        self.wrong(node.at, WrongSetting::Value(wrong));
    }

    fn number(&mut self, node: &Node, branches: &[&Value]) {
        let takes_fractions = branches.iter().any(|branch| allows(branch, "number"));
        let number = branches
            .iter()
            .find(|branch| allows(branch, "integer") || allows(branch, "number"));
        let least = number
            .and_then(|schema| schema.get("minimum"))
            .and_then(Value::as_f64)
            .unwrap_or(f64::MIN);
        let most = match number.and_then(|schema| schema.get("format")).and_then(Value::as_str) {
            Some("uint32") => i128::from(u32::MAX),
            _ => i128::from(u64::MAX),
        };
        match node.is {
            Is::Number(value) if takes_fractions && value.is_finite() => {}
            Is::Whole(value) if least >= 0.0 && value < 0 => {
                self.wrong(node.at, WrongSetting::Value("expected 0 or more".to_owned()));
            }
            Is::Whole(value) if value > most => {
                self.wrong(node.at, WrongSetting::Value(format!("expected at most {most}")));
            }
            Is::Whole(value) if value >= -most => {}
            _ => self.type_of(node, branches),
        }
    }

    fn text(&mut self, node: &Node, value: &str, branches: &[&Value]) {
        let words: Vec<&str> = branches.iter().flat_map(|branch| words(branch)).collect();
        if words.contains(&value) {
            return;
        }
        let free = branches
            .iter()
            .find(|branch| allows(branch, "string") && branch.get("enum").is_none() && branch.get("const").is_none());
        let near = nearest(value, words.iter().copied());
        let hint = near
            .map(|near| format!("; did you mean \"{near}\"?"))
            .unwrap_or_default();
        let Some(free) = free else {
            let expected = expected(branches);
            let wrong = if words.is_empty() {
                format!("expected {expected}, and not a text")
            } else {
                format!("expected {expected}{hint}")
            };
            return self.wrong(node.at, WrongSetting::Value(wrong));
        };
        if let Some(Err(error)) = kind(free).map(|kind| text::check(kind, value)) {
            let or = words.iter().map(|word| format!(", or \"{word}\"")).collect::<String>();
            self.wrong(node.at, WrongSetting::Value(format!("{error}{or}{hint}")));
        }
    }

    fn table(&mut self, node: &Node, members: &[Member], schema: &'a Value) {
        let known = schema.get("properties").and_then(Value::as_object);
        for member in members {
            let named = known.and_then(|known| known.get(&member.name));
            let schema = named.or_else(|| {
                schema
                    .get("additionalProperties")
                    .filter(|others| others.as_bool() != Some(false))
            });
            let step = |path: &mut String| push(path, &member.name);
            match schema {
                Some(schema) => self.below(step, |check| check.node(&member.value, schema)),
                // A map of anything.
                None if known.is_none() => self.below(step, |check| check.anything(&member.value)),
                None => {
                    let known: Vec<String> = known.into_iter().flat_map(|known| known.keys().cloned()).collect();
                    let own = nearest(&member.name, known.iter().map(String::as_str)).map(|near| {
                        let mut path = self.path.clone();
                        push(&mut path, near);
                        path
                    });
                    let nearest = own.or_else(|| elsewhere(self.root, &member.name));
                    self.below(step, |check| {
                        check.wrong(member.at, WrongSetting::UnknownKey { nearest, known });
                    });
                }
            }
        }
        let required = schema
            .get("required")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
            .filter_map(Value::as_str);
        let is_given = |name: &str| {
            members
                .iter()
                .any(|member| member.name == name && !matches!(member.value.is, Is::Null))
        };
        for name in required.filter(|name| !is_given(name)) {
            self.below(
                |path| push(path, name),
                |check| check.wrong(node.at, WrongSetting::Missing),
            );
        }
    }
}
