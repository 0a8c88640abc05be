//! Other forms of a key: with escapes of URLs and of JSON, and in base 64.

use base64::prelude::{BASE64_STANDARD_NO_PAD, BASE64_URL_SAFE_NO_PAD, Engine};

/// The text without the key, if the key is in there with some of its characters as `%2D` or `\\u002d`.
pub(super) fn hide_escaped(text: &str, key: &str, hidden: &str) -> Option<String> {
    let bytes = text.as_bytes();
    memchr::memchr2(b'%', b'\\', bytes)?;
    let (mut out, mut from, mut at) = (String::new(), 0, 0);
    while at < bytes.len() {
        match length_of(bytes.get(at..).unwrap_or_default(), key) {
            Some(length) => {
                out.push_str(text.get(from..at)?);
                out.push_str(hidden);
                at += length;
                from = at;
            }
            None => at += 1,
        }
    }
    if from == 0 {
        return None;
    }
    out.push_str(text.get(from..)?);
    Some(out)
}

/// How many bytes at the beginning of the text stand for the key.
fn length_of(text: &[u8], key: &str) -> Option<usize> {
    key.bytes().try_fold(0, |length, byte| {
        let rest = text.get(length..)?;
        let own = match rest {
            [first, ..] if *first == byte => 1,
            [b'%', high, low, ..] if hex(*high, *low) == Some(byte) => 3,
            [b'\\', b'u', b'0', b'0', high, low, ..] if hex(*high, *low) == Some(byte) => 6,
            [b'\\', b'/', ..] if byte == b'/' => 2,
            _ => return None,
        };
        Some(length + own)
    })
}

fn hex(high: u8, low: u8) -> Option<u8> {
    let digit = |byte: u8| char::from(byte).to_digit(16);
    u8::try_from(digit(high)? * 16 + digit(low)?).ok()
}

/// The bytes in base 64 without padding, in both alphabets.
pub(super) fn base64_forms(bytes: &[u8]) -> [String; 2] {
    [BASE64_STANDARD_NO_PAD, BASE64_URL_SAFE_NO_PAD].map(|alphabet| alphabet.encode(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base_64_is_as_the_standard_has_it() {
        for (plain, encoded) in [
            ("", ""),
            ("f", "Zg"),
            ("fo", "Zm8"),
            ("foo", "Zm9v"),
            ("foobar", "Zm9vYmFy"),
        ] {
            assert_eq!(base64_forms(plain.as_bytes()), [encoded, encoded]);
        }
        assert_eq!(base64_forms(&[0xfb, 0xff]), ["+/8", "-_8"]);
    }

    #[test]
    fn a_key_with_escapes_is_found_wherever_it_stands() {
        let hide = |text: &str| hide_escaped(text, "sk-or-v1/x", "[key]");
        for (text, hidden) in [
            ("a sk%2Dor%2dv1%2Fx z", "a [key] z"),
            ("%73k-or-v1/x", "[key]"),
            (r"q=\u0073k-or\u002Dv1\/x&sk%2Dor-v1/x", "q=[key]&[key]"),
        ] {
            assert_eq!(hide(text).as_deref(), Some(hidden), "{text}");
        }
        for text in ["", "100 %", "sk%2", "sk%2Dor%2Dv1", r"\u00", "é%é sk-or"] {
            assert_eq!(hide(text), None, "{text}");
        }
    }
}
