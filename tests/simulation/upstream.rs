//! The strict upstream: a service in the place of the transport that answers by its script and writes everything down.

use std::{
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::Bytes;
use http::{HeaderValue, Request, Response};
use http_body_util::BodyExt;
use serde_json::Value;
use tokio::time::{Sleep, sleep};
use tower::Service;
use tower_openrouter::{
    Api, ApiRequest, ChatBody, ChatRequest, EmbeddingRequest, Error, FailureKind, MessagesRequest, ResponsesRequest,
    UsdAmount,
    layers::{LlmRequest, pause::RateLimitStatus},
};

use super::{
    answer,
    body::{Connection, WireBody},
    draw::Draw,
    faults::{Fault, Mood, bad_key, no_prefill, pinned_down},
    planted::Plant,
    record::{Exchange, Record},
    script::{Head, Script},
    setup::Setup,
    wire::{Answer, TOKENS_PER_WORD, Told},
};

/// For a token of prompt and of answer, in millionths of a millionth of a dollar.
pub(crate) const PRICES: [i128; 2] = [1_000_000, 4_000_000];

/// How many characters an answer by instruction begins with at most.
const LAST: usize = 40;

/// One clone of the upstream. Each must be made ready before it is called.
pub(crate) struct Upstream {
    shared: Arc<Shared>,
    is_ready: bool,
    wait: Option<Pin<Box<Sleep>>>,
}

pub(crate) struct Shared {
    pub(crate) seed: u64,
    pub(crate) setup: Setup,
    pub(crate) record: Arc<Record>,
    pub(crate) plant: Plant,
}

impl Upstream {
    pub(crate) fn new(shared: Arc<Shared>) -> Self {
        Self {
            shared,
            is_ready: false,
            wait: None,
        }
    }
}

impl Clone for Upstream {
    fn clone(&self) -> Self {
        Self::new(Arc::clone(&self.shared))
    }
}

impl Service<Request<ApiRequest>> for Upstream {
    type Response = Response<ChatBody>;
    type Error = Error;
    type Future = Pin<Box<dyn Future<Output = Result<Response<ChatBody>, Error>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        if self.shared.setup.is_unready && !self.is_ready {
            let wait = Duration::from_millis(fastrand::u64(0..150));
            let wait = self.wait.get_or_insert_with(|| Box::pin(sleep(wait)));
            ready!(wait.as_mut().poll(cx));
            self.wait = None;
        }
        self.is_ready = true;
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<ApiRequest>) -> Self::Future {
        if !std::mem::take(&mut self.is_ready) {
            self.shared
                .record
                .wrong("a service was called that was not ready".to_owned());
        }
        let shared = Arc::clone(&self.shared);
        Box::pin(async move { shared.exchange(&request).await })
    }
}

/// What a request asks for.
struct Asked {
    api: Api,
    call: u64,
    attempt: u32,
    question: u64,
    model: String,
    streamed: bool,
    /// What the answer begins with already.
    begun: Option<String>,
    /// The last characters of that, if an instruction says that the answer is to begin with them.
    named: Option<String>,
    max_tokens: Option<u64>,
    prompt_tokens: u64,
    is_pinned: bool,
    has_bad_key: bool,
}

impl Shared {
    async fn exchange(&self, request: &Request<ApiRequest>) -> Result<Response<ChatBody>, Error> {
        let asked = self.read(request);
        let draw = &mut Draw::of(self.seed, &[4, asked.call, u64::from(asked.attempt)]);
        let (answer, is_cut) = self.answer(&asked, draw);
        let fault = self.fault(&asked, draw);
        let mut script = Script::of(&fault, &self.plant.told(&answer), asked.streamed, draw);
        if self.record.is_well() {
            script.make_haste();
        }
        let index = self.record.open(Exchange {
            call: asked.call,
            attempt: asked.attempt,
            api: asked.api,
            model: asked.model,
            streamed: asked.streamed,
            began: self.record.now(),
            closed: None,
            fate: script.fate,
            is_pinned: asked.is_pinned,
            written: std::mem::take(&mut script.written),
            taken: 0,
            shown: None,
            whole: None,
            charge: answer.cost,
            is_counted: answer.told == Told::Counts,
            id: answer.id.clone(),
            is_cut,
            was_dropped: false,
        });
        let mut connection = Connection::new(Arc::clone(&self.record), index);
        if !script.head_after.is_zero() {
            sleep(script.head_after).await;
        }
        let head = std::mem::replace(&mut script.head, Head::Answer);
        if !matches!(head, Head::Answer | Head::Never) {
            connection.end();
        }
        match head {
            Head::Never => std::future::pending().await,
            Head::Connect => Err(Error::new(FailureKind::Connect, "no connection to the upstream")),
            Head::Reset => Err(Error::new(
                FailureKind::Reset,
                "the connection broke before an answer came",
            )),
            Head::Refused(json) => Err(refused(asked.api, json).await),
            Head::Answer => {
                let body = WireBody::new(script, connection);
                let body = if asked.streamed {
                    ChatBody::from_event_stream_of(asked.api, body)
                } else {
                    ChatBody::from_plain_of(asked.api, body)
                };
                let mut response = Response::new(body);
                let id = HeaderValue::try_from(&answer.id).unwrap();
                response.headers_mut().insert("x-generation-id", id);
                if self.setup.tells_limits && draw.chance(30) {
                    response.extensions_mut().insert(RateLimitStatus::new(
                        draw.number(0..8),
                        None,
                        draw.millis(0..20_000),
                    ));
                }
                Ok(response)
            }
        }
    }

