//! Keys: rotated when dead or throttled, and seen by nobody.
#![expect(clippy::unwrap_used, reason = "a test that fails here should say so")]

mod support;

use std::{
    io::Write,
    sync::{Arc, Mutex},
};

use openrouter_simulator::Simulator;
use support::{FIRST, TEXT, World, ask, call};
use tower_openrouter::{
    ApiKey, FailureKind, KeyPool, Stack,
    layers::auth::KeyState,
    transport::{Dialect, OPENROUTER, Upstream},
};

fn pool(keys: &[&str]) -> KeyPool {
    KeyPool::new(keys.iter().map(|key| ApiKey::new(*key).unwrap())).unwrap()
}

fn stack(simulator: &Simulator, pool: &KeyPool) -> Stack {
    let upstream = Upstream::new(OPENROUTER, &simulator.base_url(), Dialect::OpenRouter);
    Stack::builder()
        .upstream(upstream, pool.clone())
        .chain([FIRST])
        .build()
        .unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_dead_key_is_buried_and_the_next_one_answers() {
    let simulator = Simulator::builder().key("sk-or-v1-good").start().await.unwrap();
    let pool = pool(&["sk-or-v1-dead", "sk-or-v1-good"]);
    let stack = stack(&simulator, &pool);
    let first = call(&stack, true, ask()).await;
    assert_eq!((first.kind(), first.asked().len()), (None, 2), "{first:?}");
    assert_eq!(pool.states(), [KeyState::Dead, KeyState::Usable]);
    for _ in 0..3 {
        assert_eq!(
            call(&stack, true, ask()).await.asked().len(),
            1,
            "a dead key is never tried again"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn when_every_key_is_dead_it_says_so() {
    let simulator = Simulator::builder().key("sk-or-v1-good").start().await.unwrap();
    let pool = pool(&["sk-or-v1-s3cr3t1", "sk-or-v1-s3cr3t2"]);
    let stack = stack(&simulator, &pool);
    assert_eq!(call(&stack, true, ask()).await.kind(), Some(FailureKind::Auth));
    let again = call(&stack, true, ask()).await;
    let said = again.error.unwrap().report();
    assert!(
        said.contains("no key for openrouter: every key of the pool was rejected"),
        "{said}"
    );
    assert!(!said.contains("s3cr3t"));
}

#[tokio::test(start_paused = true)]
async fn a_key_over_its_cap_rests() {
    let cap = "0.00000001".parse().unwrap();
    let simulator = Simulator::builder()
        .key_with_limit("sk-or-v1-small", cap)
        .key("sk-or-v1-large")
        .start()
        .await
        .unwrap();
    let pool = pool(&["sk-or-v1-small", "sk-or-v1-large"]);
    let stack = stack(&simulator, &pool);
    for _ in 0..4 {
        let got = call(&stack, true, ask()).await;
        assert!(got.error.is_none(), "{got:?}");
    }
    assert!(
        matches!(pool.states()[..], [KeyState::RestingUntil(_), KeyState::Usable]),
        "{pool:?}"
    );
}

/// Where everything that is logged goes.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Invariant 9, with everything logged that can be: neither the key, nor the prompt, nor the answer.
#[tokio::test(start_paused = true)]
async fn nothing_logged_or_printed_holds_a_key_a_prompt_or_an_answer() {
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_env_filter("tower_llm_layers=trace,tower_openrouter=trace")
        .with_writer(move || writer.clone())
        .finish();
    let guard = tracing::subscriber::set_default(subscriber);
    let world = World::new("503;no-hint,error=502,hang").await;
    let stack = world.pair();
    let got = call(&stack, true, ask()).await;
    assert_eq!(got.text, TEXT);
    let failed = World::new("401").await;
    let error = call(&failed.alone(), true, ask()).await.error.unwrap();
    drop(guard);

    let logged = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    assert!(
        logged.contains("retrying") && logged.contains("next candidate"),
        "{logged}"
    );
    let printed = format!(
        "{stack:?} {error:?} {error} {} {:?} {logged}",
        error.report(),
        got.lines
    );
    for secret in ["sk-or-v1", "Bearer", "Why is the sky", "Scattering"] {
        assert!(!printed.contains(secret), "{secret}");
    }
}
