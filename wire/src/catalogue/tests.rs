//! The catalogue, keys, credits and generations as they come.

use crate::Modalities;
use crate::{
    account::{Credits, Generation, KeyInfo},
    catalogue::{Model, ModelEndpoints, ModelsPage, Price, PriceOverride, Pricing},
};

const PAGE: &str = r#"{"data":[
 {"id":"openai/gpt-4o-mini","canonical_slug":"openai/gpt-4o-mini-2024","name":"OpenAI: GPT-4o-mini","created":1721260800,"description":"","context_length":128000,
  "architecture":{"modality":"text+image->text","input_modalities":["text","image"],"output_modalities":["text"],"tokenizer":"GPT","instruct_type":null},
  "pricing":{"prompt":"0.00000015","completion":"0.0000006","input_cache_read":"0.000000075"},
  "top_provider":{"context_length":128000,"max_completion_tokens":16384,"is_moderated":true},"per_request_limits":null,
  "supported_parameters":["max_tokens","temperature","tools"],"default_parameters":null,"supported_voices":null,"expiration_date":null,
  "links":{"details":"/api/v1/models/openai/gpt-4o-mini/endpoints"}},
 {"id":"demo/model:free","canonical_slug":"demo/model-20260401","name":"Demo (free)","created":1775001600,"context_length":32768,
  "pricing":{"prompt":"0","completion":"0"},"top_provider":{"context_length":32768,"max_completion_tokens":null,"is_moderated":false},
  "default_parameters":{"temperature":0.7,"top_p":null},"expiration_date":"2026-12-31"},
 {"id":"openrouter/auto","pricing":{"prompt":"-1","completion":"-1"},"top_provider":{"context_length":null}}],
 "total_count":3,"links":{"next":null}}"#;

