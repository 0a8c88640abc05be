//! Quirks of servers that speak chat after OpenAI: each answer is whole, with all its text, at the first attempt.

use super::{assert_good, recorded::*};

/// Seen of servers that speak chat after OpenAI, with the project of each.
#[tokio::test(start_paused = true)]
async fn quirks_of_other_servers_are_read() {
    let filter = r#""content_filter_results":{"hate":{"filtered":false,"severity":"safe"}},"content_filter_offsets":{"check_offset":5,"start_offset":5,"end_offset":9}"#;
    let annotation = event(&format!(
        r#"{{"id":"","object":"","created":0,"model":"","choices":[{{"index":0,"finish_reason":null,{filter}}}],"usage":null}}"#
    ));
    let unnumbered =
        |text: &str, finish: &str| part(&format!("{{\"content\":\"{text}\"}}"), finish).replace("\"index\":0,", "");
    for (what, body, has) in [
        // Azure with its asynchronous filter: choices without a delta, also behind the finish, under an empty id.
        (
            "annotations without a delta",
            [
                &annotation,
                &say("Hello"),
                &annotation,
                &say(" world"),
                &stop(),
                &annotation,
                &bill(),
                DONE,
            ]
            .concat(),
            "check_offset",
        ),
        // Cloudflare Workers AI: choices without an index.
        (
            "choices without an index",
            [
                &unnumbered("Hello", "null"),
                &unnumbered(" world", "\"stop\""),
                &bill(),
                DONE,
            ]
            .concat(),
            "cost",
        ),
        // Open WebUI over Ollama: the first chunk, which is blank, says that it is the last.
        (
            "a finish on a blank first chunk",
            [
                &part(
                    r#"{"role":"assistant","content":"","reasoning_content":""}"#,
                    "\"stop\"",
                ),
                &part(r#"{"reasoning_content":"hm"}"#, "null"),
                &hello(),
                DONE,
            ]
            .concat(),
            "cost",
        ),
        // gcli2api: each chunk of thought says that it is the last.
        (
            "a finish on each thought",
            [
                &part(r#"{"reasoning_content":"hm"}"#, "\"stop\""),
                &part(r#"{"reasoning_content":", so"}"#, "\"stop\""),
                &hello(),
                DONE,
            ]
            .concat(),
            "cost",
        ),
        // SenseNova: a finish of no characters on each chunk.
        (
            "a blank finish on each chunk",
            [
                &part(r#"{"reasoning_content":"hm"}"#, "\"\""),
                &part(r#"{"content":"Hello"}"#, "\"\""),
                &part(r#"{"content":" world"}"#, "\"\""),
                &stop(),
                &bill(),
                DONE,
            ]
            .concat(),
            "cost",
        ),
        // Gemini's OpenAI mode: a signature alone in a delta.
        (
            "a signature alone",
            [
                &say("Hello"),
                &say(" world"),
                &part(r#"{"extra_content":{"google":{"thought_signature":"c2ln"}}}"#, "null"),
                &stop(),
                &bill(),
                DONE,
            ]
            .concat(),
            "thought_signature",
        ),
        // vMLX: blank deltas beside a member of its own.
        (
            "blank deltas beside a note",
            [
                part("{}", "null")
                    .replace("\"choices\"", "\"tool_call_generating\":true,\"choices\"")
                    .repeat(50),
                hello(),
                DONE.into(),
            ]
            .concat(),
            "cost",
        ),
        // Mistral: the text is a list of parts, a piece of it in each chunk.
        (
            "pieces as parts",
            [
                &part(
                    r#"{"content":[{"type":"thinking","thinking":[{"type":"text","text":"hm"}]}]}"#,
                    "null",
                ),
                &part(r#"{"content":[{"type":"text","text":"Hello"}]}"#, "null"),
                &part(r#"{"content":[{"type":"text","text":" world"}]}"#, "null"),
                &stop(),
                &bill(),
                DONE,
            ]
            .concat(),
            "cost",
        ),
        // Groq: usage under a name of its own, in the chunk of the finish.
        (
            "usage within another member",
            [
                &say("Hello"),
                &say(" world"),
                &stop().replace(
                    "\"choices\"",
                    &format!("\"x_groq\":{{\"id\":\"r\",\"usage\":{USAGE}}},\"choices\""),
                ),
                DONE,
            ]
            .concat(),
            "cost",
        ),
    ] {
        assert_good(&stream(what, body), "Hello world", has).await;
    }
}
