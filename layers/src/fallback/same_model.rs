//! Whether two names are names of the same model.

/// Variants of one model: they differ in price and speed.
const VARIANTS: [&str; 3] = [":free", ":nitro", ":floor"];

/// Whether they name the same model, at one upstream or at two. A router's name has the author before it; a provider's own may not.
pub(super) fn is_same_model(one: &str, other: &str) -> bool {
    let (one, other) = (parts(one), parts(other));
    let is_same_author = match (one.0, other.0) {
        (Some(one), Some(other)) => one.eq_ignore_ascii_case(other),
        _ => true,
    };
    is_same_author && one.1.eq_ignore_ascii_case(other.1)
}

/// The author, if there is one, and the model.
fn parts(name: &str) -> (Option<&str>, &str) {
    let stem = VARIANTS.iter().find_map(|variant| name.strip_suffix(variant));
    let name = stem.unwrap_or(name);
    match name.rsplit_once('/') {
        Some((author, model)) => (Some(author), model),
        None => (None, name),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_author_may_be_missing_and_not_be_another() {
        for (one, other, same) in [
            ("openai/text-embedding-3-small", "text-embedding-3-small", true),
            ("BAAI/bge-m3", "baai/bge-m3", true),
            ("baai/bge-m3:free", "baai/bge-m3", true),
            ("nomic-embed-text:v1", "nomic-embed-text:v1.5", false),
            ("openai/text-embedding-3-small", "openai/text-embedding-3-large", false),
            ("google/embedding-001", "qwen/embedding-001", false),
        ] {
            assert_eq!(is_same_model(one, other), same, "{one} {other}");
            assert_eq!(is_same_model(other, one), same, "{other} {one}");
        }
    }
}
