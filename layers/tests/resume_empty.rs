//! A continuation that shows nothing: whether it is the end of what was shown, or of nothing.

use tower_llm_layers::{FailureKind, attempt::AttemptLayer, resume::ResumeLayer};

use tower::{ServiceBuilder, ServiceExt};

use crate::{
    resume::read,
    support::{
        streamed,
        words::{Scripted, Word, word},
    },
};

/// What is read of an answer that was interrupted behind this text, and continued so.
async fn continued(shown: &'static str, next: &[Word]) -> (String, bool, Option<FailureKind>) {
    let scripts = [vec![word(shown), Word::Cut], next.to_vec()];
    let stack = ServiceBuilder::new()
        .layer(ResumeLayer::new().times(1))
        .layer(AttemptLayer::new())
        .service(Scripted::new(scripts));
    read(stack.oneshot(streamed()).await.unwrap().into_body()).await
}

#[tokio::test(start_paused = true)]
async fn a_cut_text_is_not_whole_because_nothing_follows() {
    for next in [
        vec![],
        vec![word(" ")],
        vec![Word::Finish],
        vec![Word::Stop],
        vec![Word::LastThought],
        vec![word(" "), Word::Stop],
    ] {
        for shown in [
            "The fox jumps over the lazy dog,",
            "The fox jumps over the",
            "It is so:",
        ] {
            let told = continued(shown, &next).await;
            let honest = (shown.to_owned(), false, Some(FailureKind::Truncated));
            assert_eq!(told, honest, "{next:?}");
        }
    }
    // Without a word of its end, a whole sentence is no whole answer either.
    let told = continued("The fox jumps.", &[]).await;
    assert_eq!(told.2, Some(FailureKind::Truncated));
}

#[tokio::test(start_paused = true)]
async fn a_whole_text_is_whole_if_the_model_has_nothing_to_add() {
    for next in [vec![Word::Finish], vec![Word::Stop], vec![Word::LastThought]] {
        for shown in [
            "The fox jumps.",
            "Why? \"It is so.\"",
            "天空是蓝色的。",
            "```sh\nls\n```",
            "f(x)",
        ] {
            let told = continued(shown, &next).await;
            assert_eq!(told, (shown.to_owned(), true, None), "{next:?}");
        }
    }
}
