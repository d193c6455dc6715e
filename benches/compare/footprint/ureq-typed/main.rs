use serde::{Deserialize, Serialize};
use std::env;
use std::error::Error;

#[derive(Serialize)]
struct Request<'a> {
    model: &'a str,
    messages: &'a [Message],
}

#[derive(Serialize, Deserialize)]
struct Message {
    role: String,
    content: String,
}

#[derive(Deserialize)]
struct Response {
    choices: Vec<Choice>,
}

#[derive(Deserialize)]
struct Choice {
    message: Message,
}

fn main() -> Result<(), Box<dyn Error>> {
    let question =
        Message { role: "user".to_owned(), content: "What is the capital of France?".to_owned() };
    let request = Request { model: "gpt-4o-mini", messages: &[question] };
    let response = ureq::post(format!("{}/chat/completions", env::var("OPENAI_BASE_URL")?))
        .header("authorization", format!("Bearer {}", env::var("OPENAI_API_KEY")?))
        .header("content-type", "application/json")
        .send(serde_json::to_vec(&request)?)?
        .body_mut()
        .read_to_vec()?;
    let response: Response = serde_json::from_slice(&response)?;
    println!("{}", response.choices.first().ok_or("no choice")?.message.content);
    Ok(())
}
