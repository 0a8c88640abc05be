//! Every frame of a stream: reasoning, text, signs of life, and an end that says whether the answer is whole.
#![expect(clippy::print_stdout, reason = "an example prints for the reader")]

mod support;

use tower_openrouter::{ChatRequest, ChatServiceExt, FrameKind};

#[tokio::main(flavor = "current_thread")]
async fn main() -> support::Fallible {
    // In the simulator the second call is cut after a few words.
    let place = support::place(&[("deepseek/deepseek-v3.2", "ok,cut@5")]).await?;
    let stack = place.stack().chain(["deepseek/deepseek-v3.2"]).build()?;

    for _ in 0..2 {
        let mut answer = stack
            .stream(ChatRequest::user("Tell me of Rayleigh scattering.").max_tokens(400))
            .await?;
        let (mut words, mut signs_of_life) = (0, 0);
        let end = loop {
            match answer.next_frame().await {
                None => break None,
                Some(Err(error)) => break Some(error),
                Some(Ok(frame)) if frame.kind() == FrameKind::KeepAlive => signs_of_life += 1,
                Some(Ok(frame)) => {
                    words += usize::from(frame.text().is_some_and(|text| !text.is_empty()));
                }
            }
        };
        println!("{words} pieces of text, {signs_of_life} signs of life");
        match end {
            None => println!(
                "whole; usage: {:?}\n",
                answer.usage().and_then(|usage| usage.completion_tokens)
            ),
            Some(error) => println!("not whole: {error}\n  generation {:?}\n", error.generation_id()),
        }
    }
    Ok(())
}
