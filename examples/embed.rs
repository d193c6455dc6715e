//! Finds the text that is closest to a question.
//!
//! ```text
//! cargo run --example embed -- "Where do penguins live?"
//! TOLLGATE_MODEL=openai/text-embedding-3-small cargo run --example embed
//! ```
//!
//! All texts are embedded in one call, and the question in another. The environment decides which
//! provider it asks, see `environment/mod.rs`; `TOLLGATE_MODEL` must name a model for embeddings.
//! The loopback provider's vectors mean nothing, so its order is arbitrary.

mod environment;

use std::env;
use std::error::Error;

use tollgate::testing::Loopback;

const TEXTS: [&str; 5] = [
    "Emperor penguins breed on the ice of Antarctica.",
    "The Sahara is the largest hot desert.",
    "A sourdough starter is a culture of yeast and bacteria.",
    "The Danube flows through ten countries.",
    "Rust checks at compile time who owns a value.",
];

fn main() -> Result<(), Box<dyn Error>> {
    let question = env::args().nth(1).unwrap_or_else(|| "Where do penguins live?".to_owned());
    let mut server = None;
    let mut builder = environment::client(&mut server, Loopback::start)?;
    if server.is_some() {
        builder = builder.model("text-embedding-3-small");
    }
    let client = builder.build()?;

    let documents = client.embed(TEXTS)?;
    let query = client.embed(&question)?;
    let mut found: Vec<_> =
        documents.rows().zip(TEXTS).map(|(row, text)| (cosine(&query[0], row), text)).collect();
    found.sort_by(|(one, _), (other, _)| other.total_cmp(one));
    println!("{question}");
    for (similarity, text) in found {
        println!("{similarity:>7.3}  {text}");
    }
    println!("\n{}", client.costs());
    Ok(())
}

/// The cosine of the angle between two vectors: 1 for the same direction.
fn cosine(one: &[f32], other: &[f32]) -> f32 {
    let dot = |one: &[f32], other: &[f32]| one.iter().zip(other).map(|(a, b)| a * b).sum::<f32>();
    dot(one, other) / (dot(one, one) * dot(other, other)).sqrt()
}
