use super::request;
use crate::request::{ChatRequest, Message, Modalities, Part, Reasoning, ResponseFormat, Tool, ToolChoice};

#[test]
fn a_plain_question_needs_little() {
    let plain = ChatRequest::user("x");
    let facts = plain.facts();
    assert_eq!(
        facts.prompt_tokens,
        u64::try_from(plain.get_raw("messages").unwrap().len().div_ceil(4)).unwrap()
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

#[test]
fn a_change_is_seen_and_another_model_costs_no_second_look() {
    let mut request = ChatRequest::user("x");
    let before = request.facts().prompt_tokens;
    request.push_message(&Message::user("y".repeat(400)));
    assert!(request.facts().prompt_tokens >= before + 100);
    let at = std::ptr::from_ref(request.facts());
    request.set_model("a/b");
    request.set_max_tokens(3);
    assert_eq!(std::ptr::from_ref(request.facts()), at);
    assert!(!request.facts().tools);
    request.remove("messages");
    assert_eq!(request.facts().prompt_tokens, 0);
}

#[test]
fn odd_shapes_are_stepped_over() {
    let odd = request(
        r#"{"messages":[null,5,{"role":7,"content":[null,{"image_url":null}]},{"content":{"a":1}}],"tools":{},"tool_choice":5,"modalities":"x"}"#,
    );
    let facts = odd.facts();
    assert!(!facts.tools && !facts.forced_tool_choice && !facts.prefill);
    assert_eq!(facts.output, Modalities::TEXT);
    assert_eq!(request(r#"{"prompt":"12345678"}"#).facts().prompt_tokens, 3);
}
