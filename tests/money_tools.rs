//! Whatever a request has the upstream run, the bill never exceeds what was reserved, or the request was refused.

use std::sync::Arc;

use crate::{
    apis,
    support::{FIRST, SECOND, World, ledger::Kept, prices},
};
use serde_json::{Value, json};
use tower_openrouter::{
    Api, ApiRequest, Catalogue, ChatRequest, ChatServiceExt, FailureKind, Stack, Tags, UsdAmount,
    layers::{
        LlmRequest as _,
        budget::{Budget, Budgets, InMemoryBudgetStore},
    },
};

/// Takes every modality, and reasons.
const REASONS: &str = "google/gemini-2.5-flash";
const EMBEDDER: &str = "openai/text-embedding-3-small";

struct Books {
    world: World,
    prices: Arc<Catalogue>,
}

impl Books {
    async fn new(plan: &str) -> Self {
        let world = World::new(plan).await;
        let prices = Arc::new(Catalogue::new(
            prices::account(&world.simulator).models().await.unwrap(),
        ));
        Self { world, prices }
    }

    fn stack(&self, dollars: &str, allows: bool) -> (Stack, InMemoryBudgetStore, Arc<Kept>) {
        let (book, kept) = (InMemoryBudgetStore::new(), Kept::new());
        let budget = Budget::usd("all", dollars).unwrap().each("run");
        let budgets = Budgets::in_store([budget], Arc::new(book.clone())).unwrap();
        let builder = self.world.builder().chain([FIRST]).prices(self.prices.clone());
        let builder = builder.budgets(budgets).ledger(kept.clone());
        let builder = if allows {
            builder.allow_unreserved_tools()
        } else {
            builder
        };
        (builder.build().unwrap(), book, kept)
    }

    fn billed(&self) -> i128 {
        i128::from(self.world.simulator.billed_total().pico())
    }
}

fn request(body: &Value) -> ChatRequest {
    let request = ChatRequest::from_json(body.to_string()).unwrap();
    request.tags(Tags::new([("run", "one")]).unwrap())
}

fn asks(fields: &Value) -> Value {
    let mut body = json!({"model": FIRST, "messages": [{"role": "user", "content": "Why is the sky blue?"}]});
    for (name, value) in fields.as_object().unwrap() {
        body[name] = value.clone();
    }
    body
}

#[tokio::test(start_paused = true)]
async fn what_has_no_bound_is_refused_by_name_unless_it_is_allowed() {
    let books = Books::new("words=20").await;
    let file = json!([{"role": "user", "content": [{"type": "file", "file": {"file_data": "data:application/pdf;base64,JVBERi0="}}]}]);
    for (name, fields) in [
        (
            "fusion",
            json!({"plugins": [{"id": "fusion", "analysis_models": ["a/a", "b/b"]}]}),
        ),
        ("openrouter:fusion", json!({"tools": [{"type": "openrouter:fusion"}]})),
        ("openrouter:advisor", json!({"tools": [{"type": "openrouter:advisor"}]})),
        (
            "openrouter:image_generation",
            json!({"tools": [{"type": "openrouter:image_generation"}]}),
        ),
        ("something_new", json!({"tools": [{"type": "something_new"}]})),
        ("some-plugin", json!({"plugins": [{"id": "some-plugin"}]})),
        (
            "file-parser",
            json!({"messages": file, "plugins": [{"id": "file-parser", "pdf": {"engine": "mistral-ocr"}}]}),
        ),
        ("file-parser", json!({"messages": file})),
    ] {
        let before = books.billed();
        let body = asks(&fields);
        let (stack, book, kept) = books.stack("5", false);
        let error = stack.complete(request(&body)).await.unwrap_err();
        assert_eq!(error.kind(), FailureKind::BadRequest, "{error}");
        let told = error.message();
        assert!(
            told.contains(&format!("`{name}`")) && told.contains("allow_unreserved_tools"),
            "{told}"
        );
        assert_eq!((books.billed(), kept.entries().len()), (before, 0), "nothing was sent");
        assert!(book.accounts().iter().all(|state| state.reserved == UsdAmount::ZERO));
        let (stack, book, _) = books.stack("50", true);
        stack.complete(request(&body)).await.unwrap();
        assert_eq!(
            book.accounts()[0].settled.pico(),
            books.billed() - before,
            "it is spent all the same"
        );
    }
    // What is free, off, or run by the caller is no matter of budgets.
    for fields in [
        json!({"plugins": [{"id": "response-healing"}, {"id": "fusion", "enabled": false}]}),
        json!({"tools": [{"type": "function", "function": {"name": "f"}}]}),
        json!({"messages": file, "plugins": [{"id": "file-parser", "pdf": {"engine": "native"}}]}),
        json!({"tools": []}),
    ] {
        let body = request(&asks(&fields));
        assert_eq!((body.unbounded_tool(), body.needs().tool_loop), (None, None));
    }
}

