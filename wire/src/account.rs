//! Keys, credits, and what became of a generation.

use super::decimal::Decimal;
use crate::view::wire_struct;

wire_struct! {
    /// What a key may do, and what it did. Amounts are US dollars, and lag by minutes.
    KeyInfo {
        /// The key, masked, or its name.
        label: String = "label",
        /// The most it may spend; `None` if there is no limit.
        limit: Option<Decimal> = "limit",
        /// What is left of that. Nothing is not zero.
        limit_remaining: Option<Decimal> = "limit_remaining",
        /// When the limit is filled again: `daily`, `weekly`, `monthly`.
        limit_reset: Option<String> = "limit_reset",
        /// Whether usage of the account's own provider keys counts.
        include_byok_in_limit: Option<bool> = "include_byok_in_limit",
        /// What was spent in all.
        usage: Option<Decimal> = "usage",
        /// What was spent today, UTC.
        usage_daily: Option<Decimal> = "usage_daily",
        /// What was spent this week, from Monday.
        usage_weekly: Option<Decimal> = "usage_weekly",
        /// What was spent this month.
        usage_monthly: Option<Decimal> = "usage_monthly",
        /// Usage of the account's own provider keys, in all.
        byok_usage: Option<Decimal> = "byok_usage",
        /// Usage of the account's own provider keys today.
        byok_usage_daily: Option<Decimal> = "byok_usage_daily",
        /// Usage of the account's own provider keys this week.
        byok_usage_weekly: Option<Decimal> = "byok_usage_weekly",
        /// Usage of the account's own provider keys this month.
        byok_usage_monthly: Option<Decimal> = "byok_usage_monthly",
        /// Whether the account never bought credits, which leaves it fifty free requests a day.
        is_free_tier: Option<bool> = "is_free_tier",
        /// Whether it manages keys; such a key asks no model.
        is_management_key: Option<bool> = "is_management_key",
        /// Its creator.
        creator_user_id: Option<String> = "creator_user_id",
        /// When it ends, in ISO 8601.
        expires_at: Option<String> = "expires_at",
        /// Today's requests to free models.
        free_model_daily_requests: Option<DailyRequests> = "free_model_daily_requests",
        /// Every budget that requests with this key are checked against, in the order in which they are checked.
        budgets: Vec<KeyBudget> = "budgets",
        /// The one of them that blocks requests first, or blocks them already.
        effective_budget: Option<KeyBudget> = "effective_budget",
    }
}

wire_struct! {
    /// A budget of a member, a workspace or a guardrail, or the key's own cap, as it stands.
    KeyBudget {
        /// Whose: `member`, `workspace`, `api_key`, `key_limit` and so on.
        scope: Option<String> = "scope",
        /// The most in one window, in US dollars.
        limit_usd: Option<Decimal> = "limit_usd",
        /// What was spent in it.
        spend_usd: Option<Decimal> = "spend_usd",
        /// What is left; zero or below blocks requests.
        remaining_usd: Option<Decimal> = "remaining_usd",
        /// How often it is full again: `daily`, `weekly`, `monthly`; never without it.
        reset_interval: Option<String> = "reset_interval",
        /// When it is full again, in ISO 8601.
        resets_at: Option<String> = "resets_at",
        /// Whether usage of the account's own provider keys counts.
        include_byok: Option<bool> = "include_byok",
        /// The workspace's budget that it is.
        budget_id: Option<String> = "budget_id",
        /// The guardrail that carries it.
        guardrail_id: Option<String> = "guardrail_id",
    }
}

wire_struct! {
    /// Requests of a day.
    DailyRequests {
        /// How many were made.
        used: Option<u64> = "used",
        /// How many may be made.
        limit: Option<u64> = "limit",
        /// How many are left.
        remaining: Option<u64> = "remaining",
    }
}

wire_struct! {
    /// What an account bought and spent, in US dollars. The difference is its balance, which may be below zero.
    Credits {
        /// Bought.
        total_credits: Option<Decimal> = "total_credits",
        /// Spent.
        total_usage: Option<Decimal> = "total_usage",
    }
}

