//! Invariant 9, with everything logged that can be. Alone in its file: a subscriber of one test must not meet another's calls.

use crate::support::{TEXT, World, ask, call, log::Log};

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
    for secret in ["sk-or-v1", "Bearer", "Why is the sky", "Scattering"] {
        assert!(!printed.contains(secret), "{secret}");
    }
}