#[tokio::test(start_paused = true)]
async fn a_loop_of_tools_is_limited_to_what_the_budget_leaves() {
    let books = Books::new("words=20").await;
    let search = json!([{"type": "openrouter:web_search", "parameters": {"max_results": 5}}]);
    let body = asks(&json!({"tools": search, "max_tool_calls": 8, "max_tokens": 500}));
    let (stack, _, kept) = books.stack("50", false);
    stack.complete(request(&body)).await.unwrap();
    let reserved = kept.entries()[0].reserved;
    let sent = |books: &Books| -> Value {
        let seen = books.world.simulator.report();
        serde_json::from_slice(&seen.attempts.last().unwrap().body).unwrap()
    };
    let first = sent(&books)["stop_server_tools_when"].clone();
    assert_eq!(
        first[0],
        json!({"type": "step_count_is", "step_count": 8}),
        "they replace `max_tool_calls`"
    );
    let most = first[1]["max_cost_in_dollars"].as_f64().unwrap();
    assert!(most > 0.0 && first[1]["type"] == "max_cost", "{first}");

    // Less is left: the loop is limited further, and the answer is not shared.
    let less = UsdAmount::from_pico(reserved.pico() * 3 / 4).to_string();
    let (stack, _, kept) = books.stack(less.trim_start_matches('$'), false);
    let completion = stack.complete(request(&body)).await.unwrap();
    let further = sent(&books)["stop_server_tools_when"][1]["max_cost_in_dollars"]
        .as_f64()
        .unwrap();
    assert!(further < most, "{further} {most}");
    assert!(kept.entries()[0].cost() <= kept.entries()[0].reserved);
    let note = completion.attempts.unwrap().attempts()[0]
        .note
        .clone()
        .unwrap_or_default();
    assert!(note.contains("tools of the upstream limited to $"), "{note}");

    // Conditions of the request stay.
    let own = json!([{"type": "has_tool_call", "tool_name": "x"}, {"type": "max_cost", "max_cost_in_dollars": 0.01}]);
    let body = asks(&json!({"tools": search, "stop_server_tools_when": own, "max_tokens": 100}));
    let (stack, _, _) = books.stack("50", false);
    stack.complete(request(&body)).await.unwrap();
    let conditions = sent(&books)["stop_server_tools_when"].clone();
    assert_eq!((&conditions[0], &conditions[1]), (&own[0], &own[1]), "{conditions}");
    assert_eq!(conditions[2], json!({"type": "step_count_is", "step_count": 30}));

    // Not even one step fits.
    let (stack, _, _) = books.stack("0.0001", false);
    let error = stack.complete(request(&body)).await.unwrap_err();
    assert_eq!(error.kind(), FailureKind::BudgetExceeded);
}

