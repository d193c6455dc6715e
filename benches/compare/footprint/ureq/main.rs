use serde_json::{Value, json};
use std::env;
use std::error::Error;

fn main() -> Result<(), Box<dyn Error>> {
    let request = json!({
        "model": "gpt-4o-mini",
        "messages": [{"role": "user", "content": "What is the capital of France?"}],
    });
    let response = ureq::post(format!("{}/chat/completions", env::var("OPENAI_BASE_URL")?))
        .header("authorization", format!("Bearer {}", env::var("OPENAI_API_KEY")?))
        .header("content-type", "application/json")
        .send(request.to_string())?
        .body_mut()
        .read_to_string()?;
    let response: Value = serde_json::from_str(&response)?;
    println!("{}", response["choices"][0]["message"]["content"].as_str().ok_or("no text")?);
    Ok(())
}