#[test]
fn reads_a_page_of_models() {
    let page: ModelsPage = serde_json::from_str(PAGE).unwrap();
    assert_eq!(
        (page.data.len(), page.total_count, page.links.next.as_deref()),
        (3, Some(3), None)
    );
    let [mini, free, auto] = &page.data[..] else {
        panic!("three models")
    };
    assert_eq!(
        (mini.context_length, mini.top_provider.max_completion_tokens),
        (Some(128_000), Some(16_384))
    );
    assert!(mini.supports("tools") && !mini.supports("reasoning"));
    assert_eq!(mini.architecture.input(), Modalities::TEXT | Modalities::IMAGE);
    let prompt = mini.pricing.prompt.as_ref().unwrap();
    assert_eq!(prompt.to_string(), "0.00000015");
    assert!(!mini.pricing.is_free() && !mini.pricing.varies());
    assert!(free.pricing.is_free());
    assert_eq!(free.expiration_date.as_deref(), Some("2026-12-31"));
    assert_eq!(auto.pricing.prompt, Some(Price::Varies));
    assert!(auto.pricing.varies() && !auto.pricing.is_free());
    let next: ModelsPage = serde_json::from_str(r#"{"data":[],"links":{"next":"/api/v1/models?offset=500"}}"#).unwrap();
    assert_eq!(next.links.next.as_deref(), Some("/api/v1/models?offset=500"));
}

#[test]
fn a_model_goes_by_its_names() {
    let page: ModelsPage = serde_json::from_str(PAGE).unwrap();
    let named = |name: &str| {
        page.data
            .iter()
            .filter(|model| model.is_named(name))
            .map(|model| model.id.as_str())
            .collect::<Vec<_>>()
    };
    assert_eq!(named("openai/gpt-4o-mini"), ["openai/gpt-4o-mini"]);
    assert_eq!(named("openai/gpt-4o-mini:nitro"), ["openai/gpt-4o-mini"]);
    assert_eq!(named("openai/gpt-4o-mini-2024"), ["openai/gpt-4o-mini"]);
    assert_eq!(named("demo/model-20260401:free"), ["demo/model:free"]);
    assert_eq!(named("openai/gpt-4o"), Vec::<&str>::new());
}

#[test]
fn prices_are_read_however_they_are_written_and_never_made_up() {
    let pricing: Pricing = serde_json::from_str(
        r#"{"prompt":0.000001,"completion":"x","request":null,"image":"-1","audio":"-0","discount":0.2,
            "web_search":"-0.5","image_output":{"a":1},
            "overrides":[{"min_prompt_tokens":200000,"prompt":"0.000002"},{"utc_start":2200,"utc_end":600,"completion":"0"}]}"#,
    )
    .unwrap();
    assert_eq!(pricing.prompt.as_ref().unwrap().to_string(), "0.000001");
    assert_eq!(pricing.completion, Some(Price::Unreadable("x".into())));
    assert_eq!(pricing.web_search, Some(Price::Unreadable("-0.5".into())));
    assert_eq!(pricing.image_output, Some(Price::Unreadable("{\"a\":1}".into())));
    assert_eq!(pricing.request, None);
    assert_eq!(pricing.image, Some(Price::Varies));
    assert!(pricing.audio.as_ref().unwrap().is_free());
    assert!(!pricing.is_free());
    assert_eq!(pricing.discount.as_ref().unwrap().as_str(), "0.2");
    assert_eq!(pricing.overrides[0].min_prompt_tokens, Some(200_000));
    assert_eq!(
        (pricing.overrides[1].utc_start, pricing.overrides[1].utc_end),
        (Some(2200), Some(600))
    );
    assert!(
        serde_json::to_string(&pricing)
            .unwrap()
            .contains(r#""prompt":"0.000001""#)
    );
    let again: Pricing = serde_json::from_str(&serde_json::to_string(&pricing).unwrap()).unwrap();
    assert_eq!(again, pricing);
}

#[test]
fn an_override_that_cannot_be_read_hides_no_other_and_is_not_none() {
    let pricing =
        |overrides: &str| -> Pricing { serde_json::from_str(&format!("{{\"overrides\":{overrides}}}")).unwrap() };
    assert!(pricing("null").overrides.is_empty() && pricing("[]").overrides.is_empty());
    let unreadable = |price: &Option<Price>| matches!(price, Some(Price::Unreadable(_)));
    let mixed = pricing(r#"[{"min_prompt_tokens":9,"prompt":"1"},"x"]"#).overrides;
    assert_eq!((mixed.len(), mixed[0].min_prompt_tokens), (2, Some(9)));
    assert!(unreadable(&mixed[1].prompt));
    let odd = pricing("{}").overrides;
    assert!(odd.len() == 1 && unreadable(&odd[0].prompt));
}

#[test]
fn a_condition_that_is_written_as_a_price_is_no_price() {
    let is_unknown = |member: &str| {
        let text = format!(r#"{{{member},"prompt":"0.000001"}}"#);
        let written: PriceOverride = serde_json::from_str(&text).unwrap();
        written.has_unknown_condition()
    };
    for condition in [
        r#""input_tokens_above":"200000""#,
        r#""image_size":"1024""#,
        r#""video_max_duration":"8""#,
        r#""input_length":200000"#,
    ] {
        assert!(is_unknown(condition), "{condition}");
    }
    for price in [r#""input_cache_write_12h":"0.000003""#, r#""audio_per_minute":"0.006""#] {
        assert!(!is_unknown(price), "{price}");
    }
}

#[test]
fn reads_the_endpoints_of_a_model() {
    let text = r#"{"id":"openai/gpt-4o-mini","name":"OpenAI: GPT-4o-mini","created":1721260800,"description":"","architecture":{"modality":null},
     "endpoints":[{"name":"OpenAI | openai/gpt-4o-mini","model_id":"openai/gpt-4o-mini","model_name":"M","provider_name":"OpenAI","tag":"openai","quantization":"unknown",
       "context_length":128000,"max_completion_tokens":16384,"max_prompt_tokens":null,"pricing":{"prompt":"0.00000015","completion":"0.0000006","discount":0},
       "supported_parameters":["max_tokens"],"status":-2,"uptime_last_5m":99.9,"uptime_last_30m":null,"uptime_last_1d":99.8,
       "latency_last_30m":{"p50":430.5,"p75":610,"p90":940.2,"p99":2810},"throughput_last_30m":null,"supports_implicit_caching":true,"newer_field":[]}]}"#;
    let model: ModelEndpoints = serde_json::from_str(text).unwrap();
    let endpoint = &model.endpoints[0];
    assert_eq!(
        (endpoint.tag.as_str(), endpoint.status, endpoint.max_completion_tokens),
        ("openai", Some(-2), Some(16_384))
    );
    assert_eq!(endpoint.latency_last_30m.as_ref().unwrap().p75, Some(610.0));
    assert_eq!((endpoint.uptime_last_5m, endpoint.uptime_last_30m), (Some(99.9), None));
    assert_eq!(endpoint.extra.names().collect::<Vec<_>>(), ["newer_field"]);
}

#[test]
fn reads_keys_credits_and_generations() {
    let key: KeyInfo = serde_json::from_str(
        r#"{"label":"sk-or-v1-abc...123","limit":25,"limit_remaining":21.4031,"limit_reset":"monthly","usage":14.22,"usage_daily":0.4102,
            "is_free_tier":false,"is_management_key":false,"expires_at":null,"free_model_daily_requests":{"used":37,"limit":1000,"remaining":963},
            "rate_limit":{"requests":-1}}"#,
    )
    .unwrap();
    assert_eq!(key.limit_remaining.as_ref().unwrap().as_str(), "21.4031");
    assert_eq!(key.free_model_daily_requests.as_ref().unwrap().remaining, Some(963));
    let unlimited: KeyInfo = serde_json::from_str(r#"{"label":"k","limit":null,"limit_remaining":null}"#).unwrap();
    assert_eq!((unlimited.limit, unlimited.limit_remaining), (None, None));

    let credits: Credits = serde_json::from_str(r#"{"total_credits":50,"total_usage":14.6033}"#).unwrap();
    assert_eq!(credits.total_usage.unwrap().as_str(), "14.6033");

    let generation: Generation = serde_json::from_str(
        r#"{"id":"gen-1","request_id":"req-1","streamed":false,"cancelled":true,"latency":412,"generation_time":655.5,"native_tokens_prompt":15,
            "native_tokens_completion":9,"total_cost":0.00000765,"cache_discount":-0.001,
            "provider_responses":[{"provider_name":"OpenAI","status":200,"latency":398,"is_byok":false}]}"#,
    )
    .unwrap();
    assert_eq!(generation.total_cost.unwrap().as_str(), "0.00000765");
    assert_eq!((generation.cancelled, generation.latency), (Some(true), Some(412.0)));
    assert!(generation.cache_discount.unwrap().is_negative());
    assert_eq!(generation.provider_responses[0].status, Some(200));
}

#[test]
fn a_model_is_written_as_it_was_read() {
    let page: ModelsPage = serde_json::from_str(PAGE).unwrap();
    for model in page.data {
        let written = serde_json::to_string(&model).unwrap();
        assert_eq!(serde_json::from_str::<Model>(&written).unwrap(), model);
    }
}

#[test]
fn what_a_generation_says_of_its_request_is_read() {
    let json = r#"{"native_tokens_completion_images":1,"num_media_prompt":2,"num_input_audio_prompt":3,"num_media_completion":4,
        "num_search_results":5,"num_fetches":6,"web_search_engine":"exa","data_region":"global","app_id":7,"external_user":"u",
        "preset_id":"p","workspace_id":"w","origin":"https://a.example","http_referer":"r","user_agent":"ua","newer":8}"#;
    let read: Generation = serde_json::from_str(json).unwrap();
    let counts = [read.num_media_prompt, read.num_fetches, read.app_id];
    assert_eq!(counts, [Some(2), Some(6), Some(7)]);
    assert_eq!(read.web_search_engine.as_deref(), Some("exa"));
    // Only what this version does not know is left over.
    let written = serde_json::to_value(&read).unwrap();
    assert_eq!(written["newer"], 8);
    assert_eq!(read.extra.raw("newer"), Some("8"));
    assert_eq!(read.extra.raw("user_agent"), None);
}
