//! The error of the test service.

use std::time::Duration;

use tower_llm_layers::{AttemptLog, Failure, FailureKind, FailureMarks, FailureScope, LayerError, TokenUsage};

/// An error of a service that is not ours.
#[derive(Debug, Clone)]
pub(crate) struct TestError {
    pub(crate) kind: FailureKind,
    pub(crate) hint: Option<Duration>,
    pub(crate) affordable: Option<u64>,
    pub(crate) scope: FailureScope,
    pub(crate) status: Option<u16>,
    pub(crate) summary: String,
    pub(crate) generation: Option<&'static str>,
    pub(crate) is_uncharged: bool,
    pub(crate) usage: Option<Box<TokenUsage>>,
    pub(crate) layer: Option<LayerError>,
    pub(crate) marks: FailureMarks,
}

/// A failure of this kind.
pub(crate) fn fails(kind: FailureKind) -> TestError {
    TestError {
        kind,
        hint: None,
        affordable: None,
        scope: FailureScope::Candidate,
        status: None,
        summary: kind.to_string(),
        generation: None,
        is_uncharged: false,
        usage: None,
        layer: None,
        marks: FailureMarks::default(),
    }
}

impl TestError {
    pub(crate) fn hint(mut self, hint: Duration) -> Self {
        self.hint = Some(hint);
        self
    }

    pub(crate) fn affordable(mut self, tokens: u64) -> Self {
        self.affordable = Some(tokens);
        self
    }

    pub(crate) fn scope(mut self, scope: FailureScope) -> Self {
        self.scope = scope;
        self
    }

    pub(crate) fn says(mut self, status: u16, summary: &str) -> Self {
        self.status = Some(status);
        self.summary = summary.to_owned();
        self
    }

    pub(crate) fn generation(mut self, id: &'static str) -> Self {
        self.generation = Some(id);
        self
    }

    pub(crate) fn log(&self) -> &AttemptLog {
        self.marks.attempts().expect("the log is on the error")
    }
}

impl From<LayerError> for TestError {
    fn from(error: LayerError) -> Self {
        Self {
            hint: error.retry_after(),
            affordable: error.affordable_tokens(),
            summary: error.summary(),
            layer: Some(error.clone()),
            ..fails(error.kind())
        }
    }
}

impl Failure for TestError {
    fn kind(&self) -> FailureKind {
        self.kind
    }

    fn status(&self) -> Option<u16> {
        self.status
    }

    fn generation_id(&self) -> Option<&str> {
        self.generation
    }

    fn is_uncharged(&self) -> bool {
        self.is_uncharged
    }

    fn token_usage(&self) -> Option<TokenUsage> {
        self.usage.as_deref().copied()
    }

    fn retry_after(&self) -> Option<Duration> {
        self.hint
    }

    fn affordable_tokens(&self) -> Option<u64> {
        self.affordable
    }

    fn scope(&self) -> FailureScope {
        self.scope
    }

    fn summary(&self) -> String {
        self.summary.clone()
    }

    fn marks(&self) -> &FailureMarks {
        &self.marks
    }

    fn marks_mut(&mut self) -> &mut FailureMarks {
        &mut self.marks
    }
}
