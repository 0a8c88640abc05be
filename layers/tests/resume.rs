//! Resuming an interrupted stream: what is shown of the continuation, which candidate it counts against, and how it is recorded.

use std::sync::Arc;

use http_body_util::BodyExt;
use tower::{ServiceBuilder, ServiceExt};
use tower_llm_layers::{
    Failure, FailureKind, Frame,
    attempt::AttemptLayer,
    cost::CostLayer,
    fallback::FallbackLayer,
    observe::{ObserveLayer, names as n},
    resume::ResumeLayer,
    retry::{RetryBudget, RetryLayer},
};

use crate::support::{
    Prices, chain, log, streamed,
    words::{Scripted, Word, word},
};

/// The text, whether the end was shown, and the error.
async fn tell(service: Scripted, layer: ResumeLayer) -> (String, bool, Option<FailureKind>) {
    let stack = ServiceBuilder::new()
        .layer(layer)
        .layer(AttemptLayer::new())
        .service(service);
    let mut body = Box::pin(stack.oneshot(streamed()).await.unwrap().into_body());
    let (mut text, mut end) = (String::new(), false);
    while let Some(frame) = body.frame().await {
        match frame {
            Ok(frame) => {
                let data = frame.into_data().ok().unwrap();
                end |= data.finishes_answer();
                if let Word::Text(more) = data {
                    text.push_str(&more);
                }
            }
            Err(error) => return (text, end, Some(error.kind())),
        }
    }
    (text, end, None)
}

#[tokio::test(start_paused = true)]
async fn the_end_of_a_continuation_is_shown_whatever_form_it_has() {
    for last in [Word::Finish, Word::LastThought, Word::Stop] {
        let scripts = [
            vec![word("Because "), Word::Cut],
            vec![word("of Rayleigh."), last.clone()],
        ];
        let told = tell(Scripted::new(scripts), ResumeLayer::new()).await;
        assert_eq!(told, ("Because of Rayleigh.".to_owned(), true, None), "{last:?}");
    }
}

/// What came is shown, although the upstream then failed finally.
#[tokio::test(start_paused = true)]
async fn text_held_at_the_seam_is_shown_if_no_candidate_continues() {
    // A new sentence that begins as the last one did.
    let scripts = [
        vec![word("The sky is blue."), Word::Cut],
        vec![word(" The sky is"), Word::Cut],
    ];
    let told = tell(Scripted::new(scripts), ResumeLayer::new().times(1)).await;
    assert_eq!(
        told,
        (
            "The sky is blue. The sky is".to_owned(),
            false,
            Some(FailureKind::Truncated)
        )
    );
}

/// The process-wide share bounds whatever asks again.
#[tokio::test(start_paused = true)]
async fn resuming_at_the_same_model_keeps_to_the_retry_ratio() {
    let service = Scripted::new([vec![word("Because "), Word::Cut]]);
    let budget = RetryBudget::new(0.0, 0.0);
    let stack = ServiceBuilder::new()
        .layer(ResumeLayer::new())
        .layer(FallbackLayer::new(chain(["a"])))
        .layer(RetryLayer::new().budget(budget))
        .layer(AttemptLayer::new())
        .service(service.clone());
    for _ in 0..100 {
        let mut body = Box::pin(stack.clone().oneshot(streamed()).await.unwrap().into_body());
        while let Some(Ok(_)) = body.frame().await {}
    }
    assert_eq!(service.calls(), 100, "none may be called again");
}

/// Languages without spaces have sentences, too.
#[tokio::test(start_paused = true)]
async fn repeated_text_is_removed_in_any_language() {
    for (shown, next, whole) in [
        (
            "天空是蓝色的。因为空气",
            "因为空气散射短波。",
            "天空是蓝色的。因为空气散射短波。",
        ),
        (
            "天空是蓝色的。这是因为空气。",
            "这是因为空气。明白了吗？",
            "天空是蓝色的。这是因为空气。明白了吗？",
        ),
    ] {
        let scripts = [vec![word(shown), Word::Cut], vec![word(next), Word::Finish]];
        let told = tell(Scripted::new(scripts), ResumeLayer::new()).await;
        assert_eq!(told.0, whole);
    }
}

/// What the caller never saw takes nothing of what is left of its answer.
#[tokio::test(start_paused = true)]
async fn what_is_left_out_takes_nothing_of_the_answers_length() {
    let sentence = ["One ", "two ", "three ", "four ", "five ", "six ", "seven ", "eight "];
    let first: Vec<_> = sentence.map(word).into_iter().chain([Word::Cut]).collect();
    let again = first.clone();
    let last = vec![word("One two three four five six seven eight nine."), Word::Finish];
    let service = Scripted::new([first, again, last]);
    let stack = ServiceBuilder::new()
        .layer(ResumeLayer::new())
        .layer(AttemptLayer::new())
        .service(service.clone());
    let mut request = streamed();
    request.body_mut().max_tokens = Some(16);
    let mut body = Box::pin(stack.oneshot(request).await.unwrap().into_body());
    let mut error = None;
    while let Some(frame) = body.frame().await {
        error = frame.err().map(|error| error.kind());
    }
    assert_eq!((service.calls(), error), (3, None), "eight of sixteen were shown");
}

/// The first part of a resumed answer is not wasted.
#[tokio::test(start_paused = true)]
async fn text_shown_and_resumed_is_not_recorded_as_wasted() {
    log::listen();
    let scripts = [
        vec![word("Because "), Word::Cut],
        vec![word("of Rayleigh."), Word::Finish],
    ];
    let stack = ServiceBuilder::new()
        .layer(ObserveLayer::new())
        .layer(ResumeLayer::new())
        .layer(AttemptLayer::new())
        .layer(CostLayer::new().prices(Arc::new(Prices)))
        .service(Scripted::new(scripts));
    let mut request = streamed();
    request.body_mut().model = Some("a".into());
    request.body_mut().max_tokens = Some(500);
    request.body_mut().needs.prompt_tokens = 100;
    let mut body = Box::pin(stack.oneshot(request).await.unwrap().into_body());
    while let Some(frame) = body.frame().await {
        assert!(frame.is_ok());
    }
    let span = log::spans()
        .into_iter()
        .find(|span| span.name == n::OPERATION_SPAN)
        .unwrap();
    let wasted = span.fields.get(n::COST_WASTED).map(String::as_str);
    assert!(matches!(wasted, None | Some("0" | "0.0")), "{:?}", span.fields);
}
