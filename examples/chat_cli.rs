//! A conversation in the terminal: several turns, a tool, pictures by their address, and what each answer took and cost.
//!
//! ```sh
//! cargo run --example chat_cli
//! ```
//!
//! Type a line and press Enter. `/image URL` adds a picture to the next line, `/quit` or Ctrl-D ends. Without a terminal each line of the
//! standard input is a turn; without any line a short conversation is played.
//!
//! The file stands by itself. A project of its own needs (until the crates are published, with the `path` of a checkout in place of our versions):
//!
//! ```toml
//! [dependencies]
//! tower-openrouter = "0.1"
//! openrouter-simulator = "0.1"
//! serde_json = "1"
//! tokio = { version = "1", features = ["macros", "rt"] }
//! ```
#![expect(clippy::print_stdout, reason = "an example prints for the reader")]

use std::{
    env,
    error::Error,
    io::{BufRead, IsTerminal, Write, stdin, stdout},
};

use openrouter_simulator::Simulator;
use serde_json::json;
use tower_openrouter::{
    ApiKey, AttemptLog, ChatRequest, ChatServiceExt, Stack,
    request::{Message, Part, Tool},
    transport::{Dialect, OPENROUTER, Upstream},
};

type Fallible<T = ()> = Result<T, Box<dyn Error>>;

/// How often the model may call the tool within one turn.
const TOOL_ROUNDS: usize = 4;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Fallible {
    // Without a key it calls a simulator in this process.
    let simulator = Simulator::start().await?;
    let builder = if env::var_os("OPENROUTER_API_KEY").is_some() {
        Stack::openrouter(ApiKey::from_variable("OPENROUTER_API_KEY")?)
    } else {
        let upstream = Upstream::new(OPENROUTER, &simulator.base_url(), Dialect::OpenRouter)?;
        Stack::builder().upstream(upstream, ApiKey::new("sk-or-v1-simulated")?)
    };
    let stack = builder
        .chain(["openai/gpt-4o-mini", "anthropic/claude-sonnet-4.5"])
        .build()?;
    let mut messages = vec![Message::system("Answer in one or two sentences.")];
    let mut pictures = Vec::new();
    let mut turns = 0;

    for line in lines() {
        let line = line?;
        match line.trim() {
            "" => continue,
            "/quit" => break,
            text if text.starts_with("/image ") => {
                pictures.push(text.trim_start_matches("/image ").trim().to_owned());
                continue;
            }
            text => {
                let mut parts = vec![Part::text(text)];
                parts.extend(pictures.drain(..).map(Part::image_url));
                messages.push(Message::user(parts));
            }
        }
        // A failure ends the turn, not the conversation.
        match turn(&stack, &mut messages).await {
            Ok(()) => turns += 1,
            Err(error) => println!("{error}\n"),
        }
    }
    println!("{turns} turns");
    Ok(())
}

/// One turn: streams the answer, runs the tool if the model calls it, and adds the messages to the conversation.
async fn turn(stack: &Stack, messages: &mut Vec<Message>) -> Fallible {
    for _ in 0..TOOL_ROUNDS {
        let request = ChatRequest::new(messages.clone()).tools([clock()]);
        let answer = stack.complete(request).await?;
        let choice = answer.response.choices.first().ok_or("an answer without a choice")?;
        let message = choice.message.to_message();
        let calls = message.tool_calls.clone().unwrap_or_default();
        let text = message.text();
        messages.push(message);
        for call in &calls {
            println!("  [{} was called]", call.function.name);
            messages.push(Message::tool(call.id.clone(), r#"{"time":"12:00"}"#));
        }
        if calls.is_empty() {
            let cost = answer.response.usage.as_ref().and_then(|usage| usage.cost.clone());
            let attempts = answer.attempts.as_ref().map_or(0, AttemptLog::sent);
            print!("{text}\n  [{attempts} attempt{}", if attempts == 1 { "" } else { "s" });
            cost.map_or_else(|| println!("]\n"), |cost| println!(", ${cost}]\n"));
            stdout().flush()?;
            return Ok(());
        }
    }
    Err("the model called the tool again and again".into())
}

fn clock() -> Tool {
    let nothing = json!({ "type": "object", "properties": {}, "additionalProperties": false });
    Tool::function("current_time", "The time of day.", nothing)
}

/// What people type; without a terminal what is piped in, and if that is empty a conversation of two lines.
fn lines() -> Box<dyn Iterator<Item = std::io::Result<String>>> {
    if stdin().is_terminal() {
        return Box::new(stdin().lock().lines());
    }
    let mut piped = stdin().lock().lines().peekable();
    if piped.peek().is_some() {
        return Box::new(piped);
    }
    let demo = [
        "Why is the sky blue?",
        "/image https://example.org/sunset.png",
        "And here?",
    ];
    Box::new(demo.into_iter().map(|line| {
        println!("> {line}");
        Ok(line.to_owned())
    }))
}
