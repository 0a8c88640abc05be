//! The models that a request lets the upstream try by itself: those of `models`, and of `fallbacks`, as Anthropic's API has them.

use super::{
    RequestError,
    check::{named, shape},
};
use crate::{
    document::Document,
    json::{Cursor, Found, JsonError, Text},
};

/// The most alternatives of a request. OpenRouter takes three; more are accepted, since it may take more one day. At each attempt each of them is
/// priced and looked for in the budgets, so their number has a bound.
const MOST_ALTERNATIVES: usize = 64;

/// Stands for a name that cannot be read: no price list has it.
const UNREADABLE: &str = "\u{fffd}";

/// A field with a list of models.
struct List {
    field: &'static str,
    /// Whether a model is the member `model` of an object as well.
    takes_objects: bool,
    expected: &'static str,
    /// What a list is in which something is no model.
    mixed: &'static str,
    fix: &'static str,
}

static LISTS: [List; 2] = [
    List {
        field: "models",
        takes_objects: false,
        expected: "an array of strings",
        mixed: "an array with other things in it",
        fix: "send slugs such as [\"openai/gpt-5\"], or leave it out",
    },
    List {
        field: "fallbacks",
        takes_objects: true,
        expected: "an array of objects with a `model`",
        mixed: "an array with an element that names no model",
        fix: "send models such as [{\"model\":\"openai/gpt-5\"}], or leave it out",
    },
];

impl List {
    fn error(&self, found: &'static str) -> RequestError {
        RequestError::Shape {
            field: self.field,
            found,
            expected: self.expected,
            fix: self.fix,
        }
    }
}

/// The models that the upstream may try by itself. One that cannot be read is in the list under a name that no price list has: it is never taken for
/// absent. Of a list that is written twice both count.
#[must_use]
pub fn alternatives(document: &Document) -> Vec<String> {
    let mut models = Vec::new();
    each(document, &mut |_, name| {
        models.push(name.map_or_else(|| UNREADABLE.to_owned(), |name| name.to_str().into_owned()));
    });
    models
}

/// Checks that each alternative has a name that can be read, and that there are not too many.
///
/// # Errors
///
/// The field at fault.
pub(super) fn check(document: &Document) -> Result<(), RequestError> {
    for list in &LISTS {
        if let Some(found) = shape(document, list.field)
            && found != Found::Array
        {
            return Err(RequestError::shape(list.field, found, list.expected, list.fix));
        }
    }
    let (mut count, mut checked) = (0_usize, Ok(()));
    each(document, &mut |list, name| {
        count += 1;
        if checked.is_ok() {
            checked = match name {
                _ if count > MOST_ALTERNATIVES => Err(list.error("an array of over 64 models")),
                Some(name) => named(list.field, name, list.fix),
                None => Err(list.error(list.mixed)),
            };
        }
    });
    checked
}

/// Gives each alternative that goes out; `None` is one without a name. Of two lists of the same name an upstream may read either.
fn each<'a>(document: &'a Document, give: &mut impl FnMut(&'static List, Option<Text<'a>>)) {
    if !LISTS.iter().any(|list| document.has(list.field)) {
        return;
    }
    for (field, _, raw) in document.written() {
        let Some(list) = LISTS.iter().find(|list| list.field == field) else {
            continue;
        };
        let mut cursor = Cursor::new(raw);
        let read = match cursor.peek() {
            Ok(Found::Null) => continue,
            Ok(Found::Array) => cursor
                .array_or_skip(|item| names(list, item, &mut |name| give(list, name)))
                .is_ok(),
            _ => false,
        };
        if !read {
            give(list, None);
        }
    }
}

