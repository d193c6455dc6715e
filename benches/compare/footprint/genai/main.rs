use genai::adapter::AdapterKind;
use genai::chat::{ChatMessage, ChatRequest};
use genai::resolver::{AuthData, Endpoint};
use genai::{Client, ModelIden, ServiceTarget};
use std::env;
use std::error::Error;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let target = ServiceTarget {
        // The adapter appends the path to what ends in a slash.
        endpoint: Endpoint::from_owned(format!("{}/", env::var("OPENAI_BASE_URL")?)),
        auth: AuthData::from_env("OPENAI_API_KEY"),
        model: ModelIden::new(AdapterKind::OpenAI, "gpt-4o-mini"),
    };
    let request = ChatRequest::new(vec![ChatMessage::user("What is the capital of France?")]);
    let response = Client::new()?.exec_chat(target, request, None).await?;
    println!("{}", response.first_text().ok_or("no text")?);
    Ok(())
}
