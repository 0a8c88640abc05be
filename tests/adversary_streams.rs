//! Streams that break, or lie, in ways that look whole.

use std::time::Duration;

use crate::support::{
    Got, ask, call,
    raw::{Raw, Step, chunk, done, events, send},
};
use tower_openrouter::{FailureKind, layers::Phase};

async fn streamed(steps: Vec<Step>) -> Got {
    let raw = Raw::always([vec![events()], steps].concat()).await;
    call(&raw.alone(), true, ask()).await
}

/// Content after a finish takes the finish back: it is cut, not whole.
#[tokio::test(start_paused = true)]
async fn a_cut_after_content_that_follows_a_finish_is_a_cut() {
    let got = streamed(vec![chunk("Sky", "\"stop\""), chunk(" is bl", "null")]).await;
    assert_eq!(got.kind(), Some(FailureKind::Truncated), "{got:?}");
}

/// The wait for the usage is no timeout for content that continues.
#[tokio::test(start_paused = true)]
async fn content_that_continues_after_a_finish_is_not_cut_short() {
    let pause = Step::Wait(Duration::from_secs(4));
    let got = streamed(vec![
        chunk("Sky", "\"stop\""),
        pause.clone(),
        chunk(" is", "null"),
        pause.clone(),
        chunk(" bl", "null"),
        pause.clone(),
        chunk("ue", "null"),
        pause,
        chunk("", "\"stop\""),
        done(),
    ])
    .await;
    assert_eq!((got.text.as_str(), got.kind()), ("Sky is blue", None), "{got:?}");
}

/// An error of whatever shape in the middle is an error, though `[DONE]` follows.
#[tokio::test(start_paused = true)]
async fn an_error_in_any_shape_is_no_whole_answer() {
    for event in [
        r#"data: {"error":"overloaded"}"#,
        r#"data: {"error":true}"#,
        r#"data: {"error":503}"#,
        r#"data: {"error":["overloaded"]}"#,
        r#"data: {"error":[1]}"#,
        r#"data: {"choices":[{"index":0,"delta":{}},{"index":1,"error":{"code":502}}]}"#,
        r#"data: {"choices":[{"index":0,"delta":{"content":""},"finish_reason":"error"}]}"#,
        r#"data: {"type":"error","message":"overloaded"}"#,
        r#"data: {"object":"error","message":"overloaded","code":503}"#,
        r#"data: {"type":"response.failed","response":{"error":{"code":"server_error"}}}"#,
        "event: error\ndata: {\"message\":\"overloaded\"}",
        r#"data: {"err\u006fr":{"message":"overloaded"}}"#,
        "data: {\"choices\":[]",
        "data: <html>",
    ] {
        let got = streamed(vec![chunk("Sky", "null"), send(format!("{event}\n\n")), done()]).await;
        assert!(got.error.is_some(), "{event}: {got:?}");
        let first = streamed(vec![send(format!("{event}\n\n")), done()]).await;
        assert!(first.error.is_some(), "{event} first: {first:?}");
    }
}

/// What is no error must not be taken for one.
#[tokio::test(start_paused = true)]
async fn the_word_error_alone_is_no_error() {
    for extra in [
        r#""error":null"#,
        r#""error":false"#,
        r#""error":"""#,
        r#""error":0"#,
        r#""error":[]"#,
        r#""type":"message""#,
        r#""object":"chat.completion.chunk""#,
    ] {
        let event = format!("data: {{{extra},\"choices\":[{{\"index\":0,\"delta\":{{\"content\":\"Sky\"}}}}]}}\n\n");
        let got = streamed(vec![send(event), chunk("", "\"stop\""), done()]).await;
        assert_eq!((got.text.as_str(), got.kind()), ("Sky", None), "{extra}: {got:?}");
    }
}

