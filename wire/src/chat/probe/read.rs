//! The members of an answer's document.

use super::ChunkProbe;
use super::values::{is_error, keep, means_error};
use crate::json::{Cursor, Found, JsonError, Text, full};

impl<'a> ChunkProbe<'a> {
    pub(super) fn member(&mut self, key: Text<'a>, value: &mut Cursor<'a>) -> Result<(), JsonError> {
        match key.name() {
            b"choices" => {
                if self.choices > 0 {
                    // The key stands twice: the last counts.
                    self.forget_choices();
                }
                if value.peek()? == Found::Object {
                    // One choice that is not in a list.
                    return self.choice(value);
                }
                value.array_or_skip(|choice| self.choice(choice))
            }
            b"id" => keep(&mut self.id, value),
            b"model" => keep(&mut self.model, value),
            b"provider" => keep(&mut self.provider, value),
            b"error" => self.failed(value),
            // Errors that are the whole event: Anthropic's, that of a response, vLLM's.
            b"type" => {
                let names = ["error", "response.error", "response.failed"];
                self.kind = full(value)?;
                self.error |= self.kind.is_some_and(|kind| names.iter().any(|name| kind.is(name)));
                Ok(())
            }
            b"object" => {
                self.error |= full(value)?.is_some_and(|object| object.is("error"));
                Ok(())
            }
            b"usage" => {
                if value.peek()? == Found::Object {
                    self.usage = Some(value.raw()?);
                    return Ok(());
                }
                value.skip()
            }
            b"base_resp" => {
                self.error |= means_error(value.raw()?);
                Ok(())
            }
            b"x_groq" => value.object_or_skip(|key, value| match key.name() {
                b"error" => self.failed(value),
                b"usage" => self.usage_beside(value),
                _ => value.skip(),
            }),
            b"errors" | b"detail" | b"message" | b"msg" | b"code" | b"success" | b"status" | b"Message" | b"__type"
            | b"fault" | b"error_msg" | b"error_message" | b"errorMessage" | b"error_code" | b"errorCode"
            | b"status_code" | b"statusCode" | b"title" | b"Error" | b"Response" | b"exception" | b"err"
            | b"failure" | b"errmsg" | b"result" => {
                self.suspect |= !matches!(value.peek()?, Found::Null);
                value.skip()
            }
            b"service_tier" => {
                self.tier = full(value)?;
                Ok(())
            }
            b"created" | b"system_fingerprint" => value.skip(),
            _ => {
                self.unknown |= matches!(value.peek()?, Found::Object | Found::Array | Found::String);
                value.skip()
            }
        }
    }

    fn failed(&mut self, value: &mut Cursor<'_>) -> Result<(), JsonError> {
        self.error |= is_error(value)?;
        Ok(())
    }

    pub(super) fn usage_beside(&mut self, value: &mut Cursor<'a>) -> Result<(), JsonError> {
        if value.peek()? == Found::Object {
            self.usage_beside = Some(value.raw()?);
            return Ok(());
        }
        value.skip()
    }
}
