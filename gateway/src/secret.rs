//! A new client key, the hash that is kept of it, and the tag that it is accounted under.

use std::{fmt, str::FromStr};

use secrecy::SecretString;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

/// The tag that has the name of the key.
pub const TAG: &str = "key";

/// How keys begin: a scanner of leaked keys finds them by it.
const PREFIX: &str = "sk-gw-";

/// The bytes of randomness in a key. It cannot be guessed, so a plain hash of it needs no salt and no slow function.
const BYTES: usize = 32;

/// The SHA-256 of a key. It is compared in constant time, and does not print.
#[derive(Clone, Copy)]
pub struct KeyHash([u8; 32]);

/// A text is no hash.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotAHash;

/// Makes a key from the operating system's random numbers.
///
/// # Errors
///
/// If the operating system has none.
pub fn new_key() -> Result<SecretString, getrandom::Error> {
    let mut bytes = [0_u8; BYTES];
    getrandom::fill(&mut bytes)?;
    let mut key = String::with_capacity(PREFIX.len() + 2 * BYTES);
    key.push_str(PREFIX);
    key.push_str(&hex(&bytes));
    Ok(key.into())
}

fn hex(bytes: &[u8]) -> String {
    let digit = |value: u8| char::from_digit(u32::from(value), 16).unwrap_or('0');
    bytes
        .iter()
        .flat_map(|byte| [digit(byte >> 4), digit(byte & 15)])
        .collect()
}

impl KeyHash {
    /// Of this key.
    #[must_use]
    pub fn of(key: &[u8]) -> Self {
        Self(Sha256::digest(key).into())
    }

    /// Its beginning, by which it is looked up. Which keys there are does not follow from how long a lookup by a part of a hash takes.
    #[must_use]
    pub fn shelf(&self) -> [u8; 8] {
        let mut shelf = [0; 8];
        shelf.iter_mut().zip(self.0).for_each(|(to, from)| *to = from);
        shelf
    }

    /// As it is written in files and databases: `sha256:` and 64 digits.
    #[must_use]
    pub fn written(&self) -> String {
        format!("sha256:{}", hex(&self.0))
    }
}

impl PartialEq for KeyHash {
    fn eq(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

impl Eq for KeyHash {}

impl FromStr for KeyHash {
    type Err = NotAHash;

    fn from_str(text: &str) -> Result<Self, NotAHash> {
        let digits = text.trim().strip_prefix("sha256:").ok_or(NotAHash)?.as_bytes();
        if digits.len() != 64 {
            return Err(NotAHash);
        }
        let value = |digit: u8| {
            char::from(digit)
                .to_digit(16)
                .and_then(|value| u8::try_from(value).ok())
        };
        let mut hash = [0; 32];
        for (byte, pair) in hash.iter_mut().zip(digits.chunks(2)) {
            let [high, low] = pair else { return Err(NotAHash) };
            *byte = (value(*high).ok_or(NotAHash)? << 4) | value(*low).ok_or(NotAHash)?;
        }
        Ok(Self(hash))
    }
}

impl fmt::Debug for KeyHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeyHash")
    }
}

impl fmt::Display for NotAHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not `sha256:` and 64 hexadecimal digits")
    }
}

impl std::error::Error for NotAHash {}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret;

    use super::*;

    #[test]
    fn a_hash_is_written_and_read_back() {
        let hash = KeyHash::of(b"abc");
        let written = hash.written();
        assert_eq!(
            written,
            "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
        assert_eq!(written.parse(), Ok(hash));
        assert_eq!(written.to_uppercase().replace("SHA", "sha").parse(), Ok(hash));
        for text in [
            "",
            "sha256:",
            "sk-gw-0",
            written.get(..70).unwrap(),
            &format!("{written}0"),
            &written.replace('b', "g"),
        ] {
            assert_eq!(text.parse::<KeyHash>(), Err(NotAHash), "{text}");
        }
        assert!(KeyHash::of(b"abd") != hash);
    }

    #[test]
    fn no_two_keys_are_the_same() {
        let (one, other) = (new_key().unwrap(), new_key().unwrap());
        assert_eq!(one.expose_secret().len(), 70);
        assert_ne!(one.expose_secret(), other.expose_secret());
        assert!(!format!("{one:?}").contains(PREFIX));
    }
}
