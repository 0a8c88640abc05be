//! Errors beside which a server repeats the request: the words before it and behind it are read.

use tower_openrouter::FailureKind;

use crate::support::{
    ask, call,
    raw::{Raw, head, send},
};

const ERROR: &str = r#""error":{"message":"This model's maximum context length is 8192 tokens. However, you requested 90000 tokens.","type":"invalid_request_error","code":"context_length_exceeded"}"#;

#[tokio::test]
async fn the_words_beside_a_long_echo_of_the_request_are_read() {
    let text = "word ".repeat(200_000);
    let messages = r#"{"role":"user","content":"word"},"#.repeat(30_000);
    for body in [
        format!(r#"{{"input":"{text}",{ERROR}}}"#),
        format!(r#"{{"input":[{messages}0],{ERROR}}}"#),
        format!(r#"{{{ERROR},"input":"{text}"}}"#),
        format!(r#"{{{ERROR},"input":[{messages}0]}}"#),
    ] {
        let raw = Raw::always(vec![head("400 Bad Request", "application/json"), send(body.clone())]).await;
        let error = call(&raw.alone(), false, ask()).await.error.unwrap();
        let begin = body.get(..60).unwrap_or_default();
        assert!(
            error.message().contains("maximum context length"),
            "{begin}: {error:.300}"
        );
        assert_eq!(error.kind(), FailureKind::ContextLengthExceeded, "{begin}");
    }
}