/// A random request for a chat out of all that changes a bill.
fn random(dice: &mut fastrand::Rng) -> Value {
    let mut body = asks(&json!({}));
    let maybe = |dice: &mut fastrand::Rng| dice.u8(..3) == 0;
    if maybe(dice) {
        body["model"] = json!([SECOND, REASONS][dice.usize(..2)]);
    }
    let words = dice.usize(1..400);
    body["messages"][0]["content"] = json!("word ".repeat(words));
    if maybe(dice) {
        let all = [
            json!({"type": "file", "file": {"file_data": "data:application/pdf;base64,JVBERi0="}}),
            json!({"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0KGgo="}}),
            json!({"type": "image_url", "image_url": {"url": "https://pictures.example/1.png"}}),
            json!({"type": "input_audio", "input_audio": {"data": "UklGRg==", "format": "wav"}}),
            json!({"type": "video_url", "video_url": {"url": "https://films.example/1.mp4"}}),
            json!({"type": "text", "text": "cached", "cache_control": {"type": "ephemeral"}}),
        ];
        let mut parts = vec![json!({"type": "text", "text": "word ".repeat(words)})];
        parts.extend(some_of(dice, &all).as_array().unwrap().iter().cloned());
        body["messages"][0]["content"] = Value::Array(parts);
    }
    for name in ["max_tokens", "max_completion_tokens"] {
        if dice.bool() {
            body[name] = json!(dice.u64(1..2_000));
        }
    }
    if maybe(dice) {
        body["n"] = json!(dice.u64(1..5));
    }
    match dice.u8(..5) {
        0 => {
            let effort = ["minimal", "low", "high", "xhigh"][dice.usize(..4)];
            body["reasoning"] = json!({"effort": effort});
        }
        1 => body["reasoning"] = json!({"max_tokens": dice.u64(1..6_000), "exclude": dice.bool()}),
        2 => body["reasoning_effort"] = json!(["low", "high"][dice.usize(..2)]),
        _ => {}
    }
    let out = [json!(["text"]), json!(["text", "audio"]), json!(["image", "text"])];
    if maybe(dice) {
        body["modalities"] = out[dice.usize(..out.len())].clone();
    }
    if maybe(dice) {
        body["models"] = json!([SECOND, REASONS][..=dice.usize(..2)]);
    }
    if maybe(dice) {
        body["max_tool_calls"] = json!(dice.u64(..40));
    }
    if maybe(dice) {
        let all = [
            json!({"type": "step_count_is", "step_count": dice.u64(1..60)}),
            json!({"type": "max_cost", "max_cost_in_dollars": f64::from(dice.u32(1..100)) / 1_000.0}),
            json!({"type": "max_cost", "max_cost_in_dollars": "0.02"}),
            json!({"type": "has_tool_call", "tool_name": "x"}),
            json!({"type": "max_tokens_used", "max_tokens": 5}),
        ];
        body["stop_server_tools_when"] = some_of(dice, &all);
    }
    if !maybe(dice) {
        let uses = dice.u64(1..50);
        let all = [
            json!({"type": "function", "function": {"name": "f", "parameters": {}}}),
            json!({"type": "openrouter:web_search"}),
            json!({"type": "openrouter:web_search", "parameters": {"max_results": dice.u64(1..30), "max_uses": uses}}),
            json!({"type": "openrouter:web_fetch", "parameters": {"max_content_tokens": dice.u64(1..90_000)}}),
            json!({"type": "openrouter:datetime"}),
            json!({"type": "openrouter:fusion"}),
            json!({"type": "openrouter:advisor"}),
            json!({"type": "openrouter:image_generation"}),
            json!({"type": "web_search_preview"}),
        ];
        body["tools"] = some_of(dice, &all);
    }
    if maybe(dice) {
        let engine = ["native", "mistral-ocr", "cloudflare-ai"][dice.usize(..3)];
        let all = [
            json!({"id": "web", "max_uses": dice.u64(1..9), "max_results": dice.u64(1..30)}),
            json!({"id": "web", "enabled": false}),
            json!({"id": "response-healing"}),
            json!({"id": "fusion", "analysis_models": ["a/a"]}),
            json!({"id": "file-parser", "pdf": {"engine": engine}}),
        ];
        body["plugins"] = some_of(dice, &all);
    }
    if maybe(dice) {
        let size = ["low", "medium", "high"][dice.usize(..3)];
        body["web_search_options"] = json!({"search_context_size": size});
    }
    body
}

