//! Limits that one request exceeds by itself, and the hints of errors: read wherever an upstream writes them.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

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

fn in_seconds(seconds: u64) -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    now + seconds
}

/// The hint of an error with these headers and this message, rounded up to seconds.
async fn hint(headers: &str, message: &str) -> Option<u64> {
    let body = format!(r#"{{"error":{{"message":"{message}","code":"rate_limit_exceeded"}}}}"#);
    hint_of(headers, &body).await
}

/// The same of an error with this body.
async fn hint_of(headers: &str, body: &str) -> Option<u64> {
    let (headers, body) = (headers.to_owned(), body.to_owned());
    let raw = Raw::start(move |_| error("429 Too Many Requests", &headers, &body)).await;
    let stack = Stack::builder()
        .upstream(raw.upstream(), ApiKey::new("sk-s3cr3t").unwrap())
        .chain([FIRST])
        .attempts_per_candidate(1);
    let got = call(&stack.build().unwrap(), true, ask()).await;
    let wait = got.error.unwrap().retry_after().filter(|wait| !wait.is_zero())?;
    Some(wait.as_millis().div_ceil(1000).try_into().unwrap())
}

#[tokio::test(start_paused = true)]
async fn the_hint_of_an_error_is_read_wherever_it_stands() {
    let soon = in_seconds(60);
    for (headers, message, expected) in [
        ("retry-after: 17\r\n".to_owned(), "no", Some(17..=17)),
        // An instant, not a length of 57 years.
        (format!("retry-after: {soon}\r\n"), "no", Some(50..=61)),
        (format!("x-ratelimit-reset: {soon}\r\n"), "no", Some(50..=61)),
        (format!("x-ratelimit-reset: {soon}000\r\n"), "no", Some(50..=61)),
        ("x-ratelimit-reset: 45\r\n".to_owned(), "no", Some(45..=45)),
        // What is over says nothing, and hides nothing.
        (
            "x-ratelimit-reset: 0\r\n".to_owned(),
            "Please try again in 20s.",
            Some(20..=20),
        ),
        (
            "retry-after: 0\r\nx-ratelimit-reset: 1000000000\r\n".to_owned(),
            "Please try again in 20s.",
            Some(20..=20),
        ),
        ("x-ratelimit-reset-requests: 6m0s\r\n".to_owned(), "no", Some(360..=360)),
        (
            "x-ratelimit-remaining-requests: 499\r\nx-ratelimit-reset-requests: 120ms\r\n\
             x-ratelimit-remaining-tokens: 0\r\nx-ratelimit-reset-tokens: 1m30s\r\n"
                .to_owned(),
            "no",
            Some(90..=90),
        ),
        (
            "anthropic-ratelimit-requests-remaining: 49\r\nanthropic-ratelimit-requests-reset: 2999-01-01T00:00:00Z\r\n\
             anthropic-ratelimit-tokens-remaining: 0\r\nanthropic-ratelimit-tokens-reset: 2999-01-01T00:00:00Z\r\n"
                .to_owned(),
            "no",
            Some(86_400..=86_400),
        ),
        (
            "x-ratelimit-remaining-requests: 499\r\nx-ratelimit-reset-requests: 120ms\r\n".to_owned(),
            "no",
            None,
        ),
        (
            r#"ratelimit: "minute";r=0;t=42, "day";r=5;t=3600"#.to_owned() + "\r\n",
            "no",
            Some(42..=42),
        ),
        ("retry-after: soon\r\n".to_owned(), "no", None),
        ("retry-after: 30 seconds\r\n".to_owned(), "no", Some(30..=30)),
        ("retry-after: 1 Minute\r\n".to_owned(), "no", Some(60..=60)),
        ("x-ratelimit-reset: 2 minutes\r\n".to_owned(), "no", Some(120..=120)),
    ] {
        let got = hint(&headers, message).await;
        assert_eq!(got.is_some(), expected.is_some(), "{headers} {message}: {got:?}");
        if let (Some(got), Some(expected)) = (got, expected) {
            assert!(expected.contains(&got), "{headers} {message}: {got}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn the_hint_of_an_error_is_read_under_its_many_names() {
    for (body, expected) in [
        (
            r#"{"error":{"message":"Rate limit exceeded","type":"rate_limit","retry_after_ms":9000}}"#,
            Some(9),
        ),
        (
            r#"{"statusCode":429,"error":"Too Many Requests","message":"Rate limit exceeded, retry later","retryAfter":9}"#,
            Some(9),
        ),
        (r#"{"error":{"message":"no","retryAfterMs":"1500"}}"#, Some(2)),
        (r#"{"error":{"message":"no","retry_after":"30 seconds"}}"#, Some(30)),
        (r#"{"error":{"message":"no","metadata":{"retryAfter":4}}}"#, Some(4)),
        (r#"{"error":{"message":"no","retryAfter":"soon"}}"#, None),
    ] {
        assert_eq!(hint_of("", body).await, expected, "{body}");
    }
}
