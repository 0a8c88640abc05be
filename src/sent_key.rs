//! The key that was sent, to be hidden if an upstream echoes it.

use http::{HeaderMap, HeaderName, HeaderValue, header::AUTHORIZATION};

static X_API_KEY: HeaderName = HeaderName::from_static("x-api-key");
/// What stands in its place.
const HIDDEN: &str = "[key]";
/// Anything shorter is no secret, and may well be a word.
const SHORTEST: usize = 8;

/// The key of one exchange; it never prints.
#[derive(Clone, Default)]
pub(crate) struct SentKey(Option<HeaderValue>);

impl From<&HeaderValue> for SentKey {
    fn from(authorization: &HeaderValue) -> Self {
        Self(Some(authorization.clone()))
    }
}

impl SentKey {
    pub(crate) fn of(headers: &HeaderMap) -> Self {
        Self(headers.get(AUTHORIZATION).or_else(|| headers.get(&X_API_KEY)).cloned())
    }

    fn text(&self) -> Option<&str> {
        let header = self.0.as_ref()?.to_str().ok()?;
        let key = header.rsplit(' ').next()?;
        (key.len() >= SHORTEST).then_some(key)
    }

    /// The text with the key hidden; `None` if it is not in there.
    pub(crate) fn hide(&self, text: &str) -> Option<String> {
        let key = self.text()?;
        let whole = text.contains(key).then(|| text.replace(key, HIDDEN));
        // A long text may have been cut inside of the key.
        let rest = whole.as_deref().unwrap_or(text);
        let rest = rest.strip_suffix('…').unwrap_or(rest);
        let cut = (SHORTEST..key.len())
            .rev()
            .find_map(|length| rest.strip_suffix(key.get(..length)?));
        match cut {
            Some(before) => Some(format!("{before}{HIDDEN}")),
            None => whole,
        }
    }

    /// Hides it in the headers of a response.
    pub(crate) fn hide_in(&self, headers: &mut HeaderMap) {
        let Some(key) = self.text() else { return };
        let Some(first) = key.as_bytes().first() else { return };
        for value in headers.values_mut().filter(|value| value.len() >= key.len()) {
            // A value is short: a searcher would cost more than it saves.
            let text = value.as_bytes();
            let begins = |at: usize| text.get(at..).is_some_and(|rest| rest.starts_with(key.as_bytes()));
            if memchr::memchr_iter(*first, text).any(begins) {
                *value = HeaderValue::from_static(HIDDEN);
            }
        }
    }
}