    fn read(&self, request: &Request<ApiRequest>) -> Asked {
        let body = request.body();
        let json = json(body);
        let document: Value = serde_json::from_slice(&json).unwrap();
        let none = Vec::new();
        let messages = document["messages"].as_array().unwrap_or(&none);
        let user = messages.iter().find(|message| message["role"] == "user");
        let prompt = match body.api() {
            Api::Chat | Api::Messages => user.map(|message| &message["content"]),
            Api::Responses => Some(&document["input"]),
            _ => Some(&document["input"][0]),
        };
        let prompt = prompt.and_then(Value::as_str).unwrap_or_default();
        let (begun, named) = continued(messages);
        let tags = body.call().tags();
        let key = request.headers().get("authorization").and_then(|key| key.to_str().ok());
        let number = key.and_then(|key| key.rsplit('-').next()?.parse::<usize>().ok());
        Asked {
            api: body.api(),
            call: tags.get("call").and_then(|call| call.parse().ok()).unwrap_or(0),
            attempt: body.call().attempt().map_or(0, |attempt| attempt.number()),
            question: answer::question(prompt).unwrap_or(u64::MAX),
            model: document["model"].as_str().unwrap_or_default().to_owned(),
            streamed: body.is_streaming(),
            begun,
            named,
            max_tokens: ["max_tokens", "max_output_tokens"]
                .iter()
                .find_map(|name| document[name].as_u64()),
            prompt_tokens: json.len() as u64 / 8,
            is_pinned: document.get("provider").is_some(),
            has_bad_key: number.is_some_and(|number| number < self.setup.keys.1),
        }
    }

    fn fault(&self, asked: &Asked, draw: &mut Draw) -> Fault {
        let index = asked
            .model
            .rsplit('-')
            .next()
            .and_then(|index| index.parse::<usize>().ok());
        let mood = index.and_then(|index| self.setup.moods.get(index)).copied();
        let fault = mood.unwrap_or(Mood::Calm).fault(draw);
        let is_prefill = asked.begun.is_some() && asked.named.is_none();
        let refuses = index.and_then(|index| self.setup.refuse_prefill.get(index)).copied();
        if asked.is_pinned {
            Fault::Refused(pinned_down())
        } else if is_prefill && refuses.unwrap_or(false) {
            Fault::Refused(no_prefill())
        } else if asked.has_bad_key && !self.record.is_well() {
            Fault::Refused(bad_key())
        } else if self.record.is_well() {
            Fault::None
        } else {
            fault
        }
    }

