use std::time::Duration;

use tower_llm_layers::{AttemptLog, Failure, FailureKind, LayerError, Scope};

/// An error of a service that is not ours.
#[derive(Debug, Clone)]
pub(crate) struct TestError {
    pub(crate) kind: FailureKind,
    pub(crate) hint: Option<Duration>,
    pub(crate) affordable: Option<u64>,
    pub(crate) scope: Scope,
    pub(crate) status: Option<u16>,
    pub(crate) summary: String,
    pub(crate) layer: Option<LayerError>,
    pub(crate) other_key: bool,
    pub(crate) exhausted: bool,
    pub(crate) log: Option<AttemptLog>,
}

/// A failure of this kind.
pub(crate) fn fails(kind: FailureKind) -> TestError {
    TestError {
        kind,
        hint: None,
        affordable: None,
        scope: Scope::Candidate,
        status: None,
        summary: kind.to_string(),
        layer: None,
        other_key: false,
        exhausted: false,
        log: None,
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

    pub(crate) fn scope(mut self, scope: Scope) -> Self {
        self.scope = scope;
        self
    }

    pub(crate) fn says(mut self, status: u16, summary: &str) -> Self {
        self.status = Some(status);
        self.summary = summary.to_owned();
        self
    }

    pub(crate) fn log(&self) -> &AttemptLog {
        self.log.as_ref().expect("the log is on the error")
    }
}

impl From<LayerError> for TestError {
    fn from(error: LayerError) -> Self {
        Self {
            hint: error.retry_after(),
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

    fn retry_after(&self) -> Option<Duration> {
        self.hint
    }

    fn affordable_tokens(&self) -> Option<u64> {
        self.affordable
    }

    fn scope(&self) -> Scope {
        self.scope
    }

    fn summary(&self) -> String {
        self.summary.clone()
    }

    fn has_other_key(&self) -> bool {
        self.other_key
    }

    fn set_other_key(&mut self, other_key: bool) {
        self.other_key = other_key;
    }

    fn is_exhausted(&self) -> bool {
        self.exhausted
    }

    fn set_exhausted(&mut self) {
        self.exhausted = true;
    }

    fn attach(&mut self, attempts: AttemptLog) {
        assert!(self.log.is_none(), "attached twice");
        self.log = Some(attempts);
    }
}
