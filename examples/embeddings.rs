//! Embeds two texts, and says how alike they are.
#![expect(clippy::print_stdout, reason = "an example prints for the reader")]

mod support;

use tower_openrouter::{ChatServiceExt, EmbeddingRequest, response::UsageExt as _};

#[tokio::main(flavor = "current_thread")]
async fn main() -> support::Fallible {
    let place = support::place(&[]).await?;
    let stack = place.stack().build()?;

    let texts = EmbeddingRequest::new("openai/text-embedding-3-small", ["a blue sky", "a clear day"]);
    let answer = stack.embed(texts).await?.response;
    let [sky, day] = answer.vectors().collect::<Vec<_>>()[..] else {
        return Err("two texts have two vectors".into());
    };
    println!("{} numbers each, alike by {:.3}", sky.len(), cosine(sky, day));

    let cost = answer.usage.as_ref().and_then(|usage| usage.charged().ok().flatten());
    if let Some(cost) = cost {
        println!("at {cost}");
    }
    Ok(())
}

/// How alike two vectors are: 1 if they point the same way.
fn cosine(one: &[f32], other: &[f32]) -> f32 {
    let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f32>();
    dot(one, other) / (dot(one, one) * dot(other, other)).sqrt()
}
