//! Answers held to the JSON schemas that their requests asked for: the check for [`StackBuilder::conformance`](crate::stack::StackBuilder::conformance).
//!
//! [`JsonSchemaCheck`] reads what a request promises: `response_format` of a chat, `text.format` of a response, `output_format` of a message, and
//! the schemas of its tools. A whole answer fails as [`Nonconformant`](crate::FailureKind::Nonconformant) if
//!
//! * its text is not JSON, although JSON was requested, or does not fit the schema;
//! * the arguments of a tool call are not JSON, or do not fit the schema of that tool. No arguments at all count as an empty object.
//!
//! No such failure is
//!
//! * a refusal, in its own member or by its finish reason: it is the model's answer, it has its own form in every API, and a repetition would be
//!   refused again;
//! * an answer that was cut short at its limit of tokens: it is a part of what was requested, its finish reason says so, and the same call would be
//!   cut again. [`fail_on_finish_reason`](crate::stack::StackBuilder::fail_on_finish_reason) moves the chain on for it;
//! * text next to tool calls, a call of a tool that the request does not name, and an answer that cannot be read at all.
//!
//! # What is checked
//!
//! Schemas of all drafts from 4 to 2020-12. `format` is a note, not a check. A reference leads to a place in the same document, written as a JSON
//! pointer; nothing is ever fetched. Patterns run in linear time: one that needs look-around or back-references cannot be used. A schema that is
//! itself wrong, cannot be used, or is so large or so entangled that its check might take long never fails an answer: this is logged once, and the
//! answer need only be JSON. Compiled schemas are kept, the most recently used 256 of them.
//!
//! ```
//! use tower_openrouter::{ApiKey, Stack, conformance::JsonSchemaCheck, layers::conformance::ConformanceLayer};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let stack = Stack::openrouter(ApiKey::new("sk-or-v1-0")?)
//!     .chain(["openai/gpt-5-nano", "openai/gpt-5"])
//!     .conformance(ConformanceLayer::new(JsonSchemaCheck::new()))
//!     .build()?;
//! # Ok(())
//! # }
//! ```

mod cache;
mod check;
mod content;
#[cfg(test)]
mod official_suite_tests;
mod requested;
mod schema;
#[cfg(test)]
mod suite_tests;
#[cfg(test)]
mod tests;
mod work;

pub use check::JsonSchemaCheck;
