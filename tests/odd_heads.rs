//! Heads of answers that HTTP/1 does not quite allow: the answer is good and paid for, so it is taken, and not asked for again.

use tower_openrouter::ChatServiceExt;

use crate::support::{
    ask,
    raw::{Raw, send},
};

const ANSWER: &str = r#"{"id":"gen-1","choices":[{"message":{"role":"assistant","content":"Blue."},"finish_reason":"stop"}],"usage":{"prompt_tokens":5,"completion_tokens":2,"total_tokens":7}}"#;

/// A head with these lines in it, and the answer.
fn odd(lines: &[u8]) -> Vec<u8> {
    let mut bytes = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n".to_vec();
    bytes.extend_from_slice(lines);
    bytes.extend_from_slice(b"connection: close\r\n\r\n");
    bytes.extend_from_slice(ANSWER.as_bytes());
    bytes
}

#[tokio::test(start_paused = true)]
async fn a_good_answer_with_an_odd_head_is_requested_once() {
    let many: String = (0..200).map(|nth| format!("x-hop-{nth}: {nth}\r\n")).collect();
    let length = format!("content-length : {}\r\n", ANSWER.len());
    let heads: [&[u8]; 7] = [
        many.as_bytes(),
        b"x-note: one\r\n two\r\n\tthree\r\n",
        b"x note: one\r\n",
        b"x[note]: one\r\n",
        b"x-\xff: one\r\n",
        b"no colon\r\n",
        length.as_bytes(),
    ];
    for lines in heads {
        let what = lines.escape_ascii().to_string();
        let raw = Raw::always(vec![send(odd(lines))]).await;
        let answer = raw.pair().complete(ask()).await;
        let answer = answer.unwrap_or_else(|error| panic!("{what}: {error}"));
        assert_eq!(answer.response.text(), Some("Blue."), "{what}");
        assert_eq!(raw.seen().len(), 1, "{what}");
    }
}
