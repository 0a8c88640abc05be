//! The known name that is nearest to one that is not known.

/// How alike two names must be, from 0 to 1: a letter or two of ten may differ.
const ALIKE: f64 = 0.7;

/// The longest name that is compared.
const LONGEST: usize = 100;

/// The nearest of these names, if one is near.
pub(super) fn nearest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    if name.len() > LONGEST {
        return None;
    }
    let plain = |name: &str| name.to_lowercase().replace(['-', ' '], "_");
    let name = plain(name);
    let likeness = |known: &str| strsim::normalized_damerau_levenshtein(&name, &plain(known));
    let scored = known.into_iter().map(|known| (known, likeness(known)));
    let best = scored.max_by(|(_, one), (_, other)| one.total_cmp(other));
    best.filter(|(_, likeness)| *likeness >= ALIKE).map(|(known, _)| known)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_near_if_a_letter_or_two_differ() {
        let known = ["chain", "cheaper", "deadline", "first_token_timeout"];
        for (name, near) in [
            ("chian", Some("chain")),
            ("first_token_timout", Some("first_token_timeout")),
            ("First-Token-Timeout", Some("first_token_timeout")),
            ("deadlines", Some("deadline")),
            ("colour", None),
            ("", None),
        ] {
            assert_eq!(nearest(name, known), near, "{name}");
        }
        assert_eq!(nearest(&"a".repeat(1_000_000), known), None);
    }
}
