//! Answers of a type of yours: [`complete_as`](crate::ChatServiceExt::complete_as).
//!
//! The type's JSON schema goes along as `response_format`, in the form that OpenAI and OpenRouter accept under strict mode; the answer comes back as
//! the type. [`response_format`] gives the schema alone, for a stream, and [`read`] reads a text.
//!
//! # The schema
//!
//! Under strict mode every property is required and no other is allowed, so an optional field is one that may be null. What schemars writes in
//! another way and means the same is rewritten:
//!
//! * `oneOf` becomes `anyOf`, `const` an `enum` of one value, an `allOf` of one schema that schema, and a reference with notes an `anyOf` of one;
//! * the formats of numbers become their bounds, if they are exact; the other formats, defaults and examples become words of the description;
//! * a type that is no object, such as an enum or a list, becomes the member `value` of one. It is taken out again.
//!
//! What strict mode cannot express is refused at the first call, with its place, and nothing is sent: maps, tuples, values of any type, and
//! constraints such as `minLength`. The validation that you need of these belongs into the type's own `Deserialize`.
//!
//! ```
//! use schemars::JsonSchema;
//! use serde::Deserialize;
//! use tower_openrouter::{ChatRequest, ChatServiceExt, Stack, typed::TypedError};
//!
//! #[derive(Deserialize, JsonSchema)]
//! struct Forecast {
//!     /// In degrees Celsius.
//!     high: f64,
//!     rain: Option<bool>,
//! }
//!
//! # async fn run(stack: Stack) -> Result<(), TypedError> {
//! let forecast = stack.complete_as::<Forecast>(ChatRequest::user("The weather in Oslo?")).await?;
//! println!("{} °C", forecast.value.high);
//! # Ok(())
//! # }
//! ```

mod answer;
mod error;
mod notes;
mod schema;
mod strict;
#[cfg(test)]
mod tests;

pub use answer::{Typed, read};
pub(crate) use answer::{asking, in_type, parse};
pub use error::{Mismatch, TypedError};
pub use schema::{SchemaError, response_format};
pub(crate) use schema::{StrictSchema, plain_schema};
