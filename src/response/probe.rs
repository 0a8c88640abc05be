//! The little that a call must know of each document of an answer, without building it.
//!
//! Runs for every chunk of every stream: borrows from the bytes, and allocates nothing.

use std::{borrow::Cow, fmt};

use serde::{Deserialize, Deserializer, de};
use serde_json::value::RawValue;

use super::Usage;

/// What one chunk, or one plain answer, means for the call.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct AnswerProbe<'a> {
    /// The generation's id.
    pub id: Option<Cow<'a, str>>,
    /// Something to show: text, reasoning, a tool call, a refusal, an image, sound.
    pub has_content: bool,
    /// A choice says why it ended.
    pub has_finish: bool,
    /// It ended as `stop`, which says nothing of there being an answer.
    pub finish_is_stop: bool,
    /// It ended as `error`.
    pub finish_is_error: bool,
    /// The provider's own word for the end.
    pub native_finish_reason: Option<Cow<'a, str>>,
    /// It reports an error, at the top or in a choice.
    pub has_error: bool,
    /// It carries usage.
    pub has_usage: bool,
    /// Tokens of the answer, where usage says so.
    pub completion_tokens: Option<u64>,
    /// The largest index of a choice.
    pub max_index: u64,
}

#[derive(Deserialize)]
struct Document<'a> {
    #[serde(borrow, default)]
    id: Option<&'a RawValue>,
    #[serde(borrow, default)]
    error: Option<&'a RawValue>,
    #[serde(borrow, default)]
    usage: Option<&'a RawValue>,
    #[serde(borrow, default)]
    choices: Choices<'a>,
}

/// All choices, folded into one while they are read.
#[derive(Default)]
struct Choices<'a> {
    content: bool,
    finish: Option<&'a RawValue>,
    native: Option<&'a RawValue>,
    error: bool,
    max_index: u64,
}

#[derive(Deserialize)]
struct Choice<'a> {
    #[serde(borrow, default)]
    index: Option<&'a RawValue>,
    #[serde(borrow, default)]
    delta: Option<Said<'a>>,
    #[serde(borrow, default)]
    message: Option<Said<'a>>,
    #[serde(borrow, default)]
    text: Option<&'a RawValue>,
    #[serde(borrow, default)]
    finish_reason: Option<&'a RawValue>,
    #[serde(borrow, default)]
    native_finish_reason: Option<&'a RawValue>,
    #[serde(borrow, default)]
    error: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Said<'a> {
    #[serde(borrow, default)]
    content: Option<&'a RawValue>,
    #[serde(borrow, default)]
    reasoning: Option<&'a RawValue>,
    #[serde(borrow, default)]
    reasoning_content: Option<&'a RawValue>,
    #[serde(borrow, default)]
    reasoning_details: Option<&'a RawValue>,
    #[serde(borrow, default)]
    tool_calls: Option<&'a RawValue>,
    #[serde(borrow, default)]
    function_call: Option<&'a RawValue>,
    #[serde(borrow, default)]
    refusal: Option<&'a RawValue>,
    #[serde(borrow, default)]
    images: Option<&'a RawValue>,
    #[serde(borrow, default)]
    audio: Option<&'a RawValue>,
}

impl Said<'_> {
    fn has_content(&self) -> bool {
        let fields = [
            self.content,
            self.reasoning,
            self.reasoning_content,
            self.reasoning_details,
            self.tool_calls,
            self.function_call,
            self.refusal,
            self.images,
            self.audio,
        ];
        fields.into_iter().any(is_something)
    }
}

/// Whether a value is there and not blank.
fn is_something(value: Option<&RawValue>) -> bool {
    value.is_some_and(|value| !matches!(value.get(), "null" | "\"\"" | "[]" | "{}" | "false"))
}

impl<'a, 'de: 'a> Deserialize<'de> for Choices<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;

        impl<'de> de::Visitor<'de> for Visitor {
            type Value = Choices<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list of choices")
            }

            fn visit_unit<E>(self) -> Result<Choices<'de>, E> {
                Ok(Choices::default())
            }

            fn visit_seq<A: de::SeqAccess<'de>>(self, mut list: A) -> Result<Choices<'de>, A::Error> {
                let mut all = Choices::default();
                while let Some(choice) = list.next_element::<Choice<'de>>()? {
                    let said = [&choice.delta, &choice.message].into_iter().flatten().any(Said::has_content);
                    all.content |= said || is_something(choice.text);
                    all.error |= is_something(choice.error);
                    all.finish = choice.finish_reason.filter(|reason| is_something(Some(reason))).or(all.finish);
                    all.native = choice.native_finish_reason.or(all.native);
                    let index = choice.index.and_then(|index| index.get().parse().ok()).unwrap_or(0);
                    all.max_index = all.max_index.max(index);
                }
                Ok(all)
            }
        }

        deserializer.deserialize_any(Visitor)
    }
}

impl<'a> AnswerProbe<'a> {
    /// Looks at one JSON document.
    ///
    /// # Errors
    ///
    /// Where it is no JSON object, or its choices are no list. The error names a place, never the text.
    pub fn read(bytes: &'a [u8]) -> Result<Self, serde_json::Error> {
        if bytes.trim_ascii_start().first() != Some(&b'{') {
            // Tells end of input from other text as serde_json itself does.
            serde_json::from_slice::<de::IgnoredAny>(bytes)?;
            return Err(de::Error::custom("expected a JSON object"));
        }
        let document: Document<'a> = serde_json::from_slice(bytes)?;
        let Choices { content, finish, native, error, max_index } = document.choices;
        let finish = finish.map(RawValue::get);
        Ok(Self {
            id: document.id.and_then(text),
            has_content: content,
            has_finish: finish.is_some(),
            finish_is_stop: finish == Some("\"stop\""),
            finish_is_error: finish == Some("\"error\""),
            native_finish_reason: native.and_then(text),
            has_error: error || is_something(document.error),
            has_usage: is_something(document.usage),
            completion_tokens: document.usage.and_then(completion_tokens),
            max_index,
        })
    }
}

