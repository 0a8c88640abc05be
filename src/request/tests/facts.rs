//! What a request asks of a model.

use super::request;
use tower_llm_layers::{LlmRequest as _, Needs, PriceCeiling};

use crate::request::ChatRequest;
use openrouter_wire::request::{IMAGE_TOKENS, INLINE_MEDIA_TOKENS, LINKED_MEDIA_TOKENS, SEARCH_TOKENS};
use openrouter_wire::{
    Modalities,
    chat::{Message, Part, Reasoning, ResponseFormat, Tool, ToolChoice},
};

#[test]
fn a_plain_question_needs_little() {
    let plain = ChatRequest::user("x");
    let facts = plain.facts();
    assert_eq!(
        facts.prompt_tokens,
        u64::try_from(plain.read_raw("messages").unwrap().len().div_ceil(4)).unwrap()
    );
    assert_eq!((facts.input, facts.output), (Modalities::TEXT, Modalities::TEXT));
    assert!(
        !facts.tools
            && !facts.forced_tool_choice
            && !facts.structured_outputs
            && !facts.json_mode
            && !facts.reasoning
            && !facts.prefill
    );
}

#[test]
fn tells_what_is_needed() {
    let tool = || Tool::function("f", "d", serde_json::json!({}));
    assert!(ChatRequest::user("x").tools([tool()]).facts().tools);
    assert!(!ChatRequest::user("x").tools([]).facts().tools);
    for (choice, forced) in [
        (ToolChoice::Auto, false),
        (ToolChoice::None, false),
        (ToolChoice::Required, true),
        (ToolChoice::function("f"), true),
    ] {
        assert_eq!(
            ChatRequest::user("x")
                .tool_choice(choice.clone())
                .facts()
                .forced_tool_choice,
            forced,
            "{choice:?}"
        );
        assert_eq!(choice.is_forced(), forced);
    }
    let schema = ChatRequest::user("x").response_format(ResponseFormat::json_schema(
        "s",
        serde_json::json!({"type": "json_object"}),
    ));
    assert!(schema.facts().structured_outputs && !schema.facts().json_mode);
    let json = ChatRequest::user("x").response_format(ResponseFormat::json());
    assert!(json.facts().json_mode && !json.facts().structured_outputs);
    assert_eq!(
        ChatRequest::user("x").modalities(Modalities::IMAGE).facts().output,
        Modalities::IMAGE
    );
    assert!(
        ChatRequest::user("x")
            .message(Message::assistant("It is"))
            .facts()
            .prefill
    );
    assert!(
        !ChatRequest::new([Message::assistant("It is"), Message::user("x")])
            .facts()
            .prefill
    );
}

