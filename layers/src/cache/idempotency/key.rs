//! The key of a call that is to be made once.

use std::{fmt, sync::Arc};

use http::{HeaderMap, HeaderName, Request};

use super::BadIdempotencyKey;

/// The header that a client sends its key in.
pub const IDEMPOTENCY_KEY_HEADER: HeaderName = HeaderName::from_static("idempotency-key");

/// The longest key in bytes.
const LONGEST: usize = 255;

/// The key of a call that is to be made once: in the extensions of its request, or in the header
/// [`Idempotency-Key`](IDEMPOTENCY_KEY_HEADER), which the layer takes out.
///
/// Draw a new one for each call, e.g. a UUID, and keep it for its repetitions.
#[derive(Clone, PartialEq, Eq)]
pub struct IdempotencyKey(Result<Arc<str>, BadIdempotencyKey>);

impl IdempotencyKey {
    /// This one.
    ///
    /// # Errors
    ///
    /// [`BadIdempotencyKey`] if it is empty, longer than 255 bytes, or has other characters than visible ASCII and spaces.
    pub fn new(key: &str) -> Result<Self, BadIdempotencyKey> {
        check(key).map(|()| Self(Ok(key.into())))
    }

    /// The one in these headers; `None` if there is none. One that cannot be a key is refused by the layer, if there is one.
    ///
    /// By the draft it is a string of structured fields (`"8e03978e"`); a bare word means the same key.
    #[must_use]
    pub fn from_headers(headers: &HeaderMap) -> Option<Self> {
        let mut values = headers.get_all(IDEMPOTENCY_KEY_HEADER).iter();
        let value = values.next()?;
        if values.next().is_some() {
            return Some(Self(Err(BadIdempotencyKey::Several)));
        }
        let text = value.to_str().map_err(|_| BadIdempotencyKey::NotVisible);
        Some(Self(text.and_then(read).and_then(|key| {
            check(&key)?;
            Ok(key.into())
        })))
    }

    /// The one of this request, in its extensions or its headers. The header does not go upstream.
    pub(super) fn take<R>(request: &mut Request<R>) -> Option<Result<Arc<str>, BadIdempotencyKey>> {
        let header = Self::from_headers(request.headers());
        request.headers_mut().remove(IDEMPOTENCY_KEY_HEADER);
        let set = request.extensions_mut().remove::<Self>();
        set.or(header).map(|key| key.0)
    }
}

/// The text of a header's value, without the quotes of a structured field's string and without its parameters.
fn read(value: &str) -> Result<String, BadIdempotencyKey> {
    let value = value.trim();
    let Some(quoted) = value.strip_prefix('"') else {
        return Ok(value.to_owned());
    };
    let mut key = String::with_capacity(quoted.len());
    let mut characters = quoted.chars();
    loop {
        match characters.next().ok_or(BadIdempotencyKey::Unfinished)? {
            '\\' => match characters.next() {
                Some(escaped @ ('"' | '\\')) => key.push(escaped),
                _ => return Err(BadIdempotencyKey::Unfinished),
            },
            '"' => break,
            character => key.push(character),
        }
    }
    let rest = characters.as_str();
    if rest.is_empty() || rest.trim_start().starts_with(';') {
        return Ok(key);
    }
    Err(BadIdempotencyKey::Unfinished)
}

fn check(key: &str) -> Result<(), BadIdempotencyKey> {
    if key.trim().is_empty() {
        return Err(BadIdempotencyKey::Empty);
    }
    if key.len() > LONGEST {
        return Err(BadIdempotencyKey::Oversized);
    }
    let visible = key.bytes().all(|byte| (0x20..0x7f).contains(&byte));
    visible.then_some(()).ok_or(BadIdempotencyKey::NotVisible)
}

impl fmt::Debug for IdempotencyKey {
    /// Without the key: it may be a customer's name or an order's number.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Ok(key) => write!(f, "IdempotencyKey({} bytes)", key.len()),
            Err(problem) => write!(f, "IdempotencyKey({problem:?})"),
        }
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn of(values: &[&str]) -> Option<Result<String, BadIdempotencyKey>> {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(
                IDEMPOTENCY_KEY_HEADER,
                HeaderValue::from_bytes(value.as_bytes()).unwrap(),
            );
        }
        IdempotencyKey::from_headers(&headers).map(|key| key.0.map(|key| key.to_string()))
    }

    #[test]
    fn quoted_and_bare_are_the_same_key() {
        use BadIdempotencyKey as Bad;
        let good = |key: &str| Some(Ok(key.to_owned()));
        for (values, key) in [
            (&[][..], None),
            (&["8e03-978e"], good("8e03-978e")),
            (&[" \"8e03-978e\" "], good("8e03-978e")),
            (&[r#""a \"b\" \\";p=1"#], good(r#"a "b" \"#)),
            (&["a", "b"], Some(Err(Bad::Several))),
            (&[""], Some(Err(Bad::Empty))),
            (&["\"\""], Some(Err(Bad::Empty))),
            (&["\"a"], Some(Err(Bad::Unfinished))),
            (&[r#""a\"#], Some(Err(Bad::Unfinished))),
            (&[r#""a"b"#], Some(Err(Bad::Unfinished))),
            (&["é"], Some(Err(Bad::NotVisible))),
            (&["k".repeat(256).as_str()], Some(Err(Bad::Oversized))),
            (&["k".repeat(255).as_str()], good(&"k".repeat(255))),
        ] {
            assert_eq!(of(values), key, "{values:?}");
        }
        assert_eq!(
            format!("{:?}", IdempotencyKey::new("secret").unwrap()),
            "IdempotencyKey(6 bytes)"
        );
    }
}
