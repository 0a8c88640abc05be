//! Good answers in every form: under any header, in any encoding, with odd values in them.

use super::{assert_good, recorded::*};

const HELLO: &str = "Hello world";

#[tokio::test(start_paused = true)]
async fn the_bytes_say_what_a_body_is() {
    let whole = hello() + DONE;
    for kind in [
        "application/json",
        "text/plain; charset=utf-8",
        "application/octet-stream",
        "application/x-ndjson",
    ] {
        assert_good(
            &with_type("a stream under another type", true, kind, whole.clone()),
            HELLO,
            "\"cost\"",
        )
        .await;
        assert_good(
            &with_type("an answer under another type", false, kind, good_answer("")),
            HELLO,
            "\"cost\"",
        )
        .await;
    }
    let untyped = "HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n";
    let mut case = stream("a stream without a type", "");
    case.steps = vec![crate::support::raw::send(format!("{untyped}{whole}"))];
    assert_good(&case, HELLO, "\"cost\"").await;
    for (case, has) in [
        (
            with_type(
                "an answer under the type of a stream",
                false,
                "text/event-stream",
                good_answer(""),
            ),
            "\"cost\"",
        ),
        (
            with_type("a stream for a plain call", false, "text/event-stream", whole.clone()),
            "\"cost\"",
        ),
        (
            with_type("the same under JSON's type", false, "application/json", whole.clone()),
            "\"cost\"",
        ),
        (
            with_type(
                "blank lines before an answer",
                false,
                "application/json",
                format!("\n \n\n{}", good_answer("")),
            ),
            "\"cost\"",
        ),
        (
            with_type(
                "blank lines before a stream",
                true,
                "application/json",
                format!("\n\n\n{whole}"),
            ),
            "\"cost\"",
        ),
        (
            with_type("a comment first", true, "text/plain", format!(": hi\n\n{whole}")),
            "\"cost\"",
        ),
        (
            with_type("an answer for a stream", true, "application/json", good_answer("")),
            "delta",
        ),
        (
            plain("a byte order mark", format!("\u{feff}{}", good_answer(""))),
            "\"cost\"",
        ),
        (
            stream("a byte order mark before a stream", format!("\u{feff}{whole}")),
            "\"cost\"",
        ),
        (
            with_type(
                "a byte order mark, untyped stream",
                true,
                "text/plain",
                format!("\u{feff}{whole}"),
            ),
            "\"cost\"",
        ),
        (
            encoded("gzip", false, "200 OK", "gzip", &gzip(good_answer("").as_bytes())),
            "\"cost\"",
        ),
        (
            encoded("x-gzip", false, "200 OK", "x-gzip", &gzip(good_answer("").as_bytes())),
            "\"cost\"",
        ),
        (
            encoded(
                "deflate without zlib",
                false,
                "200 OK",
                "deflate",
                &deflate(good_answer("").as_bytes()),
            ),
            "\"cost\"",
        ),
        (
            encoded(
                "an encoding that was not used",
                false,
                "200 OK",
                "gzip",
                good_answer("").as_bytes(),
            ),
            "\"cost\"",
        ),
        (
            encoded(
                "gzip twice",
                false,
                "200 OK",
                "gzip, gzip",
                &gzip(&gzip(good_answer("").as_bytes())),
            ),
            "\"cost\"",
        ),
        (
            encoded(
                "gzip named twice",
                false,
                "200 OK",
                "gzip, gzip",
                &gzip(good_answer("").as_bytes()),
            ),
            "\"cost\"",
        ),
        (
            encoded(
                "deflate in gzip",
                false,
                "200 OK",
                "deflate, gzip",
                &gzip(&deflate(good_answer("").as_bytes())),
            ),
            "\"cost\"",
        ),
        (
            encoded("identity", false, "200 OK", "identity", good_answer("").as_bytes()),
            "\"cost\"",
        ),
        (
            encoded("a stream in gzip", true, "200 OK", "gzip", &gzip(whole.as_bytes())),
            "\"cost\"",
        ),
    ] {
        assert_good(&case, HELLO, has).await;
    }
}

