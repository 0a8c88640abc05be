//! Requests that are too long: which candidates are still called, and which failure is returned if none is.

use std::sync::Arc;

use tower::Layer;
use tower_llm_layers::{
    FailureKind, LayerError, Needs, Outcome,
    attempt::AttemptLayer,
    fallback::{Chain, FallbackLayer},
};

use super::{Catalogue, able};
use crate::support::{Leaf, Probe, Step, TestError, ask, candidate, fails, streamed};

/// `a` has a context of 100 tokens, `b` of 200, `c` of 200 and no tools; nothing is known of `d`.
fn sized(models: &[&'static str]) -> Chain {
    let of = |context| able(|able| able.context_length = Some(context));
    let mut toolless = of(200);
    toolless.tools = Some(false);
    let known = [("a", of(100)), ("b", of(200)), ("c", toolless)];
    let chain = Chain::new(models.iter().map(|model| candidate(model))).unwrap();
    chain.capabilities(Arc::new(Catalogue(known.into())))
}

async fn run(models: &[&'static str], needs: Needs, leaf: Leaf) -> (Result<(), TestError>, Probe) {
    let mut request = streamed();
    request.body_mut().needs = needs;
    let probe = leaf.probe();
    let service = FallbackLayer::new(sized(models)).layer(AttemptLayer::new().layer(leaf));
    (ask(&service, request).await.map(drop), probe)
}

fn needs(prompt: u64, answer: u64) -> Needs {
    let mut needs = Needs::of_prompt(prompt, prompt);
    needs.max_tokens = answer;
    needs
}

#[tokio::test(start_paused = true)]
async fn a_prompt_that_no_context_holds_is_too_long_and_not_unknown() {
    let (result, probe) = run(&["a", "b"], needs(300, 10), Leaf::new([])).await;
    let error = result.unwrap_err();
    assert_eq!(error.kind, FailureKind::ContextLengthExceeded);
    assert!(error.summary.contains("prompt is too long"), "{}", error.summary);
    assert!(
        error
            .summary
            .contains("a: about 300 tokens do not fit its context of 100"),
        "{}",
        error.summary
    );
    assert!(matches!(error.layer, Some(LayerError::PromptTooLong { ref reasons }) if reasons.len() == 2));
    assert!(probe.models().is_empty());
    let log = error.log().attempts();
    assert!(
        log.iter().all(|line| line.outcome == Outcome::Skipped && !line.is_sent),
        "{log:?}"
    );

    // A shorter prompt would not help the second.
    let mut with_tools = needs(150, 10);
    with_tools.tools = true;
    let (result, _) = run(&["a", "c"], with_tools, Leaf::new([])).await;
    let error = result.unwrap_err();
    assert_eq!(error.kind, FailureKind::NoEndpoint);
    assert!(!error.summary.contains("prompt is too long"), "{}", error.summary);
}

#[tokio::test(start_paused = true)]
async fn a_prompt_that_fits_is_sent_unless_a_larger_context_holds_the_answer_as_well() {
    for (models, asked, called) in [
        (&["a"][..], needs(50, 90), &["a"][..]),
        (&["a", "b"], needs(50, 90), &["b"]),
        (&["a", "d"], needs(50, 90), &["d"]),
        (&["a", "b"], needs(50, 900), &["a"]),
        // The smaller one cannot hold even the prompt.
        (&["a", "b"], needs(150, 900), &["b"]),
    ] {
        let (result, probe) = run(models, asked, Leaf::new([])).await;
        result.unwrap();
        assert_eq!(probe.models(), called, "{models:?} {asked:?}");
    }
    // What the upstream says of it counts: the larger one follows.
    let too_long = Leaf::new([]).on("a", [Step::fail(fails(FailureKind::ContextLengthExceeded))]);
    let (result, probe) = run(&["a", "b"], needs(50, 900), too_long).await;
    result.unwrap();
    assert_eq!(probe.models(), ["a", "b"]);
}
