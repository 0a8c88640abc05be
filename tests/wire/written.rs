//! Good answers that are written otherwise than the standards have it: outside of events, over several lines, wrapped, in other bytes.

use super::{assert_good, recorded::*};

const HELLO: &str = "Hello world";

/// The chunks of a stream without `data:`, each followed by this.
fn bare(text: &str, end: &str) -> String {
    let chunks = text.split("\n\n").filter_map(|event| event.strip_prefix("data: "));
    chunks.map(|chunk| format!("{chunk}{end}")).collect()
}

/// Each chunk over several lines, as pretty printers have it.
fn pretty(text: &str) -> Vec<String> {
    let chunks = text.split("\n\n").filter_map(|event| event.strip_prefix("data: "));
    let pretty = chunks.map(|chunk| {
        let value: serde_json::Value = serde_json::from_str(chunk).unwrap();
        serde_json::to_string_pretty(&value).unwrap()
    });
    pretty.collect()
}

#[tokio::test(start_paused = true)]
async fn documents_without_events_are_read() {
    let lines = bare(&hello(), "\n");
    for (what, kind, body) in [
        ("NDJSON", "application/x-ndjson", lines.clone()),
        ("NDJSON as a stream of events", "text/event-stream", lines.clone()),
        ("NDJSON as JSON", "application/json", lines.clone()),
        ("NDJSON with an end", "text/plain", lines.clone() + DONE),
        ("NDJSON with a bare end", "text/plain", lines.clone() + "[DONE]\n"),
        ("NDJSON with blank lines", "text/plain", lines.replace('\n', "\n\n")),
        (
            "one list",
            "application/json",
            format!("[{}]", lines.trim_end().replace('\n', ",")),
        ),
        (
            "a list that comes line by line",
            "application/json",
            format!("[{}\n]", lines.trim_end().replace('\n', ",\n")),
        ),
        (
            "objects over several lines",
            "text/event-stream",
            pretty(&hello()).join("\n\n") + "\n",
        ),
        ("glued objects", "text/event-stream", bare(&hello(), "")),
    ] {
        assert_good(&with_type(what, true, kind, body), HELLO, "\"cost\"").await;
    }
    for body in [
        format!(": hi\n\n: hi\n\n{}", good_answer("")),
        format!(": hi\n\n{}", pretty(&event(&good_answer("")))[0]),
    ] {
        for (kind, streamed) in [("application/json", false), ("text/event-stream", true)] {
            let case = with_type("comments, then one answer", streamed, kind, body.clone());
            assert_good(&case, HELLO, "\"cost\"").await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn events_with_odd_fields_are_read() {
    let whole = hello() + DONE;
    let all_lines = pretty(&hello())
        .iter()
        .map(|chunk| format!("data: {}\n\n", chunk.replace('\n', "\ndata: ")))
        .collect::<String>();
    let quoted = |text: &str| serde_json::to_string(text).unwrap();
    let strings = hello()
        .split("\n\n")
        .filter_map(|chunk| chunk.strip_prefix("data: "))
        .map(|chunk| event(&quoted(chunk)))
        .collect::<String>();
    for (what, body) in [
        ("blanks first", format!("   {whole}")),
        ("a blank before each field", whole.replace("data:", " data:")),
        ("capitals", whole.replace("data:", "Data:")),
        ("a blank before the colon", whole.replace("data:", "data :")),
        ("data: twice", whole.replace("data: ", "data: data: ")),
        ("a byte order mark in each", whole.replace("data: {", "data: \u{feff}{")),
        ("data: on each of several lines", all_lines + DONE),
        ("objects as JSON strings", strings + DONE),
        ("two events on one line", whole.replacen("\n\n", "", 1)),
        ("two objects in one event", whole.replacen("\n\ndata: ", "", 1)),
        (
            "one LF and a name before each",
            whole.replace("\n\n", "\n").replace("data:", "event: message\ndata:"),
        ),
    ] {
        assert_good(&stream(what, body), HELLO, "cost").await;
    }
    for end in [
        "[DONE]\n\n",
        "data: DONE\n\n",
        "data: [ DONE ]\n\n",
        "data: [DONE];\n\n",
        "data: [DONE]\\n\\n\n\n",
        "data: [DONE]\0\n\n",
        "data: data: [DONE]\n\n",
        "event: done\ndata: {}\n\n",
        "event: end\ndata:\n\n",
    ] {
        assert_good(&stream(end, hello() + end), HELLO, "\"cost\"").await;
        assert_good(&stream(end, say("Hello") + &say(" world") + end), HELLO, "").await;
    }
    for alive in [
        "data: [HEARTBEAT]\n\n",
        "data: {\"progress\":0.5,\"detail\":\"loading the model\"}\n\n",
        "data: {\"choices\":[],\"queue\":{\"position\":3,\"message\":\"waiting\"}}\n\n",
        "data: {\"warnings\":[{\"message\":\"deprecated\"}]}\n\n",
    ] {
        let body = [
            alive,
            &say("Hello"),
            alive,
            &say(" world"),
            &stop(),
            alive,
            &bill(),
            alive,
            DONE,
        ]
        .concat();
        assert_good(&stream(alive, body), HELLO, "\"cost\"").await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_plain_answer_is_found_in_what_is_around_it() {
    let answer = good_answer("");
    for (what, body) in [
        ("a list of one", format!("[{answer}]")),
        ("an end behind it", format!("{answer}\n\ndata: [DONE]\n\n")),
        ("NUL behind it", format!("{answer}\0")),
        ("a comma behind it", format!("{answer},\n")),
        ("itself once more", format!("{answer}\n{answer}")),
        (
            "a raw tab in another field",
            answer.replace("\"model\":\"m\"", "\"model\":\"m\t\""),
        ),
        (
            "a delta in the place of the message",
            answer
                .replace("\"message\"", "\"delta\"")
                .replace("chat.completion", "chat.completion.chunk"),
        ),
    ] {
        assert_good(
            &measured_as("application/json", what, body.as_bytes()),
            HELLO,
            "\"cost\"",
        )
        .await;
    }
    let latin = [answer.replace("\"m\"", "\"m@\"").into_bytes()].concat();
    let latin: Vec<u8> = latin
        .iter()
        .map(|byte| if *byte == b'@' { 0xE9 } else { *byte })
        .collect();
    assert_good(&plain("Latin-1 in another field", latin), HELLO, "\"cost\"").await;
    let body: Vec<u8> = (hello() + DONE).replace("gen-1", "gen-@").into_bytes();
    let body: Vec<u8> = body
        .iter()
        .map(|byte| if *byte == b'@' { 0xFF } else { *byte })
        .collect();
    assert_good(&stream("bytes that are no UTF-8", body), HELLO, "\"cost\"").await;
    // The framing is broken, the document is whole.
    let long = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{answer}",
        answer.len() + 10
    );
    let open = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n{:x}\r\n{answer}\r\n",
        answer.len()
    );
    for head in [long, open] {
        let mut case = plain("a broken frame around a whole answer", "");
        case.steps = vec![crate::support::raw::send(head)];
        assert_good(&case, HELLO, "\"cost\"").await;
    }
}

#[tokio::test(start_paused = true)]
async fn an_encoding_is_what_the_bytes_say() {
    let answer = good_answer("");
    let whole = hello() + DONE;
    for encoding in ["br", "zstd", "application/json", "chunked", "identity, none"] {
        let case = encoded(
            "an encoding that was not used",
            false,
            "200 OK",
            encoding,
            answer.as_bytes(),
        );
        assert_good(&case, HELLO, "\"cost\"").await;
        let case = encoded("a stream in none", true, "200 OK", encoding, whole.as_bytes());
        assert_good(&case, HELLO, "\"cost\"").await;
    }
    let zipped = encoded(
        "gzip, identity",
        false,
        "200 OK",
        "gzip, identity",
        &gzip(answer.as_bytes()),
    );
    assert_good(&zipped, HELLO, "\"cost\"").await;
    for (streamed, body) in [(false, gzip(answer.as_bytes())), (true, gzip(whole.as_bytes()))] {
        let kind = if streamed {
            "text/event-stream"
        } else {
            "application/json"
        };
        let mut case = measured_as(kind, "gzip that nothing names", &body);
        case.streamed = streamed;
        assert_good(&case, HELLO, "\"cost\"").await;
    }
    let words = encoded(
        "words that are in no encoding",
        false,
        "503 Service Unavailable",
        "br",
        b"no healthy upstream",
    );
    super::assert_bad(&words, "", "no healthy upstream").await;
    let error = gzip(br#"{"error":{"message":"Engine overloaded"}}"#);
    let case = status("a gzip error that nothing names", "500 Internal Server Error", error);
    super::assert_bad(&case, "", "Engine overloaded").await;
}

#[tokio::test(start_paused = true)]
async fn messages_in_the_place_of_deltas_are_shown_once_and_whole() {
    let message = |content: &str, finish: &str| {
        event(&format!(
            r#"{{"id":"gen-1","choices":[{{"index":0,"message":{{"role":"assistant","content":"{content}"}},"finish_reason":{finish}}}]}}"#
        ))
    };
    let beside = |content: &str, finish: &str| {
        message(content, finish).replace("\"message\"", "\"delta\":{\"content\":\"\"},\"message\"")
    };
    let null = event(r#"{"choices":[{"index":0,"message":null,"finish_reason":"stop"}]}"#);
    let thought = part(r#"{"reasoning":"hm"}"#, "null");
    for (what, body) in [
        (
            "the answer so far",
            [
                message("Hello", "null"),
                message(HELLO, "null"),
                message(HELLO, "\"stop\""),
            ]
            .concat(),
        ),
        (
            "the same beside empty deltas",
            [
                beside("Hello", "null"),
                beside(HELLO, "null"),
                beside(HELLO, "\"stop\""),
            ]
            .concat(),
        ),
        (
            "pieces",
            [
                message("Hello", "null"),
                message(" world", "null"),
                message("", "\"stop\""),
            ]
            .concat(),
        ),
        (
            "pieces, and null at the end",
            [message("Hello", "null"), message(" world", "null"), null].concat(),
        ),
        ("a message behind reasoning", thought + &message(HELLO, "\"stop\"")),
        (
            "all of it behind the deltas",
            say("Hello") + &say(" world") + &message(HELLO, "\"stop\""),
        ),
    ] {
        assert_good(&stream(what, body + &bill() + DONE), HELLO, "\"cost\"").await;
    }
    // A client looks for a delta in each chunk.
    let body = say("Hello") + &say(" world") + &message(HELLO, "\"stop\"") + DONE;
    let case = stream("a delta in each chunk", body);
    let raw = super::upstream(&case).await;
    let reply = super::post(&super::stack(&raw).build().unwrap(), true).await;
    assert!(!reply.has("\"message\""), "{}", String::from_utf8_lossy(&reply.body));
}

#[tokio::test(start_paused = true)]
async fn a_finish_is_read_in_whatever_type_it_is() {
    for finish in [
        "1",
        "true",
        "{\"type\":\"stop\",\"matched\":128009}",
        "{\"type\":\"length\"}",
    ] {
        let body = [say("Hello"), say(" world"), part("{}", finish)].concat();
        assert_good(&chunked("a finish that is no word", &body), HELLO, "").await;
    }
    for nothing in ["0", "false", "[]", "{}"] {
        let body = [say("Hello"), part(r#"{"content":" wor"}"#, nothing)].concat();
        super::assert_bad(&chunked("a finish that is none", &body), "Hello wor", "").await;
    }
    for fine in [
        r#""error":{"code":20000,"message":"success"}"#,
        r#""error":{"message":"请求成功","code":0}"#,
    ] {
        assert_good(
            &plain("an error that says success", good_answer(&format!(",{fine}"))),
            HELLO,
            "\"cost\"",
        )
        .await;
    }
}
