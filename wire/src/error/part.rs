//! An error in JSON of which a part is missing.

use super::UpstreamError;
use crate::json::Cursor;

/// The names under which the words of an error stand, the surest first.
const NAMES: [&str; 3] = ["error", "detail", "message"];

/// How many places of a name are looked at: each may be followed by all of the rest.
const MOST_PLACES: usize = 8;

/// The error among the members before the part that is missing, else the last one behind it.
pub(super) fn parse(body: &[u8]) -> Option<UpstreamError> {
    let body = body.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(body).trim_ascii_start();
    let mut whole = Cursor::lenient(body);
    let is_whole = whole.skip().and_then(|()| whole.end()).is_ok();
    if is_whole || !matches!(body.first(), Some(b'{' | b'[')) {
        return None;
    }
    let mut before: [Option<&[u8]>; 3] = [None; 3];
    // It ends with an error: what was found before the part that is missing counts.
    let _is_cut = Cursor::lenient(body).object(|key, value| {
        let raw = value.raw()?;
        for (name, found) in NAMES.iter().zip(&mut before) {
            if key.is(name) {
                *found = Some(raw);
            }
        }
        Ok(())
    });
    let found = NAMES.iter().zip(before);
    let mut found = found.filter_map(|(name, raw)| named(name, raw?));
    found.next().or_else(|| NAMES.iter().find_map(|name| last(body, name)))
}

/// The last error under this name. In a string the quotes around it would be escaped.
fn last(body: &[u8], name: &str) -> Option<UpstreamError> {
    let quoted = format!("\"{name}\"");
    let mut places = memchr::memmem::rfind_iter(body, quoted.as_bytes()).take(MOST_PLACES);
    places.find_map(|at| {
        let behind = body.get(at + quoted.len()..)?.trim_ascii_start();
        let value = behind.strip_prefix(b":")?.trim_ascii_start();
        named(name, Cursor::lenient(value).raw().ok()?)
    })
}

/// The error that this value is under this name, if it has words.
fn named(name: &str, value: &[u8]) -> Option<UpstreamError> {
    let alone = [b"{\"", name.as_bytes(), b"\":", value, b"}"].concat();
    UpstreamError::parse_failed(&alone).filter(|error| !error.message.trim().is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_words_before_or_behind_what_is_missing_are_read() {
        let error = r#""error":{"message":"too long","code":"context_length_exceeded"}"#;
        for body in [
            format!(r#"{{{error},"input":[{{"role":"user","content":"wo"#),
            format!(r#"{{"input":["wo"]}},["rd"],"x":1,{error}}}"#),
            format!(r#"{{"input":"\"error\":{{\"message\":\"mine\"}} "{error}}}"#),
            format!(r#"{{"error":null,"input":["wo"]}} "error" : {{"message":""}},{error}}}"#),
        ] {
            let error = parse(body.as_bytes()).unwrap_or_else(|| unreachable!("{body}"));
            assert_eq!(error.message, "too long", "{body}");
            assert_eq!(
                error.code.map(|code| code.to_string()).as_deref(),
                Some("context_length_exceeded")
            );
        }
        for body in [
            r#"{"input":["wo}]"detail":"too long"}"#,
            r#"{"input":["wo"]},"code":400,"message":"too long"}"#,
        ] {
            assert_eq!(
                parse(body.as_bytes()).map(|error| error.message).as_deref(),
                Some("too long"),
                "{body}"
            );
        }
        for body in [
            "",
            "words",
            "<p>\"error\":\"x\"</p>",
            r#"{"input":"wo"#,
            r#"{"error":"#,
            r#"{"error":{"message":"#,
        ] {
            assert_eq!(parse(body.as_bytes()), None, "{body}");
        }
    }
}
