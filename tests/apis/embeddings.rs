//! Embeddings: typed, rescued, cached, and read however they are written.

use tower_openrouter::{
    ChatServiceExt, EmbeddingRequest, FailureKind,
    api::{Api, ApiRequest},
};

use crate::support::{
    FIRST, SECOND,
    raw::{Raw, head, json, send},
};

/// `[0.5, -1.0]` as base64 of little-endian floats.
const BASE64: &str = "AAAAPwAAgL8=";

fn answer(vectors: &str) -> String {
    format!(
        r#"{{"object":"list","model":"a/b","new":1,"data":[{vectors}],"usage":{{"prompt_tokens":3,"total_tokens":3,"cost":0.0001}}}}"#
    )
}

async fn read(vectors: &str) -> tower_openrouter::api::EmbeddingResponse {
    let raw = Raw::always(vec![json(), send(answer(vectors))]).await;
    let request = EmbeddingRequest::new(FIRST, ["one", "two"]);
    raw.alone().embed(request).await.unwrap().response
}

#[tokio::test(start_paused = true)]
async fn vectors_are_read_as_numbers_and_as_base64_in_the_order_of_their_texts() {
    for vectors in [
        r#"{"object":"embedding","index":0,"embedding":[0.5,-1.0]},{"index":1,"embedding":[1e-1]}"#.to_owned(),
        r#"{"index":1,"embedding":[1e-1]},{"index":0,"embedding":[0.5,-1]}"#.to_owned(),
        r#"{"embedding":[0.5,-1]},{"embedding":[0.1]}"#.to_owned(),
        format!(r#"{{"index":0,"embedding":"{BASE64}"}},{{"index":1,"embedding":"zczMPQ"}}"#),
    ] {
        let read = read(&vectors).await;
        assert_eq!(
            read.vectors().collect::<Vec<_>>(),
            [&[0.5, -1.0][..], &[0.1]],
            "{vectors}"
        );
        let usage = read.usage.as_ref().unwrap();
        assert_eq!(usage.prompt_tokens, Some(3));
        assert_eq!((read.model.as_str(), read.extra.raw("new")), ("a/b", Some("1")));
    }
    // What is no vector is kept, and not taken for another one.
    for broken in [r#"[0.5,"x"]"#, r#""AAA=AA""#, r#""AAAA""#, "{}", "[1e999]"] {
        let read = read(&format!(r#"{{"index":0,"embedding":{broken}}}"#)).await;
        assert_eq!(read.data[0].embedding.as_slice(), [0.0_f32; 0]);
        assert_eq!(read.data[0].extra.raw("embedding"), Some(broken), "{broken}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_dead_model_is_rescued_and_a_bad_request_is_refused() {
    let raw = Raw::start(|request| {
        if request.contains(FIRST) {
            return vec![head("503 Service Unavailable", "text/plain")];
        }
        vec![json(), send(answer(r#"{"index":0,"embedding":[1]}"#))]
    })
    .await;
    let request = EmbeddingRequest::new(FIRST, ["one"]).dimensions(1).base64();
    let answer = raw.pair().embed(request).await.unwrap();
    assert_eq!(answer.attempts.unwrap().attempts().len(), 2);
    let seen = raw.seen();
    assert!(
        seen[1].ends_with(&format!(
            r#"{{"model":"{SECOND}","dimensions":1,"encoding_format":"base64","input":["one"]}}"#
        )),
        "{}",
        seen[1]
    );
    for (body, field) in [
        (r#"{"model":"a/b"}"#, "input"),
        (r#"{"model":"a/b","input":[]}"#, "input"),
        (r#"{"model":"a/b","input":{}}"#, "input"),
        (r#"{"model":1,"input":"x"}"#, "model"),
        (r#"{"model":"a/b","input":"x","dimensions":0}"#, "dimensions"),
        (r#"{"model":"a/b","input":"x","encoding_format":1}"#, "encoding_format"),
    ] {
        let error = ApiRequest::from_json(Api::Embeddings, body).unwrap_err();
        assert_eq!(error.field(), Some(field), "{body}");
    }
    let chat = ApiRequest::from(EmbeddingRequest::new(FIRST, ["one"]));
    assert_eq!(
        raw.pair().complete(chat).await.unwrap_err().kind(),
        FailureKind::BadRequest
    );
}
