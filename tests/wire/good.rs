//! Good answers, however oddly written.

use super::{assert_good, recorded::*};

const HELLO: &str = "Hello world";

#[tokio::test(start_paused = true)]
async fn an_error_that_says_success_is_none() {
    let blank = r#","error":{"message":"","type":"","param":"","code":null}"#;
    let each = |text: &str, finish: &str| {
        part(&format!("{{\"content\":\"{text}\"}}"), finish).replace("}]}\n", &format!("}}]{blank}}}\n"))
    };
    for case in [
        plain("an empty error object", good_answer(blank)),
        plain("error: \"success\"", good_answer(r#","error":"success""#)),
        plain(
            "error: code 0",
            good_answer(r#","error":{"code":0,"message":"Success","request_id":"r-1"}"#),
        ),
        plain(
            "error: an empty list",
            good_answer(r#","error":[],"errors":[],"message":null"#),
        ),
        plain(
            "base_resp of a success",
            good_answer(r#","base_resp":{"status_code":0,"status_msg":"success"}"#),
        ),
        plain(
            "words beside an answer",
            good_answer(r#","message":"ok","code":200,"success":true,"status":"completed""#),
        ),
        stream(
            "an empty error object on each chunk",
            [each("Hello", "null"), each(" world", "\"stop\""), DONE.into()].concat(),
        ),
        stream(
            "an empty error object on the first chunk",
            [
                part(r#"{"role":"assistant","content":""}"#, "null").replace("}]}\n", &format!("}}]{blank}}}\n")),
                hello(),
                DONE.into(),
            ]
            .concat(),
        ),
        stream(
            "base_resp on each chunk",
            hello().replace("}]}\n", "}],\"base_resp\":{\"status_code\":0,\"status_msg\":\"\"}}\n") + DONE,
        ),
    ] {
        assert_good(&case, HELLO, "").await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_finish_is_read_for_its_meaning() {
    for word in [
        "STOP",
        "eos",
        "end_turn",
        "COMPLETE",
        "FinishReason.STOP",
        "max_tokens",
        "brand_new",
    ] {
        let end = part("{}", &format!("\"{word}\""));
        let case = chunked("another server's finish", &[say("Hello"), say(" world"), end].concat());
        assert_good(&case, HELLO, word).await;
    }
    let case = stream(
        "finish \"null\" as text on each chunk",
        [
            say("Hello").replace(":null}", ":\"null\"}"),
            say(" world").replace(":null}", ":\"null\"}"),
            stop(),
            DONE.into(),
        ]
        .concat(),
    );
    assert_good(&case, HELLO, "").await;
}

#[tokio::test(start_paused = true)]
async fn a_timeout_swallows_nothing() {
    let thought = part(r#"{"reasoning_content":"let me think"}"#, "\"stop\"");
    let text = part(r#"{"content":"Hello world"}"#, "\"stop\"");
    let running = |tokens: u32| format!(r#","usage":{{"prompt_tokens":15,"completion_tokens":{tokens}}}}}"#) + "\n";
    for (case, has) in [
        (
            paused(
                "stop on each chunk, six seconds of thought",
                [(0, thought), (6000, text + DONE)],
            ),
            "",
        ),
        (
            paused(
                "stop on each chunk, a pause in the text",
                [
                    (0, part(r#"{"content":"Hello"}"#, "\"stop\"")),
                    (7000, part(r#"{"content":" wor"}"#, "\"stop\"")),
                    (7000, part(r#"{"content":"ld"}"#, "\"stop\"") + DONE),
                ],
            ),
            "",
        ),
        (
            paused(
                "a finish that is taken back after six seconds",
                [
                    (0, say("Hello") + &stop()),
                    (6000, say(" world")),
                    (6000, stop() + DONE),
                ],
            ),
            "",
        ),
        (
            paused(
                "usage with the finish, the cost a second later",
                [
                    (0, say("Hello") + &say(" world") + &stop().replace("}\n", &running(9))),
                    (1000, bill() + DONE),
                ],
            ),
            "\"cost\"",
        ),
        (
            paused(
                "usage on each chunk, the cost a second later",
                [
                    (
                        0,
                        say("Hello").replace("}\n", &running(1))
                            + &say(" world").replace("}\n", &running(2))
                            + &stop().replace("}\n", &running(2)),
                    ),
                    (1000, bill() + DONE),
                ],
            ),
            "\"cost\"",
        ),
        (
            paused(
                "usage nine seconds behind the finish",
                [(0, say(HELLO) + &stop()), (9000, bill() + DONE)],
            ),
            "\"cost\"",
        ),
        (
            stream("usage behind the end", say(HELLO) + &stop() + DONE + &bill()),
            "\"cost\"",
        ),
        (
            paused(
                "usage behind the end, a little later",
                [(0, say(HELLO) + &stop() + DONE), (100, bill())],
            ),
            "\"cost\"",
        ),
    ] {
        assert_good(&case, HELLO, has).await;
    }
}

#[tokio::test(start_paused = true)]
async fn one_unreadable_event_does_not_end_the_stream() {
    let between = |odd: &str| [say("Hello"), odd.to_owned(), say(" world"), stop(), bill(), DONE.into()].concat();
    let behind = |odd: &str| [hello(), odd.to_owned(), DONE.into()].concat();
    for (what, odd) in [
        ("null", event("null")),
        ("a string", event("\"ping\"")),
        ("an empty list", event("[]")),
        ("a number", event("1")),
        ("an empty object", event("{}")),
        ("a ping with text", "event: ping\ndata: ping\n\n".to_owned()),
        (
            "a ping with an object",
            "event: ping\ndata: {\"type\":\"ping\"}\n\n".to_owned(),
        ),
        (
            "a heartbeat",
            "event: heartbeat\ndata: 2026-11-01T00:00:00Z\n\n".to_owned(),
        ),
        ("words", event("keep-alive")),
        ("an unknown line", "x-accel: 1\n\n".to_owned()),
    ] {
        assert_good(&stream(what, between(&odd)), HELLO, "\"cost\"").await;
        assert_good(&stream(what, behind(&odd)), HELLO, "\"cost\"").await;
    }
    for (what, odd) in [
        ("words behind the answer", event("stream closed")),
        (
            "words like an error behind the answer",
            event("connection closed: timeout"),
        ),
        ("garbage behind the answer", event("{\"id\":\"gen-1\",\"cho")),
        ("a page behind the answer", event("<html></html>")),
    ] {
        assert_good(&stream(what, behind(&odd)), HELLO, "\"cost\"").await;
    }
    for (what, end) in [
        ("two spaces before the end", "data:  [DONE]\n\n"),
        ("the end in quotes", "data: \"[DONE]\"\n\n"),
        ("blanks behind the end", "data: [DONE] \t\n\n"),
        ("the end in small letters", "data: [done]\n\n"),
    ] {
        assert_good(&stream(what, hello() + end), HELLO, "").await;
        assert_good(&stream(what, say("Hello") + &say(" world") + end), HELLO, "").await;
    }
    let listed = |json: String| json.replace("data: {", "data: [{").replace("}\n\n", "}]\n\n");
    assert_good(
        &stream("each chunk in a list", listed(hello()) + DONE),
        HELLO,
        "\"cost\"",
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn the_last_event_needs_no_blank_line() {
    let last = stop().replace("}\n\n", &format!(",\"usage\":{USAGE}}}\n"));
    let words = say("Hello") + &say(" world");
    let cut = |text: &str| text.trim_end().to_owned();
    for (case, has) in [
        (
            stream("one line end, then the close", format!("{words}{last}")),
            "\"cost\"",
        ),
        (
            measured("one line end, measured", &format!("{words}{last}")),
            "\"cost\"",
        ),
        (
            measured("no line end, measured", &cut(&format!("{words}{last}"))),
            "\"cost\"",
        ),
        (
            chunked("the usage without its blank line", &format!("{}\n", cut(&hello()))),
            "\"cost\"",
        ),
        (
            measured(
                "no finish, the end with one line end",
                &format!("{words}data: [DONE]\n"),
            ),
            "",
        ),
        (stream("the end without a line end", format!("{words}data: [DONE]")), ""),
        (
            stream("events parted by one line end", (hello() + DONE).replace("\n\n", "\n")),
            "\"cost\"",
        ),
        (
            chunked("the same without the end", &hello().replace("\n\n", "\n")),
            "\"cost\"",
        ),
        (
            stream("the same with CR LF", (hello() + DONE).replace("\n\n", "\r\n")),
            "\"cost\"",
        ),
        (
            chunked(
                "the only choice has index 1",
                &event(r#"{"choices":[{"index":1,"delta":{"content":"Hello world"},"finish_reason":"stop"}]}"#),
            ),
            "",
        ),
        (
            chunked(
                "content with the finish, and no end",
                &part(r#"{"content":"Hello world"}"#, "\"stop\""),
            ),
            "",
        ),
    ] {
        assert_good(&case, HELLO, has).await;
    }
}
