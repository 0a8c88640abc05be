//! Limits that one request exceeds by itself.

use std::time::Duration;

use tower_openrouter::{
    ApiKey, Candidate, FailureKind, Stack,
    layers::retry::Exponential,
    transport::{Dialect, Upstream},
};

use crate::support::{
    FIRST, SECOND, ask, call,
    raw::{Raw, Step, chunk, done, events, send},
};

fn error(status: &str, headers: &str, body: &str) -> Vec<Step> {
    let head = format!("HTTP/1.1 {status}\r\ncontent-type: application/json\r\n{headers}connection: close\r\n\r\n");
    vec![send(head), send(body)]
}

fn stack(raw: &Raw, dialect: Dialect, models: &[&str]) -> Stack {
    let upstream = Upstream::new("here", raw.url(), dialect).unwrap();
    let chain = models.iter().map(|model| Candidate::new("here", model).unwrap());
    Stack::builder()
        .upstream(upstream, ApiKey::new("sk-s3cr3t").unwrap())
        .backoff(Exponential::new(Duration::ZERO, Duration::ZERO))
        .chain(chain)
        .build()
        .unwrap()
}

const OF_GROQ: &str = r#"{"error":{"message":"Request too large for model `llama-3.3-70b-versatile` in organization `org_1` service tier `on_demand` on tokens per minute (TPM): Limit 6000, Requested 9000, please reduce your message size and try again.","type":"tokens","code":"rate_limit_exceeded"}}"#;
const OF_OPENAI: &str = r#"{"error":{"message":"Request too large for gpt-4o in organization org-1 on tokens per min (TPM): Limit 30,000, Requested 40,123. The input or output tokens must be reduced in order to run successfully.","type":"tokens","param":null,"code":"rate_limit_exceeded"}}"#;
const OF_A_PROVIDER: &str = r#"{"error":{"code":429,"message":"Provider returned error","metadata":{"provider_name":"Groq","raw":"{\"error\":{\"message\":\"Request too large on tokens per minute (TPM): Limit 6000, Requested 9000, please reduce\",\"code\":\"rate_limit_exceeded\"}}"}}}"#;
const WITHOUT_NUMBERS: &str =
    r#"{"error":{"message":"Request too large","type":"tokens","code":"rate_limit_exceeded"}}"#;

/// One caller's size says nothing of the upstream: nothing is repeated, and no other call is kept from it.
#[tokio::test(start_paused = true)]
async fn a_request_above_a_whole_limit_moves_on_and_pauses_no_candidate() {
    for (status, body) in [
        ("413 Payload Too Large", OF_GROQ),
        ("429 Too Many Requests", OF_OPENAI),
        ("429 Too Many Requests", OF_A_PROVIDER),
        ("413 Payload Too Large", WITHOUT_NUMBERS),
    ] {
        for dialect in [Dialect::OpenAi, Dialect::OpenRouter] {
            let raw = Raw::start(move |request| {
                if request.contains(FIRST) {
                    return error(status, "retry-after: 7\r\n", body);
                }
                vec![events(), chunk("Sky", "null"), chunk("", "\"stop\""), done()]
            })
            .await;
            let pair = stack(&raw, dialect, &[FIRST, SECOND]);
            let got = call(&pair, true, ask()).await;
            assert_eq!(got.kind(), None, "{status} {body}: {got:?}");
            assert_eq!(got.asked(), [FIRST, SECOND], "{status} {body}");
            let reports = pair.pauses().reports();
            assert!(reports.is_empty(), "{reports:?}");
            let alone = stack(&raw, dialect, &[FIRST]);
            for _ in 0..4 {
                let got = call(&alone, true, ask()).await;
                assert_eq!(got.kind(), Some(FailureKind::RejectedByProvider), "{body}");
                assert_eq!(got.asked().len(), 1, "{body}");
            }
        }
    }
    // A request that fits into the limit passes later.
    let fits = OF_GROQ.replace("Requested 9000", "Used 5999, Requested 9");
    let raw = Raw::start(move |_| error("429 Too Many Requests", "retry-after: 7\r\n", &fits)).await;
    let got = call(&stack(&raw, Dialect::OpenAi, &[FIRST, SECOND]), true, ask()).await;
    assert_eq!(got.kind(), Some(FailureKind::RateLimited));
}
