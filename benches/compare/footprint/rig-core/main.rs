use rig_core::completion::CompletionRequest;
use rig_core::providers::openai::OpenAI;
use std::error::Error;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let model = OpenAI::from_env()?.chat("gpt-4o-mini");
    let response = model.call(CompletionRequest::new("What is the capital of France?")).await?;
    println!("{}", response.text());
    Ok(())
}
