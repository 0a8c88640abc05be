//! Wordings of many servers, and those that only sound alike.

use super::Words;

fn said(text: &str) -> Words {
    Words::of_body(text.as_bytes())
}

/// Each server's words for a prompt that does not fit.
const TOO_LONG: &[&str] = &[
    r#"{"error":{"message":"x","code":"context_length_exceeded"}}"#,
    r#"{"error":{"message":"x","code":"string_above_max_length"}}"#,
    r#"{"error":{"message":"x","type":"exceed_context_size_error"}}"#,
    r#"{"error":{"message":"x","code":"model_max_prompt_tokens_exceeded"}}"#,
    r#"{"error":{"message":"x","code":"tokens_limit_reached"}}"#,
    r#"{"error":{"message":"x","type":"ContextWindowExceededError"}}"#,
    "This model's maximum context length is 128000 tokens. However, your messages resulted in 130000 tokens.",
    "This model's maximum context length is 65536 tokens.",
    "prompt is too long: 210094 tokens > 200000 maximum",
    "input length and `max_tokens` exceed context limit: 190000 + 20000 > 200000, decrease input length or `max_tokens` and try again",
    "Input is too long for requested model.",
    "The model returned the following errors: input is too long for requested model",
    "Too many input tokens. Max input tokens: 8192, request input token count: 11588",
    "Malformed input request: expected maxLength: 51200, actual: 60000, please reformat your input and try again.",
    "Input Tokens Exceeded: Number of input tokens exceeds maximum length. Please update the input to try again.",
    "The input token count (1250000) exceeds the maximum number of tokens allowed (1048576).",
    "Unable to submit request because the input token count is 40000 but model only supports up to 32768. Reduce the input token count and try again.",
    "The input (9000 tokens) is longer than the model's context length (8192 tokens).",
    "Requested token count exceeds the model's maximum context length of 131072 tokens. You requested a total of 140000 tokens: 132000 tokens from the input messages and 8000 tokens for the completion.",
    "the request exceeds the available context size, try increasing it",
    "request (9000 tokens) exceeds the available context size (8192 tokens), try increasing it",
    "You passed 9000 input tokens and requested 100 output tokens. However, the model's context length is only 8192 tokens, resulting in a maximum input length of 8092 tokens. Please reduce the length of the input prompt.",
    "The decoder prompt (length 9000) is longer than the maximum model length of 8192. Make sure that `max_model_len` is no smaller than the number of text tokens.",
    "'max_tokens' or 'max_completion_tokens' is too large: 32000. This model's maximum context length is 32768 tokens and your request has 2000 input tokens (32000 > 32768 - 2000).",
    "Prompt contains 140000 tokens and 0 draft tokens, too large for model with 131072 maximum context length",
    "prompt token count of 125516 exceeds the limit of 64000",
    "Request body too large for gpt-4o model. Max size: 8000 tokens.",
    "Please reduce the length of the messages or completion.",
    "Please reduce the length of the messages or completion. Current length is 9000 while limit is 8192",
    "This model's maximum prompt length is 131072 but the request contains 537812 tokens.",
    "too many tokens: size limit exceeded by 11326 tokens. Try using shorter or fewer inputs.",
    "the input length exceeds the context length",
    "prompt too long; exceeded max context length by 123 tokens",
    "Your input exceeds the context window of this model. Please adjust your input and try again.",
    "Input tokens exceed the configured limit of 272000 tokens. Your messages resulted in 300000 tokens.",
    "Invalid 'messages[1].content': string too long. Expected a string with maximum length 10485760, but got a string with length 20000000 instead.",
    "Input validation error: `inputs` tokens + `max_new_tokens` must be <= 4096. Given: 5000 `inputs` tokens and 512 `max_new_tokens`",
    "Input validation error: `inputs` must have less than 1024 tokens. Given: 2000",
    "Trying to keep the first 9000 tokens when context the overflows. However, the model is loaded with context length of only 4096 tokens",
    "The number of tokens to keep from the initial prompt is greater than the context length.",
    "The estimated number of input and maximum output tokens (31000) exceeded this model context window limit (24000).",
    "Range of input length should be [1, 129024]",
    "Prompt exceeds max length",
    "Invalid request: Your request exceeded model token limit: 262144 (requested: 291000)",
    "invalid params, context window exceeds limit (2013)",
    "The prompt is too long: 131073, model maximum context length: 131071",
    "Prompt length (9000) exceeds maximum input length (8192).",
    "Conversation exceeds the maximum number of tokens",
    r#"{"code":20042,"message":"input must have less than 512 tokens","data":null}"#,
    "The prompt must have fewer than 4,096 tokens",
    "internal error: 输入内容超长，请缩短后重试.",
    r#"{"error":{"code":"1210","message":"tokens in request more than max tokens allowed"}}"#,
    "Prompt has 5,958,968 tokens, but the configured context size is 256,000 tokens",
    "total tokens exceeds the model's max of 4096",
    "Model context window is 128k tokens, you requested 256k tokens",
    "Prompt too large for this model",
    "Token limit exceeded",
    "You requested 256000 tokens, but this model supports 128000.",
    r#"{"error":{"message":"Prompt 超长","code":"1261"}}"#,
    r#"[{"error":{"code":400,"message":"The input token count exceeds the maximum number of tokens allowed 1048576.","status":"INVALID_ARGUMENT"}}]"#,
];

