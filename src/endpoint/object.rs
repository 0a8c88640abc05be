//! The members of a JSON object, read to be written again: every value goes out as it came.

use std::borrow::Cow;

use openrouter_wire::json::{Cursor, JsonError, json_string};

/// The members of an object, with their values as they came.
#[derive(Default)]
pub(super) struct Object<'a>(Vec<(Cow<'a, str>, &'a [u8])>);

impl<'a> Object<'a> {
    pub(super) fn read(json: &'a [u8]) -> Result<Self, JsonError> {
        let mut members = Vec::new();
        Cursor::lenient(json).object(|key, value| {
            members.push((key.to_str(), value.raw()?));
            Ok(())
        })?;
        Ok(Self(members))
    }

    pub(super) fn get(&self, name: &str) -> Option<&'a [u8]> {
        self.0.iter().find(|(key, _)| key == name).map(|(_, value)| *value)
    }

    /// The items of a member that is a list; none of anything else.
    pub(super) fn items(&self, name: &str) -> Vec<&'a [u8]> {
        let mut items = Vec::new();
        if let Some(list) = self.get(name) {
            let read = Cursor::lenient(list).array_or_skip(|item| {
                items.push(item.raw()?);
                Ok(())
            });
            debug_assert!(read.is_ok(), "it was read before");
        }
        items
    }

    /// All of it, with other values for those of these members that it has.
    pub(super) fn with(&self, others: &[(&str, &[u8])]) -> Vec<u8> {
        written(self.0.iter().map(|(name, value)| {
            let other = others.iter().find(|(other, _)| other == name);
            (&**name, other.map_or(*value, |(_, other)| *other))
        }))
    }

    /// All of it with these members, whether it has them or not, and with those of `defaults` that it lacks.
    pub(super) fn completed(&self, members: &[(&str, &[u8])], defaults: &[(&str, &[u8])]) -> Vec<u8> {
        let own = self.0.iter().map(|(name, value)| (&**name, *value));
        let kept = own.filter(|(name, _)| !members.iter().any(|(other, _)| other == name));
        let is_lacking = |name: &str| self.get(name).is_none() && !members.iter().any(|(other, _)| *other == name);
        let lacking = defaults.iter().filter(|(name, _)| is_lacking(name));
        written(kept.chain(members.iter().copied()).chain(lacking.copied()))
    }

    /// Those of these members that it has.
    pub(super) fn only(&self, names: &[&str]) -> Vec<u8> {
        let members = self.0.iter().map(|(name, value)| (&**name, *value));
        written(members.filter(|(name, _)| names.contains(name)))
    }
}

fn written<'a>(members: impl Iterator<Item = (&'a str, &'a [u8])>) -> Vec<u8> {
    let mut out = vec![b'{'];
    for (name, value) in members {
        if out.len() > 1 {
            out.push(b',');
        }
        out.extend_from_slice(&json_string(name));
        out.push(b':');
        out.extend_from_slice(value);
    }
    out.push(b'}');
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_are_replaced_and_added_and_all_else_stays() {
        let object = Object::read(br#"{"a":1.0,"b":"\u00e9","c":[1,2]}"#).unwrap();
        let text = |json: Vec<u8>| String::from_utf8(json).unwrap();
        assert_eq!(
            text(object.with(&[("a", b"2"), ("d", b"3")])),
            r#"{"a":2,"b":"\u00e9","c":[1,2]}"#
        );
        let completed = object.completed(&[("a", b"2")], &[("a", b"0"), ("b", b"0"), ("d", b"3")]);
        assert_eq!(text(completed), r#"{"b":"\u00e9","c":[1,2],"a":2,"d":3}"#);
        assert_eq!(text(object.only(&["c", "d"])), r#"{"c":[1,2]}"#);
        assert_eq!(object.items("c"), [b"1", b"2"]);
        assert!(object.items("a").is_empty() && object.get("d").is_none());
    }
}