/// A JSON string; borrowed unless it has escapes.
fn text(value: &RawValue) -> Option<Cow<'_, str>> {
    #[derive(Deserialize)]
    struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

    serde_json::from_str::<Text<'_>>(value.get()).ok().map(|text| text.0)
}

fn completion_tokens(usage: &RawValue) -> Option<u64> {
    #[derive(Deserialize)]
    struct Tokens<'a> {
        #[serde(borrow, default)]
        completion_tokens: Option<&'a RawValue>,
    }

    serde_json::from_str::<Tokens<'_>>(usage.get()).ok()?.completion_tokens?.get().parse().ok()
}

/// The first choice's text in a chunk or a plain answer.
pub(crate) fn text_of(bytes: &[u8]) -> Option<Cow<'_, str>> {
    #[derive(Deserialize)]
    struct Texts<'a> {
        #[serde(borrow, default)]
        choices: Option<Vec<Spoken<'a>>>,
    }

    #[derive(Deserialize)]
    struct Spoken<'a> {
        #[serde(borrow, default)]
        delta: Option<Content<'a>>,
        #[serde(borrow, default)]
        message: Option<Content<'a>>,
        #[serde(borrow, default)]
        text: Option<&'a RawValue>,
    }

    #[derive(Deserialize)]
    struct Content<'a> {
        #[serde(borrow, default)]
        content: Option<&'a RawValue>,
    }

    let texts: Texts<'_> = serde_json::from_slice(bytes).ok()?;
    let spoken = texts.choices?.into_iter().next()?;
    let said = spoken.delta.or(spoken.message).and_then(|said| said.content);
    text(said.or(spoken.text)?)
}

/// The usage in a chunk or a plain answer.
pub(crate) fn usage_of(bytes: &[u8]) -> Option<Usage> {
    #[derive(Deserialize)]
    struct Used {
        usage: Option<Usage>,
    }

    serde_json::from_slice::<Used>(bytes).ok()?.usage
}

#[cfg(test)]
mod tests {
    use super::*;

    fn probe(text: &str) -> AnswerProbe<'_> {
        AnswerProbe::read(text.as_bytes()).unwrap()
    }

    #[test]
    fn a_role_alone_is_no_content() {
        let probe = probe(
            r#"{"id":"gen-1","choices":[{"index":0,"delta":{"role":"assistant","content":""},"finish_reason":null}]}"#,
        );
        assert_eq!(probe, AnswerProbe { id: Some("gen-1".into()), ..AnswerProbe::default() });
    }

    #[test]
    fn each_kind_of_content_counts() {
        for said in [
            r#""content":"a""#,
            r#""content":"\n""#,
            r#""reasoning":"hm""#,
            r#""reasoning_details":[{"type":"reasoning.text","text":"hm"}]"#,
            r#""tool_calls":[{"index":0}]"#,
            r#""refusal":"no""#,
            r#""images":[{}]"#,
            r#""audio":{"id":"a"}"#,
        ] {
            assert!(probe(&format!(r#"{{"choices":[{{"delta":{{{said}}}}}]}}"#)).has_content, "{said}");
            assert!(probe(&format!(r#"{{"choices":[{{"message":{{{said}}}}}]}}"#)).has_content, "{said}");
        }
        assert!(probe(r#"{"choices":[{"text":"a"}]}"#).has_content);
        assert!(!probe(r#"{"choices":[{"delta":{"content":null,"tool_calls":[],"reasoning":""}}]}"#).has_content);
    }

    #[test]
    fn sees_ends_errors_and_usage_wherever_they_stand() {
        let end = probe(
            r#"{"choices":[{"delta":{},"finish_reason":"stop","native_finish_reason":"end_turn"}],"usage":{"completion_tokens":3}}"#,
        );
        assert!(end.has_finish && end.finish_is_stop && end.has_usage);
        assert_eq!(end.completion_tokens, Some(3));
        assert_eq!(end.native_finish_reason.as_deref(), Some("end_turn"));
        assert!(probe(r#"{"choices":[],"error":{"code":502}}"#).has_error);
        assert!(probe(r#"{"choices":[{"error":{"code":502}}]}"#).has_error);
        assert!(!probe(r#"{"choices":[{"error":null}],"error":null}"#).has_error);
        assert!(probe(r#"{"choices":[{"finish_reason":"error"}]}"#).finish_is_error);
        assert_eq!(probe(r#"{"choices":[{"index":0},{"index":2}]}"#).max_index, 2);
        assert!(probe(r#"{"choices":null,"usage":null}"#) == AnswerProbe::default());
    }

    #[test]
    fn what_is_no_object_is_an_error() {
        for bad in ["", "  \n ", "[]", "null", "\"a\"", "<html>", "{\"choices\":[", "{\"choices\":{}}", "{} x"] {
            assert!(AnswerProbe::read(bad.as_bytes()).is_err(), "{bad}");
        }
    }

    #[test]
    fn text_is_borrowed_unless_escaped() {
        let plain = br#"{"choices":[{"delta":{"content":"blue"}}]}"#;
        assert!(matches!(text_of(plain), Some(Cow::Borrowed("blue"))));
        assert_eq!(text_of(br#"{"choices":[{"message":{"content":"a\nb"}}]}"#).as_deref(), Some("a\nb"));
        assert_eq!(text_of(br#"{"choices":[]}"#), None);
    }
}
