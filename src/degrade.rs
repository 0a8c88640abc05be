//! Canned replies: the last source of a degraded answer.

use std::{fmt, sync::Arc, time::Duration};

use http::{Extensions, HeaderMap, Request};
use serde_json::{Value, json};
use tower_llm_layers::{FailureKind, LlmRequest, Stage, Tags, UtcTime, degrade::Degradation};

use crate::{ChatFrame, FrameKind};

/// The request, as far as a reply of your own may need it.
#[derive(Debug)]
#[non_exhaustive]
pub struct Asked<'a> {
    /// The model; `None` if the request names none.
    pub model: Option<&'a str>,
    /// Whether a stream is wanted. The reply comes in the right form by itself.
    pub streaming: bool,
    /// What the call is accounted under.
    pub tags: &'a Tags,
    /// What went wrong.
    pub reason: FailureKind,
    /// The request's headers.
    pub headers: &'a HeaderMap,
    /// The request's extensions.
    pub extensions: &'a Extensions,
}

type Reply = dyn Fn(&Asked<'_>) -> Option<String> + Send + Sync;

/// A text returned as a chat's answer if every candidate has failed, as a plain answer or a stream: the same for all callers, or computed.
///
/// ```
/// use tower_openrouter::{ApiKey, Stack, degrade::CannedReply};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let stack = Stack::openrouter(ApiKey::new("sk-or-v1-0")?)
///     .chain(["openai/gpt-5"])
///     .canned_reply(CannedReply::text("We cannot answer right now. Please try again in a minute."))
///     .build()?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct CannedReply(Arc<Reply>);

impl CannedReply {
    /// The same text for all callers.
    pub fn text(text: impl Into<String>) -> Self {
        let text = text.into();
        Self::new(move |_| Some(text.clone()))
    }

    /// Computed; `None` leaves the failure as it is.
    pub fn new(reply: impl Fn(&Asked<'_>) -> Option<String> + Send + Sync + 'static) -> Self {
        Self(Arc::new(reply))
    }
}

impl<R: LlmRequest> Degradation<R, ChatFrame> for CannedReply {
    fn canned(&self, request: &Request<R>, reason: FailureKind) -> Option<Vec<ChatFrame>> {
        // A text is no answer to anything but a chat.
        if !request.uri().path().ends_with("/chat/completions") {
            return None;
        }
        let body = request.body();
        let asked = Asked {
            model: body.model(),
            streaming: body.is_streaming(),
            tags: body.call().tags(),
            reason,
            headers: request.headers(),
            extensions: request.extensions(),
        };
        let text = (self.0)(&asked)?;
        Some(frames(&text, asked.model.unwrap_or("none"), asked.streaming))
    }
}

/// A text in the requested form. No tokens were used, so nothing is billed.
fn frames(text: &str, model: &str, streaming: bool) -> Vec<ChatFrame> {
    let created = Duration::from_millis(UtcTime::now().millis()).as_secs();
    let usage = json!({"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0, "cost": 0});
    let answer = |object: &str, choice: Value, usage: Option<&Value>| {
        let mut answer =
            json!({"id": "degraded", "object": object, "created": created, "model": model, "choices": [choice]});
        if let (Some(usage), Some(answer)) = (usage, answer.as_object_mut()) {
            answer.insert("usage".to_owned(), usage.clone());
        }
        answer.to_string().into()
    };
    let message = json!({"role": "assistant", "content": text});
    if streaming {
        let chunk = "chat.completion.chunk";
        let said = json!({"index": 0, "delta": message, "finish_reason": null});
        let end = json!({"index": 0, "delta": {}, "finish_reason": "stop"});
        return vec![
            ChatFrame::new(answer(chunk, said, None), FrameKind::Chunk, Stage::Content, false),
            ChatFrame::new(answer(chunk, end, Some(&usage)), FrameKind::Chunk, Stage::Finish, true),
        ];
    }
    let choice = json!({"index": 0, "message": message, "finish_reason": "stop"});
    let whole = answer("chat.completion", choice, Some(&usage));
    vec![ChatFrame::new(whole, FrameKind::Answer, Stage::Content, true)]
}

impl fmt::Debug for CannedReply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CannedReply")
    }
}
