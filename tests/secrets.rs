//! Invariant 9, with everything logged that can be: no key, prompt or answer. Alone in its file: a subscriber of one test must not meet
//! another's calls.

use std::{
    error::Error as StdError,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use crate::{
    apis::{self, SKY},
    support::{
        FIRST, SECOND, TEXT, World, ask, call,
        ledger::Kept,
        log::Log,
        raw::{self, Raw, Step, head, send},
    },
};
use base64::prelude::{BASE64_STANDARD, Engine};
use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt, Full};
use openrouter_simulator::Fault;
use tower::ServiceExt;
use tower_openrouter::{
    Answer, Api, ApiKey, Candidate, ChatServiceExt, Error, KeyPool, Keys, Stack,
    layers::{WorstCasePrice, auth::KeySource, budget::Budget, cost::UnknownPrice, retry::Exponential},
    transport::{Dialect, Transport, Upstream},
};

/// A key that is in no other text.
const KEY: &str = "sk-or-v1-canary-5f1e7c3a9b2d";
/// A part of it, which a key that was cut would still show.
const PART: &str = "canary-5f1e";
/// Of the prompt.
const PROMPT: &str = "Why is the sky";

/// Invariant 9, with everything logged that can be: neither the key, nor the prompt, nor the answer.
#[tokio::test(start_paused = true)]
async fn nothing_logged_or_printed_holds_a_key_a_prompt_or_an_answer() {
    let (log, guard) = Log::listen("tower_llm_layers=trace,tower_openrouter=trace");
    let world = World::new("503;no-hint,error=502,hang").await;
    let stack = world.pair();
    let got = call(&stack, true, ask()).await;
    assert_eq!(got.text, TEXT);
    let failed = World::new("401").await;
    let error = call(&failed.alone(), true, ask()).await.error.unwrap();
    drop(guard);

    let logged = log.text();
    assert!(
        logged.contains("retrying") && logged.contains("next candidate"),
        "{logged}"
    );
    let printed = format!(
        "{stack:?} {error:?} {error} {} {:?} {logged}",
        error.report(),
        got.lines
    );
    for secret in ["sk-or-v1", "Bearer", PROMPT, "Scattering"] {
        assert!(!printed.contains(secret), "{secret}");
    }
}

/// Everything that an error prints, its causes included.
fn printed(error: &Error) -> String {
    let mut text = format!("{error} {error:?} {error:#?} {} {}", error.report(), error.message());
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(&format!(" {cause} {cause:?} {cause:#?}"));
        source = cause.source();
    }
    text
}