#[test]
fn tells_who_asks_to_reason() {
    for (fields, reasons) in [
        (r#""reasoning":{"effort":"low"}"#, true),
        (r#""reasoning":{}"#, true),
        (r#""reasoning":null"#, false),
        (r#""reasoning":{"enabled":false}"#, false),
        (r#""reasoning":{"effort":"none"}"#, false),
        (r#""reasoning_effort":"high""#, true),
        (r#""reasoning_effort":"none""#, false),
        (r#""reasoning_effort":null,"include_reasoning":true"#, true),
        (r#""include_reasoning":false"#, false),
    ] {
        assert_eq!(
            request(&format!("{{\"messages\":[{{}}],{fields}}}")).facts().reasoning,
            reasons,
            "{fields}"
        );
    }
    assert!(!ChatRequest::user("x").reasoning(Reasoning::off()).facts().reasoning);
}

#[test]
fn media_are_seen_but_not_counted() {
    let long = "A".repeat(100_000);
    let request = ChatRequest::user([
        Part::text("x"),
        Part::image_url(&*long),
        Part::audio(&*long, "wav"),
        Part::file("f", &*long),
        Part::video_url(&*long),
    ]);
    let facts = request.facts();
    assert_eq!(
        facts.input,
        Modalities::TEXT | Modalities::IMAGE | Modalities::AUDIO | Modalities::FILE | Modalities::VIDEO
    );
    assert!(facts.prompt_tokens < 200, "{}", facts.prompt_tokens);
}

/// The facts of a request with these fields.
fn with(fields: &str) -> openrouter_wire::request::RequestFacts {
    *request(&format!("{{\"messages\":[{{}}],{fields}}}")).facts()
}

/// What content counts beyond the bytes around it.
fn media(content: &str) -> u64 {
    let with = |content: &str| {
        request(&format!(r#"{{"messages":[{{"content":[{content}]}}]}}"#))
            .facts()
            .most_prompt_tokens
    };
    with(content) - with("") - u64::try_from(content.find(':').unwrap() + 2).unwrap()
}

#[test]
fn the_most_tokens_are_a_bound_for_each_kind_of_part() {
    let plain = ChatRequest::user("Grüße");
    let bytes = plain.read_raw("messages").unwrap().len();
    assert_eq!(plain.facts().most_prompt_tokens, u64::try_from(bytes).unwrap());
    assert_eq!(media(r#"{"image_url":{"url":"https://a.b/c.png"}}"#), IMAGE_TOKENS);
    let (small, large) = ("A".repeat(100), "A".repeat(1_000_000));
    assert_eq!(
        media(&format!(r#"{{"image_url":{{"url":"data:image/png;base64,{large}"}}}}"#)),
        IMAGE_TOKENS
    );
    assert_eq!(
        media(&format!(r#"{{"input_audio":{{"data":"{small}"}}}}"#)),
        INLINE_MEDIA_TOKENS
    );
    let long = media(&format!(r#"{{"input_audio":{{"data":"{large}"}}}}"#));
    assert!((250_000..250_010).contains(&long), "{long}");
    assert_eq!(
        media(r#"{"file":{"filename":"a.pdf","file_data":"data:application/pdf;base64,AA"}}"#),
        INLINE_MEDIA_TOKENS
    );
    for linked in [
        r#"{"file":{"file_data":"https://a.b/c.pdf"}}"#,
        r#"{"file":{"file_id":"f-1"}}"#,
        r#"{"video_url":{"url":"https://a.b/c.mp4"}}"#,
    ] {
        assert_eq!(media(linked), LINKED_MEDIA_TOKENS, "{linked}");
    }
    let spoken = request(
        r#"{"messages":[{"role":"assistant","content":null,"audio":{"id":"a-1"},"images":[{"image_url":{"url":"x"}}]}]}"#,
    );
    assert!(spoken.facts().most_prompt_tokens > LINKED_MEDIA_TOKENS + IMAGE_TOKENS);
    assert_eq!(spoken.facts().images, 1);
    // A schema is part of the prompt, tools are, and so is what a search finds.
    let bare = with(r#""n":1"#).most_prompt_tokens;
    assert_eq!(with(r#""tools":[{"a":1}]"#).most_prompt_tokens, bare + 9);
    assert_eq!(with(r#""response_format":{"type":"x"}"#).most_prompt_tokens, bare + 12);
    assert_eq!(
        with(r#""plugins":[{"id":"web"}]"#).most_prompt_tokens,
        bare + SEARCH_TOKENS
    );
}

#[test]
fn tells_how_many_searches_there_may_be() {
    for (fields, searches) in [
        (r#""plugins":[{"id":"web"}]"#, 1),
        (
            r#""plugins":[{"id":"web","enabled":true,"max_results":3},{"id":"moderation"}]"#,
            1,
        ),
        (r#""plugins":[{"id":"web","enabled":false}]"#, 0),
        (r#""plugins":[{"id":"file-parser"}]"#, 0),
        (r#""plugins":"web""#, 0),
        (r#""web_search_options":{}"#, 1),
        (r#""web_search_options":null"#, 0),
        (r#""preset":"mine""#, 1),
        (r#""preset":null"#, 0),
        (r#""tools":[{"type":"openrouter:web_search"}]"#, 30),
        (r#""tools":[{"type":"openrouter:web_search"}],"max_tool_calls":4"#, 4),
        (r#""tools":[{"type":"function"}],"max_tool_calls":4"#, 0),
    ] {
        assert_eq!(with(fields).searches, searches, "{fields}");
    }
}

#[test]
fn tells_what_makes_it_more_expensive() {
    for (fields, priority) in [
        (r#""service_tier":"priority""#, true),
        (r#""service_tier":"fast""#, true),
        (r#""service_tier":"auto""#, true),
        (r#""service_tier":"default""#, false),
        (r#""service_tier":"flex""#, false),
        (r#""service_tier":null"#, false),
        (r#""provider":{"only":["openai/priority"]}"#, true),
        (r#""provider":{"order":["azure","openai/priority"]}"#, true),
        (r#""provider":{"order":["openai"],"ignore":["x/priority"]}"#, false),
        (r#""preset":"mine""#, true),
        (r#""speed":"fast""#, true),
        (r#""speed":"standard""#, false),
    ] {
        assert_eq!(with(fields).priority, priority, "{fields}");
    }
    for (fields, long) in [
        (r#""cache_control":{"type":"ephemeral","ttl":"1h"}"#, true),
        (r#""cache_control":{"type":"ephemeral","ttl":"5m"}"#, false),
        (r#""cache_control":{"type":"ephemeral","ttl":null}"#, false),
        (r#""cache_control":{"type":"ephemeral","ttl":7200}"#, true),
        (r#""prompt_cache_options":{"mode":"explicit","ttl":"12h"}"#, true),
        (r#""prompt_cache_options":{"mode":"explicit"}"#, false),
        (r#""tools":[{"type":"function"},{"cache_control":{"ttl":"1h"}}]"#, true),
    ] {
        assert_eq!(with(fields).long_cache, long, "{fields}");
    }
    for mark in ["cache_control", "prompt_cache_breakpoint"] {
        let part = |ttl: &str| {
            let body = format!(r#"{{"messages":[{{"content":[{{"type":"text","{mark}":{{"ttl":"{ttl}"}}}}]}}]}}"#);
            request(&body).facts().long_cache
        };
        assert!(part("1h") && part("12h") && part("30m") && !part("5m"), "{mark}");
    }
}

#[test]
fn the_ceiling_is_per_unit_and_what_is_no_price_sets_none() {
    let ceiling = |fields: &str| request(&format!("{{\"messages\":[{{}}],{fields}}}")).needs().ceiling;
    let told = ceiling(r#""provider":{"max_price":{"prompt":"0.0000011","completion":3,"request":0.5,"image":"x"}}"#);
    // Tokens by the million, rounded up.
    let mut wanted = PriceCeiling::default();
    wanted.prompt_token = "0.000000000002".parse().ok();
    wanted.answer_token = "0.000003".parse().ok();
    wanted.request = "0.5".parse().ok();
    assert_eq!(told, wanted);
    for odd in [
        "null",
        "{}",
        r#"{"prompt":-1,"completion":"1e99"}"#,
        r#"{"prompt":[1]}"#,
        "7",
    ] {
        assert_eq!(
            ceiling(&format!(r#""provider":{{"max_price":{odd}}}"#)),
            PriceCeiling::default(),
            "{odd}"
        );
    }
}

type IsGone = fn(&Needs) -> bool;

#[test]
fn all_of_it_reaches_the_layers_and_follows_a_change() {
    let mut changed = request(
        r#"{"messages":[{}],"n":2,"service_tier":"priority","cache_control":{"ttl":"1h"},"provider":{"max_price":{"prompt":1}},
            "plugins":[{"id":"web"}]}"#,
    );
    let needs = changed.needs();
    assert!(needs.priority && needs.long_cache && needs.ceiling.prompt_token.is_some());
    assert_eq!((needs.searches, needs.choices), (1, 2));
    // Each field by itself: what was read before is forgotten.
    let fields: [(&str, IsGone); 5] = [
        ("service_tier", |needs| !needs.priority),
        ("cache_control", |needs| !needs.long_cache),
        ("provider", |needs| needs.ceiling == PriceCeiling::default()),
        ("plugins", |needs| needs.searches == 0),
        ("n", |needs| needs.choices == 1),
    ];
    for (field, is_gone) in fields {
        assert!(!is_gone(&changed.needs()), "{field}");
        changed.remove(field);
        assert!(is_gone(&changed.needs()), "{field}");
    }
    let mut searching = request(r#"{"messages":[{}],"tools":[{"type":"openrouter:web_search"}],"preset":"x"}"#);
    assert_eq!(searching.needs().searches, 31);
    searching.remove("preset");
    assert_eq!(searching.needs().searches, 30);
    let searching = searching.extra("max_tool_calls", 2);
    assert_eq!(searching.needs().searches, 2);
}
