//! A typed answer: asked for, and read.

use http::Request;
use openrouter_wire::finish::End;
use schemars::JsonSchema;
use serde::de::DeserializeOwned;

use super::{Mismatch, StrictSchema, TypedError, schema::WRAPPED};
use crate::{ApiRequest, Completion, Error, FailureKind, request::ResponseFormat, response::Choice};

/// An answer of your type.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Typed<T> {
    /// The value.
    pub value: T,
    /// The answer that it was read from, with what was tried.
    pub completion: Completion,
}

/// Reads a text as a value of this type: JSON of its [`response_format`](super::response_format), also if the model put it into a fenced block of
/// Markdown.
///
/// # Errors
///
/// The place that does not fit.
pub fn read<T: DeserializeOwned + JsonSchema>(text: &str) -> Result<T, Mismatch> {
    // What strict mode cannot express was not wrapped either.
    let is_wrapped = StrictSchema::of::<T>().is_ok_and(|strict| strict.is_wrapped);
    if is_wrapped { parse_wrapped(text) } else { parse(text) }
}

/// The request with the schema.
pub(crate) fn asking(
    mut request: Request<ApiRequest>,
    strict: &StrictSchema,
) -> Result<Request<ApiRequest>, TypedError> {
    let api = request.body().api();
    let Some(chat) = request.body_mut().as_chat_mut() else {
        let message = format!("this is a request of the {api} API: only chat requests support typed answers");
        return Err(Error::new(FailureKind::BadRequest, message).into());
    };
    let format = ResponseFormat::json_schema(&*strict.name, strict.schema.clone());
    *chat = chat.clone().response_format(format);
    Ok(request)
}

/// The answer as the requested type.
pub(crate) fn in_type<T: DeserializeOwned>(
    completion: Completion,
    strict: &StrictSchema,
) -> Result<Typed<T>, TypedError> {
    // Of several choices the first that says something.
    let choices = &completion.response.choices;
    let has_words = |words: Option<&str>| words.is_some_and(|words| !words.trim().is_empty());
    let says = |choice: &&Choice| {
        let message = &choice.message;
        [&message.refusal, &message.content, &choice.text]
            .into_iter()
            .any(|words| has_words(words.as_deref()))
    };
    let Some(choice) = choices.iter().find(says).or_else(|| choices.first()) else {
        let error = Error::new(FailureKind::EmptyResponse, "the answer is empty");
        return Err(error.after_attempts(completion.attempts.as_ref()).into());
    };
    if has_words(choice.message.refusal.as_deref()) {
        return Err(TypedError::Refused(Box::new(completion)));
    }
    let text = completion.response.text().unwrap_or_default();
    let value = if strict.is_wrapped {
        parse_wrapped(text)
    } else {
        parse(text)
    };
    let end = choice.finish_reason.as_ref().map(|reason| End::of(reason.as_str()));
    match (value, end) {
        (Ok(value), _) => Ok(Typed { value, completion }),
        (Err(_), Some(End::Filter)) => Err(TypedError::Refused(Box::new(completion))),
        (Err(_), Some(End::Length)) => Err(TypedError::CutShort(Box::new(completion))),
        (Err(mismatch), _) => Err(TypedError::Mismatch(Box::new((mismatch, completion)))),
    }
}

/// Reads JSON as this type.
pub(crate) fn parse<T: DeserializeOwned>(text: &str) -> Result<T, Mismatch> {
    let json = bare(text);
    let mut reader = serde_json::Deserializer::from_str(json);
    let value = serde_path_to_error::deserialize(&mut reader).map_err(|error| {
        let path = error.path().to_string();
        Mismatch::new(path, error.into_inner())
    })?;
    reader.end().map_err(|error| Mismatch::new(".".to_owned(), error))?;
    Ok(value)
}

fn parse_wrapped<T: DeserializeOwned>(text: &str) -> Result<T, Mismatch> {
    let mut members: serde_json::Map<String, serde_json::Value> = parse(text)?;
    let value = members.remove(WRAPPED).unwrap_or_default();
    serde_path_to_error::deserialize(value).map_err(|error| {
        let path = format!("{WRAPPED}.{}", error.path());
        Mismatch::new(path, error.into_inner())
    })
}

/// The text without white space, byte order mark, and the fence of a single block around it.
fn bare(text: &str) -> &str {
    let text = text.trim_start_matches('\u{feff}').trim();
    let inside = text.strip_prefix("```").and_then(|inside| inside.strip_suffix("```"));
    let inside = inside.and_then(|inside| inside.split_once('\n'));
    inside.map_or(text, |(_, json)| json.trim())
}
