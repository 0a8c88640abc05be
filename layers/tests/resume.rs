//! Resuming an interrupted stream: what is shown of the continuation, which candidate it counts against, and how it is recorded.

use std::sync::Arc;

use http_body::Body;
use http_body_util::BodyExt;
use tower::{ServiceBuilder, ServiceExt};
use tower_llm_layers::{
    AttemptLog, Failure, FailureKind, Frame, Phase,
    attempt::AttemptLayer,
    cost::CostLayer,
    fallback::FallbackLayer,
    observe::{ObserveLayer, names as n},
    resume::ResumeLayer,
    retry::{RetryBudget, RetryLayer},
};

use crate::support::{
    Prices, TestError, chain, log, streamed,
    words::{Scripted, Word, word},
};

/// The text, whether the end was shown, and the error.
async fn tell(service: Scripted, layer: ResumeLayer) -> (String, bool, Option<FailureKind>) {
    let stack = ServiceBuilder::new()
        .layer(layer)
        .layer(AttemptLayer::new())
        .service(service);
    read(stack.oneshot(streamed()).await.unwrap().into_body()).await
}

pub(crate) async fn read<B>(body: B) -> (String, bool, Option<FailureKind>)
where
    B: Body<Data = Word, Error = TestError>,
{
    let mut body = Box::pin(body);
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

/// What came next may be new, or said again: the answer ends in an error anyway, and no character is there twice.
#[tokio::test(start_paused = true)]
async fn text_held_at_the_seam_is_not_shown_if_no_candidate_continues() {
    for (shown, next) in [
        // A new sentence that begins as the last one did, or the last one again.
        ("The sky is blue.", " The sky is"),
        // Within a word that begins a sentence: its next letters, or the whole of it again.
        ("da:10q7, lo10q8 lo10q9. lo10q1", "lo"),
        // The first words of the answer, or a sentence that begins like it.
        ("The sky is blue. Because ", "The"),
        ("The sky is blue.", " "),
    ] {
        let scripts = [vec![word(shown), Word::Cut], vec![word(next), Word::Cut]];
        let told = tell(Scripted::new(scripts), ResumeLayer::new().times(1)).await;
        assert_eq!(
            told,
            (shown.to_owned(), false, Some(FailureKind::Truncated)),
            "{next:?}"
        );
    }
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

/// Nor however often it is interrupted.
#[tokio::test(start_paused = true)]
async fn text_held_at_one_seam_is_not_shown_if_the_next_is_interrupted_too() {
    for last in [vec![Word::Cut], vec![word(" "), Word::Cut]] {
        let scripts = [
            vec![word("The sky is blue."), Word::Cut],
            vec![word(" The sky is"), Word::Cut],
            last,
        ];
        let told = tell(Scripted::new(scripts), ResumeLayer::new()).await;
        let text = "The sky is blue.".to_owned();
        assert_eq!(told, (text, false, Some(FailureKind::Truncated)));
    }
}

/// Two texts that begin alike are never joined, whichever piece tells.
#[tokio::test(start_paused = true)]
async fn an_answer_from_the_start_ends_in_the_error_that_interrupted_it() {
    let restarts = [
        vec![word("The sky is blue because of light. So."), Word::Finish],
        vec![word("The "), word("sky "), word("is"), word(" blue"), Word::Finish],
        vec![word("The sky is"), Word::Finish],
        vec![word("The sky is"), Word::Stop],
    ];
    for again in restarts {
        let service = Scripted::new([vec![word("The sky is blue. It is so since"), Word::Cut], again.clone()]);
        let told = tell(service.clone(), ResumeLayer::new()).await;
        let shown = "The sky is blue. It is so since".to_owned();
        assert_eq!(told, (shown, false, Some(FailureKind::Truncated)), "{again:?}");
        assert_eq!(service.calls(), 2);
    }
}

/// A model that rejects a begun message continues by instruction, and the next call does so at once.
#[tokio::test(start_paused = true)]
async fn a_rejected_begun_message_is_learned() {
    for kind in [FailureKind::BadRequest, FailureKind::RejectedByProvider] {
        let begun = || {
            vec![
                word("The sky is blue since air scatters short waves of light"),
                Word::Cut,
            ]
        };
        let rest = || vec![word("since air scatters short waves of light best."), Word::Finish];
        let scripts = [begun(), vec![Word::Refused(kind)], rest(), begun(), rest()];
        let service = Scripted::new(scripts);
        let stack = ServiceBuilder::new()
            .layer(ResumeLayer::new())
            .layer(FallbackLayer::new(chain(["a"])))
            .layer(RetryLayer::new())
            .layer(AttemptLayer::new())
            .service(service.clone());
        for calls in [3, 5] {
            let told = read(stack.clone().oneshot(streamed()).await.unwrap().into_body()).await;
            let whole = "The sky is blue since air scatters short waves of light best.".to_owned();
            assert_eq!(told, (whole, true, None), "{kind}");
            assert_eq!(service.calls(), calls, "{kind}");
        }
        let asked: Vec<_> = service.asked().iter().map(Option::is_some).collect();
        assert_eq!(asked, [false, false, true, false, true], "{kind}");
    }
}

/// So is a model that answers from the start.
#[tokio::test(start_paused = true)]
async fn an_answer_from_the_start_is_learned() {
    let begun = || {
        vec![
            word("The sky is blue since air scatters short waves of light"),
            Word::Cut,
        ]
    };
    let again = vec![word("The sky is so. It is."), Word::Finish];
    let rest = vec![word("since air scatters short waves of light best."), Word::Finish];
    let service = Scripted::new([begun(), again, begun(), rest]);
    let stack = ServiceBuilder::new()
        .layer(ResumeLayer::new())
        .layer(FallbackLayer::new(chain(["a"])))
        .layer(AttemptLayer::new())
        .service(service.clone());
    let first = read(stack.clone().oneshot(streamed()).await.unwrap().into_body()).await;
    assert_eq!(first.2, Some(FailureKind::Truncated));
    let second = read(stack.oneshot(streamed()).await.unwrap().into_body()).await;
    assert_eq!(second.2, None);
    let asked: Vec<_> = service.asked().iter().map(Option::is_some).collect();
    assert_eq!(asked, [false, false, false, true]);
}

/// A model that continues in no way is not called for it.
#[tokio::test(start_paused = true)]
async fn a_model_that_cannot_continue_is_passed_over() {
    let begun = vec![word("The sky is blue since"), Word::Cut];
    let rest = vec![word(" air scatters light."), Word::Finish];
    for (models, calls, text) in [
        (["never-a", "b"], 2, "The sky is blue since air scatters light."),
        (["never-a", "never-b"], 1, "The sky is blue since"),
    ] {
        let service = Scripted::new([begun.clone(), rest.clone()]);
        let stack = ServiceBuilder::new()
            .layer(ResumeLayer::new())
            .layer(FallbackLayer::new(chain(models)))
            .layer(AttemptLayer::new())
            .service(service.clone());
        let told = read(stack.oneshot(streamed()).await.unwrap().into_body()).await;
        assert_eq!((told.0.as_str(), service.calls()), (text, calls), "{models:?}");
    }
}

/// One that fell silent would be silent again: the others go before it.
#[tokio::test(start_paused = true)]
async fn after_a_silence_the_next_candidate_is_called_first() {
    for (kind, next) in [
        (FailureKind::Timeout(Phase::Idle), "b"),
        (FailureKind::Timeout(Phase::Throughput), "b"),
        (FailureKind::Truncated, "a"),
    ] {
        let begun = vec![word("The sky is blue since"), Word::Failed(kind)];
        let rest = vec![word(" air scatters light."), Word::Finish];
        let stack = ServiceBuilder::new()
            .layer(ResumeLayer::new())
            .layer(FallbackLayer::new(chain(["a", "b"])))
            .layer(AttemptLayer::new())
            .service(Scripted::new([begun, rest]));
        let response = stack.oneshot(streamed()).await.unwrap();
        let log = response.extensions().get::<AttemptLog>().unwrap().clone();
        assert_eq!(read(response.into_body()).await.2, None, "{kind}");
        let last = log.attempts().last().unwrap().candidate.clone();
        assert_eq!(last.unwrap().model(), next, "{kind}");
    }
}

/// A stream that is always ready and shows nothing does not keep the runtime from the timers.
#[tokio::test(start_paused = true)]
async fn an_endless_continuation_without_text_ends_at_the_deadline() {
    let stack = ServiceBuilder::new()
        .layer(ResumeLayer::new())
        .layer(AttemptLayer::new())
        .service(Scripted::new([
            vec![word("The sky is blue."), Word::Cut],
            vec![Word::Blanks],
        ]));
    let body = stack.oneshot(streamed()).await.unwrap().into_body();
    let limit = std::time::Duration::from_secs(1);
    let auto = tokio::spawn(async move {
        // Virtual time only moves while nothing is ready.
        for _ in 0..10 {
            tokio::task::yield_now().await;
        }
        tokio::time::advance(limit).await;
    });
    assert!(tokio::time::timeout(limit, read(body)).await.is_err());
    auto.await.unwrap();
}