/// Calls through all doors, and everything that is printed of what comes back.
async fn calls(stack: &Stack) -> String {
    let mut text = String::new();
    for streamed in [true, false] {
        let got = call(stack, streamed, ask()).await;
        text.push_str(&format!("{:?} {:#?}", got.lines, got.lines));
        text.push_str(&got.error.as_ref().map(printed).unwrap_or_default());
        let body = format!(r#"{{"stream":{streamed},"messages":[{{"role":"user","content":"{PROMPT} blue?"}}]}}"#);
        let request = Request::post("/").body(Full::new(Bytes::from(body))).unwrap();
        let endpoint = stack.clone().into_openai_endpoint();
        let (parts, body) = endpoint.oneshot(request).await.unwrap().into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        text.push_str(&format!("{parts:?} {}", String::from_utf8_lossy(&body)));
    }
    match stack
        .clone()
        .oneshot(ask().stream(true).into_http().map(Into::into))
        .await
    {
        Ok(response) => text.push_str(&format!("{:?}", Answer::new(response))),
        Err(error) => text.push_str(&printed(&error)),
    }
    text
}

/// Each fault that the simulator knows, with a key that is searched for in what every crate logs, in errors and their causes, in what the
/// public types print, in the ledger's entries, in the metrics, and in what an endpoint's client gets.
#[tokio::test(start_paused = true)]
async fn no_failure_leaves_the_key_anywhere() {
    #[cfg(feature = "metrics")]
    let recorder = metrics_util::debugging::DebuggingRecorder::new();
    #[cfg(feature = "metrics")]
    let snapshotter = recorder.snapshotter();
    #[cfg(feature = "metrics")]
    let _here = metrics::set_default_local_recorder(&recorder);
    let price = WorstCasePrice::new()
        .answer_token("0.000001".parse().unwrap())
        .max_answer(Some(100));
    let mut failures = 0;
    for (fault, _) in Fault::table() {
        let (log, guard) = Log::listen("trace");
        let world = World::new(fault).await;
        let ledger = Kept::new();
        let pool = KeyPool::new([ApiKey::new(KEY).unwrap()]).unwrap();
        let builder = Stack::builder()
            .upstream(world.upstream(), pool.clone())
            .chain([FIRST, SECOND])
            .deadline(Duration::from_secs(40))
            .ledger(Arc::clone(&ledger) as _)
            .budget(Budget::usd("all", "1000").unwrap())
            .unknown_price(UnknownPrice::Assume(price));
        let stack = builder.clone().build().unwrap();
        let mut text = calls(&stack).await;
        drop(guard);
        failures += usize::from(log.text().contains("attempt failed"));
        assert!(
            world
                .simulator
                .report()
                .attempts
                .iter()
                .any(|seen| seen.header("authorization").is_some()),
            "{fault}: the key was not sent"
        );
        let transport = Transport::builder().upstream(world.upstream()).build().unwrap();
        let keys = Keys::new().upstream("openrouter", KeySource::Pool(pool.clone()));
        text.push_str(&format!(
            "{builder:?} {stack:?} {} {pool:?} {keys:?} {:?} {transport:?} {:?} {:?} {:?}",
            stack.describe(),
            ApiKey::new(KEY).unwrap(),
            pool.states(),
            stack.circuits(),
            ledger.entries(),
        ));
        assert!(!text.contains(PART), "{fault}: {text}");
        let logged = log.text();
        assert!(
            logged.contains("starting new connection"),
            "{fault}: reqwest speaks through `log`, and was not heard"
        );
        let leak = logged.lines().find(|line| line.contains(PART) || line.contains(PROMPT));
        assert_eq!(leak, None, "{fault}");
    }
    assert!(failures > 60, "{failures} faults failed");
    #[cfg(feature = "metrics")]
    {
        let all = snapshotter.snapshot().into_vec();
        assert!(!all.is_empty() && !format!("{all:?}").contains(PART));
    }
}

/// The password of a proxy, and with its user as HTTP's basic authentication has them.
const PASSWORD: &str = "pw-canary-77d1c0e4";
const BASIC: &str = "Y2FsbGVyOnB3LWNhbmFyeS03N2QxYzBlNA";

/// Each dialect's own header of the key, directly and through a proxy with a password, with good answers and failures.
#[tokio::test(start_paused = true)]
async fn no_dialect_and_no_proxy_leaves_a_key_or_a_password_anywhere() {
    let refused = |status: &str| {
        vec![
            head(status, "application/json"),
            send(r#"{"error":{"message":"no","type":"api_error"}}"#),
        ]
    };
    let failures = [
        refused("401 Unauthorized"),
        refused("503 Service Unavailable"),
        refused("400 Bad Request"),
        vec![],
        vec![Step::Hang],
        vec![send("this is no HTTP\r\n\r\n")],
    ];
    let count = failures.len();
    for (name, dialect, api, header) in [
        ("openrouter", Dialect::OpenRouter, Api::Chat, "authorization"),
        ("openai", Dialect::OpenAi, Api::Chat, "authorization"),
        ("anthropic", Dialect::Anthropic, Api::Messages, "x-api-key"),
    ] {
        for is_proxied in [false, true] {
            let what = format!("{name}, through a proxy: {is_proxied}");
            let (log, guard) = Log::listen("trace");
            let turn = Arc::new(AtomicUsize::new(0));
            let (now, failures) = (Arc::clone(&turn), failures.clone());
            let raw = Raw::start(move |request| {
                let failure = failures.get(now.load(Ordering::Relaxed)).cloned();
                failure.unwrap_or_else(|| apis::good(api, request))
            })
            .await;
            let base = if is_proxied {
                "http://upstream.invalid/v1"
            } else {
                raw.url()
            };
            let mut builder = Stack::builder()
                .upstream(Upstream::new(name, base, dialect).unwrap(), ApiKey::new(KEY).unwrap())
                .backoff(Exponential::new(Duration::ZERO, Duration::ZERO))
                .attempts_per_candidate(1)
                .deadline(Duration::from_secs(40))
                .chain([Candidate::new(name, FIRST).unwrap()]);
            if is_proxied {
                let credentials = format!("http://caller:{PASSWORD}@");
                let proxy = raw.url().trim_end_matches("/v1").replace("http://", &credentials);
                builder = builder.connections(move |connections| connections.proxy(&proxy));
            }
            let stack = builder.clone().build().unwrap();
            let mut text = format!("{builder:?} {stack:?} {}", stack.describe());
            for number in 0..=count {
                turn.store(number, Ordering::Relaxed);
                for streamed in [true, false] {
                    let got = apis::call(&stack, apis::request(api, streamed)).await;
                    assert_eq!(got.kind().is_none(), number == count, "{what}, {number}: {got:?}");
                    let failure = got.kind().map(|_| format!("{got:?} {got:#?}"));
                    text.push_str(&failure.unwrap_or_default());
                }
            }
            drop(guard);
            let sent = raw.seen();
            let carries = |request: &String| {
                let head = request.to_ascii_lowercase();
                head.contains(&format!("\r\n{header}: ")) && request.contains(KEY)
            };
            assert!(
                !sent.is_empty() && sent.iter().all(carries),
                "{what}: the key was not sent"
            );
            let is_known = sent.iter().all(|request| request.contains(BASIC));
            assert_eq!(is_known, is_proxied, "{what}: the password is the proxy's alone");
            let logged = log.text();
            let line = if is_proxied {
                "intercepts"
            } else {
                "starting new connection"
            };
            assert!(logged.contains(line), "{what}: reqwest was not heard");
            for secret in [PART, PASSWORD, BASIC] {
                assert!(!text.contains(secret), "{what}: {text}");
            }
            let is_secret = |line: &&str| [PART, PASSWORD, BASIC, SKY].iter().any(|secret| line.contains(secret));
            assert_eq!(logged.lines().find(is_secret), None, "{what}");
        }
    }
}

/// In base64 the letters of a key depend on what stands before it, such as a user's name: some proxies translate a bearer's key so.
#[tokio::test(start_paused = true)]
async fn a_key_in_base64_is_hidden_wherever_it_begins() {
    for before in ["api:", "u:", "Authorization:Bearer ", "key=", ":"] {
        let encoded = BASE64_STANDARD.encode(format!("{before}{}", raw::KEY));
        let body = format!(r#"{{"error":{{"code":400,"message":"Bad header Basic {encoded} here"}}}}"#);
        let raw = Raw::always(vec![head("400 Bad Request", "application/json"), send(body)]).await;
        let error = call(&raw.alone(), false, ask()).await.error.unwrap();
        let text = format!("{error} {error:?} {}", error.report());
        let words = text.split(|mark: char| mark.is_whitespace() || "\"`'".contains(mark));
        let mut decoded = words.filter_map(|word| BASE64_STANDARD.decode(word).ok());
        assert!(text.contains("[key]"), "{before}: {text}");
        assert!(
            !decoded.any(|bytes| String::from_utf8_lossy(&bytes).contains("s3cr3t")),
            "{before}: {text}"
        );
    }
}
