//! What a path below `/models/` asks for: one model, or the endpoints that serve it.

/// What a path below `/models/` asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ModelPath {
    /// The model's id, decoded.
    pub(super) id: String,
    /// Whether the path ends in `/endpoints`: what serves the model.
    pub(super) wants_endpoints: bool,
}

impl ModelPath {
    /// Of this rest of a path. An SDK writes the slash of an id as it is or as `%2F`. An id with an empty part, with a part of dots alone, or with
    /// a character that no id has is none: it is a trick, or a path of another API.
    pub(super) fn of(rest: &str) -> Option<Self> {
        let decoded = decoded(rest)?;
        let (id, wants_endpoints) = match decoded.strip_suffix("/endpoints") {
            Some(id) if id.contains('/') => (id, true),
            _ => (&*decoded, false),
        };
        let is_part = |part: &str| {
            let is_usual = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.:~@+".contains(&byte);
            !part.bytes().all(|byte| byte == b'.') && part.bytes().all(is_usual)
        };
        id.split('/').all(is_part).then(|| Self {
            id: id.to_owned(),
            wants_endpoints,
        })
    }
}

/// Without the escapes of a URL; `None` if one is cut or gives no text.
fn decoded(text: &str) -> Option<String> {
    let mut bytes = text.bytes();
    let mut plain = Vec::with_capacity(text.len());
    while let Some(byte) = bytes.next() {
        if byte != b'%' {
            plain.push(byte);
            continue;
        }
        let mut digit = || char::from(bytes.next()?).to_digit(16);
        let escaped = digit()? * 16 + digit()?;
        plain.push(u8::try_from(escaped).ok()?);
    }
    String::from_utf8(plain).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_read_with_its_slash_escaped_or_not() {
        for (rest, id, wants_endpoints) in [
            ("gpt-5", "gpt-5", false),
            ("openai/gpt-5", "openai/gpt-5", false),
            ("openai%2Fgpt-5%3afree", "openai/gpt-5:free", false),
            ("openai/gpt-5/endpoints", "openai/gpt-5", true),
            ("openai/endpoints", "openai/endpoints", false),
        ] {
            let id = id.to_owned();
            assert_eq!(ModelPath::of(rest), Some(ModelPath { id, wants_endpoints }), "{rest}");
        }
    }

    #[test]
    fn a_trick_is_no_id() {
        for rest in [
            "",
            "/",
            "a/",
            "/endpoints",
            "//endpoints",
            "..",
            "../chat/completions",
            "%2e%2e/a",
            "a%2",
            "a%zz",
            "a%+1",
            "%ff",
            "a b",
            "a;x=1",
            "a%00",
        ] {
            assert_eq!(ModelPath::of(rest), None, "{rest}");
        }
    }
}
