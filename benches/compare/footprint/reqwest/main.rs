use reqwest::blocking::Client;
use serde_json::{Value, json};
use std::env;
use std::error::Error;

fn main() -> Result<(), Box<dyn Error>> {
    let request = json!({
        "model": "gpt-4o-mini",
        "messages": [{"role": "user", "content": "What is the capital of France?"}],
    });
    let response: Value = Client::new()
        .post(format!("{}/chat/completions", env::var("OPENAI_BASE_URL")?))
        .bearer_auth(env::var("OPENAI_API_KEY")?)
        .json(&request)
        .send()?
        .error_for_status()?
        .json()?;
    println!("{}", response["choices"][0]["message"]["content"].as_str().ok_or("no text")?);
    Ok(())
}
