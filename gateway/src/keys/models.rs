//! The models that a key's requests may name.

use std::fmt;

/// A model's name, or the beginning of names with `*` at its end.
#[derive(Clone, PartialEq, Eq)]
pub struct ModelPattern {
    text: Box<str>,
    is_prefix: bool,
}

impl ModelPattern {
    /// Reads it.
    #[must_use]
    pub fn new(text: &str) -> Self {
        let text = text.trim();
        let prefix = text.strip_suffix('*');
        Self {
            text: prefix.unwrap_or(text).into(),
            is_prefix: prefix.is_some(),
        }
    }

    /// Whether it allows this model. A variant, such as `:online`, is a model of its own.
    #[must_use]
    pub fn allows(&self, model: &str) -> bool {
        if self.is_prefix {
            model.starts_with(&*self.text)
        } else {
            model == &*self.text
        }
    }
}

impl fmt::Display for ModelPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.text, if self.is_prefix { "*" } else { "" })
    }
}

impl fmt::Debug for ModelPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_is_a_name_or_its_beginning() {
        for (pattern, model, allowed) in [
            ("openai/gpt-5", "openai/gpt-5", true),
            ("openai/gpt-5", "openai/gpt-5:online", false),
            ("openai/gpt-5", "openai/gpt-5-pro", false),
            ("openai/*", "openai/gpt-5", true),
            ("openai/*", "anthropic/claude", false),
            ("*", "anything", true),
        ] {
            assert_eq!(ModelPattern::new(pattern).allows(model), allowed, "{pattern} {model}");
            assert_eq!(ModelPattern::new(pattern).to_string(), pattern);
        }
    }
}
