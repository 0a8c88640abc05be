//! What the probe finds in a chunk, whatever form it is written in.

use super::ChunkProbe;
use crate::{finish::FinishReason, usage::ServedTier};

fn probe(body: &str) -> ChunkProbe<'_> {
    ChunkProbe::read(body.as_bytes()).unwrap()
}

fn delta(delta: &str) -> String {
    format!(
        r#"{{"id":"gen-1","object":"chat.completion.chunk","created":1,"model":"a/b","provider":"P","choices":[{{"index":0,"delta":{delta},"finish_reason":null,"native_finish_reason":null,"logprobs":null}}]}}"#
    )
}

#[test]
fn these_are_content() {
    for said in [
        r#"{"role":"assistant","content":"x"}"#,
        r#"{"content":" "}"#,
        r#"{"content":[{"type":"text","text":"x"}]}"#,
        r#"{"content":"","reasoning":"hm"}"#,
        r#"{"content":null,"reasoning_content":"hm"}"#,
        r#"{"content":"","reasoning_details":[{"type":"reasoning.text","text":"hm"}]}"#,
        r#"{"reasoning_details":[{"type":"reasoning.summary","summary":"hm"}]}"#,
        r#"{"content":null,"tool_calls":[{"index":0,"id":"c","function":{"name":"f","arguments":""}}]}"#,
        r#"{"refusal":"no"}"#,
        r#"{"images":[{"type":"image_url","image_url":{"url":"data:x"}}]}"#,
        r#"{"audio":{"data":"AAAA"}}"#,
    ] {
        let body = delta(said);
        assert!(probe(&body).has_content(), "{said}");
        assert_eq!(probe(&body).has_tool_call(), said.contains("tool_calls"), "{said}");
        let whole = body.replace("\"delta\"", "\"message\"");
        assert!(probe(&whole).has_content(), "{said}");
    }
    assert!(probe(r#"{"choices":[{"text":"x"}]}"#).has_content());
}

#[test]
fn a_generated_picture_counts_as_many_tokens() {
    let picture = r#"{"type":"image_url","image_url":{"url":"data:image/png;base64,AAAA"}}"#;
    for said in [
        format!(r#"{{"content":"","images":[{picture},{picture}]}}"#),
        format!(r#"{{"content":[{picture},{picture}]}}"#),
    ] {
        assert_eq!(probe(&delta(&said)).shown_tokens(), 2 * 1_290, "{said}");
    }
    assert_eq!(probe(&delta(r#"{"images":[]}"#)).shown_tokens(), 0);
}

#[test]
fn letters_count_alike_in_every_language_and_a_call_by_what_was_written() {
    for (text, tokens) in [
        ("п".repeat(300), 100),
        (r"\u043f".repeat(300), 100),
        ("a".repeat(300), 60),
    ] {
        for said in [
            format!(r#"{{"content":"{text}"}}"#),
            format!(r#"{{"content":[{{"type":"text","text":"{text}"}}]}}"#),
            format!(r#"{{"content":null,"reasoning":"{text}"}}"#),
            format!(r#"{{"tool_calls":[{{"index":0,"function":{{"arguments":"{text}"}}}}]}}"#),
            format!(r#"{{"function_call":{{"arguments":"{text}"}}}}"#),
            format!(r#"{{"refusal":"{text}"}}"#),
        ] {
            assert_eq!(probe(&delta(&said)).shown_tokens(), tokens, "{said}");
        }
    }
}

#[test]
fn the_tier_that_served_a_chat_is_read() {
    for (tier, served) in [
        (r#""priority""#, Some(ServedTier::Priority)),
        (r#""default""#, Some(ServedTier::Standard)),
        ("null", None),
    ] {
        let body = format!(r#"{{"choices":[],"service_tier":{tier}}}"#);
        assert_eq!(probe(&body).service_tier(), served);
    }
}

#[test]
fn these_are_not() {
    for said in [
        "{}",
        "null",
        "[]",
        r#"{"role":"assistant"}"#,
        r#"{"role":"assistant","content":""}"#,
        r#"{"content":null,"reasoning":null,"refusal":null,"tool_calls":null,"images":[],"audio":null}"#,
        r#"{"content":"","tool_calls":[]}"#,
        r#"{"content":"","reasoning_details":[{"type":"reasoning.text","signature":"c2ln","index":0}]}"#,
        r#"{"annotations":[{"type":"url_citation"}]}"#,
        r#"{"content":5,"reasoning":{},"refusal":[1],"audio":"","images":{}}"#,
        r#"{"audio":{}}"#,
    ] {
        let body = delta(said);
        assert!(probe(&body).is_empty(), "{said}");
        assert!(!probe(&body).has_finish());
    }
    for body in [
        "{}",
        r#"{"choices":[]}"#,
        r#"{"choices":null}"#,
        r#"{"choices":[null,1]}"#,
        r#"{"choices":{"content":"x"}}"#,
    ] {
        assert!(probe(body).is_empty(), "{body}");
    }
}

#[test]
fn tells_ends_and_errors_apart() {
    let stop = r#"{"choices":[{"delta":{"content":""},"finish_reason":"stop"}]}"#;
    assert!(probe(stop).has_finish() && !probe(stop).is_failure() && !probe(stop).is_empty());
    assert_eq!(probe(stop).finish_reason(), Some(FinishReason::Stop));

    let untold =
        r#"{"choices":[{"message":{"content":""},"finish_reason":"error","native_finish_reason":"upstream_502"}]}"#;
    assert!(probe(untold).finish_is_error() && !probe(untold).has_error());
    assert_eq!(
        probe(untold).upstream_error().unwrap().native_finish_reason.as_deref(),
        Some("upstream_502")
    );

    let first = r#"{"id":"g","error":{"code":429,"message":"Rate limit exceeded"},"choices":[{"index":0,"delta":{"content":""},"finish_reason":"error"}]}"#;
    assert!(probe(first).has_error() && probe(first).finish_is_error() && !probe(first).has_content());
    assert_eq!(probe(first).upstream_error().unwrap().status(), Some(429));

    for body in [
        r#"{"error":{"code":"server_error"},"choices":[]}"#,
        r#"{"choices":[{"error":{"code":502}}]}"#,
        r#"{"error":"busy"}"#,
    ] {
        assert!(probe(body).has_error(), "{body}");
    }
    for body in [
        r#"{"error":null}"#,
        r#"{"error":""}"#,
        r#"{"choices":[{"error":null}]}"#,
        r#"{"error":false}"#,
    ] {
        assert!(!probe(body).has_error(), "{body}");
        assert_eq!(probe(body).upstream_error(), None);
    }
}

#[test]
fn finds_usage_wherever_the_choices_are() {
    for choices in [
        "[]",
        r#"[{"delta":{"content":""},"finish_reason":"stop"}]"#,
        r#"[{"delta":{},"finish_reason":null}]"#,
    ] {
        let body = format!(
            r#"{{"choices":{choices},"usage":{{"prompt_tokens":18,"completion_tokens":42,"total_tokens":60,"cost":0.000684}}}}"#
        );
        assert_eq!(probe(&body).completion_tokens(), Some(42), "{body}");
        let usage = probe(&body).usage().unwrap();
        assert_eq!(
            (usage.prompt_tokens, usage.cost.unwrap().as_str()),
            (Some(18), "0.000684")
        );
    }
    let nothing = probe(r#"{"choices":[],"usage":null}"#);
    assert!(!nothing.has_usage() && nothing.completion_tokens().is_none());
    assert_eq!(probe(r#"{"usage":{"output_tokens":"7"}}"#).completion_tokens(), Some(7));
}

#[test]
fn borrows_the_text_and_unescapes_it_only_if_it_must() {
    let plain = delta(r#"{"content":"Oslo — 雨"}"#);
    assert!(matches!(
        probe(&plain).text(),
        Some(std::borrow::Cow::Borrowed("Oslo — 雨"))
    ));
    let escaped = delta(r#"{"content":"a\nb\u00e9"}"#);
    assert_eq!(probe(&escaped).text().as_deref(), Some("a\nbé"));
    assert_eq!(probe(&plain).id().as_deref(), Some("gen-1"));
    assert_eq!(probe(&plain).model().as_deref(), Some("a/b"));
    assert_eq!(probe(&plain).provider().as_deref(), Some("P"));
}

#[test]
fn refuses_what_is_cut_or_no_object() {
    let whole = delta(r#"{"content":"Osl\u006f — 雨","n":-1.5e3}"#);
    for end in 0..whole.len() {
        assert!(
            ChunkProbe::read(&whole.as_bytes()[..end]).unwrap_err().is_cut_short(),
            "{end}"
        );
    }
    for body in [
        &b"[]"[..],
        b"\"x\"",
        b"null",
        b"<html>",
        b"{} {}",
        b"{\"a\":\"\xff\"}",
        b"[DONE]",
    ] {
        assert!(ChunkProbe::read(body).is_err());
    }
    assert!(
        ChunkProbe::read(b"\n   \n  {\"choices\":[{\"message\":{\"content\":\"x\"}}]}\n")
            .unwrap()
            .has_content()
    );
}

#[test]
fn its_debug_form_does_not_print_the_content() {
    let body = delta(r#"{"content":"secret"}"#);
    assert!(!format!("{:?}", probe(&body)).contains("secret"));
}

#[test]
fn a_field_counts_by_what_it_means() {
    for fine in [
        r#"{"choices":[],"error":{"message":"","type":"","param":"","code":null}}"#,
        r#"{"choices":[],"error":"success"}"#,
        r#"{"choices":[],"base_resp":{"status_code":0,"status_msg":"success"}}"#,
        r#"{"choices":[{"delta":{"content":"x"}}],"message":"Engine overloaded","code":503}"#,
        r#"{"choices":[{"delta":{},"finish_reason":"null"}]}"#,
        r#"{"type":"ping"}"#,
    ] {
        assert!(!probe(fine).is_failure(), "{fine}");
        assert!(!probe(fine).has_finish(), "{fine}");
    }
    for failed in [
        r#"{"message":"Engine overloaded","code":503}"#,
        r#"{"detail":"busy"}"#,
        r#"{"choices":null,"base_resp":{"status_code":1002,"status_msg":"x"}}"#,
        r#"{"choices":[{"delta":{},"finish_reason":"stop","native_finish_reason":"ERROR"}]}"#,
        r#"{"choices":[{"delta":{},"finish_reason":"abort"}]}"#,
        r#"{"x_groq":{"error":"over capacity"},"choices":[]}"#,
    ] {
        assert!(probe(failed).is_failure(), "{failed}");
    }
}

#[test]
fn text_is_that_of_the_delta_and_of_its_last_content() {
    let both = r#"{"choices":[{"message":{"content":"Hello world"},"delta":{"content":" world"}}]}"#;
    assert_eq!(probe(both).text().as_deref(), Some(" world"));
    assert!(!probe(both).is_in_message());
    let whole = r#"{"choices":[{"message":{"content":"Hello world"},"delta":{}}]}"#;
    assert_eq!(probe(whole).text().as_deref(), Some("Hello world"));
    assert!(probe(whole).is_in_message());
    assert_eq!(
        probe(&delta(r#"{"content":"a","content":"b"}"#)).text().as_deref(),
        Some("b")
    );
    let parts = delta(
        r#"{"content":[{"type":"thinking","thinking":[{"type":"text","text":"hm"}]},{"type":"text","text":"a"},"b"]}"#,
    );
    assert_eq!(probe(&parts).text().as_deref(), Some("ab"));
    for unseen in [
        r#"{"reasoning_details":[{"data":"x"}]}"#,
        r#"{"thinking_blocks":[{"thinking":"x"}]}"#,
        r#"{"function_call":{"name":"f"}}"#,
    ] {
        assert!(probe(&delta(unseen)).has_content(), "{unseen}");
    }
    for nothing in [
        r#"{"content":[{"type":"text","text":""}]}"#,
        r#"{"function_call":{"name":"","arguments":""}}"#,
        r#"{"tool_calls":[null,{}]}"#,
    ] {
        assert!(!probe(&delta(nothing)).has_content(), "{nothing}");
    }
}

#[test]
fn what_only_the_provider_can_read_is_a_sign_and_no_bytes() {
    let sealed = "A".repeat(8_000);
    for name in [
        "reasoning_opaque",
        "reasoning_signature",
        "thoughtSignature",
        "thinking_encrypted",
    ] {
        let body = delta(&format!(r#"{{"{name}":"{sealed}"}}"#));
        let probe = probe(&body);
        assert!(probe.has_content() && !probe.has_text(), "{name}");
        assert_eq!((probe.shown_tokens(), probe.reasoning()), (1, None), "{name}");
        let blank = delta(&format!(r#"{{"{name}":""}}"#));
        assert!(!ChunkProbe::read(blank.as_bytes()).unwrap().has_content(), "{name}");
    }
}

#[test]
fn an_error_beside_a_choice_that_ended_well_is_no_failure_of_it() {
    let error = r#""error":{"code":500,"message":"telemetry could not be written"}"#;
    let said = r#""message":{"content":"Hello"}"#;
    let of = |choice: &str| format!(r#"{{"choices":[{{{choice}}}]}}"#);
    // The choice, whether it failed, and whether that is up to what came before.
    for (choice, is_failure, is_beside_end) in [
        (format!(r#"{said},"finish_reason":"stop",{error}"#), false, false),
        (format!(r#"{error},"finish_reason":"length",{said}"#), false, false),
        (
            format!(
                r#""message":{{"tool_calls":[{{"function":{{"name":"f"}}}}]}},"finish_reason":"tool_calls",{error}"#
            ),
            false,
            false,
        ),
        (
            format!(r#"{error},"text":"Hello","finish_reason":"stop""#),
            false,
            false,
        ),
        // Without the answer, or with thoughts alone.
        (format!(r#""delta":{{}},"finish_reason":"stop",{error}"#), true, true),
        (
            format!(r#""message":{{"content":"","reasoning":"hm"}},"finish_reason":"stop",{error}"#),
            true,
            true,
        ),
        // Without a good end.
        (format!("{said},{error}"), true, false),
        (format!(r#"{said},"finish_reason":null,{error}"#), true, false),
        (format!(r#"{said},"finish_reason":"error",{error}"#), true, false),
        (
            format!(r#"{said},"finish_reason":"content_filter",{error}"#),
            true,
            false,
        ),
        (format!(r#"{said},"finish_reason":"new",{error}"#), true, false),
        (
            format!(r#"{said},"finish_reason":"stop","native_finish_reason":"ERROR",{error}"#),
            true,
            false,
        ),
        (
            format!(r#"{said},"finish_reason":"stop","native_finish_reason":"SAFETY",{error}"#),
            true,
            false,
        ),
        // An error in the message itself.
        (
            format!(r#""message":{{"content":"Hello",{error}}},"finish_reason":"stop""#),
            true,
            false,
        ),
    ] {
        let body = of(&choice);
        let probe = probe(&body);
        assert_eq!(
            (probe.is_failure(), probe.has_error_beside_end_alone()),
            (is_failure, is_beside_end),
            "{choice}"
        );
        assert_eq!(probe.upstream_error().is_some(), is_failure, "{choice}");
    }
    let both = format!(r#"{{"choices":[{{"delta":{{}},"finish_reason":"stop",{error}}}],{error}}}"#);
    assert!(probe(&both).is_failure() && !probe(&both).has_error_beside_end_alone());
    let one_failed = format!(
        r#"{{"choices":[{{{said},"finish_reason":"stop",{error}}},{{"index":1,{said},"finish_reason":"error"}}]}}"#
    );
    assert!(probe(&one_failed).is_failure());
}

#[test]
fn a_thought_in_parts_counts_its_text_alone() {
    let text = "The user asks for the product of 12 and 12. ".repeat(8);
    let alone = delta(&format!(r#"{{"content":"{text}"}}"#));
    let tokens = probe(&alone).shown_tokens();
    assert!(tokens > 50);
    for content in [
        format!(r#"[{{"type":"thinking","thinking":[{{"type":"text","text":"{text}"}}],"closed":true}}]"#),
        format!(r#"[{{"type":"thinking","thinking":{{"type":"text","text":"{text}"}}}}]"#),
        format!(r#"[{{"type":"thinking","thinking":["{text}"]}}]"#),
        format!(r#"[{{"type":"thinking","thinking":"{text}"}}]"#),
        // What only the provider can read counts nothing.
        format!(
            r#"[{{"type":"thinking","thinking":[{{"type":"text","text":"{text}","signature":"{text}"}},{{"type":"encrypted","data":"{text}"}}]}}]"#
        ),
        format!(r#"[{{"thinking":[{{"reasoning":"{text}"}},{{"thinking":[[["{text}"]]]}}]}}]"#),
    ] {
        let body = delta(&format!(r#"{{"content":{content}}}"#));
        assert_eq!(probe(&body).shown_tokens(), tokens, "{content}");
        assert_eq!(probe(&body).text(), None, "{content}");
    }
    let sealed = delta(r#"{"content":[{"type":"thinking","thinking":[{"type":"encrypted","data":"x"}]}]}"#);
    assert_eq!((probe(&sealed).has_content(), probe(&sealed).shown_tokens()), (true, 1));
    for nothing in [
        "[]",
        "{}",
        "null",
        r#"[{"type":"text","text":""}]"#,
        r#"[{"type":"encrypted","data":null}]"#,
    ] {
        let body = delta(&format!(
            r#"{{"content":[{{"type":"thinking","thinking":{nothing}}}]}}"#
        ));
        assert!(!probe(&body).has_content(), "{nothing}");
    }
    // However deep it is nested.
    let deep = ["[".repeat(400), "]".repeat(400)].join(r#"{"thinking":"x"}"#);
    let body = delta(&format!(r#"{{"content":[{{"thinking":{deep}}}]}}"#));
    assert!(probe(&body).has_content());
}

#[test]
fn a_call_without_a_name_and_without_arguments_is_none_yet() {
    for blank in [
        r#"{"index":0,"id":"call_x","function":{"name":"","arguments":""}}"#,
        r#"{"index":0,"id":"call_x","type":"function","function":{"name":null,"arguments":null}}"#,
        r#"{"index":0,"id":"call_x","type":"function","function":{}}"#,
        r#"{"index":0,"id":"call_x","type":"function"}"#,
    ] {
        let body = delta(&format!(r#"{{"tool_calls":[{blank}]}}"#));
        assert!(!probe(&body).has_content() && !probe(&body).has_tool_call(), "{blank}");
    }
    for call in [
        r#"{"index":0,"id":"call_x","function":{"name":"f","arguments":""}}"#,
        r#"{"index":0,"function":{"arguments":"{"}}"#,
        r#"{"index":0,"type":"custom","custom":{"name":"f","input":""}}"#,
        r#"{"name":"f"}"#,
    ] {
        let body = delta(&format!(r#"{{"tool_calls":[{call}]}}"#));
        assert!(probe(&body).has_content() && probe(&body).has_tool_call(), "{call}");
    }
}

proptest::proptest! {
    /// Any bytes, and any JSON of known names, are survived.
    #[test]
    fn nothing_panics(bytes in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..80), json in r#"\{("(choices|delta|message|error|usage|content|index|finish_reason)":|\[|\]|\{|\}|,|"x"|1|null|NaN){0,24}\}"#) {
        for bytes in [&bytes[..], json.as_bytes()] {
            if let Ok(probe) = ChunkProbe::read(bytes) {
                let _ = (probe.text(), probe.usage(), probe.upstream_error(), probe.reasoning());
            }
        }
    }
}
