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

/// The text without the key, if the key is in there in base 64, whatever stands before and behind it.
///
/// Three bytes are four letters. So the letters of the key depend on how many bytes stand before it, and those of its first and last bytes on the bytes
/// beside them: it is found by the groups that are its own, and the letters beside these are hidden with them.
pub(super) fn hide_base64(text: &str, key: &[u8], hidden: &str) -> Option<String> {
    let mut out: Option<String> = None;
    for before in 0..3 {
        let own = key.get(before..).unwrap_or_default();
        let behind = own.len() % 3;
        let groups = own.get(..own.len() - behind).unwrap_or_default();
        for form in base64_forms(groups).into_iter().filter(|form| !form.is_empty()) {
            let words = out.as_deref().unwrap_or(text);
            let beside = (letters_of(before), letters_of(behind));
            out = hide_letters(words, &form, beside, hidden).or(out);
        }
    }
    out
}

/// How many letters hold some of so many bytes that share their group with others.
const fn letters_of(bytes: usize) -> usize {
    if bytes == 0 { 0 } else { bytes + 1 }
}

/// The text without these letters, and without so many before and behind them.
fn hide_letters(text: &str, form: &str, (before, behind): (usize, usize), hidden: &str) -> Option<String> {
    let (mut out, mut from) = (String::new(), 0);
    for (at, found) in text.match_indices(form) {
        let end = at + found.len();
        let (start, rest) = (text.get(from..at).unwrap_or_default(), text.get(end..)?);
        let left = start
            .bytes()
            .rev()
            .take(before)
            .take_while(|byte| is_letter(*byte))
            .count();
        let right = rest.bytes().take(behind).take_while(|byte| is_letter(*byte)).count();
        out.push_str(start.get(..start.len() - left)?);
        out.push_str(hidden);
        from = end + right;
    }
    if from == 0 {
        return None;
    }
    out.push_str(text.get(from..)?);
    Some(out)
}

/// Whether it is a letter of either alphabet.
const fn is_letter(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'-' | b'_')
}

/// The bytes in base 64 without padding, in both alphabets.
fn base64_forms(bytes: &[u8]) -> [String; 2] {
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

    /// All of it, with the letters that hold only a part of it, and nothing beside them.
    #[test]
    fn a_key_in_base_64_is_hidden_whatever_stands_beside_it() {
        const KEYS: [&[u8]; 3] = [b"sk-or-v1/s3cr3t-0", b"sk-or-v1/s3cr3t-01", b"sk-or~\xff\xfe>?12"];
        for key in KEYS {
            for before in ["", "u", "u:", "api:", "Bearer ", "Authorization: Bearer "] {
                for behind in ["", ":", "\r\n", " and more"] {
                    let whole = [before.as_bytes(), key, behind.as_bytes()].concat();
                    for encoded in base64_forms(&whole) {
                        let text = format!("Basic {encoded}== here, and {encoded}");
                        let told = hide_base64(&text, key, "[key]").unwrap();
                        // The letters that are left belong to bytes beside the key alone.
                        let left = before.len() * 8 / 6 + behind.len() * 8 / 6 + 2;
                        let words: Vec<&str> = told.split([' ', '=']).filter(|word| word.contains("[key]")).collect();
                        assert_eq!(words.len(), 2, "{told}");
                        let longest = words.iter().map(|word| word.len() - "[key]".len()).max();
                        assert!(longest <= Some(left), "{told}");
                        assert!(told.starts_with("Basic ") && told.contains("== here, and "), "{told}");
                    }
                }
            }
        }
        assert_eq!(
            hide_base64("Basic YXBpOm5vdGhpbmc=", b"sk-or-v1/s3cr3t-0", "[key]"),
            None
        );
        let twice = base64_forms(b"sk-or-v1/s3cr3t-0").concat();
        let told = hide_base64(&twice, b"sk-or-v1/s3cr3t-0", "[key]").unwrap();
        assert!(told.starts_with("[key][key]"), "{told}");
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
