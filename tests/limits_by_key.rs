//! Rate limits that count by key: the key rests for the candidate or its pool, and the next one is used.

use std::time::Duration;

use tokio::time::sleep;
use tower_openrouter::{
    ApiKey, Candidate, FailureKind, KeyPool, Stack,
    layers::{auth::KeyState, retry::Exponential},
    transport::{Dialect, Upstream},
};

use crate::support::{
    ask, call,
    raw::{Raw, Step, chunk, done, events, send},
};

const S: Duration = Duration::from_secs(1);
const MODEL: &str = "gpt-5";
const OTHER: &str = "o4-mini";

fn good() -> Vec<Step> {
    vec![events(), chunk("Sky", "null"), chunk("", "\"stop\""), done()]
}

/// A 429 with these headers and this error.
fn limited(headers: &str, error: &str) -> Vec<Step> {
    let head = format!(
        "HTTP/1.1 429 Too Many Requests\r\ncontent-type: application/json\r\n{headers}connection: close\r\n\r\n"
    );
    vec![send(head), send(format!("{{\"error\":{error}}}"))]
}

const OF_OPENAI: &str = r#"{"message":"Rate limit reached for gpt-5 on requests per min (RPM): Limit 3, Used 3, Requested 1.","type":"requests","param":null,"code":"rate_limit_exceeded"}"#;
const OF_A_PROVIDER: &str =
    r#"{"code":429,"message":"Provider returned error","metadata":{"provider_name":"Chutes","raw":"slow down"}}"#;
const OF_A_FREE_MINUTE: &str = r#"{"code":429,"message":"Rate limit exceeded: free-models-per-min. "}"#;

fn pool() -> KeyPool {
    KeyPool::new(["sk-aaaa", "sk-bbbb"].map(|key| ApiKey::new(key).unwrap())).unwrap()
}

fn stack(raw: &Raw, dialect: Dialect, pool: &KeyPool, models: &[&str]) -> Stack {
    let upstream = Upstream::new("here", raw.url(), dialect).unwrap();
    let chain = models.iter().map(|model| Candidate::new("here", model).unwrap());
    Stack::builder()
        .upstream(upstream, pool.clone())
        .backoff(Exponential::new(Duration::ZERO, Duration::ZERO))
        .chain(chain)
        .build()
        .unwrap()
}

fn with_key(raw: &Raw, key: &str) -> usize {
    raw.seen().iter().filter(|request| request.contains(key)).count()
}

#[tokio::test(start_paused = true)]
async fn at_a_direct_upstream_the_next_key_answers_and_the_limited_one_rests_for_the_candidate() {
    for headers in ["", "retry-after: 20\r\n"] {
        let raw = Raw::start(move |request| {
            if request.contains("sk-aaaa") && !request.contains(OTHER) {
                return limited(headers, OF_OPENAI);
            }
            good()
        })
        .await;
        let pool = pool();
        let direct = stack(&raw, Dialect::OpenAi, &pool, &[MODEL]);
        let first = call(&direct, true, ask()).await;
        assert_eq!((first.kind(), first.lines.len()), (None, 2), "{first:?}");
        assert!(first.took < S, "no wait for the hint");
        assert!(direct.pauses().reports().is_empty(), "{:?}", direct.pauses().reports());
        for _ in 0..3 {
            let got = call(&direct, true, ask()).await;
            assert_eq!(got.lines.len(), 1, "the limited key rests: {got:?}");
        }
        assert_eq!((with_key(&raw, "sk-aaaa"), with_key(&raw, "sk-bbbb")), (1, 4));
        assert_eq!(pool.states(), [KeyState::Usable; 2], "for other models");
        let other = stack(&raw, Dialect::OpenAi, &pool, &[OTHER]);
        for _ in 0..2 {
            assert_eq!(call(&other, true, ask()).await.lines.len(), 1);
        }
        assert_eq!(with_key(&raw, "sk-aaaa"), 2, "it serves another model");
        // At the hint, or for a probe after a minute, it is used again.
        sleep(61 * S).await;
        for _ in 0..2 {
            assert_eq!(call(&direct, true, ask()).await.kind(), None);
        }
        assert_eq!(with_key(&raw, "sk-aaaa"), 3);
    }
}

