//! The record of `GET /generation`, which is late.

use serde::Serialize;
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::money::Cost;

/// One finished generation.
#[derive(Clone, Debug)]
pub(crate) struct Generation {
    pub(crate) ready_at: Instant,
    pub(crate) misses_left: u32,
    pub(crate) record: Record,
}

/// The `data` of `GET /generation`, as far as it is not constant.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct Record {
    pub(crate) id: String,
    pub(crate) request_id: String,
    pub(crate) session_id: Option<String>,
    pub(crate) created_at: String,
    pub(crate) model: String,
    pub(crate) provider_name: String,
    pub(crate) api_type: &'static str,
    pub(crate) streamed: bool,
    pub(crate) cancelled: bool,
    pub(crate) finish_reason: Option<String>,
    pub(crate) native_finish_reason: Option<String>,
    pub(crate) latency: u64,
    pub(crate) generation_time: u64,
    pub(crate) tokens_prompt: u64,
    pub(crate) tokens_completion: u64,
    pub(crate) native_tokens_prompt: u64,
    pub(crate) native_tokens_completion: u64,
    pub(crate) native_tokens_reasoning: u64,
    pub(crate) native_tokens_cached: u64,
    pub(crate) total_cost: Cost,
    pub(crate) usage: Cost,
    pub(crate) http_referer: Option<String>,
    pub(crate) user_agent: Option<String>,
    pub(crate) provider_responses: Vec<Value>,
    #[serde(flatten)]
    pub(crate) rest: Constant,
}

/// The fields that are always the same.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Constant {
    upstream_id: &'static str,
    is_byok: bool,
    moderation_latency: Option<u64>,
    native_tokens_completion_images: u64,
    num_media_prompt: Option<u64>,
    num_media_completion: Option<u64>,
    num_input_audio_prompt: Option<u64>,
    num_search_results: Option<u64>,
    num_fetches: u64,
    upstream_inference_cost: u64,
    cache_discount: Option<u64>,
    service_tier: &'static str,
    data_region: &'static str,
    router: Option<&'static str>,
    preset_id: Option<&'static str>,
    origin: &'static str,
    app_id: Option<u64>,
    external_user: Option<&'static str>,
    web_search_engine: Option<&'static str>,
    workspace_id: Option<&'static str>,
}

impl Default for Constant {
    fn default() -> Self {
        Self {
            upstream_id: "chatcmpl-demo",
            is_byok: false,
            moderation_latency: None,
            native_tokens_completion_images: 0,
            num_media_prompt: None,
            num_media_completion: None,
            num_input_audio_prompt: None,
            num_search_results: None,
            num_fetches: 0,
            upstream_inference_cost: 0,
            cache_discount: None,
            service_tier: "default",
            data_region: "global",
            router: None,
            preset_id: None,
            origin: "",
            app_id: None,
            external_user: None,
            web_search_engine: None,
            workspace_id: None,
        }
    }
}

/// One entry of `provider_responses`.
pub(crate) fn provider_response(provider: &str, model: &str, status: u16) -> Value {
    json!({"provider_name": provider, "status": status, "latency": 0, "is_byok": false, "model_permaslug": model,
           "endpoint_id": "00000000-0000-0000-0000-000000000001"})
}

/// Unix seconds as ISO 8601.
pub(crate) fn iso(seconds: u64) -> Option<String> {
    let days = i64::try_from(seconds / 86_400).ok()? + 719_468;
    let (era, day_of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    let (hour, minute, second) = (seconds / 3600 % 24, seconds / 60 % 60, seconds % 60);
    Some(format!(
        "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.000Z"
    ))
}
