//! Which requests have the same cache key.

use std::collections::HashSet;

use bytes::Bytes;
use tower_llm_layers::{CacheKey, cache::AnswerKey};

use super::request;
use crate::{ChatRequest, EmbeddingRequest};

fn key(body: &str) -> AnswerKey {
    AnswerKey::new("tenant", &request(body))
}

const BASE: &str = r#"{"model":"a/b","messages":[{"role":"user","content":"Hi"}]}"#;

/// The base with something more at its end.
fn with(more: &str) -> String {
    BASE.replacen("]}", &format!("],{more}}}"), 1)
}

#[test]
fn the_way_it_is_written_makes_no_difference() {
    for same in [
        r#"{"messages":[{"role":"user","content":"Hi"}],"model":"a/b"}"#,
        r#" { "model" : "a/b", "messages":[ {"content":"Hi","role":"user"} ] } "#,
        r#"{"m\u006fdel":"a/b","messages":[{"r\u006fle":"user","content":"Hi"}]}"#,
    ] {
        assert_eq!(key(same), key(BASE), "{same}");
    }
    let nested = with(r#""provider":{"order":["x"],"sort":{"by":"price","partition":"none"}}"#);
    let turned = with(r#""provider":{"sort":{"partition":"none","by":"price"},"order":["x"]}"#);
    assert_eq!(key(&nested), key(&turned));
    assert_eq!(
        key(BASE),
        AnswerKey::new("tenant", &ChatRequest::user("Hi").model("a/b"))
    );
}

#[test]
fn who_asks_makes_no_difference() {
    for more in [
        r#""user":"u1""#,
        r#""session_id":"s""#,
        r#""metadata":{"a":"b"}"#,
        r#""trace":{"trace_id":"t"}"#,
        r#""prompt_cache_key":"k""#,
        r#""prompt_cache_options":{"mode":"explicit"}"#,
        r#""cache_control":{"type":"ephemeral"}"#,
        r#""usage":{"include":true}"#,
        r#""store":true"#,
        r#""stream":false"#,
    ] {
        assert_eq!(key(&with(more)), key(BASE), "{more}");
    }
}

#[test]
fn whatever_may_change_the_answer_makes_one() {
    let mut keys = vec![key(BASE)];
    for more in [
        r#""stream":true"#,
        r#""temperature":0"#,
        r#""temperature":0.0"#,
        r#""temperature":1"#,
        r#""max_tokens":5"#,
        r#""max_completion_tokens":5"#,
        r#""seed":1"#,
        r#""stop":["a","b"]"#,
        r#""stop":["ab"]"#,
        r#""stop":["b","a"]"#,
        r#""models":["c/d"]"#,
        r#""provider":{"order":["x"]}"#,
        r#""provider":{"ignore":["x"]}"#,
        r#""provider":{}"#,
        r#""provider":null"#,
        r#""provider":{"}":1}"#,
        r#""reasoning":{"effort":"low"}"#,
        r#""response_format":{"type":"json_object"}"#,
        r#""tools":[]"#,
        r#""tools":[[]]"#,
        r#""tools":[{}]"#,
        r#""service_tier":"flex""#,
        r#""new_field":"user""#,
        r#""debug":{"x":1,"x":2}"#,
        r#""debug":{"x":2,"x":1}"#,
    ] {
        keys.push(key(&with(more)));
    }
    keys.push(key(r#"{"model":"a/b","messages":[{"role":"user","content":"Ho"}]}"#));
    keys.push(key(r#"{"model":"a/b","messages":[{"role":"system","content":"Hi"}]}"#));
    keys.push(key(r#"{"model":"a/c","messages":[{"role":"user","content":"Hi"}]}"#));
    keys.push(AnswerKey::new("other tenant", &request(BASE)));
    let count = keys.len();
    let different: HashSet<_> = keys.into_iter().collect();
    assert_eq!(different.len(), count);
}

/// They go out as they came, and it is unknown which one is read.
#[test]
fn doubled_members_are_distinguished() {
    let twice =
        r#"{"model":"a/b","messages":[{"role":"user","content":"Ho"}],"messages":[{"role":"user","content":"Hi"}]}"#;
    assert_eq!(request(twice).to_bytes(), twice);
    assert_ne!(key(twice), key(BASE));
    // Unless the caller has set it.
    let mut set = request(&with(r#""seed":1,"seed":2"#));
    set.body.put_named("seed", Bytes::from_static(b"3"));
    assert_eq!(AnswerKey::new("tenant", &set), key(&with(r#""seed":3"#)));
}

#[test]
fn names_with_half_a_surrogate_pair_are_distinguished() {
    let forms: [fn(&str) -> String; 2] = [
        |name| with(&format!(r#""logit_bias":{{"{name}":1}}"#)),
        |name| with(&format!(r#""{name}":1"#)),
    ];
    for form in forms {
        let names = [r"\ud800", r"\ud801", r"\udc00", r"\\ud800", "\u{fffd}"];
        let keys: HashSet<_> = names.map(|name| key(&form(name))).into_iter().collect();
        assert_eq!(keys.len(), 5);
    }
}

/// Values that were set, and are no JSON, go out as they are.
#[test]
fn broken_values_are_distinguished_by_all_of_their_text() {
    let deep = "[".repeat(100_000);
    let values = [
        "[1]",
        "[1],\"seed\":2",
        "[1] x",
        "[1]]",
        "{}",
        "{},\"seed\":1",
        "",
        "[",
        "[1",
        "[1,",
        "]",
        "{",
        "{\"a\"",
        "{\"a\":",
        "}",
        "nul",
        "[nul]",
        "\"",
        "[\"",
        ",",
        ":",
        &deep,
    ];
    let of = |value: &str| {
        let mut request = request(BASE);
        request
            .body
            .put_named("tools", Bytes::copy_from_slice(value.as_bytes()));
        AnswerKey::new("tenant", &request)
    };
    let keys: HashSet<_> = values.map(of).into_iter().collect();
    assert_eq!(keys.len(), values.len());
}

/// A hundred thousand members in a moment: it would be minutes if each were compared with all others.
#[test]
fn many_members_take_no_longer_than_their_text() {
    let members: Vec<_> = (0..100_000).map(|number| format!(r#""{number:x}":1"#)).collect();
    let mut request = request(&with(&format!("\"new\":{{{}}}", members.join(","))));
    let plain = AnswerKey::new("tenant", &request);
    request.body.put_named("1", Bytes::from_static(b"2"));
    assert_ne!(AnswerKey::new("tenant", &request), plain);
}

#[test]
fn deep_values_are_distinguished_in_one_pass_as_written() {
    let deep = |levels: usize, inside: &str| {
        let (open, close) = ("{\"a\":[".repeat(levels), "]}".repeat(levels));
        request(&with(&format!("\"new\":{open}{inside}{close}")))
    };
    let key = |request: &ChatRequest| AnswerKey::new("tenant", request);
    assert_eq!(key(&deep(4, r#"{"b":1,"c":2}"#)), key(&deep(4, r#"{"c":2,"b":1}"#)));
    assert_ne!(key(&deep(250, r#"{"b":1}"#)), key(&deep(250, r#"{"b":2}"#)));
    assert_eq!(key(&deep(250, r#"{"b":1}"#)), key(&deep(250, r#"{"b":1}"#)));
}

#[test]
fn temperature_and_storing_are_read() {
    let temperature = |more: &str| request(&with(more)).requested_temperature();
    assert_eq!(request(BASE).requested_temperature(), None);
    assert_eq!(temperature(r#""temperature":0"#), Some(0.0));
    assert_eq!(temperature(r#""temperature":0.7"#), Some(0.7));
    assert_eq!(temperature(r#""temperature":null"#), None);
    let kept = |more: &str| request(&with(more)).is_cacheable();
    assert!(request(BASE).is_cacheable());
    assert!(kept(r#""store":true"#) && kept(r#""provider":{"zdr":false}"#) && kept(r#""provider":{"order":["zdr"]}"#));
    assert!(!kept(r#""store":false"#) && !kept(r#""provider":{"order":["x"],"zdr":true}"#));
}

#[test]
fn embeddings_have_keys_of_their_own() {
    let embeddings = |text| EmbeddingRequest::new("a/b", [text]);
    let key = |text| AnswerKey::new("tenant", &embeddings(text));
    assert_eq!(key("x"), key("x"));
    assert_ne!(key("x"), key("y"));
    assert_eq!(embeddings("x").requested_temperature(), Some(0.0));
    let private = embeddings("x").field("provider", serde_json::json!({"zdr": true}));
    assert!(embeddings("x").is_cacheable() && !private.unwrap().is_cacheable());
}
