//! Failures, in whatever shape they come: never complete, and reported in the upstream's own words.

use tower_openrouter::{Answer, ChatBody};

use super::{assert_bad, recorded::*};

pub(super) const WORDS: &str = "Engine overloaded";

/// The shapes in which servers put their errors.
fn shapes() -> Vec<(&'static str, String)> {
    [
        (
            "list",
            r#"[{"error":{"code":503,"message":"WORDS","status":"UNAVAILABLE"}}]"#,
        ),
        ("object", r#"{"error":{"message":"WORDS"}}"#),
        ("text", r#"{"error":"WORDS"}"#),
        ("list of errors", r#"{"error":[{"message":"WORDS"}]}"#),
        (
            "errors",
            r#"{"success":false,"errors":[{"code":3040,"message":"WORDS"}],"result":null}"#,
        ),
        ("message and code", r#"{"message":"WORDS","code":503}"#),
        ("msg and code", r#"{"code":503,"msg":"WORDS"}"#),
        ("a code as text", r#"{"code":"1302","message":"WORDS"}"#),
        ("detail", r#"{"detail":"WORDS"}"#),
        (
            "FastAPI's list",
            r#"{"detail":[{"loc":["body","messages"],"msg":"WORDS","type":"value_error"}]}"#,
        ),
        (
            "base_resp",
            r#"{"id":"","choices":null,"base_resp":{"status_code":1002,"status_msg":"WORDS"}}"#,
        ),
        ("nested", r#"{"error":{"error":{"message":"WORDS","type":"x"}}}"#),
        ("Groq", r#"{"id":"x","choices":[],"x_groq":{"error":"WORDS"}}"#),
        (
            "vLLM's flat one",
            r#"{"object":"error","message":"WORDS","type":"InternalServerError","code":500}"#,
        ),
        ("xAI", r#"{"code":"overloaded","error":"WORDS"}"#),
        ("problem+json", r#"{"type":"about:blank","title":"WORDS","status":503}"#),
        (
            "Apigee",
            r#"{"fault":{"faultstring":"WORDS","detail":{"errorcode":"x"}}}"#,
        ),
        ("AWS", r#"{"__type":"ThrottlingException","Message":"WORDS"}"#),
        (
            "Tencent",
            r#"{"Response":{"Error":{"Code":"InternalError","Message":"WORDS"},"RequestId":"r"}}"#,
        ),
        ("Baidu", r#"{"error_code":18,"error_msg":"WORDS"}"#),
        (
            "half a pair in it",
            r#"{"error":{"message":"WORDS \ud83d","code":503}}"#,
        ),
    ]
    .map(|(what, json)| (what, json.replace("WORDS", WORDS)))
    .into()
}

#[tokio::test(start_paused = true)]
async fn every_shape_is_read_in_a_plain_answer() {
    for (what, json) in shapes() {
        assert_bad(&plain(what, json), "", WORDS).await;
    }
}

#[tokio::test(start_paused = true)]
async fn every_shape_is_read_under_a_status() {
    for (what, json) in shapes() {
        assert_bad(&status(what, "503 Service Unavailable", json), "", WORDS).await;
    }
}

#[tokio::test(start_paused = true)]
async fn every_shape_is_read_behind_text() {
    for (what, json) in shapes() {
        assert_bad(&stream(what, say("Hello") + &event(&json) + DONE), "Hello", WORDS).await;
    }
}

/// What was shown, and the message of the error.
pub(super) async fn told(body: ChatBody) -> (String, Option<String>) {
    match Answer::new(http::Response::new(body)).text().await {
        Ok(text) => (text, None),
        Err(error) => (
            error.partial_text().unwrap_or_default().to_owned(),
            Some(error.message().to_owned()),
        ),
    }
}

#[tokio::test(start_paused = true)]
async fn every_shape_is_read_wherever_it_stands() {
    for (what, json) in shapes() {
        for body in [
            event(&json),
            json.clone(),
            say("Hello") + &event(&json),
            say("Hello") + &event(&json) + DONE,
            // Without `data:`, and named an error.
            format!("{}{json}\n\n", say("Hello")),
            format!("{}event: error\ndata: {json}\n\n", say("Hello")),
            format!("{}data: {{\"id\":\"gen-1\",\"cho\ndata: {json}\n\n", say("Hello")),
        ] {
            let shown = if body.contains("Hello") { "Hello" } else { "" };
            let (text, error) = told(ChatBody::from_event_stream(body.clone())).await;
            assert_eq!(text, shown, "{what}: {body}");
            assert!(
                error.as_ref().is_some_and(|error| error.contains(WORDS)),
                "{what}: {error:?} {body}"
            );
        }
        let (_, error) = told(ChatBody::from_plain(format!("\u{feff}\n {json}"))).await;
        assert!(
            error.as_ref().is_some_and(|error| error.contains(WORDS)),
            "{what}: {error:?}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn words_and_pages_are_reported() {
    let page = "<!DOCTYPE html><html><head><title>Just a moment...</title></head></html>";
    for (case, shown, words) in [
        (
            with_type("a page for a stream", true, "text/event-stream", page),
            "",
            "HTML",
        ),
        (
            with_type("a page for a stream, reported", true, "text/html", page),
            "",
            "Just a moment",
        ),
        (with_type("a page", false, "text/html", page), "", "Just a moment"),
        (
            status("a page under a status", "503 Service Unavailable", page),
            "",
            "Just a moment",
        ),
        (
            status(
                "words under a status",
                "503 Service Unavailable",
                "upstream connect error or disconnect",
            ),
            "",
            "upstream connect error",
        ),
        (plain("words", "no healthy upstream"), "", "no healthy upstream"),
        (
            with_type("words for a stream", true, "text/event-stream", "no healthy upstream"),
            "",
            "no healthy upstream",
        ),
        (
            stream(
                "words in an event, then the close",
                say("Hello") + &event("error: Engine overloaded"),
            ),
            "Hello",
            WORDS,
        ),
        (
            stream(
                "words in an event, then the end",
                say("Hello") + &event("Internal error: Engine overloaded") + DONE,
            ),
            "Hello",
            WORDS,
        ),
        (
            stream("a bare line, then the close", say("Hello") + "Engine overloaded\n\n"),
            "Hello",
            WORDS,
        ),
        (
            stream(
                "llama.cpp's field",
                say("Hello") + "error: {\"code\":500,\"message\":\"Engine overloaded\"}\n\n",
            ),
            "Hello",
            WORDS,
        ),
        (
            stream(
                "an error glued to half an event",
                say("Hello")
                    + "data: {\"id\":\"gen-1\",\"choices\":[{\"index\":0,\"del\ndata: {\"error\":{\"message\":\"Engine overloaded\"}}\n\n",
            ),
            "Hello",
            WORDS,
        ),
        (
            stream(
                "named an error, in words",
                say("Hello") + "event: error\ndata: Engine overloaded\n\n",
            ),
            "Hello",
            WORDS,
        ),
        (
            stream(
                "a pretty error without data",
                "{\n  \"error\": {\n    \"message\": \"Engine overloaded\"\n  }\n}\n",
            ),
            "",
            WORDS,
        ),
        (
            stream(
                "the same after text",
                say("Hello") + "{\n  \"error\": {\n    \"message\": \"Engine overloaded\"\n  }\n}\n",
            ),
            "Hello",
            WORDS,
        ),
        (
            encoded(
                "a gzip error",
                false,
                "429 Too Many Requests",
                "gzip",
                &gzip(br#"{"error":{"message":"Quota exceeded"}}"#),
            ),
            "",
            "Quota exceeded",
        ),
        (
            encoded("an unknown encoding", false, "200 OK", "br", b"\x0b\x02\x80hello\x03"),
            "",
            "`br`",
        ),
        (
            status(
                "an error as an event",
                "429 Too Many Requests",
                event(r#"{"error":{"message":"Quota exceeded"}}"#),
            ),
            "",
            "Quota exceeded",
        ),
        (
            status(
                "Gemini's limit",
                "429 Too Many Requests",
                r#"[{"error":{"code":429,"message":"You exceeded your current quota","status":"RESOURCE_EXHAUSTED","details":[{"@type":"type.googleapis.com/google.rpc.RetryInfo","retryDelay":"34s"}]}}]"#,
            ),
            "",
            "You exceeded",
        ),
        (
            with_type(
                "a limit under the type of a stream",
                true,
                "text/event-stream",
                r#"{"code":429,"message":"Resource has been exhausted","details":"RESOURCE_EXHAUSTED"}"#,
            ),
            "",
            "Resource has been exhausted",
        ),
        (
            status(
                "a field that is missing",
                "422 Unprocessable Entity",
                r#"{"detail":[{"loc":["body","messages"],"msg":"field required","type":"value_error.missing"}]}"#,
            ),
            "",
            "field required",
        ),
        (
            status(
                "a key that is not valid",
                "400 Bad Request",
                r#"[{"error":{"code":400,"message":"API key not valid. Please pass a valid API key.","status":"INVALID_ARGUMENT"}}]"#,
            ),
            "",
            "API key not valid",
        ),
    ] {
        assert_bad(&case, shown, words).await;
    }
}

#[tokio::test(start_paused = true)]
async fn what_says_nothing_is_no_answer() {
    let usage = r#""usage":{"prompt_tokens":15,"completion_tokens":9,"total_tokens":24,"cost":0.0000076}"#;
    let role = part(r#"{"role":"assistant","content":""}"#, "null");
    for choices in [
        "[]",
        "null",
        "[null]",
        "[{}]",
        "{}",
        "[{\"message\":null}]",
        "[{\"index\":0,\"message\":{\"content\":\"\"},\"finish_reason\":null}]",
    ] {
        assert_bad(
            &plain(
                "no answer",
                format!("{{\"id\":\"gen-1\",\"choices\":{choices},{usage}}}"),
            ),
            "",
            "",
        )
        .await;
        assert_bad(
            &stream("no answer", event(&format!("{{\"choices\":{choices},{usage}}}")) + DONE),
            "",
            "",
        )
        .await;
    }
    assert_bad(&plain("no choices", format!("{{\"id\":\"gen-1\",{usage}}}")), "", "").await;
    for word in ["stop", "STOP", "eos", "tool_calls", "brand_new", "null"] {
        let case = stream(
            "an empty answer",
            [role.clone(), part("{}", &format!("\"{word}\"")), DONE.into()].concat(),
        );
        assert_bad(&case, "", "").await;
    }
    let begun = role.replace("}\n", r#","usage":{"prompt_tokens":15,"completion_tokens":3}}"#) + "\n";
    assert_bad(
        &stream(
            "usage with an empty delta",
            begun + "\n" + &event(r#"{"error":{"message":"Engine overloaded","code":503}}"#),
        ),
        "",
        WORDS,
    )
    .await;
    assert_bad(
        &stream(
            "reasoning that says nothing",
            part(r#"{"reasoning":"","reasoning_details":[]}"#, "null") + DONE,
        ),
        "",
        "",
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_finish_that_is_none_ends_nothing() {
    let null = |text: &str| part(&format!("{{\"content\":\"{text}\"}}"), "\"null\"");
    for (case, shown) in [
        (
            stream(
                "finish \"null\", then cut",
                null("Hello") + &null(" world") + &null(" tor"),
            ),
            "Hello world tor",
        ),
        (
            stream(
                "a native error behind text",
                say("Hello") + &part(r#"{"content":""}"#, "\"stop\",\"native_finish_reason\":\"error\"") + DONE,
            ),
            "Hello",
        ),
        (
            stream(
                "a failed finish",
                say("Hello") + &part("{}", "\"insufficient_system_resource\"") + DONE,
            ),
            "Hello",
        ),
        (
            stream("an aborted finish", say("Hello") + &part("{}", "\"abort\"") + DONE),
            "Hello",
        ),
        (
            stream(
                "stop on each chunk, then cut",
                part(r#"{"content":"Hello"}"#, "\"stop\"") + &part(r#"{"content":" wor"}"#, "\"stop\""),
            ),
            "Hello wor",
        ),
        (
            stream(
                "a garbled chunk",
                say("Hello") + &event("{\"choices\":[{\"delta\":{\"content\":\" wo") + &say("rld") + &stop() + DONE,
            ),
            "Hello",
        ),
        (
            plain(
                "a choice that failed",
                answer(r#"{"content":"Hello wor"}"#, "").replace("\"stop\"", "\"error\""),
            ),
            "",
        ),
    ] {
        assert_bad(&case, shown, "").await;
    }
}
