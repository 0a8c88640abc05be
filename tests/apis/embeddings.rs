//! Embeddings: typed, rescued, cached, and read however they are written.

use std::sync::Arc;

use tower_openrouter::{
    ApiKey, Candidate, ChatServiceExt, EmbeddingRequest, FailureKind, Outcome, Stack,
    api::{Api, ApiRequest},
    layers::fallback::RequestedModel,
    transport::{Dialect, Upstream},
};

use crate::support::{
    FIRST, SECOND,
    ledger::Kept,
    mounted,
    raw::{Raw, head, json, send},
};

/// `[0.5, -1.0]` as base64 of little-endian floats.
const BASE64: &str = "AAAAPwAAgL8=";

fn answer(vectors: &str) -> String {
    format!(
        r#"{{"object":"list","model":"a/b","new":1,"data":[{vectors}],"usage":{{"prompt_tokens":3,"total_tokens":3,"cost":0.0001}}}}"#
    )
}

async fn read(vectors: &str, texts: &[&str]) -> tower_openrouter::api::EmbeddingResponse {
    let raw = Raw::always(vec![json(), send(answer(vectors))]).await;
    let request = EmbeddingRequest::new(FIRST, texts);
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
        let read = read(&vectors, &["one", "two"]).await;
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
    for broken in [r#""AAAA""#, "{}", "[1e999]"] {
        let read = read(&format!(r#"{{"index":0,"embedding":{broken}}}"#), &["one"]).await;
        assert_eq!(read.data[0].embedding.as_slice(), [0.0_f32; 0]);
        assert_eq!(read.data[0].extra.raw("embedding"), Some(broken), "{broken}");
    }
}

/// OpenAI's SDK for JavaScript asks for base64 unless its caller names a form, and decodes whatever comes.
#[tokio::test(start_paused = true)]
async fn a_caller_gets_the_form_of_vectors_that_it_asks_for_whatever_the_upstream_sends() {
    let with = |vector: &str| answer(&format!(r#"{{"index":0,"embedding": {vector},"new":1.0}}"#));
    let (numbers, text) = (with("[0.5,-1.0]"), with(&format!("\"{BASE64}\"")));
    for sent in [&numbers, &text] {
        let raw = Raw::always(vec![json(), send(sent.as_str())]).await;
        for (asked, got) in [
            (r#""encoding_format":"base64""#, &text),
            (r#""encoding_format":"float""#, &numbers),
            (r#""encoding_format":null"#, &numbers),
            (r#""user":"u""#, &numbers),
            // Base64 of other numbers, and a form that is not known.
            (r#""encoding_format":"base64","output_dtype":"int8""#, sent),
            (r#""encoding_format":"base64","embedding_type":"float""#, &text),
            (r#""encoding_format":"bytes""#, sent),
        ] {
            let body = format!(r#"{{"model":"{FIRST}","input":["one"],{asked}}}"#);
            let request = mounted::post("/v1/embeddings", body.clone());
            let (_, whole) = mounted::send(raw.alone().into_endpoints(), request).await;
            assert_eq!(&whole, got, "{asked}");
            let typed = ApiRequest::from_json(Api::Embeddings, body).unwrap();
            let typed = raw.alone().embed(typed.as_embedding().unwrap().clone()).await.unwrap();
            assert_eq!(typed.response.vectors().next(), Some([0.5, -1.0].as_slice()), "{asked}");
        }
    }
}

/// Voyage's usage is a total alone, and Jina's vectors of each token stand under another name.
#[tokio::test(start_paused = true)]
async fn usage_that_is_a_total_alone_and_vectors_of_tokens_are_an_answer() {
    let sent = r#"{"object":"list","model":"a/b","data":[{"index":0,"embeddings":[[0.5,-1.0],[0.25,1.0]]}],"usage":{"total_tokens":9}}"#;
    let raw = Raw::always(vec![json(), send(sent)]).await;
    let ledger = Kept::new();
    let stack = raw.builder().ledger(Arc::clone(&ledger) as _).build().unwrap();
    let text = "Why is the sky blue at noon, and why is it red then?";
    let answer = stack.embed(EmbeddingRequest::new(FIRST, [text])).await.unwrap();
    assert_eq!(
        answer.response.data[0].extra.raw("embeddings"),
        Some("[[0.5,-1.0],[0.25,1.0]]")
    );
    let usage = ledger.entries()[0].usage;
    assert_eq!((usage.prompt, usage.answer), (9, 0));
}

#[tokio::test(start_paused = true)]
async fn a_dead_model_is_rescued_if_that_is_allowed_and_a_bad_request_is_refused() {
    let raw = Raw::start(|request| {
        if request.contains(FIRST) {
            return vec![head("503 Service Unavailable", "text/plain")];
        }
        vec![json(), send(answer(r#"{"index":0,"embedding":[1]}"#))]
    })
    .await;
    let request = EmbeddingRequest::new(FIRST, ["one"]).dimensions(1).base64();
    let stack = raw.builder().chain([FIRST, SECOND]).fallback_for_embeddings(true);
    let answer = stack.build().unwrap().embed(request).await.unwrap();
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

const SMALL: &str = "openai/text-embedding-3-small";
const LARGE: &str = "openai/text-embedding-3-large";

/// An upstream whose small model is down.
async fn without_small() -> Raw {
    Raw::start(|request| {
        if request.contains(SMALL) {
            return vec![head("503 Service Unavailable", "text/plain")];
        }
        vec![json(), send(answer(r#"{"index":0,"embedding":[1]}"#))]
    })
    .await
}

/// Vectors of another model would be silently wrong beside the first one's.
#[tokio::test(start_paused = true)]
async fn another_model_gives_no_vectors_and_the_log_says_why() {
    let raw = without_small().await;
    for (requested, named) in [
        (RequestedModel::First, SMALL),
        // The chain's first model is the one that is meant.
        (RequestedModel::Ignored, "demo/other"),
        // Of none of the chain's models.
        (RequestedModel::First, "openai/text-embedding-3-small:nitro"),
    ] {
        let stack = raw.builder().chain([SMALL, LARGE]).requested_model(requested);
        let request = EmbeddingRequest::new(named, ["one"]);
        let error = stack.build().unwrap().embed(request).await.unwrap_err();
        assert_eq!(error.kind(), FailureKind::Overloaded, "{named}");
        let lines = error.attempts().unwrap().attempts();
        let skipped = lines.iter().find(|line| line.outcome == Outcome::Skipped).unwrap();
        assert_eq!(skipped.candidate.as_ref().unwrap().model(), LARGE);
        assert!(
            skipped.summary.as_deref().unwrap().contains("not comparable"),
            "{skipped:?}"
        );
    }
    assert!(!raw.seen().iter().any(|request| request.contains(LARGE)));
    // A chat may still move.
    let chat = tower_openrouter::ChatRequest::user("Hi").model(SMALL);
    let _error = raw
        .builder()
        .chain([SMALL, LARGE])
        .build()
        .unwrap()
        .complete(chat)
        .await;
    assert!(raw.seen().iter().any(|request| request.contains(LARGE)));
}

#[tokio::test(start_paused = true)]
async fn the_same_model_at_another_upstream_gives_the_vectors() {
    let (router, direct) = (without_small().await, without_small().await);
    let stack = Stack::builder()
        .upstream(router.upstream(), ApiKey::new("sk-s3cr3t").unwrap())
        .upstream(
            Upstream::new("openai", direct.url(), Dialect::OpenAi).unwrap(),
            ApiKey::new("sk-s3cr3t").unwrap(),
        )
        .attempts_per_candidate(1)
        .chain([
            Candidate::new("openrouter", SMALL).unwrap(),
            Candidate::new("openrouter", LARGE).unwrap(),
            Candidate::new("openai", "text-embedding-3-small").unwrap(),
        ])
        .build()
        .unwrap();
    let answer = stack.embed(EmbeddingRequest::new(SMALL, ["one"])).await.unwrap();
    let log = answer.attempts.unwrap();
    assert_eq!(log.answered_by().unwrap().upstream(), "openai");
    assert_eq!((router.seen().len(), direct.seen().len()), (1, 1));
}