/// Streams with everything but an answer.
#[tokio::test(start_paused = true)]
async fn a_stream_without_an_answer_is_empty() {
    for event in [
        r#"{"choices":[],"usage":{"prompt_tokens":9,"completion_tokens":0}}"#,
        r#"{"choices":[{"index":0,"delta":{"role":"assistant","content":null},"finish_reason":"stop"}]}"#,
        r#"{"choices":[{"index":0,"delta":{"content":"","tool_calls":[],"reasoning":""}}]}"#,
        r#"{"choices":null}"#,
        "{}",
    ] {
        for end in [done(), send(""), send(": bye\n\n")] {
            let got = streamed(vec![send(format!("data: {event}\n\n")), end]).await;
            assert_eq!(got.kind(), Some(FailureKind::EmptyResponse), "{event}: {got:?}");
        }
    }
}

/// Two choices: one of them ends, the other is cut.
#[tokio::test(start_paused = true)]
async fn one_choices_end_is_not_the_others() {
    let other = |text: &str, finish: &str| {
        send(format!(
            "data: {{\"choices\":[{{\"index\":1,\"delta\":{{\"content\":\"{text}\"}},\"finish_reason\":{finish}}}]}}\n\n"
        ))
    };
    let got = streamed(vec![chunk("Sky", "null"), other("Blu", "null"), chunk("", "\"stop\"")]).await;
    assert_eq!(got.kind(), Some(FailureKind::Truncated), "{got:?}");
    let got = streamed(vec![other("Blue", "\"stop\""), chunk("Sk", "null")]).await;
    assert_eq!(got.kind(), Some(FailureKind::Truncated), "{got:?}");
}

/// Nothing counts behind `[DONE]`, and nothing there keeps the stream open.
#[tokio::test(start_paused = true)]
async fn the_end_is_the_end() {
    for tail in [
        chunk(" NOT", "null"),
        send("data: {\"error\":{\"message\":\"late\"}}\n\n"),
        Step::Drip(b": alive\n\n".to_vec(), Duration::from_millis(5)),
        Step::Drip(b"data: {}\n\n".to_vec(), Duration::from_millis(5)),
        Step::Hang,
    ] {
        let got = streamed(vec![chunk("Sky", "\"stop\""), done(), tail.clone()]).await;
        assert_eq!((got.text.as_str(), got.kind()), ("Sky", None), "{tail:?}: {got:?}");
        assert!(got.took < Duration::from_secs(1), "{got:?}");
    }
}

/// Signs of life are no answer, however many there are; nor are chunks without content.
#[tokio::test(start_paused = true)]
async fn signs_of_life_do_not_stop_the_first_token_clock() {
    for alive in [
        ": OPENROUTER PROCESSING\n\n",
        "data: \n\n",
        "\n\n",
        "\u{feff}",
        ":",
        "data:",
    ] {
        let got = streamed(vec![Step::Drip(alive.into(), Duration::from_millis(700))]).await;
        assert_eq!(got.kind(), Some(FailureKind::Timeout(Phase::FirstToken)), "{alive:?}");
        assert_eq!(got.took, Duration::from_secs(40), "{alive:?}");
    }
    let preamble = b"data: {\"choices\":[{\"delta\":{\"role\":\"assistant\"}}]}\n\n";
    let got = streamed(vec![Step::Drip(preamble.to_vec(), Duration::from_millis(10))]).await;
    assert_eq!(got.kind(), Some(FailureKind::Timeout(Phase::FirstToken)), "{got:?}");
}

/// After the first token only the total is left against one who drips: it holds.
#[tokio::test(start_paused = true)]
async fn a_drip_after_the_first_token_ends_with_the_deadline() {
    for drip in [": alive\n\n", "\n\n", "d", "data: {\"choices\":[]}\n\n"] {
        let drip = Step::Drip(drip.into(), Duration::from_secs(7));
        let got = streamed(vec![chunk("Sky", "null"), drip.clone()]).await;
        assert!(matches!(got.kind(), Some(FailureKind::Timeout(_))), "{drip:?} {got:?}");
        assert!(got.took <= Duration::from_secs(180), "{drip:?} {got:?}");
    }
}