wire_struct! {
    /// What became of a generation. It can be had some seconds to minutes after the answer.
    Generation {
        /// The generation.
        id: String = "id",
        /// The provider's own id of it.
        upstream_id: Option<String> = "upstream_id",
        /// The request it belongs to.
        request_id: Option<String> = "request_id",
        /// The session it belongs to.
        session_id: Option<String> = "session_id",
        /// When, in ISO 8601.
        created_at: Option<String> = "created_at",
        /// The model that answered.
        model: Option<String> = "model",
        /// The provider that answered.
        provider_name: Option<String> = "provider_name",
        /// The router that chose.
        router: Option<String> = "router",
        /// Which kind of call: `completions`, `embeddings` and so on.
        api_type: Option<String> = "api_type",
        /// Whether it came as a stream.
        streamed: Option<bool> = "streamed",
        /// Whether the caller left.
        cancelled: Option<bool> = "cancelled",
        /// Whether the account's own provider key was used.
        is_byok: Option<bool> = "is_byok",
        /// Why it ended.
        finish_reason: Option<String> = "finish_reason",
        /// The same in the provider's words.
        native_finish_reason: Option<String> = "native_finish_reason",
        /// Milliseconds to the first token.
        latency: Option<f64> = "latency",
        /// Milliseconds of generation.
        generation_time: Option<f64> = "generation_time",
        /// Milliseconds of moderation.
        moderation_latency: Option<f64> = "moderation_latency",
        /// Tokens of the prompt, in a common measure that nothing is billed by.
        tokens_prompt: Option<u64> = "tokens_prompt",
        /// Tokens of the answer, in a common measure that nothing is billed by.
        tokens_completion: Option<u64> = "tokens_completion",
        /// Tokens of the prompt, as they are billed.
        native_tokens_prompt: Option<u64> = "native_tokens_prompt",
        /// Tokens of the answer, as they are billed.
        native_tokens_completion: Option<u64> = "native_tokens_completion",
        /// Tokens of reasoning.
        native_tokens_reasoning: Option<u64> = "native_tokens_reasoning",
        /// Tokens read from the cache.
        native_tokens_cached: Option<u64> = "native_tokens_cached",
        /// What it cost, in US dollars.
        total_cost: Option<Decimal> = "total_cost",
        /// The same under another name.
        usage: Option<Decimal> = "usage",
        /// What the provider charged, with the account's own key.
        upstream_inference_cost: Option<Decimal> = "upstream_inference_cost",
        /// What caching saved, in US dollars; below zero if writing cost more.
        cache_discount: Option<Decimal> = "cache_discount",
        /// The tier that served.
        service_tier: Option<String> = "service_tier",
        /// Tokens of pictures in the answer.
        native_tokens_completion_images: Option<u64> = "native_tokens_completion_images",
        /// Pictures and films in the prompt.
        num_media_prompt: Option<u64> = "num_media_prompt",
        /// Sounds in the prompt.
        num_input_audio_prompt: Option<u64> = "num_input_audio_prompt",
        /// Pictures and films in the answer.
        num_media_completion: Option<u64> = "num_media_completion",
        /// Results of searches that were put into the prompt.
        num_search_results: Option<u64> = "num_search_results",
        /// Pages that were fetched.
        num_fetches: Option<u64> = "num_fetches",
        /// The engine that searched.
        web_search_engine: Option<String> = "web_search_engine",
        /// The region it was routed through: `global`, `europe`, `us`.
        data_region: Option<String> = "data_region",
        /// The app that made the request.
        app_id: Option<u64> = "app_id",
        /// The end user it was made for.
        external_user: Option<String> = "external_user",
        /// The preset that was used.
        preset_id: Option<String> = "preset_id",
        /// The workspace it is accounted under.
        workspace_id: Option<String> = "workspace_id",
        /// The address of the app.
        origin: Option<String> = "origin",
        /// The request's `HTTP-Referer` header.
        http_referer: Option<String> = "http_referer",
        /// The request's `User-Agent` header.
        user_agent: Option<String> = "user_agent",
        /// Of an answer out of OpenRouter's cache: the generation it is of.
        response_cache_source_id: Option<String> = "response_cache_source_id",
        /// What was tried, failures included.
        provider_responses: Vec<ProviderResponse> = "provider_responses",
    }
}

wire_struct! {
    /// An attempt of OpenRouter's with one provider.
    ProviderResponse {
        /// The provider.
        provider_name: Option<String> = "provider_name",
        /// The model.
        model_permaslug: Option<String> = "model_permaslug",
        /// The endpoint.
        endpoint_id: Option<String> = "endpoint_id",
        /// What it answered.
        status: Option<u64> = "status",
        /// Milliseconds.
        latency: Option<f64> = "latency",
        /// Whether the account's own provider key was used.
        is_byok: Option<bool> = "is_byok",
    }
}
