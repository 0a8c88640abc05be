//! A name that an upstream sent, as it is kept: with each attempt, each ledger entry and each span.

/// The longest name of an upstream's that is kept, in bytes; of a longer one its beginning is kept.
const LONGEST: usize = 256;

/// The name, or its beginning if it is too long: whole characters, at most [`LONGEST`] bytes.
pub(crate) fn bounded_name(name: &str) -> Box<str> {
    let mut end = name.len().min(LONGEST);
    while !name.is_char_boundary(end) {
        end -= 1;
    }
    name.get(..end).unwrap_or_default().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_name_is_cut_between_two_characters() {
        assert_eq!(&*bounded_name("Azure"), "Azure");
        assert_eq!(&*bounded_name(&"é".repeat(300)), "é".repeat(128));
        assert_eq!(bounded_name(&format!("x{}", "é".repeat(300))).len(), 255);
    }
}
