//! Everything that can go wrong with one exchange, and what it says of the upstream.

use std::time::Duration;

use tower_openrouter::Api;

use super::draw::Draw;

/// What an exchange says of its upstream's health.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Fate {
    /// A whole answer in good time.
    Good,
    /// A failure that the caller, its request or its account caused.
    Neutral,
    /// The upstream failed.
    Unhealthy,
}

/// A failure in the upstream's words.
#[derive(Debug, Clone)]
pub(crate) struct Refusal {
    code: u16,
    message: &'static str,
    metadata: String,
    pub(crate) fate: Fate,
}

impl Refusal {
    /// In the envelope of this API.
    pub(crate) fn json(&self, api: Api) -> String {
        let (code, message, metadata) = (self.code, self.message, &self.metadata);
        if api == Api::Messages {
            let kind = match code {
                401 => "authentication_error",
                402 => "billing_error",
                403 => "permission_error",
                404 => "not_found_error",
                408 => "timeout_error",
                429 => "rate_limit_error",
                503 | 529 => "overloaded_error",
                500.. => "api_error",
                _ => "invalid_request_error",
            };
            return format!(
                r#"{{"type":"error","error":{{"type":"{kind}","message":"{message}"}},"request_id":null,"metadata":{{{metadata}}}}}"#
            );
        }
        format!(r#"{{"error":{{"code":{code},"message":"{message}","metadata":{{{metadata}}}}}}}"#)
    }

    /// As an event of a stream of this API.
    pub(crate) fn event(&self, api: Api) -> String {
        let word = match self.code {
            429 => "rate_limit_exceeded",
            _ => "server_error",
        };
        let message = self.message;
        match api {
            Api::Messages => format!("event: error\ndata: {}\n\n", self.json(api)),
            Api::Responses => format!(
                "event: response.failed\ndata: {{\"type\":\"response.failed\",\"sequence_number\":99,\"response\":{{\"id\":\"r\",\"object\":\"response\",\"status\":\"failed\",\"error\":{{\"code\":\"{word}\",\"message\":\"{message}\"}},\"output\":[]}}}}\n\n"
            ),
            _ => format!("data: {}\n\n", self.json(api)),
        }
    }
}

/// How an exchange goes.
#[derive(Debug, Clone)]
pub(crate) enum Fault {
    None,
    /// No connection.
    Connect,
    /// The connection breaks before the head.
    Reset,
    /// Nothing ever comes.
    Silent,
    Refused(Refusal),
    /// The same inside a success, before the answer or, of so many thousandths of its bytes, within it.
    Inside(Refusal, u64),
    /// The bytes end after so many thousandths of them: as if all were well, or with an error.
    Cut(u64, bool),
    /// Nothing more comes after so many thousandths.
    Stall(u64),
    /// Signs of life come, and no content.
    Drip(Duration),
    /// These bytes come in the place of the answer.
    Garbage(&'static str),
    /// The answer ends without any content.
    Empty,
}

/// How often an upstream fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mood {
    /// Hardly ever.
    Calm,
    /// In most attempts.
    Storm,
    /// Only callers make mistakes.
    Innocent,
    /// Most answers begin well and are interrupted.
    Brittle,
}

impl Mood {
    pub(crate) fn of(draw: &mut Draw) -> Self {
        draw.weighed(&[
            (4, Self::Calm),
            (4, Self::Storm),
            (3, Self::Innocent),
            (2, Self::Brittle),
        ])
    }

    /// What becomes of the next exchange.
    pub(crate) fn fault(self, draw: &mut Draw) -> Fault {
        let percent = match self {
            Self::Calm => 10,
            Self::Storm | Self::Brittle => 65,
            Self::Innocent => 25,
        };
        if !draw.chance(percent) {
            return Fault::None;
        }
        if self == Self::Innocent {
            return Fault::Refused(callers_mistake(draw));
        }
        let place = draw.number(0..1000);
        if self == Self::Brittle {
            let place = 300 + place * 7 / 10;
            return match draw.number(0..4) {
                0 => Fault::Inside(upstreams_failure(draw), place),
                1 => Fault::Stall(place),
                _ => Fault::Cut(place, draw.chance(50)),
            };
        }
        match draw.number(0..18) {
            0 => Fault::Connect,
            1 => Fault::Reset,
            2 => Fault::Silent,
            3 | 4 => Fault::Refused(callers_mistake(draw)),
            5..=7 => Fault::Refused(upstreams_failure(draw)),
            8 => Fault::Inside(upstreams_failure(draw), draw.pick(&[0, place])),
            9..=12 => Fault::Cut(place, draw.chance(50)),
            13 | 14 => Fault::Stall(draw.pick(&[0, place])),
            15 => Fault::Drip(draw.pick(&[Duration::from_millis(300), Duration::from_secs(2)])),
            16 => Fault::Garbage(draw.pick(&GARBAGE)),
            _ => Fault::Empty,
        }
    }
}

const GARBAGE: [&str; 5] = [
    "",
    "<html><body>Bad gateway</body></html>",
    "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"half",
    "data: {]}\n\n",
    "upstream connect error",
];

fn refusal(fate: Fate, code: u16, message: &'static str, metadata: &str) -> Refusal {
    Refusal {
        code,
        message,
        metadata: metadata.to_owned(),
        fate,
    }
}

fn callers_mistake(draw: &mut Draw) -> Refusal {
    let (code, message, metadata) = draw.pick(&[
        (400, "messages must not be empty", r#""error_type":"invalid_request""#),
        (
            400,
            "This endpoint's maximum context length is 8192 tokens. However, you requested about 9000 tokens",
            r#""error_type":"context_length_exceeded""#,
        ),
        (
            402,
            "This request requires more credits, or fewer max_tokens. You requested up to 8192 tokens, but can only afford 400.",
            "",
        ),
        (403, "Input was flagged", r#""reasons":["violence"],"flagged_input":"x""#),
        (404, "No endpoints found", ""),
        (415, "unsupported media type", r#""provider_name":"Acme""#),
    ]);
    refusal(Fate::Neutral, code, message, metadata)
}

fn upstreams_failure(draw: &mut Draw) -> Refusal {
    let hint = draw.weighed(&[(6, None), (3, Some(1)), (2, Some(4)), (1, Some(40)), (1, Some(90_000))]);
    let hint = hint
        .map(|seconds| format!(r#""retry_after_seconds":{seconds}"#))
        .unwrap_or_default();
    let (code, message) = draw.pick(&[
        (429, "Rate limit exceeded: free-models-per-min."),
        (429, "Provider returned error"),
        (
            429,
            "Rate limit exceeded: free-models-per-day. Add 10 credits to unlock more",
        ),
        (500, "Internal Server Error"),
        (502, "Provider returned error"),
        (503, "Service unavailable"),
        (529, "Overloaded"),
        (408, "Request timed out"),
    ]);
    refusal(Fate::Unhealthy, code, message, &hint)
}

/// A refusal of the key.
pub(crate) fn bad_key() -> Refusal {
    refusal(Fate::Neutral, 401, "No auth credentials found", "")
}

/// What an upstream says that the caller has pinned, and that is down.
pub(crate) fn pinned_down() -> Refusal {
    refusal(Fate::Neutral, 503, "The pinned provider is down", "")
}

/// What a model says that takes no begun message.
pub(crate) fn no_prefill() -> Refusal {
    let message =
        "This model does not support assistant message prefill. The conversation must end with a user message.";
    refusal(Fate::Neutral, 400, message, r#""provider_name":"Anthropic""#)
}
