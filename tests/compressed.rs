//! Answers that came compressed, with more behind them, and errors in an encoding that is not read.

use std::io::Write;

use flate2::{
    Compression,
    write::{GzEncoder, ZlibEncoder},
};

use tower_openrouter::FailureKind;

use crate::support::{
    ask, call,
    raw::{Raw, json, send},
};

const PLAIN: &str = r#"{"id":"gen-1","choices":[{"index":0,"message":{"role":"assistant","content":"Sky"},"finish_reason":"stop"}],"usage":{"prompt_tokens":9,"completion_tokens":1}}"#;
const STREAM: &str = "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"Sky\"},\"finish_reason\":null}]}\n\ndata: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n";

/// `{"error":{"message":"Rate limit reached for requests",…}}` in brotli.
const BROTLI: &[u8] =
    b"\x1be\x00\xe0\x8c\xd3\x15\xf3#\x84u\x8f\xc8m\xa9_\x8c\x862d\xfbl1\x08\xa6\x0eK\x9fNn~\xc0\x83\xd1\xe1\x81d\xf7\xbc-\x93<eI)\x8cBy}\x7f\x86\xe1\x13.\xd6\xbe9t\xfc\xcfI\xad\x1ci\xea\x83\xb2\xcf(\x87\xda\x95\xd7\xc9 \x1e";

fn gzip(text: &str) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(text.as_bytes()).unwrap();
    encoder.finish().unwrap()
}

fn zlib(text: &str) -> Vec<u8> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(text.as_bytes()).unwrap();
    encoder.finish().unwrap()
}

/// gzip(1), curl and browsers ignore what stands behind a compressed body: padding, or a line end of a template. The answer before it is whole.
#[tokio::test(start_paused = true)]
async fn bytes_behind_a_compressed_answer_do_not_undo_it() {
    let mut wrong = Vec::new();
    for (streamed, kind, text) in [(false, "application/json", PLAIN), (true, "text/event-stream", STREAM)] {
        for (encoding, mut body, behind) in [
            ("gzip", gzip(text), &[0_u8; 32][..]),
            ("gzip", gzip(text), &b"\n"[..]),
            ("deflate", zlib(text), &b"\n"[..]),
            ("deflate", zlib(text), &[0_u8; 32][..]),
        ] {
            body.extend_from_slice(behind);
            let head = format!(
                "HTTP/1.1 200 OK\r\ncontent-type: {kind}\r\ncontent-encoding: {encoding}\r\ncontent-length: {}\r\n\r\n",
                body.len()
            );
            let raw = Raw::always(vec![send(head), send(body)]).await;
            let got = call(&raw.alone(), streamed, ask()).await;
            if (got.text.as_str(), got.kind(), raw.seen().len()) != ("Sky", None, 1) {
                wrong.push(format!(
                    "{encoding}, {behind:?} behind, streamed {streamed}: {:?}",
                    got.error
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// Without the header an upstream may use any encoding.
#[tokio::test(start_paused = true)]
async fn an_upstream_gets_the_encodings_that_are_read() {
    let raw = Raw::always(vec![json(), send(PLAIN)]).await;
    let got = call(&raw.alone(), false, ask()).await;
    assert_eq!(got.kind(), None, "{got:?}");
    let seen = raw.seen();
    let head = seen[0].to_ascii_lowercase();
    assert!(head.contains("\r\naccept-encoding: gzip, deflate\r\n"), "{head}");
}

#[tokio::test(start_paused = true)]
async fn an_error_in_an_encoding_that_is_not_read_is_named_and_not_shown() {
    for (status, kind) in [
        ("429 Too Many Requests", FailureKind::RateLimited),
        ("400 Bad Request", FailureKind::RejectedByProvider),
    ] {
        for encoding in ["br", "zstd", "gzip, br"] {
            let head = format!(
                "HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-encoding: {encoding}\r\ncontent-length: {}\r\n\r\n",
                BROTLI.len()
            );
            let raw = Raw::always(vec![send(head), send(BROTLI)]).await;
            let error = call(&raw.alone(), false, ask()).await.error.unwrap();
            assert_eq!(error.kind(), kind, "{status} {encoding}");
            let message = error.message();
            assert!(
                message.contains("content encoding") && message.is_ascii(),
                "{status} {encoding}: {message}"
            );
        }
    }
}
