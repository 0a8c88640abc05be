//! The Rust drivers of `tests/clients`: a line of JSON in, a call, a line of JSON out. The client is the only argument.

mod answer;
mod async_openai;
mod openrouter_rs;

use std::{
    env,
    error::Error,
    io::{BufRead, Write, stdin, stdout},
};

use answer::Answer;
use serde::Deserialize;

/// What a case wants of the client.
#[derive(Deserialize)]
struct Ask {
    api: String,
    base: String,
    /// The client key; `None` to send none.
    key: Option<String>,
    model: String,
    stream: bool,
    /// `text`, `tools`, `schema`, `embed` or `models`.
    ask: String,
    prompt: String,
}

impl Ask {
    fn key(&self) -> &str {
        self.key.as_deref().unwrap_or_default()
    }

    fn wants(&self, what: &str) -> bool {
        self.ask == what
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let client = env::args()
        .nth(1)
        .ok_or("name the client: async-openai or openrouter-rs")?;
    for line in stdin().lock().lines() {
        let ask: Ask = serde_json::from_str(&line?)?;
        let mut answer = Answer::default();
        let failed = match client.as_str() {
            "async-openai" => async_openai::call(&ask, &mut answer).await,
            "openrouter-rs" => openrouter_rs::call(&ask, &mut answer).await,
            other => return Err(format!("no client `{other}`").into()),
        };
        answer.error = answer.error.take().or(failed);
        let mut out = stdout().lock();
        serde_json::to_writer(&mut out, &answer)?;
        out.write_all(b"\n")?;
        out.flush()?;
    }
    Ok(())
}
