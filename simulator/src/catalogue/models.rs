//! The catalogue itself.

use std::borrow::Cow;

use super::{Endpoint, Model, Price};
use crate::money::Cost;

const TEXT: &[&str] = &["text"];
const VISION: &[&str] = &["text", "image", "file"];
const PLAIN: &[&str] = &["max_tokens", "temperature", "top_p", "stop", "seed"];
const TOOLS: &[&str] = &[
    "max_tokens",
    "temperature",
    "top_p",
    "stop",
    "seed",
    "tools",
    "tool_choice",
    "response_format",
];
const FULL: &[&str] = &[
    "max_tokens",
    "temperature",
    "top_p",
    "stop",
    "seed",
    "frequency_penalty",
    "presence_penalty",
    "tools",
    "tool_choice",
    "response_format",
    "structured_outputs",
];
const THINKING: &[&str] = &[
    "max_tokens",
    "temperature",
    "top_p",
    "stop",
    "seed",
    "tools",
    "tool_choice",
    "response_format",
    "structured_outputs",
    "reasoning",
    "include_reasoning",
];

/// Prices in pico-dollars a token: a dollar per million tokens is a million of them.
const fn price(prompt: u64, completion: u64) -> Price {
    Price {
        prompt: Cost::from_pico(prompt),
        completion: Cost::from_pico(completion),
        cache_read: None,
        cache_write: None,
        cache_write_1h: None,
        reasoning: None,
        above: None,
        varies: false,
    }
}

const fn cached(mut price: Price, read: u64, write: Option<u64>) -> Price {
    price.cache_read = Some(Cost::from_pico(read));
    price.cache_write = match write {
        Some(write) => Some(Cost::from_pico(write)),
        None => None,
    };
    price
}

const fn hourly(mut price: Price, write: u64) -> Price {
    price.cache_write_1h = Some(Cost::from_pico(write));
    price
}

const fn thinking(mut price: Price, reasoning: u64) -> Price {
    price.reasoning = Some(Cost::from_pico(reasoning));
    price
}

const fn above(mut price: Price, limit: u64, prompt: u64, completion: u64) -> Price {
    price.above = Some((limit, Cost::from_pico(prompt), Cost::from_pico(completion)));
    price
}

const fn varies(mut price: Price) -> Price {
    price.varies = true;
    price
}

const fn endpoint(
    provider: &'static str,
    tag: &'static str,
    uptime: f64,
    latency_ms: f64,
    throughput: f64,
    markup: u64,
) -> Endpoint {
    Endpoint {
        provider,
        tag,
        uptime,
        latency_ms,
        throughput,
        markup,
    }
}

#[derive(Clone, Copy)]
struct Row {
    id: &'static str,
    dated: &'static str,
    name: &'static str,
    created: u64,
    context: u64,
    max_completion: Option<u64>,
    inputs: &'static [&'static str],
    outputs: &'static [&'static str],
    tokenizer: &'static str,
    price: Price,
    parameters: &'static [&'static str],
    format: &'static str,
    endpoints: &'static [Endpoint],
}

const DEMO: Row = Row {
    id: "demo/model",
    dated: "demo/model-20260401",
    name: "Demo",
    created: 1_775_001_600,
    context: 32_768,
    max_completion: Some(8_192),
    inputs: TEXT,
    outputs: TEXT,
    tokenizer: "Other",
    price: price(1_000_000, 3_000_000),
    parameters: FULL,
    format: "unknown",
    endpoints: &[endpoint("DemoProvider", "demo", 99.5, 320.0, 90.0, 100)],
};