/// The same choice as a request to another API.
fn of(api: Api, chat: Value, dice: &mut fastrand::Rng) -> Value {
    match api {
        Api::Chat => chat,
        Api::Responses => response(&chat),
        Api::Messages => message(&chat, dice),
        _ => embedding(dice),
    }
}

/// The model, and the fields that are alike.
fn alike(chat: &Value, fields: &[&str]) -> Value {
    let mut body = json!({"model": chat["model"]});
    for field in fields.iter().filter(|field| chat.get(**field).is_some()) {
        body[*field] = chat[*field].clone();
    }
    body
}

fn parts(chat: &Value) -> Vec<Value> {
    match &chat["messages"][0]["content"] {
        Value::Array(parts) => parts.clone(),
        text => vec![json!({"type": "text", "text": text})],
    }
}

fn limit(chat: &Value) -> Option<&Value> {
    chat.get("max_tokens").or_else(|| chat.get("max_completion_tokens"))
}

fn tools(chat: &Value, change: impl Fn(&Value) -> Value) -> Option<Value> {
    Some(chat.get("tools")?.as_array()?.iter().map(change).collect())
}

fn response(chat: &Value) -> Value {
    let fields = [
        "models",
        "modalities",
        "reasoning",
        "max_tool_calls",
        "stop_server_tools_when",
        "plugins",
    ];
    let mut body = alike(chat, &fields);
    let content: Vec<_> = parts(chat)
        .into_iter()
        .map(|mut part| match part["type"].as_str() {
            Some("image_url") => json!({"type": "input_image", "image_url": part["image_url"]["url"]}),
            Some("file") => json!({"type": "input_file", "file_data": part["file"]["file_data"]}),
            Some("text") => {
                part["type"] = json!("input_text");
                part
            }
            _ => part,
        })
        .collect();
    body["input"] = json!([{"role": "user", "content": content}]);
    if let Some(limit) = limit(chat) {
        body["max_output_tokens"] = limit.clone();
    }
    if let Some(effort) = chat.get("reasoning_effort") {
        body["reasoning"] = json!({"effort": effort});
    }
    let flat = |tool: &Value| match tool["type"].as_str() {
        Some("function") => json!({"type": "function", "name": "f", "parameters": {}}),
        _ => tool.clone(),
    };
    if let Some(tools) = tools(chat, flat) {
        body["tools"] = tools;
    }
    body
}

fn message(chat: &Value, dice: &mut fastrand::Rng) -> Value {
    let fields = ["models", "max_tool_calls", "stop_server_tools_when", "plugins"];
    let mut body = alike(chat, &fields);
    let content: Vec<_> = parts(chat)
        .into_iter()
        .filter_map(|part| match part["type"].as_str()? {
            "text" => Some(part),
            "image_url" => Some(json!({"type": "image", "source": {"type": "url", "url": part["image_url"]["url"]}})),
            "file" => {
                let source = json!({"type": "base64", "media_type": "application/pdf", "data": "JVBERi0="});
                Some(json!({"type": "document", "source": source}))
            }
            _ => None,
        })
        .collect();
    body["messages"] = json!([{"role": "user", "content": content}]);
    if let Some(limit) = limit(chat) {
        body["max_tokens"] = limit.clone();
    }
    match dice.u8(..4) {
        0 => body["thinking"] = json!({"type": "enabled", "budget_tokens": dice.u64(1_024..6_000)}),
        1 => {
            let effort = ["low", "high", "max"][dice.usize(..3)];
            body["thinking"] = json!({"type": "adaptive"});
            body["output_config"] = json!({"effort": effort});
        }
        _ => {}
    }
    let uses = dice.u64(1..20);
    let own = |tool: &Value| match tool["type"].as_str() {
        Some("function") => json!({"name": "f", "input_schema": {"type": "object"}}),
        Some("web_search_preview") => json!({"type": "web_search_20250305", "name": "web_search", "max_uses": uses}),
        Some("openrouter:image_generation") => json!({"type": "code_execution_20250825", "name": "code_execution"}),
        _ => tool.clone(),
    };
    if let Some(tools) = tools(chat, own) {
        body["tools"] = tools;
    }
    body
}

