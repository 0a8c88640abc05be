//! What an error says, and what it never shows.

use tower_llm_layers::Failure as _;

use super::*;

#[test]
fn is_one_word_wide() {
    assert_eq!(size_of::<Error>(), size_of::<usize>());
    assert_eq!(size_of::<Result<(), Error>>(), size_of::<usize>());
}

#[test]
fn another_caller_gets_the_words_and_not_the_attempts() {
    let error = Error::with(
        FailureKind::Overloaded,
        Inner {
            status: Some(StatusCode::SERVICE_UNAVAILABLE),
            message: "busy".into(),
            provider: Some("Anthropic".to_owned()),
            retry_after: Some(Duration::from_secs(3)),
            marks: {
                let mut marks = FailureMarks::default();
                marks.set_other_key(true);
                marks
            },
            source: Some("a cause".into()),
            ..Inner::default()
        },
    );
    let other = error.for_coalesced();
    assert_eq!(other.to_string(), error.to_string());
    assert_eq!((other.kind(), other.retry_after()), (error.kind(), error.retry_after()));
    assert!(!other.marks().has_other_key() && other.attempts().is_none() && other.source().is_none());
    assert!(!error.is_personal());
}

#[test]
fn a_limit_of_ones_own_is_personal() {
    let own = LayerError::RateLimited {
        limit: Some((1, "requests", Duration::from_secs(1))),
        retry_after: None,
    };
    assert!(Error::from(own).is_personal());
    assert!(!Error::new(FailureKind::RateLimited, "429").is_personal());
    assert!(Error::new(FailureKind::Timeout(Phase::Deadline), "late").is_personal());
}

#[test]
fn a_layers_failure_keeps_its_kind_and_words() {
    let limit = Duration::from_secs(10);
    let error = Error::from(LayerError::Elapsed {
        phase: Phase::FirstToken,
        limit,
    });
    assert_eq!(error.kind(), FailureKind::Timeout(Phase::FirstToken));
    assert_eq!(error.to_string(), "no first token in 10 s");
}

#[test]
fn its_debug_reads_as_a_report_when_main_returns_it() {
    let error = Error::new(FailureKind::Overloaded, "busy");
    let printed = format!("{error:?}");
    assert_eq!(printed, error.report());
    assert!(
        printed.starts_with("busy") && printed.contains("\n  try: "),
        "{printed}"
    );
    assert!(format!("{error:#?}").starts_with("Error {"), "{error:#?}");
}
