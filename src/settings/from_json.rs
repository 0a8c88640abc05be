//! JSON as a tree of values: the place of each is the place of its text.

use std::{collections::HashSet, fmt};

use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::document::{DEEPEST, Is, Malformed, Member, Node};

/// The tree, or what is wrong with the syntax.
pub(super) fn parse(text: &str) -> Result<Node, Vec<Malformed>> {
    if let Err(error) = serde_json::from_str::<IgnoredAny>(text) {
        let message = error.to_string();
        let at = offset(text, error.line(), error.column());
        // The place is reported apart from the message.
        let message = message.split(" at line ").next().unwrap_or_default().to_owned();
        return Err(vec![Malformed { at, message }]);
    }
    let start = text.len() - text.trim_start().len();
    node(text, text.get(start..).unwrap_or_default().trim_end(), 0).map_err(|malformed| vec![malformed])
}

/// The value that is written so. `text` is the whole, of which `value` is a part.
fn node(text: &str, value: &str, depth: usize) -> Result<Node, Malformed> {
    let at = place(text, value);
    if depth > DEEPEST {
        return Err(Malformed::too_deep(at));
    }
    let unreadable = |error: serde_json::Error| Malformed {
        at,
        message: error.to_string(),
    };
    let is = match value.as_bytes().first() {
        Some(b'{') => Is::Table(members(text, value, depth)?),
        Some(b'[') => {
            let values: Vec<&RawValue> = serde_json::from_str(value).map_err(unreadable)?;
            let nodes = values.into_iter().map(|value| node(text, value.get(), depth + 1));
            Is::List(nodes.collect::<Result<_, _>>()?)
        }
        Some(b'"') => Is::Text(serde_json::from_str(value).map_err(unreadable)?),
        Some(b't' | b'f') => Is::Bool(value == "true"),
        Some(b'n') => Is::Null,
        _ => match value.parse() {
            Ok(whole) => Is::Whole(whole),
            Err(_) => Is::Number(serde_json::from_str(value).map_err(unreadable)?),
        },
    };
    Ok(Node { at, is })
}

fn members(text: &str, object: &str, depth: usize) -> Result<Vec<Member>, Malformed> {
    let Members(pairs) = serde_json::from_str(object).map_err(|error| Malformed {
        at: place(text, object),
        message: error.to_string(),
    })?;
    let mut names = HashSet::new();
    let mut members = Vec::with_capacity(pairs.len());
    for (key, value) in pairs {
        let at = place(text, key.get());
        let name: String = serde_json::from_str(key.get()).map_err(|error| Malformed {
            at,
            message: error.to_string(),
        })?;
        if !names.insert(name.clone()) {
            return Err(Malformed::twice(at, &name));
        }
        let value = node(text, value.get(), depth + 1)?;
        members.push(Member { name, at, value });
    }
    Ok(members)
}

/// The members of an object in their order, each as it is written.
struct Members<'a>(Vec<(&'a RawValue, &'a RawValue)>);

impl<'de: 'a, 'a> Deserialize<'de> for Members<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Each;

        impl<'de> Visitor<'de> for Each {
            type Value = Members<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members<'de>, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Members(members))
            }
        }

        deserializer.deserialize_map(Each)
    }
}

/// The place at which a part of a text begins in it.
fn place(text: &str, part: &str) -> usize {
    part.as_ptr()
        .addr()
        .saturating_sub(text.as_ptr().addr())
        .min(text.len())
}

/// The place of a line and a column, which counts bytes.
fn offset(text: &str, line: usize, column: usize) -> usize {
    let lines = text.split_inclusive('\n').take(line.saturating_sub(1));
    let start: usize = lines.map(str::len).sum();
    let mut at = start.saturating_add(column.saturating_sub(1)).min(text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn values_know_their_place() {
        let tree = parse(" {\"a\": 1,\n \"b\\u0031\": {\"c\": [1.5, null, \"x\"]}} ").unwrap();
        let Is::Table(members) = &tree.is else {
            panic!("{tree:?}")
        };
        let places: Vec<_> = members
            .iter()
            .map(|member| (&*member.name, member.at, member.value.at))
            .collect();
        assert_eq!(places, [("a", 2, 7), ("b1", 11, 22)]);
        assert_eq!(tree.at, 1);
    }

    #[test]
    fn what_is_no_json_says_where() {
        for (text, line) in [("{\"a\": }", 1), ("{\n\"a\": 1,\n}", 3), ("", 1), ("{} x", 1)] {
            let errors = parse(text).unwrap_err();
            let (found, _) = super::super::document::line_and_column(text, errors[0].at);
            assert_eq!(found, line, "{text}: {errors:?}");
        }
        assert!(
            parse("{\"a\": 1, \"\\u0061\": 2}").unwrap_err()[0]
                .message
                .contains("twice")
        );
        assert!(parse(&format!("{}{}", "[".repeat(70), "]".repeat(70))).is_err());
        assert!(parse(&"[".repeat(1_000_000)).is_err());
    }

    proptest! {
        #[test]
        fn no_text_panics(text in "[\\PC\\n]{0,40}") {
            drop(parse(&text));
        }
    }
}
