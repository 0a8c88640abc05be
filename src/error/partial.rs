//! The part that was received before an answer was interrupted: kept on the error, and never printed.

use std::fmt;

use tower_llm_layers::AttemptLog;

use super::Error;

/// The text of an answer that is not whole. `Debug` prints its length only.
#[derive(Default)]
pub(crate) struct PartialText(Option<Box<str>>);

impl fmt::Debug for PartialText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Some(text) => write!(f, "({} bytes)", text.len()),
            None => f.write_str("None"),
        }
    }
}

impl Error {
    /// The text that was received before the answer was interrupted, if the call collected it:
    /// [`Answer::text`](crate::Answer::text), and [`complete`](crate::ChatServiceExt::complete) if the answer is
    /// [streamed upstream](crate::stream_upstream). `None` if there was none. It is not the whole answer, unless the failure is
    /// [`Nonconformant`](crate::FailureKind::Nonconformant): then it is all of the answer that was rejected, tool arguments if it called tools.
    ///
    /// Neither `Display` nor `Debug` nor [`report`](Self::report) prints it.
    ///
    /// ```
    /// use http::Response;
    /// use tower_openrouter::{Answer, ChatBody, FailureKind};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// // The connection ends after two words, and without a finish.
    /// let cut = "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"The sky\"}}]}\n\n";
    /// let answer = Answer::new(Response::new(ChatBody::from_event_stream(cut.to_owned())));
    /// match answer.text().await {
    ///     Ok(whole) => panic!("{whole}"),
    ///     Err(error) => {
    ///         assert_eq!(error.kind(), FailureKind::Truncated);
    ///         assert_eq!(error.partial_text(), Some("The sky"));
    ///         assert!(!format!("{error:?} {error}").contains("The sky"));
    ///     }
    /// }
    /// # }
    /// ```
    #[must_use]
    pub fn partial_text(&self) -> Option<&str> {
        self.0.partial_text.0.as_deref()
    }

    /// The same without a copy.
    #[must_use]
    pub fn into_partial_text(self) -> Option<String> {
        self.0.partial_text.0.map(String::from)
    }

    /// Keeps what was received; what it holds already stays.
    pub(crate) fn after_text(mut self, text: impl Into<String>) -> Self {
        let kept = &mut self.0.partial_text.0;
        if kept.is_none() {
            let text: String = text.into();
            *kept = (!text.is_empty()).then(|| text.into());
        }
        self
    }

    /// Adds what was tried, if the error does not have it already.
    pub(crate) fn after_attempts(mut self, attempts: Option<&AttemptLog>) -> Self {
        if let Some(attempts) = attempts {
            self.0.marks.attach(attempts.clone());
        }
        self
    }
}
