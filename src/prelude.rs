//! What nearly every program imports: `use tower_openrouter::prelude::*;`.
//!
//! ```
//! use tower_openrouter::prelude::*;
//!
//! async fn run() -> Result<(), Box<dyn std::error::Error>> {
//!     let stack = Stack::openrouter(ApiKey::new("sk-or-v1-0")?).chain(["openai/gpt-5"]).build()?;
//!     let answer = stack.complete(ChatRequest::user("Why is the sky blue?")).await?;
//!     println!("{}", answer.response.text().unwrap_or_default());
//!     Ok(())
//! }
//! ```

pub use crate::{ApiKey, ChatRequest, ChatServiceExt, Error, Stack};
