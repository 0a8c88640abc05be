//! TOML as a tree of values.

use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

use super::document::{DEEPEST, Is, Malformed, Member, Node};

/// The tree, and everything that is wrong with the syntax.
pub(super) fn parse(text: &str) -> Result<Node, Vec<Malformed>> {
    let (table, errors) = DeTable::parse_recoverable(text);
    if errors.is_empty() {
        return members(table.get_ref(), 0)
            .map(|members| Node {
                at: 0,
                is: Is::Table(members),
            })
            .map_err(|malformed| vec![malformed]);
    }
    // Its own display would print the line, which may hold a secret.
    let malformed = errors.iter().map(|error| Malformed {
        at: error.span().map_or(0, |span| span.start),
        message: error.message().to_owned(),
    });
    Err(malformed.collect())
}

fn members(table: &DeTable<'_>, depth: usize) -> Result<Vec<Member>, Malformed> {
    let members = table.iter().map(|(key, value)| {
        Ok(Member {
            name: key.get_ref().to_string(),
            at: key.span().start,
            value: node(value, depth + 1)?,
        })
    });
    members.collect()
}

fn node(value: &Spanned<DeValue<'_>>, depth: usize) -> Result<Node, Malformed> {
    let at = value.span().start;
    if depth > DEEPEST {
        return Err(Malformed::too_deep(at));
    }
    let is = match value.get_ref() {
        DeValue::String(text) => Is::Text(text.to_string()),
        DeValue::Integer(number) => {
            let whole = i128::from_str_radix(&number.as_str().replace('_', ""), number.radix());
            Is::Whole(whole.map_err(|_| unreadable(at))?)
        }
        DeValue::Float(number) => Is::Number(number.as_str().replace('_', "").parse().map_err(|_| unreadable(at))?),
        DeValue::Boolean(value) => Is::Bool(*value),
        DeValue::Datetime(_) => Is::Date,
        DeValue::Array(list) => Is::List(
            list.iter()
                .map(|value| node(value, depth + 1))
                .collect::<Result<_, _>>()?,
        ),
        DeValue::Table(table) => Is::Table(members(table, depth)?),
    };
    Ok(Node { at, is })
}

fn unreadable(at: usize) -> Malformed {
    let message = "a number that is too large".to_owned();
    Malformed { at, message }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn values_know_their_place_and_all_syntax_errors_are_found() {
        let tree = parse("a = 0x1f\nb.c = [1.5, \"x\", true]\n[d]\ne = {}\n").unwrap();
        let Is::Table(members) = &tree.is else {
            panic!("{tree:?}")
        };
        let places: Vec<_> = members.iter().map(|member| (&*member.name, member.at)).collect();
        assert_eq!(places, [("a", 0), ("b", 9), ("d", 33)]);
        assert!(matches!(
            members[0].value,
            Node {
                at: 4,
                is: Is::Whole(31)
            }
        ));
        let errors = parse("a = \nb = ]\n").unwrap_err();
        assert!(errors.len() >= 2, "{errors:?}");
        assert!(parse("a = 1\na = 2").is_err());
        assert!(parse(&format!("a = {}{}", "[".repeat(70), "]".repeat(70))).is_err());
    }

    proptest! {
        #[test]
        fn no_text_panics(text in "[\\PC\\n]{0,40}") {
            drop(parse(&text));
        }
    }
}
