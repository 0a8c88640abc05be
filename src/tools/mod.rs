//! Tools that are functions of yours, and the loop that runs them: [`run_tools`](crate::ChatServiceExt::run_tools).
//!
//! The model is called with the tools; the calls in its message are run, together and in one task; their results go back in the order of the calls;
//! and so on until it answers without a call. Three things bound a run: [`max_steps`](Tools::max_steps), [`max_cost`](Tools::max_cost), and one
//! [`deadline`](Tools::deadline) for all of it, calls of the model and of tools. The whole conversation comes back, also with a failure.
//!
//! Each call of the model is a call of the stack like any other: with the request's tags, within its budgets, with its retries and fallbacks. A budget
//! on a tag is the hard bound on money; `max_cost` starts no further step.
//!
//! A tool that the model made up, arguments that do not parse, a tool that fails or panics: the model gets the reason as the tool's result, and may
//! do better. [`OnToolFailure::Stop`] ends the run instead.
//!
//! ```
//! use schemars::JsonSchema;
//! use serde::{Deserialize, Serialize};
//! use tower_openrouter::{ChatRequest, ChatServiceExt, Stack, tools::{Tool, ToolRunError, Tools}};
//!
//! #[derive(Deserialize, JsonSchema)]
//! struct City { name: String }
//!
//! #[derive(Serialize)]
//! struct Weather { celsius: f64 }
//!
//! # async fn run(stack: Stack) -> Result<(), ToolRunError> {
//! let weather = Tool::from_fn("get_weather", "The weather in a city, now.", |city: City| async move {
//!     if city.name == "Oslo" { Ok(Weather { celsius: 4.0 }) } else { Err("no such city") }
//! });
//! let tools = Tools::new([weather]).max_steps(4);
//! let run = stack.run_tools(ChatRequest::user("The weather in Oslo?"), &tools).await?;
//! println!("{} after {} steps", run.text(), run.steps.len());
//! # Ok(())
//! # }
//! ```
//!
//! # Cancellation
//!
//! Dropping the future drops the tools that run, and the call of the model. Nothing is spawned.

mod error;
mod limits;
mod outcome;
mod run;
mod together;
mod tool;

pub use error::{ToolRunError, ToolRunProblem};
pub use limits::{OnToolFailure, Tools};
pub use outcome::{ToolOutcome, ToolRun, ToolStep, ToolUse};
pub(crate) use run::run;
pub use tool::Tool;
