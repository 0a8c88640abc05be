//! Embeds a text, then says how alike two texts are.
#![expect(clippy::print_stdout, reason = "an example prints for the reader")]

mod support;

use tower_openrouter::{ChatServiceExt, EmbeddingRequest, Stack};

const MODEL: &str = "openai/text-embedding-3-small";

#[tokio::main(flavor = "current_thread")]
async fn main() -> support::Fallible {
    let place = support::place(&[]).await?;

    let stack = place.stack().build()?;
    let answer = stack.embed(EmbeddingRequest::new(MODEL, ["a blue sky"])).await?;
    let numbers = answer.response.vectors().next().ok_or("a text has a vector")?;
    println!("{} numbers", numbers.len());

    compare(&stack).await
}

/// Two texts in one call.
async fn compare(stack: &Stack) -> support::Fallible {
    let texts = EmbeddingRequest::new(MODEL, ["a blue sky", "a clear day"]);
    let answer = stack.embed(texts).await?.response;
    let [sky, day] = answer.vectors().collect::<Vec<_>>()[..] else {
        return Err("two texts have two vectors".into());
    };
    println!("alike by {:.3}", cosine(sky, day));
    Ok(())
}

/// How alike two vectors are: 1 if they point the same way.
fn cosine(one: &[f32], other: &[f32]) -> f32 {
    let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f32>();
    dot(one, other) / (dot(one, one) * dot(other, other)).sqrt()
}
