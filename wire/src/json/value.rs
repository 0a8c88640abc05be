//! Trees of answers that `serde_json` refuses to read.

use serde_json::{Map, Value};

use super::error::Expected;
use super::{Cursor, Found, JsonError, MAX_DEPTH, strict};

/// What a value says, and whether the tree says all of it: a number that is not finite is null in it, and half of a surrogate pair is U+FFFD.
/// `None` if the text is no JSON, or nested too deeply.
pub fn lenient_value(raw: &[u8]) -> Option<(Value, bool)> {
    if let Ok(value) = serde_json::from_slice(raw) {
        return Some((value, true));
    }
    // What is made strict is taken for JSON.
    let mut cursor = Cursor::lenient(raw);
    cursor.skip().and_then(|()| cursor.end()).ok()?;
    let strict = strict(raw);
    if let Ok(value) = serde_json::from_slice(&strict) {
        return Some((value, false));
    }
    let mut cursor = Cursor::lenient(&strict);
    let value = build(&mut cursor).and_then(|value| cursor.end().map(|()| value));
    value.ok().map(|value| (value, false))
}

/// An object or an array that is not closed yet.
enum Open {
    Object(Map<String, Value>, String),
    Array(Vec<Value>),
}

/// Without recursion: the depth is the upstream's to choose.
fn build(cursor: &mut Cursor<'_>) -> Result<Value, JsonError> {
    let mut open: Vec<Open> = Vec::new();
    loop {
        let mut value = match cursor.peek()? {
            Found::Object if cursor.begin(b'}', open.len())? => Value::Object(Map::new()),
            Found::Object => {
                let key = cursor.key()?.to_str().into_owned();
                open.push(Open::Object(Map::new(), key));
                continue;
            }
            Found::Array if cursor.begin(b']', open.len())? => Value::Array(Vec::new()),
            Found::Array => {
                open.push(Open::Array(Vec::new()));
                continue;
            }
            Found::String => Value::String(cursor.string()?.to_str().into_owned()),
            _ => serde_json::from_slice(cursor.raw()?).unwrap_or_default(),
        };
        // What is closed behind this value is a value itself.
        loop {
            let closed = match open.last_mut() {
                None => return Ok(value),
                Some(Open::Object(map, key)) => {
                    map.insert(std::mem::take(key), value);
                    if cursor.goes_on(b'}', Expected::CommaOrBrace)? {
                        *key = cursor.key()?.to_str().into_owned();
                        break;
                    }
                    Value::Object(std::mem::take(map))
                }
                Some(Open::Array(list)) => {
                    list.push(value);
                    if cursor.goes_on(b']', Expected::CommaOrBracket)? {
                        break;
                    }
                    Value::Array(std::mem::take(list))
                }
            };
            open.pop();
            value = closed;
        }
    }
}

impl Cursor<'_> {
    /// Steps over an opening mark; answers true if what it opens is empty, and closed again.
    fn begin(&mut self, close: u8, open: usize) -> Result<bool, JsonError> {
        if open >= MAX_DEPTH as usize {
            return Err(self.fail(Expected::Shallower));
        }
        self.at += 1;
        let empty = self.next_solid() == Some(close);
        if empty {
            self.at += 1;
        }
        Ok(empty)
    }

    /// Steps over a comma or a closing mark; answers whether it was a comma.
    fn goes_on(&mut self, close: u8, expected: Expected) -> Result<bool, JsonError> {
        match self.next_solid() {
            Some(b',') => {
                self.at += 1;
                Ok(true)
            }
            Some(byte) if byte == close => {
                self.at += 1;
                Ok(false)
            }
            _ => Err(self.fail(expected)),
        }
    }
}