/// Gives the name in one element; an object may have several by mistake, or none.
fn names<'a>(list: &List, item: &mut Cursor<'a>, give: &mut impl FnMut(Option<Text<'a>>)) -> Result<(), JsonError> {
    match item.peek()? {
        Found::String => give(Some(item.string()?)),
        Found::Object if list.takes_objects => {
            let mut is_named = false;
            item.object(|key, value| {
                if !key.is("model") {
                    return value.skip();
                }
                is_named = true;
                give(value.string_or_skip()?);
                Ok(())
            })?;
            if !is_named {
                give(None);
            }
        }
        _ => {
            item.skip()?;
            give(None);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn document(fields: &str) -> Document {
        Document::parse(format!("{{{fields}}}").into()).unwrap()
    }

    fn refused(fields: &str) -> Option<String> {
        check(&document(fields)).err().map(|error| error.to_string())
    }

    #[test]
    fn one_odd_element_hides_no_other() {
        let deep = format!("{}{}", "[".repeat(130), "]".repeat(130));
        for (fields, models) in [
            (r#""models":null,"fallbacks":null"#.to_owned(), vec![]),
            (r#""models":[]"#.to_owned(), vec![]),
            (r#""models":["a","b"]"#.to_owned(), vec!["a", "b"]),
            (r#""models":["\u0061"],"models":["b"]"#.to_owned(), vec!["a", "b"]),
            (r#""models":["a",7,"b"]"#.to_owned(), vec!["a", UNREADABLE, "b"]),
            (r#""models":[{"model":"a"}]"#.to_owned(), vec![UNREADABLE]),
            (r#""models":"a""#.to_owned(), vec![UNREADABLE]),
            (r#""fallbacks":{"model":"a"}"#.to_owned(), vec![UNREADABLE]),
            (r#""fallbacks":[{"model":"a"},{}]"#.to_owned(), vec!["a", UNREADABLE]),
            (r#""fallbacks":[{"model":"a"},"b"]"#.to_owned(), vec!["a", "b"]),
            (r#""fallbacks":[{"model":"b","model":"a"}]"#.to_owned(), vec!["b", "a"]),
            (format!(r#""fallbacks":[{{"model":"a","x":{deep}}}]"#), vec!["a"]),
        ] {
            assert_eq!(alternatives(&document(&fields)), models, "{fields}");
        }
        assert_eq!(
            alternatives(&document(r#""models":["\ud800","a"]"#)).last().unwrap(),
            "a"
        );
    }

    #[test]
    fn an_alternative_without_a_readable_name_is_refused() {
        for fine in [
            r#""models":["a/b"]"#,
            r#""fallbacks":[{"model":"a/b","new":[1]}]"#,
            r#""models":null,"fallbacks":null"#,
            r#""models":[],"fallbacks":[]"#,
        ] {
            assert_eq!(refused(fine), None, "{fine}");
        }
        for (fields, found) in [
            (r#""models":["a","\ud800"]"#, "`models` is a name that cannot be read"),
            (r#""models":["a",null]"#, "`models` is an array with other things in it"),
            (
                r#""models":[7],"models":["a"]"#,
                "`models` is an array with other things in it",
            ),
            (r#""fallbacks":"a""#, "`fallbacks` is a string"),
            (
                r#""fallbacks":[{"model":"a"},{}]"#,
                "`fallbacks` is an array with an element",
            ),
            (
                r#""fallbacks":[{"model":null}]"#,
                "`fallbacks` is an array with an element",
            ),
            (r#""fallbacks":[["a"]]"#, "`fallbacks` is an array with an element"),
            (
                r#""fallbacks":[{"model":"a","model":"\udfff"}]"#,
                "`fallbacks` is a name that cannot be read",
            ),
        ] {
            let error = refused(fields).unwrap_or_default();
            assert!(
                error.starts_with(found) && error.contains("openai/gpt-5"),
                "{fields}: {error}"
            );
        }
    }

    #[test]
    fn the_number_of_alternatives_is_bounded() {
        let with = |count: usize| format!(r#""models":[{}]"#, vec![r#""a""#; count].join(","));
        assert_eq!(refused(&with(MOST_ALTERNATIVES)), None);
        let error = refused(&with(MOST_ALTERNATIVES + 1)).unwrap();
        assert!(error.contains(&format!("over {MOST_ALTERNATIVES} models")), "{error}");
        let both = format!(r#"{},"fallbacks":["b"]"#, with(MOST_ALTERNATIVES));
        assert!(refused(&both).unwrap().starts_with("`fallbacks`"));
    }
}
