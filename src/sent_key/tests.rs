//! A key is hidden in whichever form it comes back.

use super::*;

const KEY: &str = "sk-or-v1/s3cr3t-0";

fn sent() -> SentKey {
    SentKey::from(&HeaderValue::from_str(&format!("Bearer {KEY}")).unwrap())
}

#[test]
fn a_key_is_found_in_the_words_of_an_error_whatever_form_it_has() {
    for text in [
        format!("bad key {KEY}!"),
        "bad key sk-or-v1/s3c".to_owned(),
        "bad key sk-or-v1/s3c…".to_owned(),
        "q=sk%2Dor%2Dv1%2Fs3cr3t%2D0&x=1".to_owned(),
        r"\u0073k-or-v1\/s3cr3t-0".to_owned(),
        // `Bearer ` and the key, then the key alone, then with an ending of its own.
        "authorization QmVhcmVyIHNrLW9yLXYxL3MzY3IzdC0w".to_owned(),
        "c2stb3ItdjEvczNjcjN0LTA=".to_owned(),
        "QmVhcmVyIHNrLW9yLXYxL3MzY3IzdC0wIGFuZCBtb3Jl".to_owned(),
        // `api:` and the key, as a user's name and password.
        "Basic YXBpOnNrLW9yLXYxL3MzY3IzdC0w".to_owned(),
    ] {
        let hidden = sent().hide_all(&text).unwrap_or_else(|| unreachable!("{text}"));
        assert!(hidden.contains(HIDDEN), "{text}: {hidden}");
        for part in ["s3cr3t", "s3cr", "czNjcjN0", "MzY3IzdC"] {
            assert!(!hidden.contains(part), "{text}: {hidden}");
        }
    }
    for text in [
        "",
        "no key",
        "100 % of sk-or",
        r"C:\users\u00e9",
        "QmVhcmVyIG5vdGhpbmc=",
    ] {
        assert_eq!(sent().hide_all(text), None, "{text}");
    }
}

#[test]
fn what_is_too_short_for_a_key_is_no_secret() {
    let short = SentKey::from(&HeaderValue::from_static("Bearer word"));
    assert_eq!((short.bytes(), short.hide_all("a word")), (None, None));
    assert_eq!(SentKey::default().hide_all("a word"), None);
    assert_eq!(sent().bytes(), Some(KEY.as_bytes()));
}