/// Limits of the answer, of a rate, of a file, of a name; and what else has such words.
const NOT_TOO_LONG: &[&str] = &[
    "max_tokens: 100000 > 8192, which is the maximum allowed number of output tokens for claude-3-5-haiku-20241022",
    "max_tokens is too large: 100000. This model supports at most 16384 completion tokens, whereas you provided 100000.",
    "`max_tokens` must be less than or equal to `8192`, the maximum value for `max_tokens` is less than the `context_window` for this model",
    "Invalid max_tokens value, the valid range of max_tokens is [1, 8192]",
    "The maximum tokens you requested exceeds the model limit of 4096. Try again with a maximum tokens value that is lower than 4096.",
    "Unable to submit request because it has a maxOutputTokens value of 9000 but the supported range is from 1 (inclusive) to 8193 (exclusive).",
    "`max_tokens` must be greater than `thinking.budget_tokens`. Please consult our documentation at https://docs.example.com/extended-thinking#max-tokens-and-context-window-size",
    "thinking.budget_tokens: Input should be greater than or equal to 1024",
    "Rate limit reached for gpt-4o in organization org-x on tokens per min (TPM): Limit 30000, Used 29000, Requested 2000. Please try again in 2s.",
    "Request too large for model `llama-3.3-70b` in organization `o` on tokens per minute (TPM): Limit 6000, Requested 9000, please reduce your message size and try again.",
    "This request would exceed the rate limit for your organization of 40,000 input tokens per minute.",
    "Too many tokens, please wait before trying again.",
    "Too many tokens per day, please wait before trying again.",
    "You exceeded your current quota, please check your plan and billing details.",
    "Number of request tokens has exceeded your per-minute rate limit",
    "messages.0.content.1.image.source.base64: image exceeds 5 MB maximum: 5800000 bytes > 5242880 bytes",
    "Invalid 'tools': array too long. Expected an array with maximum length 128, but got an array with length 200 instead.",
    "Invalid 'input': array too long. Expected an array with maximum length 2048, but got an array with length 2049 instead.",
    r#"{"error":{"message":"Invalid 'input': too long, at most length 2048","code":"array_above_max_length"}}"#,
    "The input must have less than 512 items",
    "工具名称过长，请检查输入",
    "Invalid 'messages[3].tool_calls[0].id': string too long. Expected a string with maximum length 40, but got a string with length 53 instead.",
    "Invalid 'prompt_cache_key': string too long. Expected a string with maximum length 64, but got a string with length 70 instead.",
    "'models' array must have 3 items or fewer.",
    "The response was filtered due to the prompt triggering Azure OpenAI's content management policy.",
    "temperature: Input should be less than or equal to 1",
    "Unknown parameter: 'context_length'.",
    "messages: at least one message is required",
    "Input required: specify \"prompt\" or \"messages\"",
    "You requested up to 32000 tokens, but can only afford 1480.",
    // Too many tokens for the answer, or for a time.
    "max_tokens: too many tokens requested",
    "max tokens in request more than max tokens allowed",
    "You requested 100000 completion tokens, but this model supports 16384.",
    "You requested 100000 thinking tokens, but this model supports 16384",
    "You requested 900 tokens of 4 images, but this model supports 3",
    "You requested 8000 tokens, and this model supports 128000",
    "Token limit exceeded (TPM)",
    "Daily token limit exceeded",
    "Monthly token limit exceeded for your account",
    "prompt_logprobs too large",
    "Context window too small: minimum is 1000 tokens",
    "temperature exceeds the model's maximum of 2",
    "You requested 2048 dimensions, but this model supports 1024",
    r#"{"error":{"message":"Requests are limited","code":"rate_limit_exceeded"}}"#,
    "",
];

#[test]
fn each_servers_too_long_is_understood() {
    for text in TOO_LONG {
        assert!(said(text).is_too_long(), "{text}");
    }
}

#[test]
fn other_limits_are_not_taken_for_the_context() {
    for text in NOT_TOO_LONG {
        assert!(!said(text).is_too_long(), "{text}");
    }
}

#[test]
fn a_model_that_does_not_take_a_parameter_says_so() {
    let refused = [
        "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead.",
        "Unsupported value: 'temperature' does not support 0 with this model. Only the default (1) value is supported.",
        "Unknown parameter: 'reasoning'.",
        r#"{"error":{"message":"x","code":"unsupported_value"}}"#,
        r#"{"error":{"message":"x","code":"integer_above_max_value"}}"#,
        r#"{"detail":[{"type":"extra_forbidden","loc":["body","reasoning"],"msg":"Extra inputs are not permitted"}]}"#,
        "Invalid JSON payload received. Unknown name \"reasoning\": Cannot find field.",
        "Unrecognized request argument supplied: reasoning",
        "max_tokens: 100000 > 8192, which is the maximum allowed number of output tokens",
        "`max_tokens` must be less than or equal to `8192`, the maximum value for `max_tokens`",
        "This model does not support image input",
    ];
    for text in refused {
        assert!(said(text).is_not_supported(), "{text}");
    }
    for text in [
        "'models' array must have 3 items or fewer.",
        "messages: at least one message is required",
        "x",
        "",
    ] {
        assert!(!said(text).is_not_supported(), "{text}");
    }
}

#[test]
fn money_and_keys_in_a_400_are_understood() {
    assert!(said("Your credit balance is too low to access the API.").is_no_funds());
    assert!(
        said("You have reached your specified API usage limits. You will regain access on 2026-12-01.")
            .is_quota_exhausted()
    );
    assert!(
        said(r#"[{"error":{"code":400,"message":"API key not valid. Please pass a valid API key."}}]"#).is_bad_key()
    );
}

#[test]
fn no_text_is_too_long_or_too_odd_to_be_read() {
    let endless = "ﬀ".repeat(100_000);
    assert!(!said(&endless).is_too_long());
    assert!(!Words::of_body(&[0xff; 9000]).is_too_long());
    assert!(!said("maximum length characters").is_too_long());
}
