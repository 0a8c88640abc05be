//! Request bodies that clients compress.

use std::io::Write;

use bytes::Bytes;
use flate2::{
    Compression,
    write::{DeflateEncoder, GzEncoder, ZlibEncoder},
};
use futures_util::future::BoxFuture;
use http::{Request, Response, StatusCode, header};
use http_body_util::{BodyExt, Full};
use tower::{ServiceExt, service_fn};
use tower_openrouter::{ApiKey, ApiRequest, ChatBody, ChatServiceExt, Error, Stack};

const ASK: &str = r#"{"model":"demo/model","messages":[{"role":"user","content":"Hi"}]}"#;
const ANSWER: &str = r#"{"choices":[{"index":0,"message":{"content":"Oslo."},"finish_reason":"stop"}]}"#;
const LARGEST: usize = 10_000;

/// The status, what may be used instead, and the body. The inner service answers if it gets what was sent.
async fn post(encodings: &[&str], body: Vec<u8>) -> (StatusCode, Option<String>, String) {
    let service = service_fn(
        |request: Request<ApiRequest>| -> BoxFuture<'static, Result<Response<ChatBody>, Error>> {
            assert!(
                request
                    .body()
                    .as_chat()
                    .unwrap()
                    .to_bytes()
                    .starts_with(b"{\"model\":\"demo/model\"")
            );
            assert!(request.headers().get(header::CONTENT_ENCODING).is_none());
            Box::pin(async { Ok(Response::new(ChatBody::from_plain(Full::from(ANSWER)))) })
        },
    );
    let endpoint = Stack::openrouter(ApiKey::new("sk-or-v1-s3cr3t").unwrap())
        .chain(["demo/model"])
        .build_over(service)
        .unwrap()
        .into_openai_endpoint()
        .max_body_bytes(LARGEST);
    let mut request = Request::post("/v1/chat/completions")
        .body(Full::new(Bytes::from(body)))
        .unwrap();
    for encoding in encodings {
        request
            .headers_mut()
            .append(header::CONTENT_ENCODING, encoding.parse().unwrap());
    }
    let (parts, body) = endpoint.oneshot(request).await.unwrap().into_parts();
    let accepted = parts
        .headers
        .get(header::ACCEPT_ENCODING)
        .map(|value| value.to_str().unwrap().to_owned());
    let text = String::from_utf8(body.collect().await.unwrap().to_bytes().into()).unwrap();
    (parts.status, accepted, text)
}

fn gzip(text: &str) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(text.as_bytes()).unwrap();
    encoder.finish().unwrap()
}

/// The text in two halves, each compressed by itself.
fn two_members(text: &str) -> Vec<u8> {
    let (start, end) = text.split_at(text.len() / 2);
    [gzip(start), gzip(end)].concat()
}

fn zlib(text: &str) -> Vec<u8> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(text.as_bytes()).unwrap();
    encoder.finish().unwrap()
}

fn deflate(text: &str) -> Vec<u8> {
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(text.as_bytes()).unwrap();
    encoder.finish().unwrap()
}

#[tokio::test(start_paused = true)]
async fn gzip_and_deflate_are_decoded() {
    for (encodings, body) in [
        (&["gzip"][..], gzip(ASK)),
        (&["GZIP"], gzip(ASK)),
        (&["x-gzip"], gzip(ASK)),
        (&["identity, gzip"], gzip(ASK)),
        (&["identity", "gzip"], gzip(ASK)),
        // Two members, one after another, are one body.
        (&["gzip"], two_members(ASK)),
        (&["deflate"], zlib(ASK)),
        (&["deflate"], deflate(ASK)),
        (&["identity"], ASK.into()),
        (&[""], ASK.into()),
        (&[], ASK.into()),
    ] {
        let (status, _, text) = post(encodings, body).await;
        assert_eq!((status, text.as_str()), (StatusCode::OK, ANSWER), "{encodings:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn other_encodings_are_refused_by_name() {
    for (encodings, name) in [
        (&["br"][..], "`br`"),
        (&["zstd"], "`zstd`"),
        (&["Compress"], "`compress`"),
        (&["gzip, br"], "`br`"),
        (&["gzip, gzip"], "`gzip, gzip`"),
        (&["gzip", "deflate"], "`deflate`"),
    ] {
        let (status, accepted, text) = post(encodings, gzip(ASK)).await;
        assert_eq!(status, StatusCode::UNSUPPORTED_MEDIA_TYPE, "{encodings:?}");
        assert_eq!(accepted.as_deref(), Some("gzip, deflate"));
        assert!(text.contains(name) && text.contains("unsupported_encoding"), "{text}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_limit_counts_what_comes_out() {
    let padded = |size: usize| format!("{}{}", ASK, " ".repeat(size - ASK.len()));
    let (status, _, text) = post(&["gzip"], gzip(&padded(LARGEST))).await;
    assert_eq!(status, StatusCode::OK, "{text}");
    for body in [gzip(&padded(LARGEST + 1)), gzip(&padded(50_000_000))] {
        let (status, _, text) = post(&["gzip"], body).await;
        assert_eq!(status, StatusCode::PAYLOAD_TOO_LARGE);
        assert!(text.contains("over 10000 bytes"), "{text}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_not_in_its_encoding_is_a_bad_request() {
    let whole = gzip(ASK);
    for (encoding, body) in [
        ("gzip", ASK.into()),
        ("gzip", Vec::new()),
        ("gzip", whole[..whole.len() / 2].to_vec()),
        ("deflate", ASK.into()),
    ] {
        let (status, _, text) = post(&[encoding], body).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{text}");
        assert!(text.contains(encoding), "{text}");
    }
}