#[tokio::test(start_paused = true)]
async fn the_candidate_is_paused_only_if_every_key_rests() {
    let raw = Raw::start(|request| {
        if request.contains(OTHER) {
            return good();
        }
        limited("retry-after: 30\r\n", OF_OPENAI)
    })
    .await;
    let pool = pool();
    let stack = stack(&raw, Dialect::OpenAi, &pool, &[MODEL, OTHER]);
    let got = call(&stack, true, ask()).await;
    assert_eq!(got.kind(), None, "another model at the same upstream answers: {got:?}");
    assert_eq!(got.asked(), [MODEL, MODEL, OTHER]);
    let paused: Vec<_> = stack.pauses().reports();
    assert_eq!(paused.len(), 1, "{paused:?}");
    assert_eq!(
        (paused[0].candidate.model(), paused[0].kind),
        (MODEL, FailureKind::RateLimited)
    );
    assert_eq!(call(&stack, true, ask()).await.asked(), [OTHER]);
}

#[tokio::test(start_paused = true)]
async fn a_minute_of_free_models_is_one_accounts_and_a_providers_limit_is_no_keys() {
    let free = "deepseek/deepseek-r1:free";
    for (error, rests) in [(OF_A_FREE_MINUTE, true), (OF_A_PROVIDER, false)] {
        let raw = Raw::start(move |request| {
            if request.contains("sk-aaaa") {
                return limited("", error);
            }
            good()
        })
        .await;
        let router = stack(&raw, Dialect::OpenRouter, &pool(), &[free]);
        let got = call(&router, true, ask()).await;
        assert_eq!((got.kind(), got.lines.len()), (None, 2), "{got:?}");
        let before = with_key(&raw, "sk-aaaa");
        for _ in 0..2 {
            assert_eq!(call(&router, true, ask()).await.kind(), None);
        }
        assert_eq!(with_key(&raw, "sk-aaaa") == before, rests, "{error}");
    }
}

/// A success that says that nothing is left speaks of the key that was used: the other keys serve the candidate without a wait.
#[tokio::test(start_paused = true)]
async fn what_a_success_says_is_left_paces_its_key_and_not_the_candidate() {
    for keys in [2, 1] {
        let raw = Raw::start(|request| {
            let spent = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nx-ratelimit-remaining-requests: 0\r\n\
                         x-ratelimit-reset-requests: 6m0s\r\nconnection: close\r\n\r\n";
            let head = if request.contains("sk-aaaa") {
                send(spent)
            } else {
                events()
            };
            vec![head, chunk("Sky", "null"), chunk("", "\"stop\""), done()]
        })
        .await;
        let keys = ["sk-aaaa", "sk-bbbb"][..keys]
            .iter()
            .map(|key| ApiKey::new(*key).unwrap());
        let pool = KeyPool::new(keys).unwrap();
        let count = pool.states().len();
        let direct = stack(&raw, Dialect::OpenAi, &pool, &[MODEL]);
        let mut waited = Duration::ZERO;
        let mut kinds = Vec::new();
        for _ in 0..6 {
            let got = call(&direct, true, ask()).await;
            kinds.push(got.kind());
            waited += got.took;
        }
        if count == 2 {
            assert_eq!(kinds, [None; 6]);
            assert!(waited < S, "{waited:?}");
            assert_eq!((with_key(&raw, "sk-aaaa"), with_key(&raw, "sk-bbbb")), (1, 5));
            sleep(61 * S).await;
            for _ in 0..2 {
                assert_eq!(call(&direct, true, ask()).await.kind(), None);
            }
            assert_eq!(with_key(&raw, "sk-aaaa"), 2, "it is used again");
        } else {
            let paced = Some(FailureKind::RateLimited);
            assert_eq!(
                kinds,
                [None, paced, paced, paced, paced, paced],
                "the only key paces the candidate"
            );
        }
    }
}