fn embedding(dice: &mut fastrand::Rng) -> Value {
    let text = |dice: &mut fastrand::Rng| "word ".repeat(dice.usize(1..400));
    let mut body = json!({"model": EMBEDDER, "input": text(dice)});
    match dice.u8(..3) {
        0 => body["input"] = (0..dice.usize(1..5)).map(|_| text(dice)).collect(),
        1 => body["input"] = (0..dice.u64(1..500)).collect(),
        _ => {}
    }
    if dice.bool() {
        body["dimensions"] = json!(dice.u64(1..64));
    }
    body
}

fn some_of(dice: &mut fastrand::Rng, all: &[Value]) -> Value {
    let count = dice.usize(..3);
    Value::Array((0..=count).map(|_| all[dice.usize(..all.len())].clone()).collect())
}

fn variable(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |text| text.parse().unwrap())
}

/// One request a seed, in one of the APIs. A failure prints the request, and the command that replays it with its seed alone.
#[tokio::test(start_paused = true)]
async fn no_bill_exceeds_its_reservation() {
    let (first, count) = (variable("FIRST_SEED", 0), variable("SEEDS", 600));
    let books = Books::new("words=20").await;
    // Each request has an account of its own.
    let stacks = ["0.02", "0.5", "4", "1000"].map(|dollars| books.stack(dollars, false));
    let mut sent = [0; 4];
    let (mut refused, mut looped) = (0, 0);
    for seed in first..first + count {
        let mut dice = fastrand::Rng::with_seed(seed);
        let number = [0, 0, 1, 1, 2, 2, 3][dice.usize(..7)];
        let api = [Api::Chat, Api::Responses, Api::Messages, Api::Embeddings][number];
        let chat = random(&mut dice);
        let (body, streamed) = (of(api, chat, &mut dice), dice.bool());
        let words = ["words=20", "words=300"][dice.usize(..2)];
        books.world.simulator.plan(FIRST, words).unwrap();
        let (stack, book, kept) = &stacks[dice.usize(..stacks.len())];
        let what = format!(
            "FIRST_SEED={seed} SEEDS=1 cargo nextest run --all-features -E 'test(no_bill_exceeds_its_reservation)'\n{api}, streamed: \
             {streamed}, {words}: {body}"
        );
        let (before, known) = (books.billed(), kept.entries().len());
        let run = seed.to_string();
        let mut asked = ApiRequest::from_json(api, body.to_string()).unwrap().stream(streamed);
        asked.call_mut().set_tags(Tags::new([("run", run.as_str())]).unwrap());
        looped += usize::from(asked.needs().tool_loop.is_some());
        let got = apis::call(stack, asked).await;
        let billed = books.billed() - before;
        let entries = kept.entries().split_off(known);
        let reserved: i128 = entries.iter().map(|entry| entry.reserved.pico()).sum();
        assert!(billed <= reserved, "{billed} billed, {reserved} reserved\n{what}");
        // What the upstream refuses, such as a picture for a model without eyes, costs nothing.
        assert!(got.kind().is_none() || billed == 0, "{got:?}\n{what}");
        refused += usize::from(got.kind().is_some() && entries.is_empty());
        sent[number] += usize::from(got.kind().is_none());
        // A stream of messages has no cost in it: until its bill comes it is an estimate.
        let is_late = api == Api::Messages && streamed;
        let account = format!("run={run}");
        for state in book.accounts().iter().filter(|state| state.account == account) {
            assert_eq!(state.reserved, UsdAmount::ZERO, "{what}");
            if !is_late {
                assert_eq!(state.overrun, UsdAmount::ZERO, "{what}");
                assert_eq!(state.settled.pico(), billed, "{what}");
            }
        }
    }
    if count >= 400 {
        assert!(
            sent.iter().all(|sent| *sent > 20) && refused > 25 && looped > 50,
            "{sent:?} sent by API, {refused} refused, {looped} loops"
        );
    }
}