const ROWS: &[Row] = &[
    Row {
        id: "anthropic/claude-sonnet-4.5",
        dated: "anthropic/claude-4.5-sonnet-20250929",
        name: "Anthropic: Claude Sonnet 4.5",
        created: 1_759_161_676,
        context: 1_000_000,
        max_completion: Some(64_000),
        inputs: VISION,
        tokenizer: "Claude",
        price: above(
            hourly(
                cached(price(3_000_000, 15_000_000), 300_000, Some(3_750_000)),
                6_000_000,
            ),
            200_000,
            6_000_000,
            22_500_000,
        ),
        parameters: THINKING,
        format: "anthropic-claude-v1",
        endpoints: &[
            endpoint("Anthropic", "anthropic", 99.8, 1_240.0, 62.0, 100),
            endpoint("Google", "google-vertex", 99.1, 1_510.5, 58.5, 100),
            endpoint("Amazon Bedrock", "amazon-bedrock", 97.4, 1_890.0, 49.0, 100),
        ],
        ..DEMO
    },
    Row {
        id: "openai/gpt-5",
        dated: "openai/gpt-5-2025-08-07",
        name: "OpenAI: GPT-5",
        created: 1_754_587_413,
        context: 400_000,
        max_completion: Some(128_000),
        inputs: VISION,
        tokenizer: "GPT",
        price: cached(price(1_250_000, 10_000_000), 125_000, None),
        parameters: THINKING,
        format: "openai-responses-v1",
        endpoints: &[
            endpoint("OpenAI", "openai", 99.6, 2_229.5, 71.0, 100),
            endpoint("Azure", "azure", 98.2, 2_604.0, 66.0, 110),
            endpoint("OpenAI", "openai/priority", 99.9, 1_100.0, 95.0, 200),
        ],
        ..DEMO
    },
    Row {
        id: "openai/gpt-4o-mini",
        dated: "openai/gpt-4o-mini-2024-07-18",
        name: "OpenAI: GPT-4o-mini",
        created: 1_721_260_800,
        context: 128_000,
        max_completion: Some(16_384),
        inputs: VISION,
        tokenizer: "GPT",
        price: cached(price(150_000, 600_000), 75_000, None),
        endpoints: &[
            endpoint("OpenAI", "openai", 99.9, 430.5, 71.3, 100),
            endpoint("Azure", "azure", 99.2, 512.0, 80.0, 100),
        ],
        ..DEMO
    },
    Row {
        id: "google/gemini-2.5-flash",
        dated: "google/gemini-2.5-flash-20250617",
        name: "Google: Gemini 2.5 Flash",
        created: 1_750_172_488,
        context: 1_048_576,
        max_completion: Some(65_535),
        inputs: &["text", "image", "file", "audio", "video"],
        tokenizer: "Gemini",
        price: cached(price(300_000, 2_500_000), 30_000, Some(83_333)),
        parameters: THINKING,
        format: "google-gemini-v1",
        endpoints: &[
            endpoint("Google", "google-vertex", 99.4, 610.0, 118.0, 100),
            endpoint("Google AI Studio", "google-ai-studio", 98.8, 540.0, 124.0, 100),
        ],
        ..DEMO
    },
    Row {
        id: "deepseek/deepseek-v3.2",
        dated: "deepseek/deepseek-v3.2-20251201",
        name: "DeepSeek: DeepSeek V3.2",
        created: 1_764_594_642,
        context: 163_840,
        max_completion: Some(65_536),
        tokenizer: "DeepSeek",
        price: cached(price(260_000, 380_000), 130_000, None),
        parameters: THINKING,
        endpoints: &[
            endpoint("DeepSeek", "deepseek", 99.0, 1_450.0, 38.0, 100),
            endpoint("DeepInfra", "deepinfra/fp4", 96.5, 980.0, 44.0, 104),
            endpoint("Novita", "novita/fp8", 89.7, 1_720.0, 31.0, 108),
        ],
        ..DEMO
    },
    Row {
        id: "meta-llama/llama-3.3-70b-instruct",
        dated: "meta-llama/llama-3.3-70b-instruct-20241206",
        name: "Meta: Llama 3.3 70B Instruct",
        created: 1_733_506_137,
        context: 131_072,
        max_completion: Some(16_384),
        tokenizer: "Llama3",
        price: price(100_000, 320_000),
        parameters: TOOLS,
        endpoints: &[
            endpoint("DeepInfra", "deepinfra/turbo", 99.7, 350.0, 55.0, 100),
            endpoint("Together", "together", 98.6, 410.0, 92.0, 275),
        ],
        ..DEMO
    },
    DEMO,
    Row {
        id: "demo/model:free",
        dated: "demo/model-20260401:free",
        name: "Demo (free)",
        max_completion: None,
        price: price(0, 0),
        endpoints: &[endpoint("Chutes", "chutes", 82.3, 1_900.0, 24.0, 100)],
        ..DEMO
    },
    Row {
        id: "demo/small",
        dated: "demo/small-20260401",
        name: "Demo Small",
        context: 8_192,
        max_completion: Some(2_048),
        price: price(20_000, 40_000),
        parameters: PLAIN,
        endpoints: &[endpoint("DemoProvider", "demo", 99.9, 120.0, 180.0, 100)],
        ..DEMO
    },
    Row {
        id: "demo/thinker",
        dated: "demo/thinker-20260501",
        name: "Demo Thinker",
        created: 1_777_593_600,
        context: 65_536,
        max_completion: Some(32_768),
        price: thinking(price(500_000, 2_000_000), 3_000_000),
        parameters: THINKING,
        ..DEMO
    },
    Row {
        id: "openrouter/auto",
        dated: "openrouter/auto",
        name: "Auto Router",
        created: 1_699_401_600,
        context: 2_000_000,
        max_completion: None,
        inputs: VISION,
        tokenizer: "Router",
        price: varies(price(150_000, 600_000)),
        endpoints: &[],
        ..DEMO
    },
    Row {
        id: "openai/text-embedding-3-small",
        dated: "openai/text-embedding-3-small",
        name: "OpenAI: Text Embedding 3 Small",
        created: 1_706_140_800,
        context: 8_192,
        max_completion: None,
        outputs: &["embeddings"],
        tokenizer: "GPT",
        price: price(20_000, 0),
        parameters: &[],
        endpoints: &[endpoint("OpenAI", "openai", 99.9, 95.0, 0.0, 100)],
        ..DEMO
    },
];

/// Every model, in the order it is listed.
pub(super) fn all() -> Vec<Model> {
    ROWS.iter().map(Model::from).collect()
}

impl From<&Row> for Model {
    fn from(row: &Row) -> Self {
        Self {
            id: Cow::Borrowed(row.id),
            canonical: Cow::Borrowed(row.dated),
            name: row.name,
            created: row.created,
            context: row.context,
            max_completion: row.max_completion,
            moderated: row.id.starts_with("openai/"),
            inputs: row.inputs,
            outputs: row.outputs,
            tokenizer: row.tokenizer,
            price: row.price,
            parameters: row.parameters,
            reasoning_format: row.format,
            endpoints: row.endpoints,
            tier: "default",
        }
    }
}
