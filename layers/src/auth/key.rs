//! An API key: redacted wherever it is printed.

use std::fmt;

use bytes::Bytes;
use http::HeaderValue;
use secrecy::{ExposeSecret, SecretString, zeroize::Zeroizing};

/// An API key, ready for the wire.
///
/// It never prints, its header is marked sensitive, and its memory is wiped when the last copy goes. Cloning it copies a
/// reference, not the key.
#[derive(Clone)]
pub struct ApiKey(HeaderValue);

/// Why a text is no key. Never says the text.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum KeyError {
    /// It is empty, or white space only.
    Empty,
    /// It has a character that no header can carry, such as a newline.
    Unprintable {
        /// Its position, in bytes from the start.
        position: usize,
    },
    /// There is no key in the pool.
    EmptyPool,
    /// The environment variable is not set, or is empty.
    Unset {
        /// Its name.
        variable: String,
    },
}

impl fmt::Display for KeyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("the API key is empty: give the key, e.g. from a secret store"),
            Self::Unprintable { position } => write!(
                f,
                "the API key has a character at byte {position} that no header can carry, often a newline at the end of a \
                 file: trim it"
            ),
            Self::EmptyPool => f.write_str("the key pool is empty: give it at least one API key"),
            Self::Unset { variable } => {
                write!(f, "no API key: set the environment variable `{variable}`")
            }
        }
    }
}

impl std::error::Error for KeyError {}

impl ApiKey {
    /// A key to be sent as `Authorization: Bearer …`.
    ///
    /// # Errors
    ///
    /// If it is empty, or has a character that no header can carry.
    pub fn new(key: impl Into<SecretString>) -> Result<Self, KeyError> {
        let key = key.into();
        let text = key.expose_secret();
        if text.trim().is_empty() {
            return Err(KeyError::Empty);
        }
        if let Some(position) = text.bytes().position(|byte| !byte.is_ascii_graphic()) {
            return Err(KeyError::Unprintable { position });
        }
        let mut header = Zeroizing::new(Vec::with_capacity("Bearer ".len() + text.len()));
        header.extend_from_slice(b"Bearer ");
        header.extend_from_slice(text.as_bytes());
        // The header shares the wiped buffer instead of copying it.
        let mut value = HeaderValue::from_maybe_shared(Bytes::from_owner(Wiped(header)))
            .map_err(|_| KeyError::Unprintable { position: 0 })?;
        value.set_sensitive(true);
        Ok(Self(value))
    }

    /// The key in this environment variable.
    ///
    /// # Errors
    ///
    /// If it is not set, empty, or no key.
    pub fn from_variable(variable: &str) -> Result<Self, KeyError> {
        match std::env::var(variable) {
            Ok(key) if !key.trim().is_empty() => Self::new(key),
            _ => Err(KeyError::Unset {
                variable: variable.to_owned(),
            }),
        }
    }

    /// The whole header value, marked sensitive.
    #[must_use]
    pub const fn header(&self) -> &HeaderValue {
        &self.0
    }
}

impl fmt::Debug for ApiKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ApiKey([redacted])")
    }
}

struct Wiped(Zeroizing<Vec<u8>>);

impl AsRef<[u8]> for Wiped {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn says_what_is_wrong_and_never_the_key() {
        assert_eq!(ApiKey::new("  ").unwrap_err(), KeyError::Empty);
        let error = ApiKey::new("sk-or-v1-secret\n").unwrap_err();
        assert_eq!(error, KeyError::Unprintable { position: 15 });
        assert!(!format!("{error} {error:?}").contains("secret"));
        assert!(ApiKey::new("sk-or\u{e9}").is_err());
    }

    #[test]
    fn never_prints() {
        let key = ApiKey::new("sk-or-v1-secret").unwrap();
        assert_eq!(format!("{key:?}"), "ApiKey([redacted])");
        assert_eq!(format!("{:?}", key.header()), "Sensitive");
        assert_eq!(key.header().as_bytes(), b"Bearer sk-or-v1-secret");
    }
}
