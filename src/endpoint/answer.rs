//! A plain answer where a stream was asked for: some providers ignore the wish.

use serde_json::Value;

/// The same answer as one chunk of a stream. What cannot be read goes out as it is.
pub(super) fn as_chunk(answer: &[u8]) -> Vec<u8> {
    let Ok(Value::Object(mut document)) = serde_json::from_slice(answer) else {
        return answer.to_vec();
    };
    document.insert("object".to_owned(), Value::from("chat.completion.chunk"));
    if let Some(Value::Array(choices)) = document.get_mut("choices") {
        for choice in choices.iter_mut().filter_map(Value::as_object_mut) {
            if let Some(message) = choice.remove("message") {
                choice.insert("delta".to_owned(), indexed(message));
            }
        }
    }
    serde_json::to_vec(&document).unwrap_or_else(|_| answer.to_vec())
}

/// In a stream each tool call says which one it is.
fn indexed(mut message: Value) -> Value {
    if let Some(Value::Array(calls)) = message.get_mut("tool_calls") {
        for (index, call) in calls.iter_mut().enumerate() {
            if let Some(call) = call.as_object_mut() {
                call.entry("index").or_insert_with(|| Value::from(index));
            }
        }
    }
    message
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_becomes_a_delta() {
        let answer = br#"{"id":"g","object":"chat.completion","choices":[{"index":0,"finish_reason":"stop","message":{"role":"assistant","content":"Hi","tool_calls":[{"id":"a"}]}}],"usage":{"cost":0.00000765}}"#;
        let chunk: Value = serde_json::from_slice(&as_chunk(answer)).unwrap();
        assert_eq!(chunk["object"], "chat.completion.chunk");
        assert_eq!(chunk["choices"][0]["delta"]["content"], "Hi");
        assert_eq!(chunk["choices"][0]["delta"]["tool_calls"][0]["index"], 0);
        assert_eq!(chunk["choices"][0].get("message"), None);
    }
}
