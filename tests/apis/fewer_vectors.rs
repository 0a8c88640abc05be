//! Answers of embeddings that lack a vector, or a number of one: another attempt gives them.

use std::sync::atomic::{AtomicUsize, Ordering};

use tower_openrouter::{ChatServiceExt, EmbeddingRequest, FailureKind};

use crate::support::{
    FIRST,
    raw::{Raw, json, send},
};

const TWO: &str = r#"{"index":0,"embedding":[0.5]},{"index":1,"embedding":[-1.0]}"#;

/// Answers the first request with these vectors, and each later one with two.
async fn upstream(first: &'static str) -> Raw {
    let turn = AtomicUsize::new(0);
    Raw::start(move |_| {
        let vectors = if turn.fetch_add(1, Ordering::Relaxed) == 0 {
            first
        } else {
            TWO
        };
        let body = format!(r#"{{"object":"list","model":"a/b","data":[{vectors}],"usage":{{"prompt_tokens":3}}}}"#);
        vec![json(), send(body)]
    })
    .await
}

#[tokio::test(start_paused = true)]
async fn fewer_vectors_than_inputs_are_no_answer() {
    for (first, kind) in [
        (r#"{"index":0,"embedding":[0.5]}"#, FailureKind::Malformed),
        (r#"{"index":1,"embedding":[0.5]}"#, FailureKind::Malformed),
        (r#"{"embedding":[[0.5],[0.25]]}"#, FailureKind::Malformed),
        (
            r#"{"embedding":[0.5,NaN]},{"embedding":[1]}"#,
            FailureKind::EmptyResponse,
        ),
        (
            r#"{"embedding":[0.5,"x"]},{"embedding":[1]}"#,
            FailureKind::EmptyResponse,
        ),
        (r#"{"embedding":"AAC!"},{"embedding":[1]}"#, FailureKind::EmptyResponse),
        (
            r#"{"embedding":"AAA=AA"},{"embedding":[1]}"#,
            FailureKind::EmptyResponse,
        ),
    ] {
        let request = || EmbeddingRequest::new(FIRST, ["one", "two"]);
        let failed = upstream(first).await.alone().embed(request()).await;
        assert_eq!(failed.err().map(|error| error.kind()), Some(kind), "{first}");
        let raw = upstream(first).await;
        let patient = raw.builder().attempts_per_candidate(2).build().unwrap();
        let answer = patient.embed(request()).await.unwrap().response;
        assert_eq!((answer.vectors().count(), raw.seen().len()), (2, 2), "{first}");
    }
}

#[tokio::test(start_paused = true)]
async fn as_many_vectors_as_inputs_are_an_answer() {
    const ONE: &str = r#"{"embedding":[0.5]}"#;
    for (input, first) in [
        (r#""one""#, ONE),
        (r#"["one"]"#, ONE),
        // The tokens of one text.
        ("[1,2,3]", ONE),
        ("[[1,2],[3]]", TWO),
        // More than that, and what is not counted.
        (r#"["one"]"#, TWO),
        (r#"["one","two"]"#, r#"{"embeddings":[[0.5],[0.25]]}"#),
        (r#"[{"text":"one"},{"image":"two"}]"#, ONE),
    ] {
        let request = EmbeddingRequest::from_json(format!(r#"{{"model":"{FIRST}","input":{input}}}"#)).unwrap();
        let answered = upstream(first).await.alone().embed(request).await;
        assert!(answered.is_ok(), "{input} {first}: {:?}", answered.err());
    }
}