    /// The rest of the right answer, and whether `max_tokens` cuts it.
    fn answer(&self, asked: &Asked, draw: &mut Draw) -> (Answer, bool) {
        let whole = answer::text(self.seed, asked.question);
        let begun = asked.begun.as_deref().unwrap_or_default();
        let mut from = begun.len();
        if !whole.starts_with(begun) {
            let call = asked.call;
            self.record
                .wrong(format!("call {call}: asked to continue {begun:?} of {whole:?}"));
            from = 0;
        }
        let mut is_restart = false;
        if let Some(named) = &asked.named {
            if !begun.ends_with(named) || named.is_empty() || named.chars().count() > LAST {
                let call = asked.call;
                self.record.wrong(format!(
                    "invariant 3: call {call}: asked to begin with {named:?}, the end of {begun:?}"
                ));
            }
            from = from.saturating_sub(named.len());
            is_restart = draw.chance(self.setup.restarts) && from > 0;
        } else if asked.begun.is_some() {
            is_restart = draw.chance(self.setup.restarts) && begun.split_whitespace().count() > 8;
            if draw.chance(25) {
                from = overlap(begun).unwrap_or(from);
            }
        }
        if is_restart {
            from = 0;
        }
        let mut words = split_words(whole.get(from..).unwrap());
        if is_restart && self.plant == Plant::JoinsRestart {
            words.splice(0..0, asked.named.clone());
        }
        let most = asked
            .max_tokens
            .map_or(usize::MAX, |most| usize::try_from(most / TOKENS_PER_WORD).unwrap());
        let is_cut = words.len() > most.max(1);
        words.truncate(most.max(1));
        let tokens = match asked.api {
            Api::Embeddings => 0,
            _ => (words.len() as u64 * TOKENS_PER_WORD).min(asked.max_tokens.unwrap_or(u64::MAX)),
        };
        // So is one that is cut while it says again what was shown, if it does so from the first word on.
        let says_new = words.concat().len() >= begun.len();
        is_restart |= is_cut && (asked.named.is_some() || (from == 0 && !says_new));
        let of = |price: i128, tokens: u64| price * i128::from(tokens);
        let answer = Answer {
            api: asked.api,
            is_restart,
            tokens,
            id: format!("gen-{}-{}", asked.call, asked.attempt),
            words,
            finish: if is_cut { "length" } else { "stop" },
            prompt_tokens: asked.prompt_tokens,
            cost: UsdAmount::from_pico(of(PRICES[0], asked.prompt_tokens) + of(PRICES[1], tokens)),
            told: draw.weighed(&[
                (12, Told::Cost),
                (2, Told::Counts),
                (2, Told::Nothing),
                (1, Told::Odd("{}")),
                (1, Told::Odd("null")),
                (
                    1,
                    Told::Odd(r#"{"prompt_tokens":0,"completion_tokens":0,"total_tokens":0}"#),
                ),
                (1, Told::Odd(r#"{"prompt_tokens":-1,"completion_tokens":"many"}"#)),
                (
                    1,
                    Told::Odd(r#"{"prompt_tokens":18446744073709551615,"completion_tokens":7,"cost":-1}"#),
                ),
                (
                    1,
                    Told::Odd(r#"{"prompt_tokens":1,"completion_tokens":1,"cost":1e300}"#),
                ),
            ]),
        };
        (answer, is_cut)
    }
}

/// The request's own bytes.
pub(crate) fn json(request: &ApiRequest) -> Bytes {
    let chat = request.as_chat().map(ChatRequest::to_bytes);
    let response = || request.as_responses().map(ResponsesRequest::to_bytes);
    let message = || request.as_messages().map(MessagesRequest::to_bytes);
    let texts = || request.as_embedding().map(EmbeddingRequest::to_bytes);
    chat.or_else(response).or_else(message).or_else(texts).unwrap()
}

/// What an answer is to continue, and the characters that an instruction names, which stand behind its words.
fn continued(messages: &[Value]) -> (Option<String>, Option<String>) {
    let content = |message: &Value| message["content"].as_str().unwrap_or_default().to_owned();
    let of = |message: &Value| (message["role"] == "assistant").then(|| content(message));
    match messages {
        [.., last] if last["role"] == "assistant" => (of(last), None),
        [.., before, last] if before["role"] == "assistant" => {
            let words = content(last);
            let named = words.split_once("continue:\n\n").map(|(_, named)| named.to_owned());
            (of(before), Some(named.unwrap_or_default()))
        }
        _ => (None, None),
    }
}

/// The place at which a model begins that says the last words once more; `None` if there are too few, or a sentence has just ended.
fn overlap(begun: &str) -> Option<usize> {
    if begun.ends_with('.') {
        return None;
    }
    let starts: Vec<usize> = begun
        .char_indices()
        .filter(|(at, letter)| {
            let before = begun.get(..*at).unwrap().chars().next_back();
            !letter.is_whitespace() && before.is_none_or(char::is_whitespace)
        })
        .map(|(at, _)| at)
        .collect();
    starts.len().checked_sub(6).map(|place| starts[place])
}

/// Each word with the white space before it.
fn split_words(text: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut in_word = false;
    for letter in text.chars() {
        if letter.is_whitespace() && in_word {
            words.push(String::new());
        }
        in_word = !letter.is_whitespace();
        words.last_mut().unwrap().push(letter);
    }
    words.retain(|word| !word.is_empty());
    words
}

/// The error of an envelope, as the stack's own reader understands it.
async fn refused(api: Api, json: String) -> Error {
    let mut body = ChatBody::from_plain_of(api, json);
    match body.frame().await {
        Some(Err(error)) => error,
        read => Error::new(
            FailureKind::Internal,
            format!("the simulation's refusal was read as {read:?}"),
        ),
    }
}