#[tokio::test(start_paused = true)]
async fn all_readers_have_one_verdict() {
    let deep = |levels: usize| format!(",\"deep\":{}{}", "[".repeat(levels), "]".repeat(levels));
    for case in [
        plain("nested 200 levels deep", good_answer(&deep(200))),
        plain("nested 500 levels deep", good_answer(&deep(500))),
        plain("numbers past a float", good_answer(r#","x":[1e999,-1e999]"#)),
        plain(
            "infinities in log-probabilities",
            good_answer("").replace(
                "\"finish_reason\"",
                r#""logprobs":{"content":[{"token":"a","logprob":-Infinity,"x":NaN}]},"finish_reason""#,
            ),
        ),
        stream(
            "NaN in a chunk",
            (hello() + DONE).replace(
                "\"finish_reason\":null",
                "\"logprobs\":{\"content\":[{\"logprob\":NaN}]},\"finish_reason\":null",
            ),
        ),
        stream(
            "deep in a chunk",
            (hello() + DONE).replace("\"created\":1", &format!("\"created\":1{}", deep(300))),
        ),
        stream(
            "content twice: the last counts",
            [
                say("Hello"),
                part(r#"{"content":"x","content":" world"}"#, "null"),
                stop(),
                bill(),
                DONE.into(),
            ]
            .concat(),
        ),
    ] {
        assert_good(&case, HELLO, "").await;
    }
    let half = answer(r#"{"role":"assistant","content":"Hello world \ud83d"}"#, "");
    assert_good(&plain("half of a pair", half.clone()), "Hello world ", "\\ud83d").await;
    assert_good(
        &with_type("half of a pair for a stream", true, "application/json", half),
        "Hello world ",
        "delta",
    )
    .await;
    let halves = [
        say("Hello"),
        say(" world \\ud83d"),
        say("\\ude00"),
        stop(),
        bill(),
        DONE.into(),
    ]
    .concat();
    assert_good(
        &stream("one character as two halves", halves),
        "Hello world ",
        "\\ude00",
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_message_beside_a_delta_is_no_second_text() {
    let both = |message: &str, delta: &str, finish: &str| {
        event(&format!(
            r#"{{"id":"gen-1","model":"m","choices":[{{"index":0,"finish_reason":{finish},"message":{{"role":"assistant","content":"{message}"}},"delta":{{"role":"assistant","content":"{delta}"}}}}]}}"#
        ))
    };
    let full = event(&format!(
        r#"{{"id":"gen-1","choices":[{{"index":0,"message":{{"role":"assistant","content":"Hello world"}},"finish_reason":"stop"}}],"usage":{USAGE}}}"#
    ));
    for case in [
        stream(
            "the message so far beside each delta",
            [
                both("Hello", "Hello", "null"),
                both("Hello world", " world", "null"),
                both("Hello world", "", "\"stop\""),
                DONE.into(),
            ]
            .concat(),
        ),
        stream("only a message", format!("{full}{DONE}")),
    ] {
        assert_good(&case, HELLO, "").await;
    }
}

#[tokio::test(start_paused = true)]
async fn no_fixed_number_of_frames_comes_before_an_answer() {
    let empty = part(r#"{"role":"assistant","content":""}"#, "null");
    let ping = "event: ping\ndata: {\"type\":\"ping\"}\n\n";
    for (what, odd) in [
        ("empty deltas", empty.as_str()),
        ("pings", ping),
        ("objects", "data: {\"type\":\"ping\"}\n\n"),
    ] {
        assert_good(
            &stream(what, [odd.repeat(300), hello(), DONE.into()].concat()),
            HELLO,
            "",
        )
        .await;
    }
    let image = "A".repeat(9 << 20);
    let picture = part(
        &format!(r#"{{"content":"Hello world","images":[{{"type":"image_url","image_url":{{"url":"{image}"}}}}]}}"#),
        "null",
    );
    assert_good(&stream("a picture of 9 MiB", picture + &stop() + DONE), HELLO, "").await;
}

#[tokio::test(start_paused = true)]
async fn calls_and_thoughts_are_answers() {
    let call = part(
        r#"{"role":"assistant","content":null,"function_call":{"name":"f","arguments":"{}"}}"#,
        "null",
    );
    assert_good(
        &stream("a function call that stops", call + &stop() + DONE),
        "",
        "function_call",
    )
    .await;
    let pieces = [
        part(
            r#"{"content":null,"function_call":{"name":"f","arguments":""}}"#,
            "null",
        ),
        part(r#"{"function_call":{"arguments":"{\"x\""}}"#, "null"),
        part(r#"{"function_call":{"arguments":":1}"}}"#, "null"),
        part("{}", "\"function_call\""),
        DONE.to_owned(),
    ];
    assert_good(
        &stream("a function call in pieces", pieces.concat()),
        "",
        "function_call",
    )
    .await;
    for name in ["reasoning_text", "thinking", "reasoning_content"] {
        let thought =
            part(&format!(r#"{{"{name}":"I "}}"#), "null") + &part(&format!(r#"{{"{name}":"think"}}"#), "null");
        assert_good(
            &stream("reasoning under another name", thought + &hello() + DONE),
            HELLO,
            name,
        )
        .await;
    }
}

/// A member is the same member if its name is written with escapes.
#[tokio::test(start_paused = true)]
async fn names_with_escapes_are_read() {
    let escaped = |text: String| {
        text.replace("\"choices\"", "\"cho\\u0069ces\"")
            .replace("\"delta\"", "\"d\\u0065lta\"")
            .replace("\"content\"", "\"\\u0063ontent\"")
            .replace("\"finish_reason\"", "\"finish\\u005freason\"")
            .replace("\"usage\"", "\"us\\u0061ge\"")
            .replace("\"message\"", "\"m\\u0065ssage\"")
    };
    // The endpoint passes the bytes on; a client that unescapes them reads this.
    let case = stream("escaped names", escaped(hello()) + DONE);
    let raw = super::upstream(&case).await;
    let pair = super::stack(&raw)
        .chain([crate::support::FIRST, crate::support::SECOND])
        .build()
        .unwrap();
    for streamed in [true, false] {
        let got = crate::support::call(&pair, streamed, crate::support::ask()).await;
        assert_eq!(
            (got.text.as_str(), got.kind(), got.asked().len()),
            (HELLO, None, 1),
            "{got:?}"
        );
    }
    let reply = super::post(&pair, true).await;
    assert!(reply.is_complete() && reply.has("cho\\u0069ces"));
    let case = plain("an escaped answer", escaped(good_answer("")));
    let raw = super::upstream(&case).await;
    let pair = super::stack(&raw)
        .chain([crate::support::FIRST, crate::support::SECOND])
        .build()
        .unwrap();
    let got = crate::support::call(&pair, false, crate::support::ask()).await;
    assert_eq!(
        (got.text.as_str(), got.kind(), got.asked().len()),
        (HELLO, None, 1),
        "{got:?}"
    );
}

/// Pictures are larger than any text: the limit of an event is a setting, and what is over it names the setting.
#[tokio::test(start_paused = true)]
async fn a_large_event_passes_under_the_limit_that_is_set() {
    let image = "A".repeat(9 << 20);
    let picture = part(
        &format!(r#"{{"content":"Hello world","images":[{{"type":"image_url","image_url":{{"url":"{image}"}}}}]}}"#),
        "null",
    );
    let case = stream("a picture of 9 MiB", picture + &stop() + DONE);
    let raw = super::upstream(&case).await;
    for (limit, is_read) in [(8 << 20, false), (10 << 20, true)] {
        let stack = super::stack(&raw).max_event_bytes(limit).build().unwrap();
        let reply = super::post(&stack, true).await;
        assert_eq!(reply.is_complete(), is_read, "{limit}");
        assert_eq!(reply.body.len() > 9 << 20, is_read, "{limit}");
        assert_eq!(
            reply.has("max_event_bytes"),
            !is_read,
            "{limit}: {}",
            String::from_utf8_lossy(&reply.body[..reply.body.len().min(500)])
        );
    }
}
