//! The key that was sent, to be hidden if an upstream echoes it.

mod encoded;
#[cfg(test)]
mod tests;

use http::{HeaderMap, HeaderName, HeaderValue, header::AUTHORIZATION};

use encoded::{hide_base64, hide_escaped};

static X_API_KEY: HeaderName = HeaderName::from_static("x-api-key");
/// What stands in its place.
pub(crate) const HIDDEN: &str = "[key]";
/// Anything shorter is no secret, and may well be a word.
const SHORTEST: usize = 8;

/// The key of one exchange; it never prints.
#[derive(Clone, Default)]
pub(crate) struct SentKey(Option<InHeader>);

/// A key, and where it begins in its header.
#[derive(Clone)]
struct InHeader {
    header: HeaderValue,
    start: usize,
}

impl From<&HeaderValue> for SentKey {
    fn from(authorization: &HeaderValue) -> Self {
        let find = || {
            let header = authorization.to_str().ok()?;
            let start = header.rfind(' ').map_or(0, |space| space + 1);
            (header.len() - start >= SHORTEST).then(|| InHeader {
                header: authorization.clone(),
                start,
            })
        };
        Self(find())
    }
}

impl SentKey {
    pub(crate) fn of(headers: &HeaderMap) -> Self {
        let header = headers.get(AUTHORIZATION).or_else(|| headers.get(&X_API_KEY));
        header.map(Self::from).unwrap_or_default()
    }

    fn text(&self) -> Option<&str> {
        let key = self.0.as_ref()?;
        key.header.to_str().ok()?.get(key.start..)
    }

    /// Its bytes: of no text shorter than these is the key a part.
    pub(crate) fn bytes(&self) -> Option<&[u8]> {
        let key = self.0.as_ref()?;
        key.header.as_bytes().get(key.start..)
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

    /// The same for the words of an error, which may quote the request: the key with escapes is hidden as well, and in base 64, whatever stands before it
    /// there.
    pub(crate) fn hide_all(&self, text: &str) -> Option<String> {
        let plain = self.text()?;
        let mut hidden = self.hide(text);
        if let Some(escaped) = hide_escaped(hidden.as_deref().unwrap_or(text), plain, HIDDEN) {
            hidden = Some(escaped);
        }
        hide_base64(hidden.as_deref().unwrap_or(text), plain.as_bytes(), HIDDEN).or(hidden)
    }

    /// Hides it in the headers of a response.
    pub(crate) fn hide_in(&self, headers: &mut HeaderMap) {
        let Some(key) = self.bytes() else { return };
        let Some(first) = key.first() else { return };
        for value in headers.values_mut().filter(|value| value.len() >= key.len()) {
            // A value is short: a searcher would cost more than it saves.
            let text = value.as_bytes();
            let begins = |at: usize| text.get(at..).is_some_and(|rest| rest.starts_with(key));
            if memchr::memchr_iter(*first, text).any(begins) {
                *value = HeaderValue::from_static(HIDDEN);
            }
        }
    }
}
