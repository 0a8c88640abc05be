//! Invariant 9, with everything logged that can be. Alone in its file: a subscriber of one test must not meet another's calls.
#![expect(clippy::unwrap_used, reason = "a test that fails here should say so")]

mod support;

use std::{
    io::Write,
    sync::{Arc, Mutex},
};

use support::{TEXT, World, ask, call};

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
